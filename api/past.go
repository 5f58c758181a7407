package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// historian is a describer of what the history has, to be put back into
// Server.historians.
func (s *Server) historian() *answer.Describer { return s.historians.Get().(*answer.Describer) }

// fromHistory is the history as a source.
var fromHistory = answer.Source{Name: "history", CannotTell: []string{
	"exe: the path of a program's file is not kept, but what execve was given",
	"parents: of those that a process had one after the other the last one is kept",
}}

// past begins an answer from the history that holds for an instant, of which zero is
// now: then for when the history was written last.
func (s *Server) past(c *scope, at time.Time) Answer {
	a := Answer{
		Schema: Schema, Source: fromHistory, Complete: true, Host: answer.Optional(c.id()), BootID: answer.Optional(c.boot()), Gaps: []Gap{},
	}
	now := s.now()
	if at.IsZero() || at.After(now) {
		at = now
	}
	asked := at
	if last := c.last(); !last.IsZero() && last.Before(at) {
		at = last
	}
	if s.o.Writing != nil && (c.one == nil || c.here) {
		if writing := s.o.Writing(); writing.Err != nil && asked.After(writing.Last) {
			a.lack(unwritten(&writing))
		}
	}
	a.AsOf = wall(at)
	switch {
	case c.here:
		a.BootTime = new(answer.BootClock(process.Instant(max(at.Sub(s.o.Tree.Time(0)), 0))))
	case c.one != nil:
		a.BootTime = new(answer.BootClock(c.bootTime(at)))
	}
	return a
}

// gaps adds those of the time that was asked for, of which something is missing.
func (a *Answer) gaps(list []store.Gap) {
	a.addGaps(list)
	if len(list) > 0 && a.Complete {
		a.lack("there are gaps in the time that was asked for")
	}
}

func (a *Answer) addGaps(list []store.Gap) {
	for i := range list {
		g := &list[i]
		a.Gaps = append(a.Gaps, Gap{
			Reason: string(g.Reason), Since: wall(g.From), Until: wall(g.To),
			SinceBoot: answer.BootClock(g.Since), UntilBoot: answer.BootClock(g.Until),
			BootID: g.Boot, Host: answer.Optional(g.Host), Lost: answer.Optional(g.Lost),
		})
	}
}

// history answers a page of the history.
func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "q", "since", "until", "under", "order", "host", "limit", "after")
	q := p.query()
	q.Order = store.Order(p.choice("order", "latest", "earliest", "duration", "cpu", "memory"))
	if p.err != nil {
		return p.err
	}
	return s.selected(w, r, q, p.text("under"))
}

// selected answers what a question to the history has, of what comes from a
// process where under is not empty.
func (s *Server) selected(w http.ResponseWriter, r *http.Request, q *store.Query, under string) error {
	if s.o.History == nil {
		return errNoHistory
	}
	if under == "" {
		c, err := s.about(r.Context(), q.Host)
		if err != nil {
			return err
		}
		return s.pageOf(w, r, &c, q)
	}
	who, err := subjectOf(under)
	if err != nil {
		return err
	}
	c, err := s.aboutOne(r.Context(), q.Host)
	if err != nil {
		return err
	}
	if q.Under, err = s.keyOf(r.Context(), &c, who, q.Until); err != nil {
		return err
	}
	return s.pageOf(w, r, &c, q)
}

// keyOf names the process that held the PID on the one host at a time, zero for now,
// or that has the ID.
func (s *Server) keyOf(ctx context.Context, c *scope, who subject, at time.Time) (store.Key, error) {
	if !who.id.IsZero() {
		boot, err := s.bootOf(ctx, c, who.id, at)
		return store.Key{Host: c.id(), Boot: boot, ID: who.id}, err
	}
	if at.IsZero() && c.here {
		p, err := s.o.Tree.Process(who.pid)
		return store.Key{Host: s.host, Boot: s.boot, ID: p.ID}, err
	}
	if at.IsZero() || at.After(s.now()) {
		at = c.last()
	}
	p, err := s.o.History.Holder(ctx, c.id(), who.pid, at)
	return p.Key, err
}

