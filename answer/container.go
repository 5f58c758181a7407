package answer

import (
	"cmp"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// ContainerOf is the container that a process is in or beside, nil for
// none.
func ContainerOf(m *container.Membership) *Container {
	i := &m.Identity
	if i.Role == cgroup.RoleNone && i.Pod == "" {
		return nil
	}
	o := containerAs(i, &m.Container)
	for n := range i.Outer {
		var c container.Container
		if n < len(m.Outer) {
			c = m.Outer[n]
		}
		o.Outer = append(o.Outer, *containerAs(&i.Outer[n], &c))
	}
	return o
}

func containerAs(i *cgroup.Identity, c *container.Container) *Container {
	o := &Container{
		Runtime: Optional(string(i.Runtime)),
		ID:      Optional(i.Container),
		Pod:     Optional(i.Pod),
		Role:    Optional(RoleName(i.Role)),
		Serves:  Optional(i.Beside),
	}
	if c.ID == "" {
		return o
	}
	o.Runtime = Optional(string(cmp.Or(i.Runtime, c.Runtime)))
	o.Pod = Optional(cmp.Or(i.Pod, c.Pod.UID))
	o.Name, o.Image = Optional(c.Name), Optional(c.Image)
	o.PodName, o.PodNamespace, o.Workload = Optional(c.Pod.Name), Optional(c.Pod.Namespace), Optional(c.Pod.Workload)
	service, project := c.ComposeService()
	o.ComposeService, o.ComposeProject = Optional(service), Optional(project)
	if c.State != container.StateUnknown {
		o.State = new(c.State.String())
	}
	o.Labels = c.Labels
	o.Shown = c.String()
	return o
}

// RoleName returns the name of a role, empty for none.
func RoleName(r cgroup.Role) string {
	if r == cgroup.RoleNone {
		return ""
	}
	return r.String()
}
