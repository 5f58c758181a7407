package container

import (
	"slices"
	"strings"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/process"
)

// A Membership is where a process belongs by its cgroups: to a container, to a
// unit of systemd, to both or to neither.
type Membership struct {
	// Identity is the innermost container that it is in or beside, as the
	// paths tell or, where they do not, as its first process does. With
	// RoleNone there is none that is known.
	Identity cgroup.Identity
	// Unit is the unit of the host's systemd, which is the container's
	// counterpart: of a process in a container mostly the one that the runtime
	// made for it.
	Unit cgroup.Unit
	// Container is what its runtime says of the container in Identity, of a
	// helper of the one that it serves. It is zero, without an ID, where the
	// name is not known.
	Container Container
	// Outer are those that the containers in Identity.Outer are by name, as many
	// and in the same order, each zero where that is not known. It is nil where
	// none is known.
	Outer []Container
}

// In reports whether the process is in a container, not only beside it.
func (m *Membership) In() bool {
	return m.Identity.Role == cgroup.RoleContainer || m.Identity.Role == cgroup.RoleSandbox
}

// Same reports whether both are in one container, which none is where the
// runtime did not tell and the paths do not either.
func (m *Membership) Same(o *Membership) bool {
	return m.In() && o.In() && m.Identity.Container != "" && m.Identity.Container == o.Identity.Container &&
		m.Identity.Runtime == o.Identity.Runtime
}

// Explained reports whether the path of a container group says by itself which
// container's it is, or that it is none's: the root, or one that systemd made for
// what is no container.
func Explained(path string) bool {
	return path == "" || path == "/" || strings.HasSuffix(path, ".slice") || cgroup.UnitOf(path).Name != "" ||
		cgroup.Identify(path).Role != cgroup.RoleNone
}

// Of returns where a process with the cgroups belongs. The names are those that
// the resolver, which may be nil, has in memory.
//
// The container is read from the container group, or where that tells of none,
// from the first line of the membership that does; and the unit from the
// hierarchy that systemd names itself in, which is not the container group's on
// every host.
func Of(c process.Cgroup, names Resolver) Membership {
	m := Membership{Identity: cgroup.Identify(c.Group), Unit: cgroup.UnitOf(c.Group)}
	var systemd, unified string
	for line, err := range cgroup.Lines(c.Membership) {
		if err != nil {
			continue
		}
		if m.Identity.Role == cgroup.RoleNone && m.Identity.Pod == "" {
			m.Identity = cgroup.Identify(line.Path)
		}
		switch {
		case line.Has("name=systemd"):
			systemd = line.Path
		case line.Unified():
			unified = line.Path
		}
	}
	for _, path := range []string{unified, systemd} {
		if u := cgroup.UnitOf(path); u.Name != "" {
			m.Unit = u
		}
	}
	if names != nil {
		m.name(c, names)
	}
	return m
}

// name takes in what the runtimes say.
func (m *Membership) name(c process.Cgroup, names Resolver) {
	if c.Group != "" && m.Identity.Role != cgroup.RoleHelper {
		found, at, ok := names.ByCgroup(c.Group)
		switch around := cgroup.Identify(at); {
		case !ok || found.ID == "" || found.ID == m.Identity.Container || !m.mayName(&found):
		case around.Container == m.Identity.Container:
			m.within(found, names)
			return
		default: // the path tells of one that is in it
			outermost := identityOf(&found)
			m.Identity.Outer = append(slices.Clip(m.Identity.Outer), outermost)
			defer func() {
				m.Outer = append(m.Outer, make([]Container, len(m.Identity.Outer)-len(m.Outer))...)
				m.Outer[len(m.Outer)-1] = found
			}()
		}
	}
	id := m.Identity.Container
	if m.Identity.Role == cgroup.RoleHelper {
		id = m.Identity.Beside
	}
	m.Container = m.named(id, &m.Identity, names)
	if m.Container.Sandbox && m.Identity.Role == cgroup.RoleContainer {
		m.Identity.Role = cgroup.RoleSandbox
	}
	m.nameOuter(names)
}

// within takes in that the process is in a container of which the path does not
// tell, whatever it tells of is around that.
func (m *Membership) within(c Container, names Resolver) {
	inner := identityOf(&c)
	if m.Identity.Role != cgroup.RoleNone {
		outer := m.Identity
		outer.Outer = nil
		inner.Outer = append([]cgroup.Identity{outer}, m.Identity.Outer...)
	}
	if inner.Pod == "" {
		inner.Pod = m.Identity.Pod
	}
	m.Identity, m.Container = inner, c
	m.nameOuter(names)
}

func identityOf(c *Container) cgroup.Identity {
	i := cgroup.Identity{Runtime: c.Runtime, Container: c.ID, Pod: c.Pod.UID, Role: cgroup.RoleContainer}
	if c.Sandbox {
		i.Role = cgroup.RoleSandbox
	}
	return i
}

// mayName reports whether the runtime that told of a container may name what the
// process is in: a user's names only what that user runs.
func (m *Membership) mayName(c *Container) bool { return c.Owner == 0 || c.Owner == m.Unit.OwnerUID }

func (m *Membership) nameOuter(names Resolver) {
	for i := range m.Identity.Outer {
		o := &m.Identity.Outer[i]
		c := m.named(o.Container, o, names)
		if c.ID == "" {
			continue
		}
		if m.Outer == nil {
			m.Outer = make([]Container, len(m.Identity.Outer))
		}
		m.Outer[i] = c
	}
}

// named returns what the runtimes say of a container, zero where that is nothing
// or cannot be said of this one.
func (m *Membership) named(id string, identity *cgroup.Identity, names Resolver) Container {
	if id == "" {
		return Container{}
	}
	c, ok := names.ByID(id)
	switch {
	case !ok || c.ID != id:
		return Container{}
	case !m.mayName(&c):
		return Container{}
	case !samePod(identity.Pod, c.Pod.UID):
		return Container{}
	}
	return c
}

// samePod reports whether two UIDs, of which one may not be known, may be of one
// pod. A path may lack the dashes.
func samePod(a, b string) bool {
	return a == "" || b == "" || a == b || strings.ReplaceAll(a, "-", "") == strings.ReplaceAll(b, "-", "")
}