// bootOf is the boot of the one host that an ID is of where nothing says it: that of
// the process that held its PID at the time if it is that one, else the last.
func (s *Server) bootOf(ctx context.Context, c *scope, id process.ID, at time.Time) (string, error) {
	if at.IsZero() {
		return c.boot(), nil
	}
	p, err := s.o.History.Holder(ctx, c.id(), id.PID, at)
	switch {
	case err == nil && p.ID.Same(id):
		return p.Boot, nil
	case err == nil || errors.Is(err, store.ErrNotFound):
		return c.boot(), nil
	}
	return "", err
}

// pageOf answers what a question to the history has.
func (s *Server) pageOf(w http.ResponseWriter, r *http.Request, c *scope, q *store.Query) error {
	if q.Host != "" || q.Under.ID != (process.ID{}) {
		q.Host = c.id()
	}
	v := sees(r)
	var page store.Page
	var note string
	most, want := q.PageSize(), *q
	for { // an instant has terms that the store cannot look for
		asked := want
		next, why, err := s.ask(r.Context(), v, &asked)
		if err != nil {
			return err
		}
		if want.After == q.After {
			page.Gaps, note = next.Gaps, why
		}
		page.Processes, page.Next = append(page.Processes, next.Processes...), next.Next
		if instantOf(q).IsZero() || page.Next == "" || len(page.Processes) >= most {
			break
		}
		want.After, want.Limit = page.Next, most-len(page.Processes)
	}
	a := Processes{Answer: s.pastOf(c, q), Processes: noProcesses, Next: answer.Optional(page.Next)}
	a.gaps(page.Gaps)
	if note != "" {
		a.lack(note)
	}
	d := s.historian()
	defer s.historians.Put(d)
	for i := range page.Processes {
		a.Processes = append(a.Processes, s.told(v, d, c, &page.Processes[i]))
	}
	return s.json(w, r, &a)
}

// ask asks the history, and leaves of its answer what the viewer may see: of an
// instant, the processes as they were then.
func (s *Server) ask(ctx context.Context, v *viewer, q *store.Query) (page store.Page, note string, err error) {
	if note, err = s.restrict(v, q); err != nil {
		return page, "", err
	}
	at, filter, now := instantOf(q), q.Filter, s.now()
	if !at.IsZero() {
		q.Filter, now = lasting(filter), at
	}
	if page, err = s.o.History.Select(ctx, q); err != nil {
		return page, "", err
	}
	var below *descent // which who sees all need not be asked for
	if !v.all {
		if below, err = s.descentPast(ctx, v, q.Ancestors, page.Processes); err != nil {
			return page, "", err
		}
	}
	kept := page.Processes[:0]
	for i := range page.Processes {
		p := page.Processes[i]
		if !s.conceal(v, &p, at) || (!v.all || !at.IsZero()) && !filter.Holds(&p, now) {
			continue
		}
		if below != nil {
			if is, err := below.of(&p); err != nil || !is {
				if err != nil {
					return page, "", err
				}
				continue
			}
		}
		kept = append(kept, p)
	}
	page.Processes = kept
	return page, note, nil
}

// pastOne answers with one process from the history, as it was at an instant unless
// that is zero.
func (s *Server) pastOne(w http.ResponseWriter, r *http.Request, v *viewer, c *scope, p *store.Process, at time.Time) error {
	a := One{Answer: s.pastOf(c, &store.Query{Since: at, Until: at})}
	if at.IsZero() {
		a.Answer = s.past(c, p.Ended)
	}
	own := *p
	if !s.conceal(v, &own, at) {
		return store.ErrNotFound
	}
	d := s.historian()
	defer s.historians.Put(d)
	o := s.told(v, d, c, &own)
	o.Execs, o.ExecCount = answer.StoredExecs(&own), &own.ExecCount
	made, err := s.pastCreators(r, &Processes{}, p)
	if err != nil {
		return err
	}
	o.Chain, o.ChainComplete = s.pastChain(v, made, at)
	parents, err := s.pastParents(r, &Processes{}, p, made)
	if err != nil {
		return err
	}
	o.Parents, o.ParentsComplete = s.pastChain(v, append([]step{{Process: *p}}, parents...), at)
	s.veil(v, s.ownerOf(p), &o)
	a.Process = o
	return s.json(w, r, &a)
}

