package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// processes answers what runs now, or ran at a time.
func (s *Server) processes(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "at", "q", "under", "host", "limit", "after")
	at := p.at()
	q := p.live()
	if p.err != nil {
		return p.err
	}
	if at.IsZero() {
		c, err := s.aboutNow(r.Context(), q.Host)
		if err != nil {
			return err
		}
		if !c.here {
			at, q.Host = c.last(), c.id()
		}
	}
	if !at.IsZero() {
		q.Since, q.Until = at, at
		return s.selected(w, r, q, p.text("under"))
	}
	after := 0
	if q.After != "" {
		n, err := strconv.Atoi(q.After)
		if err != nil {
			p.fail(malformed("after: %q is no next of a page", q.After))
		}
		after = n
	}
	if p.err != nil {
		return p.err
	}
	a := Processes{Answer: s.alive(), Processes: noProcesses}
	v := sees(r)
	d, giveBack := s.describer()
	defer giveBack()
	under := func(process.ID) bool { return true }
	if top := p.text("under"); top != "" {
		var err error
		if under, err = s.under(v, &a.Answer, d, top); err != nil {
			return err
		}
	}
	now := s.now()
	below := s.descentNow(v, d, q.Ancestors)
	err := s.eachNow(v, &a.Answer, d, func(one *running) bool {
		if one.ID.PID <= after || !q.Filter.Holds(&one.stored, now) || !under(one.ID) {
			return true
		}
		if is, _ := below.of(&one.stored); !is { // it does not fail: who is not to be had ends it
			return true
		}
		if len(a.Processes) == q.PageSize() {
			a.Next = new(strconv.Itoa(a.Processes[len(a.Processes)-1].PID))
			return false
		}
		o := d.Process(&one.Process)
		s.veil(v, one.Owner, &o)
		a.Processes = append(a.Processes, o)
		return true
	})
	if err != nil {
		return err
	}
	return s.json(w, r, &a)
}

// under returns what reports whether a process of now comes from the one that the
// text names: by creation, or by parent where it is not known who made one.
func (s *Server) under(v *viewer, a *Answer, d *answer.Describer, text string) (func(process.ID) bool, error) {
	who, err := subjectOf(text)
	if err != nil {
		return nil, err
	}
	top, err := s.living(v, who)
	if err != nil {
		return nil, err
	}
	list, err := s.relatives(v, a, d)
	if err != nil {
		return nil, err
	}
	up := make(map[process.ID]process.ID, len(list))
	for i := range list {
		up[list[i].ID] = above(&list[i])
	}
	known := map[process.ID]bool{}
	return func(id process.ID) bool {
		var path []process.ID
		is := false
		for {
			next, ok := up[id]
			if !ok { // it has ended, or began since
				p, err := s.o.Tree.ProcessByID(id)
				if err != nil {
					break
				}
				next = above(&p)
				up[id] = next
			}
			path = append(path, id)
			if is = next.Same(top.ID); is || next.IsZero() || len(path) > mostAbove {
				break
			}
			if is, ok = known[next]; ok {
				break
			}
			id = next
		}
		for _, id := range path {
			known[id] = is
		}
		return is
	}, nil
}

// above is who made a process, or else its parent.
func above(p *process.Process) process.ID {
	if p.Creator.Evidence != process.Unknown {
		return p.Creator.ID
	}
	return p.Parent.ID
}

// descendants answers what comes from a process.
func (s *Server) descendants(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "at", "boot", "host", "limit", "after")
	at := p.at()
	limit, text := p.number("limit", store.DefaultLimit, store.MaxLimit), p.text("after")
	if p.err != nil {
		return p.err
	}
	found, err := s.find(r, p, at)
	if err != nil {
		return err
	}
	if found.stored != nil {
		q := &store.Query{
			Host: found.stored.Host, Under: found.stored.Key, Order: store.Earliest, Limit: limit, After: text, Since: found.at, Until: found.at,
		}
		return s.pageOf(w, r, &found.scope, q)
	}
	skip := 0
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return malformed("after: %q is no next of a page", text)
		}
		skip = n
	}
	a := Processes{Answer: s.alive(), Processes: noProcesses}
	v := sees(r)
	d, giveBack := s.describer()
	defer giveBack()
	list, err := s.relatives(v, &a.Answer, d)
	if err != nil {
		return err
	}
	for n, c := range below(list, found.live.ID) {
		if n < skip {
			continue
		}
		if len(a.Processes) == limit {
			a.Next = new(strconv.Itoa(n))
			break
		}
		o := d.Process(&list[c.place])
		o.Depth = new(c.depth)
		s.veil(v, list[c.place].Owner, &o)
		a.Processes = append(a.Processes, o)
	}
	return s.json(w, r, &a)
}

// A descendant is the place of one in a list, and how deep it is below.
type descendant struct{ place, depth int }

// below returns what is below a process by parent, a parent before its children.
func below(list []process.Process, top process.ID) []descendant {
	children := make(map[int][]int, len(list)) // by the PID of the parent
	for i := range list {
		pid := list[i].Parent.ID.PID
		children[pid] = append(children[pid], i)
	}
	var out []descendant
	var todo []descendant
	push := func(id process.ID, depth int) {
		for _, c := range slices.Backward(children[id.PID]) {
			if up := list[c].Parent.ID; !up.Known() || up.Same(id) {
				todo = append(todo, descendant{c, depth})
			}
		}
	}
	push(top, 1)
	for len(todo) > 0 && len(out) < len(list) {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		out = append(out, next)
		push(list[next.place].ID, next.depth+1)
	}
	return out
}
