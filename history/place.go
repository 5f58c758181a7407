package history

import (
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// places has where processes are by their cgroups, and which containers are to be
// written.
type places struct {
	tree       Tree
	known      map[process.Cgroup]container.Membership
	containers map[string]*named // by ID
}

// named is a container and what was written of it.
type named struct {
	cgroup  process.Cgroup // of a process in it
	written store.Container
}

// mostPlaces is how many cgroups, and containers, are remembered at most.
const mostPlaces = 8192

func newPlaces(t Tree) places {
	return places{tree: t, known: map[process.Cgroup]container.Membership{}, containers: map[string]*named{}}
}

// put says of a process where it is.
func (s *places) put(to *store.Process, p *process.Process) {
	m, ok := s.known[p.Cgroup]
	if !ok {
		if len(s.known) >= mostPlaces {
			clear(s.known)
		}
		m = s.tree.Container(p)
		if container.Explained(p.Cgroup.Group) || m.Container.ID != "" {
			s.known[p.Cgroup] = m // else the next one that asks may learn more
		}
	}
	to.Group = p.Cgroup.Group
	to.Unit, to.UserUnit, to.Session = m.Unit.Name, m.Unit.UserUnit, m.Unit.Session
	to.Container, to.Helper = m.Identity.Container, m.Identity.Role == cgroup.RoleHelper
	if to.Helper && to.Container == "" {
		to.Container = m.Identity.Beside
	}
	if to.Container == "" || s.containers[to.Container] != nil {
		return
	}
	if len(s.containers) >= mostPlaces {
		clear(s.containers)
	}
	s.containers[to.Container] = &named{cgroup: p.Cgroup}
}

// news returns what is known of containers and was not written. Once that is
// done, [places.wrote] is to be called with it.
func (s *places) news() (list []store.Container) {
	for id, n := range s.containers {
		m := s.tree.Container(&process.Process{Cgroup: n.cgroup})
		c := m.Container
		if c.ID != id && n.written.ID != "" {
			continue // it is gone, and keeps what was known
		}
		now := store.Container{ID: id, Runtime: string(m.Identity.Runtime), PodUID: m.Identity.Pod}
		if c.ID == id {
			now.Name, now.Image = c.Name, c.Image
			now.PodName, now.Namespace, now.Workload = c.Pod.Name, c.Pod.Namespace, c.Pod.Workload
			now.Service, now.Project = c.ComposeService()
		}
		if now != n.written {
			list = append(list, now)
		}
	}
	return list
}

func (s *places) wrote(list []store.Container) {
	for i := range list {
		if n := s.containers[list[i].ID]; n != nil {
			n.written = list[i]
		}
	}
}
