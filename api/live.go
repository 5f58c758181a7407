package api

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// alive begins an answer about now.
func (s *Server) alive() Answer {
	return Answer{
		Schema: Schema, Source: sourceOf(s.o.Tree.Source()), Complete: true,
		AsOf: wall(s.now()), BootTime: new(answer.BootClock(process.Instant(linux.Boottime()))),
		Host: answer.Optional(s.host), BootID: answer.Optional(s.boot), Gaps: []Gap{},
	}
}

// sourceOf describes the source in use.
func sourceOf(info lineage.SourceInfo) answer.Source {
	o := answer.Source{Name: info.Name, CannotTell: []string{}}
	for _, l := range info.Limits {
		o.CannotTell = append(o.CannotTell, l.String())
	}
	for _, p := range info.Passed {
		why := strings.TrimPrefix(answer.OneLine(p.Err), p.Name+": ")
		o.Passed = append(o.Passed, answer.Passed{Name: p.Name, Why: why})
	}
	return o
}

// wall is a time as JSON has it.
func wall(t time.Time) string { return t.UTC().Round(time.Microsecond).Format(time.RFC3339Nano) }

// tolerate takes an answer that is right as far as it goes.
func (a *Answer) tolerate(err error) error {
	if errors.Is(err, lineage.ErrIncomplete) {
		a.lack(answer.OneLine(err))
		return nil
	}
	return err
}

// describer returns one with the names of now, to be given back.
func (s *Server) describer() (d *answer.Describer, giveBack func()) {
	d = s.describers.Get().(*answer.Describer)
	return d, func() { s.describers.Put(d) }
}

// complete adds what the source in use does not tell of a process that lives.
func (s *Server) complete(p *process.Process) {
	if p.State == process.Ended || p.Kernel && p.Owner.Known || p.Exec.Args != nil && p.Owner.Known {
		return
	}
	x := s.commands.of(p, s.o.Tree.Details)
	if p.Exec.Args == nil && !p.Kernel {
		p.Exec.Args, p.Exec.ArgsCut = x.Args, false
	}
	if !p.Owner.Known && x.UID >= 0 && x.EffectiveUID >= 0 {
		p.Owner = process.Owner{Known: true, UID: x.UID, EffectiveUID: x.EffectiveUID, GID: x.GID, EffectiveGID: x.EffectiveGID}
	}
	if p.NamespacePIDs == nil {
		p.NamespacePIDs = x.NamespacePIDs
	}
}

// stored is a process of now as the history has it, for filters and for rows.
func (s *Server) stored(p *process.Process, d *answer.Describer) store.Process {
	o := store.Process{
		Key:  store.Key{Host: s.host, Boot: s.boot, ID: p.ID},
		Name: p.Name, Creator: p.Creator, Parent: p.Parent, Kernel: p.Kernel, Owner: p.Owner, GroupID: p.GroupID,
		SessionID: p.SessionID, TTY: p.TTY, NamespacePIDs: p.NamespacePIDs, Group: p.Cgroup.Group, Exit: p.Exit, Evidence: process.Scanned,
	}
	if p.Creator.Evidence == process.Observed {
		o.Evidence = process.Observed
	}
	if p.ID.Precision != process.StartUnknown {
		o.Began = d.Time(p.ID.Start)
	}
	if p.Exit.At != 0 {
		o.Ended = d.Time(p.Exit.At)
	}
	if p.Owner.Known {
		o.User = d.User(p.Owner.EffectiveUID)
	}
	if p.Exec.Args != nil || p.Exec.File != "" {
		o.Execs, o.ExecCount = []process.Command{p.Exec}, 1
	}
	m := d.Whereabouts(p.Cgroup)
	o.Unit, o.UserUnit, o.Session = m.Unit.Name, m.Unit.UserUnit, m.Unit.Session
	o.Container, o.Helper = m.Identity.Container, m.Identity.Role == cgroup.RoleHelper
	if o.Helper && o.Container == "" {
		o.Container = m.Identity.Beside
	}
	if o.Container != "" {
		c := &m.Container
		kept := store.Container{
			ID: o.Container, Runtime: string(cmp.Or(m.Identity.Runtime, c.Runtime)), PodUID: cmp.Or(m.Identity.Pod, c.Pod.UID),
			Name: c.Name, Image: c.Image, PodName: c.Pod.Name, Namespace: c.Pod.Namespace, Workload: c.Pod.Workload,
		}
		kept.Service, kept.Project = c.ComposeService()
		o.Stored = &kept
	}
	return o
}

// running is a process of now, as the viewer may see it.
type running struct {
	process.Process
	stored store.Process
}

// eachNow calls yield with each process of now that the viewer may know of, by PID,
// until that returns false. What it is given is the next one's after that.
func (s *Server) eachNow(v *viewer, a *Answer, d *answer.Describer, yield func(*running) bool) error {
	all, err := s.o.Tree.Processes()
	if err := a.tolerate(err); err != nil {
		return err
	}
	var one running
	for i := range all {
		one.Process = all[i]
		s.complete(&one.Process)
		one.stored = s.stored(&one.Process, d)
		if !s.conceal(v, &one.stored, time.Time{}) {
			if a.Complete {
				a.lack("processes of others are not to be seen by this user")
			}
			continue
		}
		if !yield(&one) {
			break
		}
	}
	return nil
}

// relatives returns the processes of now that the viewer may know of, by PID.
func (s *Server) relatives(v *viewer, a *Answer, d *answer.Describer) (list []process.Process, err error) {
	err = s.eachNow(v, a, d, func(one *running) bool {
		list = append(list, one.Process)
		return true
	})
	return list, err
}
