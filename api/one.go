package api

import (
	"net/http"
	"slices"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// subject returns the process that a question is about.
func (s *Server) subject(r *http.Request) (found, error) {
	p := s.paramsOf(r, "at", "boot", "host")
	at := p.at()
	if p.err != nil {
		return found{}, p.err
	}
	return s.find(r, p, at)
}

// noProcesses makes an empty list be written as such.
var noProcesses = []answer.Process{}

// process answers with one process.
func (s *Server) process(w http.ResponseWriter, r *http.Request) error {
	f, err := s.subject(r)
	if err != nil {
		return err
	}
	v := sees(r)
	if f.stored != nil {
		return s.pastOne(w, r, v, &f.scope, f.stored, f.at)
	}
	a := One{Answer: s.alive()}
	if f.note != "" {
		a.lack(f.note)
	}
	d, giveBack := s.describer()
	defer giveBack()
	a.Process = d.Detailed(&f.live)
	if f.live.State == process.Ended {
		a.Process.Missing = "" // it was not asked for in vain: it has ended
	}
	if err := s.chains(v, &a, &f.live); err != nil {
		return err
	}
	if err := s.execs(r, &a, &f.live); err != nil {
		return err
	}
	if m := d.Whereabouts(f.live.Cgroup); m.In() {
		if from, ok := s.entrance(&f.live); ok {
			if p, err := s.living(v, subject{pid: from.ID.PID, id: known(from.ID)}); err == nil {
				a.Process.EnteredFrom = &answer.Link{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name, State: p.State.String()}
			}
		}
	}
	s.veil(v, f.live.Owner, &a.Process)
	return s.json(w, r, &a)
}

// known is the ID, zero for one that is a PID alone.
func known(id process.ID) process.ID {
	if !id.Known() {
		return process.ID{}
	}
	return id
}

// entrance is who brought the process into its container, where the tree knows.
func (s *Server) entrance(p *process.Process) (process.Link, bool) {
	t, ok := s.o.Tree.(interface {
		Entrance(*process.Process) (process.Link, bool)
	})
	if !ok {
		return process.Link{}, false
	}
	return t.Entrance(p)
}

// chains adds who stands above a process of now, by creation and by parent.
func (s *Server) chains(v *viewer, a *One, p *process.Process) error {
	steps, err := s.o.Tree.LineageByID(p.ID)
	if err := a.tolerate(err); err != nil {
		return err
	}
	whole := len(steps) > 0
	var chain []answer.Link
	for i := range steps {
		one := &steps[i].Process
		s.complete(one)
		if !s.shows(v, one.Owner) {
			whole = false
			break
		}
		chain = append(chain, linkOf(one, steps[i].Gap))
		whole = whole && !steps[i].Gap
	}
	if n := len(chain); whole && n > 0 {
		whole = !orphan(&steps[n-1].Process)
	}
	slices.Reverse(chain)
	a.Process.Chain, a.Process.ChainComplete = chain, &whole

	ancestors, err := s.o.Tree.AncestorsByID(p.ID)
	reached := err == nil
	if err := a.tolerate(err); err != nil {
		return err
	}
	parents := []answer.Link{linkOf(p, false)}
	for i := range ancestors {
		s.complete(&ancestors[i])
		if !s.shows(v, ancestors[i].Owner) {
			reached = false
			break
		}
		parents = append(parents, linkOf(&ancestors[i], false))
	}
	slices.Reverse(parents)
	a.Process.Parents, a.Process.ParentsComplete = parents, &reached
	return nil
}

// orphan reports whether somebody made the process, of whom nothing is known.
func orphan(p *process.Process) bool {
	return p.Creator.Evidence == process.Unknown && (p.Parent.Evidence == process.Unknown || p.Parent.ID.PID != 0)
}

func linkOf(p *process.Process, gap bool) answer.Link {
	return answer.Link{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name, State: p.State.String(), Gap: gap}
}

// execs adds what a process of now is known to have run: what the history has of it,
// or else the last one.
func (s *Server) execs(r *http.Request, a *One, p *process.Process) error {
	var list []answer.Exec
	count := 0
	if s.o.History != nil {
		past, err := s.o.History.Process(r.Context(), store.Key{Host: s.host, Boot: s.boot, ID: p.ID})
		if err == nil { // else it has not been written yet
			list, count = answer.StoredExecs(&past), past.ExecCount
		} else if r.Context().Err() != nil {
			return err
		}
	}
	if last := p.Exec; last.At != 0 && (len(list) == 0 || !sameTime(list[len(list)-1].BootTime, last.At)) {
		list = append(list, answer.Exec{
			Time: new(wall(s.o.Tree.Time(last.At))), BootTime: new(answer.BootClock(last.At)),
			File: answer.Optional(last.File), Args: last.Args, ArgsCut: last.ArgsCut,
		})
		count++
	}
	a.Process.Execs, a.Process.ExecCount = list, &count
	return nil
}

func sameTime(text *string, at process.Instant) bool {
	return text != nil && *text == answer.BootClock(at)
}

// ancestors answers who stands above a process by parent.
func (s *Server) ancestors(w http.ResponseWriter, r *http.Request) error {
	return s.above(w, r, func(a *Processes, p *process.Process) ([]process.Step, error) {
		list, err := s.o.Tree.AncestorsByID(p.ID)
		steps := make([]process.Step, len(list))
		for i := range list {
			steps[i].Process = list[i]
		}
		return steps, a.tolerate(err)
	}, s.pastAncestors)
}

// lineage answers who made a process, who made that one and so on.
func (s *Server) lineage(w http.ResponseWriter, r *http.Request) error {
	return s.above(w, r, func(a *Processes, p *process.Process) ([]process.Step, error) {
		steps, err := s.o.Tree.LineageByID(p.ID)
		for i := range steps {
			if steps[i].Gap {
				a.lack("who made a process is not known")
				break
			}
		}
		return steps, a.tolerate(err)
	}, s.pastCreators)
}

// above answers with those above a process, as one of the two tells them.
func (s *Server) above(w http.ResponseWriter, r *http.Request,
	now func(*Processes, *process.Process) ([]process.Step, error),
	past func(*http.Request, *Processes, *store.Process) ([]step, error),
) error {
	f, err := s.subject(r)
	if err != nil {
		return err
	}
	v := sees(r)
	a := Processes{Processes: noProcesses}
	if f.stored != nil {
		a.Answer = s.pastOf(&f.scope, &store.Query{Since: f.at, Until: f.at})
		steps, err := past(r, &a, f.stored)
		if err != nil {
			return err
		}
		d := s.historian()
		defer s.historians.Put(d)
		for i := range steps {
			if !s.conceal(v, &steps[i].Process, f.at) {
				a.lack(hidden)
				break
			}
			o := s.told(v, d, &f.scope, &steps[i].Process)
			o.Gap = answer.Optional(steps[i].gap)
			a.Processes = append(a.Processes, o)
		}
		return s.json(w, r, &a)
	}
	a.Answer = s.alive()
	if f.note != "" {
		a.lack(f.note)
	}
	steps, err := now(&a, &f.live)
	if err != nil {
		return err
	}
	d, giveBack := s.describer()
	defer giveBack()
	for i := range steps {
		one := &steps[i].Process
		s.complete(one)
		if !s.shows(v, one.Owner) {
			a.lack(hidden)
			break
		}
		o := d.Process(one)
		o.Gap = answer.Optional(steps[i].Gap)
		s.veil(v, one.Owner, &o)
		a.Processes = append(a.Processes, o)
	}
	return s.json(w, r, &a)
}

var _ Tree = (*lineage.Tree)(nil)
