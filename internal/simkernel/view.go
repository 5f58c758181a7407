package simkernel

import "github.com/proclineage/lineage/process"

// A View is what a source sees of a kernel. The zero View sees all of it, in
// the root PID namespace, as eBPF does.
type View struct {
	Precision process.Precision // of starts; zero means Exact
	NoInode   bool              // no pidfs
	NoFlags   bool              // the subreaper flag cannot be read
	NoCreator bool              // a fork tells the parent only (proc_fork_connector)
	NoAdopter bool              // an exit does not tell who adopts
	NoDetails bool              // an event tells no owner, arguments, usage and namespaces
	NS        *Namespace        // the PID namespace of the source; nil for the root
}

// ID returns how the view names a process. It is zero for one that has no PID
// in the namespace of the view. (Inside a namespace the numbers are those of
// the root: which numbers they are changes nothing.)
func (v View) ID(p *Process) process.ID {
	if p == nil || v.NS != nil && !v.NS.Contains(p) {
		return process.ID{}
	}
	return v.blur(p.ID)
}

func (v View) blur(id process.ID) process.ID {
	if id.IsZero() {
		return id
	}
	if v.Precision == process.ToTick {
		id.Precision = process.ToTick
		id.Start -= id.Start % process.Instant(process.Tick)
	}
	if v.NoInode {
		id.Inode = 0
	}
	return id
}

// Events returns what the source tells of all that has happened, in order,
// from the given event on. Next is the one to go on with.
func (v View) Events(k *Kernel, from int) (events []process.Event, next int) {
	for _, e := range k.events[from:] {
		e.ID, e.Creator, e.Adopter = v.id(k, e.ID), v.id(k, e.Creator), v.id(k, e.Adopter)
		e.Parent = v.id(k, e.Parent)
		e.NoParent = e.Kind == process.Fork && e.Parent.IsZero()
		if v.NoCreator {
			e.Creator = process.ID{}
		}
		if v.NoAdopter {
			e.Adopter = process.ID{}
		}
		if v.NoDetails {
			e.Owner, e.File, e.Args, e.ArgsCut, e.Usage = process.Owner{}, "", nil, false, process.Usage{}
		} else if e.Kind == process.Fork {
			e.NamespacePIDs = v.pids(k, e.ID)
		}
		if !e.ID.IsZero() {
			events = append(events, e)
		}
	}
	return events, len(k.events)
}

func (v View) pids(k *Kernel, id process.ID) []int {
	for _, p := range k.procs {
		if v.ID(p) == id {
			return v.PIDs(p)
		}
	}
	return nil
}

// PIDs returns the PID of the process in each namespace from that of the view
// to its own.
func (v View) PIDs(p *Process) []int {
	pids := []int{p.ID.PID}
	for m := p.NS; m.Parent != nil && m != v.NS; m = m.Parent {
		pids = append(pids, p.ID.PID+1000*len(pids))
	}
	return pids
}

func (v View) id(k *Kernel, id process.ID) process.ID {
	for _, p := range k.procs {
		if p.ID == id {
			return v.ID(p)
		}
	}
	return process.ID{}
}

// Seen reads one process now, as part of a scan that began at the given
// moment. It reports false where there is nothing to read.
func (v View) Seen(p *Process, began process.Instant) (process.Event, bool) {
	id := v.ID(p)
	if id.IsZero() || p.State == Reaped {
		return process.Event{}, false
	}
	parent := v.ID(p.Parent())
	e := process.Event{
		Kind: process.Seen, Time: began, ID: id, Parent: parent, NoParent: parent.IsZero(),
		Name: p.Name, Cgroup: membership(p.Cgroup), GroupID: p.Group, SessionID: p.Session,
		Zombie: p.State == Zombie, Exiting: p.State == Exiting, Owner: p.Owner, NamespacePIDs: v.PIDs(p),
	}
	if !v.NoFlags {
		e.Adoption = process.AdoptsNone
		if p.Subreaper || p == p.NS.Init {
			e.Adoption = process.Adopts
		}
	}
	return e, true
}

// Read reads one process now, as /proc shows it: not whether it is about to be
// a zombie.
func (v View) Read(k *Kernel, p *Process) (process.Event, bool) {
	e, ok := v.Seen(p, k.Stamp())
	e.Exiting, e.Adoption = false, process.AdoptionUnknown
	return e, ok
}

// Scan reads every process at one moment.
func (v View) Scan(k *Kernel) (events []process.Event, began process.Instant) {
	began = k.Stamp()
	for _, p := range k.Holders() {
		if e, ok := v.Seen(p, began); ok {
			events = append(events, e)
		}
	}
	return events, began
}

// Named returns the processes that the view gives this name: more than one
// where one PID was used twice within what the view can tell apart.
func (v View) Named(k *Kernel, id process.ID) []*Process {
	var named []*Process
	for _, p := range k.procs {
		if is := v.ID(p); !is.IsZero() && is.Same(id) {
			named = append(named, p)
		}
	}
	return named
}
