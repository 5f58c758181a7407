package main

import (
	"errors"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
)

// errLost is why what was told is not all.
var errLost = &lineage.IncompleteError{Err: errors.New("events were dropped, here or in the kernel")}

// watching is the object that comes before all that a source tells.
func (w *watcher) watching(info lineage.SourceInfo) Event {
	now := process.Instant(linux.Boottime())
	return Event{
		Schema: schema, Event: "watching", Time: w.describer.WallClock(now), BootTime: answer.BootClock(now),
		Source: new(sourceObject(info)),
	}
}

// object is an event in JSON.
func (w *watcher) object(e *lineage.Event) Event {
	o := Event{Schema: schema, Event: e.Kind.String(), Time: w.describer.WallClock(e.Time), BootTime: answer.BootClock(e.Time)}
	if e.Kind == process.Loss {
		if e.Since != 0 {
			o.Since, o.SinceBoot = new(w.describer.WallClock(e.Since)), new(answer.BootClock(e.Since))
		}
		return o
	}
	p := w.describer.Process(&e.Process)
	o.Process = &p
	if p.NamespacePIDs == nil && w.source == bpf.Name { // which says so of those in other namespaces
		p.NamespacePIDs = []int{p.PID}
	}
	if e.Kind == process.Exec {
		args, _ := w.args(&e.Process)
		p.SetArgs(args)
	}
	if e.Kind == process.Moved {
		o.Membership, o.FromMembership = optional(e.Process.Cgroup.Membership), optional(e.From.Membership)
	}
	if !e.Adopter.IsZero() {
		o.AdopterPID = &e.Adopter.PID
		if e.Adopter.Known() {
			o.AdopterID = new(e.Adopter.String())
		}
	}
	if w.chain {
		links, whole := w.kin.creators(e)
		o.Creators, o.CreatorsComplete = links, &whole
	}
	return o
}

// complete reads what the source in use does not tell of a process that was
// made or runs another program: cnproc has no names.
func (w *watcher) complete(e *lineage.Event) {
	if e.Kind != process.Fork && e.Kind != process.Exec {
		return
	}
	if e.Process.Name == "" || w.source == cnproc.Name {
		if p, err := w.tree.ProcessByID(e.Process.ID); err == nil {
			e.Process.Name, e.Process.Cgroup = p.Name, p.Cgroup
		}
	}
}

// args is the command line of a process that runs another program, and whether
// there is more of it than is known. What the source does not tell is read.
func (w *watcher) args(p *process.Process) (args []string, cut bool) {
	if p.Exec.Args != nil {
		return p.Exec.Args, p.Exec.ArgsCut
	}
	x, _ := w.tree.Details(p.ID) // or it has ended
	return x.Args, false
}
