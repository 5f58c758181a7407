package lineage

import (
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// Container returns to which container and unit the process belongs, by the
// cgroups that p has, with the names that [Options.Containers] knows by now. It
// reads nothing and waits for nothing.
func (t *Tree) Container(p *process.Process) container.Membership {
	return container.Of(p.Cgroup, t.options.Containers)
}

// Entrance returns who brought the process into its container from outside, as
// docker exec does: p is in a container, is not the first process of it, and was
// made by one that is not in it. The link names that one, which for docker exec
// is a process of the runtime; where it is not known who made p, it is p's
// parent, for who is adopted stays inside as long as the container has a PID
// namespace of its own (find_new_reaper). It reports false also where it is not
// known.
func (t *Tree) Entrance(p *process.Process) (from process.Link, entered bool) {
	in := t.Container(p)
	if !in.In() || in.Container.PID == p.ID.PID {
		return process.Link{}, false
	}
	pids := p.NamespacePIDs
	if pids == nil { // not every source tells
		d, err := t.Details(p.ID)
		if err != nil {
			return process.Link{}, false
		}
		pids = d.NamespacePIDs
	}
	first := len(pids) > 1 && pids[len(pids)-1] == 1
	if first || in.Container.ID != "" && in.Container.PID == 0 { // or may be, in the PID namespace of another one
		return process.Link{}, false
	}
	from = p.Creator
	if from.Evidence == process.Unknown {
		if len(pids) < 2 {
			return process.Link{}, false
		}
		from = p.Parent
	}
	if from.Evidence == process.Unknown || !from.ID.Known() {
		return process.Link{}, false
	}
	maker, err := t.ProcessByID(from.ID)
	if err != nil || maker.Cgroup.Membership == "" {
		return process.Link{}, false
	}
	outside := t.Container(&maker)
	return from, !in.Same(&outside)
}
