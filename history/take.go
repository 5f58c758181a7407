package history

import (
	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// take takes in an event.
func (k *Keeper) take(e *lineage.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.Kind == process.Loss {
		k.miss(store.Gap{Reason: store.Lost, Since: e.Since, Until: e.Time})
		return
	}
	p := &e.Process
	l := k.living[p.ID.PID]
	if l != nil && !l.p.ID.Same(p.ID) {
		k.end(l, process.Exit{Evidence: process.Inferred, At: p.ID.Start}) // another one has its PID
		l = nil
	}
	if k.found[p.ID] {
		delete(k.found, p.ID) // its end is known
		return
	}
	ends := e.Kind == process.Exited || e.Kind == process.Gone
	if l == nil {
		if p.ID.Precision == process.StartUnknown || p.State == process.Ended && !ends {
			return // it is not known, or has been written
		}
		l = k.add(p)
	}
	if e.Kind == process.Exec {
		l.exec(&p.Exec, k.o.Args)
		k.note(l)
	}
	k.update(l, p)
	if ends {
		k.end(l, p.Exit)
	}
}

// add takes in a process that was not known.
func (k *Keeper) add(p *process.Process) *life {
	l := &life{p: store.Process{
		Key:  store.Key{Host: k.host, Boot: k.boot, ID: p.ID},
		Name: p.Name, Creator: p.Creator, Kernel: p.Kernel, NamespacePIDs: p.NamespacePIDs, Evidence: process.Scanned,
	}}
	if p.Creator.Evidence == process.Observed {
		l.p.Evidence = process.Observed
	}
	switch {
	case p.Exec.At != 0:
		l.exec(&p.Exec, k.o.Args)
	case l.p.Evidence != process.Observed && !p.Kernel:
		d, err := k.o.Tree.Details(p.ID)
		if err == nil && len(d.Args) > 0 {
			l.exec(&process.Command{File: d.Exe, Args: d.Args}, k.o.Args)
		}
		if err == nil && !p.Owner.Known && d.UID >= 0 && d.EffectiveUID >= 0 {
			own := *p
			own.Owner = process.Owner{Known: true, UID: d.UID, EffectiveUID: d.EffectiveUID, GID: d.GID, EffectiveGID: d.EffectiveGID}
			p = &own
		}
	}
	k.living[p.ID.PID] = l
	k.note(l)
	k.update(l, p)
	return l
}

// exec adds a call of execve(2).
func (l *life) exec(c *process.Command, args func([]string) []string) {
	n := len(l.p.Execs)
	if n > 0 && c.At <= l.p.Execs[n-1].At {
		return // it was found with it
	}
	own := *c
	own.Args = args(c.Args)
	l.p.ExecCount++
	// What is being written has the slice: it is not changed, but another one made.
	execs := append(l.p.Execs[:n:n], own)
	if len(execs) > store.MaxExecs {
		execs = append(execs[:1:1], execs[2:]...)
	}
	l.p.Execs = execs
}

// update takes over what may change in a life.
func (k *Keeper) update(l *life, p *process.Process) {
	s := &l.p
	before := factsOf(s)
	if p.Name != "" {
		s.Name = p.Name
	}
	if p.Creator.Evidence > s.Creator.Evidence {
		s.Creator = p.Creator
	}
	s.Parent = p.Parent
	if p.SessionID != 0 || p.GroupID != 0 {
		s.GroupID, s.SessionID, s.TTY = p.GroupID, p.SessionID, p.TTY
	}
	if p.Owner.Known {
		s.Owner, s.User = p.Owner, k.o.User(p.Owner.EffectiveUID)
	}
	if p.NamespacePIDs != nil {
		s.NamespacePIDs = p.NamespacePIDs
	}
	if p.Cgroup.Membership != "" {
		k.places.put(s, p)
	}
	if factsOf(s) != before {
		k.note(l)
	}
}

// facts are what may change in a life besides its commands and its end.
type facts struct {
	id                                    process.ID
	name, user, group, container          string
	unit, userUnit, session               string
	creator, parent                       process.Link
	owner                                 process.Owner
	groupID, sessionID, tty, innermostPID int
}

func factsOf(p *store.Process) facts {
	f := facts{
		p.ID, p.Name, p.User, p.Group, p.Container, p.Unit, p.UserUnit, p.Session, p.Creator, p.Parent, p.Owner,
		p.GroupID, p.SessionID, p.TTY, 0,
	}
	if n := len(p.NamespacePIDs); n > 0 {
		f.innermostPID = p.NamespacePIDs[n-1]
	}
	return f
}

// end ends a life.
func (k *Keeper) end(l *life, x process.Exit) {
	l.p.Exit, l.ended = x, true
	if k.living[l.p.ID.PID] == l {
		delete(k.living, l.p.ID.PID)
	}
	if !l.written {
		k.waiting++
	}
	k.note(l)
	if k.waiting > k.o.MaxPending+k.o.MaxPending/8 {
		k.drop()
	}
}

// note has the life written.
func (k *Keeper) note(l *life) {
	if l.changed {
		return
	}
	l.changed = true
	k.changed = append(k.changed, l)
}