// A step is one of those above a process of the history.
type step struct {
	store.Process
	gap  bool // it is not known to be the creator of the one before
	more bool // somebody above it is not known
}

// pastChain describes those above a process, which is the first, as they were at an
// instant unless that is zero.
func (s *Server) pastChain(v *viewer, steps []step, at time.Time) (chain []answer.Link, whole *bool) {
	whole = new(true)
	for i := range steps {
		p := &steps[i]
		if !s.conceal(v, &p.Process, at) {
			*whole = false
			break
		}
		chain = append(chain, answer.Link{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name, State: stateOf(&p.Process).String(), Gap: p.gap})
		*whole = *whole && !p.gap && !p.more
	}
	slices.Reverse(chain)
	return chain, whole
}

// mostAbove is how many processes above one are told of at most.
const mostAbove = 100_000

// pastCreators returns the process and those that the history has above it by
// creation. Where it is not known who made one, it goes on with its parent.
func (s *Server) pastCreators(r *http.Request, a *Processes, p *store.Process) ([]step, error) {
	steps := []step{{Process: *p}}
	for {
		last := &steps[len(steps)-1]
		list, err := s.o.History.Ancestors(r.Context(), last.Key)
		if err != nil {
			return nil, err
		}
		for i := range list {
			steps = append(steps, step{Process: list[i]})
		}
		last = &steps[len(steps)-1]
		if last.Creator.Evidence != process.Unknown {
			last.more = !last.Creator.ID.IsZero() // it is not in the history
			break
		}
		if last.Parent.Evidence == process.Unknown || !last.Parent.ID.Known() {
			last.more = last.Parent.Evidence == process.Unknown || last.Parent.ID.PID != 0
			break
		}
		up, err := s.o.History.Process(r.Context(), store.Key{Host: last.Host, Boot: last.Boot, ID: last.Parent.ID})
		if errors.Is(err, store.ErrNotFound) || len(steps) >= mostAbove {
			last.more = true
			break
		}
		if err != nil {
			return nil, err
		}
		a.lack("who made a process is not known")
		steps = append(steps, step{Process: up, gap: true})
	}
	if steps[len(steps)-1].more && a.Complete {
		a.lack("who made the last one is not known")
	}
	return steps, nil
}

// pastAncestors returns those that the history has above a process by last parent.
func (s *Server) pastAncestors(r *http.Request, a *Processes, p *store.Process) ([]step, error) {
	made, err := s.o.History.Ancestors(r.Context(), p.Key) // most of them are of these
	if err != nil {
		return nil, err
	}
	steps := make([]step, len(made))
	for i := range made {
		steps[i].Process = made[i]
	}
	return s.pastParents(r, a, p, steps)
}

// pastParents is pastAncestors, and asks for those alone that are not among the known
// ones.
func (s *Server) pastParents(r *http.Request, a *Processes, p *store.Process, known []step) ([]step, error) {
	places := map[int][]int{} // by PID
	for i := range known {
		places[known[i].ID.PID] = append(places[known[i].ID.PID], i)
	}
	find := func(k store.Key) (store.Process, error) {
		for _, i := range places[k.ID.PID] {
			if known[i].ID.Same(k.ID) {
				return known[i].Process, nil
			}
		}
		return s.o.History.Process(r.Context(), k)
	}
	var steps []step
	for last := p; ; last = &steps[len(steps)-1].Process {
		l := last.Parent
		if l.Evidence != process.Unknown && l.ID.PID == 0 {
			return steps, nil
		}
		up, err := store.Process{}, store.ErrNotFound
		if l.ID.Known() && len(steps) < mostAbove {
			up, err = find(store.Key{Host: last.Host, Boot: last.Boot, ID: l.ID})
		}
		if errors.Is(err, store.ErrNotFound) {
			a.lack("the history does not have the parent of the last one")
			if n := len(steps); n > 0 {
				steps[n-1].more = true
			}
			return steps, nil
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{Process: up})
	}
}
