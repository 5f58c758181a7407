package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// defaultRows is how many rows a tree has unless it was asked for more.
const defaultRows = 20_000

// tree answers the rows of a window.
func (s *Server) tree(w http.ResponseWriter, r *http.Request) error {
	p := s.paramsOf(r, "since", "until", "q", "host", "by", "edge", "limit")
	limit := p.number("limit", min(defaultRows, s.o.Limits.Rows), s.o.Limits.Rows)
	p.values.Del("limit")
	q := p.query()
	by, edge := p.choice("by", "none", "container", "pod", "unit", "session", "host"), p.choice("edge", "creator", "parent")
	now := q.Since.IsZero() && q.Until.IsZero()
	c, err := s.aboutTree(r.Context(), p, q, now)
	if err != nil {
		return err
	}
	a := TreeAnswer{Since: wall(q.Since), Until: wall(q.Until), Rows: []Row{}, Containers: []answer.Container{}, Hosts: []TreeHost{}, Groups: []Group{}}
	g := newGrove(edge == "parent")
	gather := s.gatherPast
	if now && c.here {
		a.Answer, gather = s.alive(), s.gatherNow
	} else {
		a.Answer = s.pastOf(&c, q)
	}
	if err := gather(r, &a, g, q, limit); err != nil {
		return err
	}
	places, depths, err := g.order(r.Context(), g.prune())
	if err != nil {
		return err
	}
	s.draw(&a, &c, g, places, depths, by)
	if a.Cut {
		a.lack("there are more rows; those that started last were taken")
	}
	return s.json(w, r, &a)
}

// aboutTree returns the hosts that a tree is of, and sets its window: of what is now,
// the instant of the last batch of a host that is not that of the live view.
func (s *Server) aboutTree(ctx context.Context, p *params, q *store.Query, now bool) (c scope, err error) {
	if p.err != nil {
		return c, p.err
	}
	switch {
	case now:
		if c, err = s.aboutNow(ctx, q.Host); err != nil {
			return c, err
		}
		if c.here {
			q.Since, q.Until, q.Host = p.now, p.now, ""
			return c, nil
		}
		q.Since, q.Until = c.last(), c.last()
	case s.o.History == nil:
		return c, errNoHistory
	default:
		if c, err = s.about(ctx, q.Host); err != nil {
			return c, err
		}
		since := p.now
		if !q.Until.IsZero() {
			since = q.Until
		}
		s.window(p, q, since)
	}
	q.Host = c.id()
	return c, p.err
}

// mostAboveRows is how many rows there may be besides, above those that were asked for.
const mostAboveRows = 20_000

// gatherNow takes in what there is now.
func (s *Server) gatherNow(r *http.Request, a *TreeAnswer, g *grove, q *store.Query, limit int) error {
	v := sees(r)
	d, giveBack := s.describer()
	defer giveBack()
	matched, now := 0, s.now()
	below := s.descentNow(v, d, q.Ancestors)
	err := s.eachNow(v, &a.Answer, d, func(one *running) bool {
		holds := q.Filter.Holds(&one.stored, now)
		if holds {
			holds, _ = below.of(&one.stored) // it does not fail: who is not to be had ends it
		}
		if holds {
			matched++
		}
		g.add(&one.stored, one.State, holds)
		return true
	})
	if err != nil {
		return err
	}
	a.Cut = matched > limit
	for i := range g.nodes {
		if matched <= limit { // PIDs have no order that means anything
			break
		}
		if g.nodes[i].matched {
			g.nodes[i].matched = false
			matched--
		}
	}
	return g.climb(mostAboveRows, func(keys []store.Key, yield func(*store.Process, process.State)) error {
		for _, k := range keys {
			p, err := s.o.Tree.ProcessByID(k.ID)
			if err != nil {
				continue
			}
			s.complete(&p)
			if o := s.stored(&p, d); s.conceal(v, &o, time.Time{}) {
				yield(&o, p.State)
			}
		}
		return nil
	})
}

// gatherPast takes in what there was in a window.
func (s *Server) gatherPast(r *http.Request, a *TreeAnswer, g *grove, q *store.Query, limit int) error {
	v := sees(r)
	more, note, err := s.each(r.Context(), v, q, limit, func(page *store.Page) {
		a.gaps(page.Gaps)
		for i := range page.Processes {
			p := &page.Processes[i]
			g.add(p, stateOf(p), true)
		}
	})
	if err != nil {
		return err
	}
	a.Cut = more
	if note != "" {
		a.lack(note)
	}
	return g.climb(mostAboveRows, func(keys []store.Key, yield func(*store.Process, process.State)) error {
		list, err := s.o.History.Processes(r.Context(), keys)
		for i := range list {
			if s.conceal(v, &list[i], instantOf(q)) {
				yield(&list[i], stateOf(&list[i]))
			}
		}
		return err
	})
}

// stateOf is the state of a process in the history.
func stateOf(p *store.Process) process.State {
	if p.Exit.Evidence != process.Unknown {
		return process.Ended
	}
	return process.Alive
}

// draw makes the rows.
func (s *Server) draw(a *TreeAnswer, c *scope, g *grove, places, depths []int, by string) {
	rows := make([]int, len(g.nodes)) // by place, and -1 for none
	for i := range rows {
		rows[i] = -1
	}
	for i, n := range places {
		rows[n] = i
	}
	row := func(p *node, l process.Link) *int {
		if l.Evidence == process.Unknown || !l.ID.Known() {
			return nil
		}
		if n := g.place(p.beside(l.ID)); n >= 0 && rows[n] >= 0 {
			return new(rows[n])
		}
		return nil
	}
	containers, groups, hosts := map[string]int{}, map[string]int{}, map[string]int{}
	a.Rows = make([]Row, 0, len(places))
	for i, n := range places {
		p := &g.nodes[n]
		o := rowOf(c, p)
		o.Depth = depths[i]
		if p.up >= 0 && rows[p.up] >= 0 {
			o.Up = new(rows[p.up])
		}
		o.ParentRow, o.CreatorRow = row(p, p.Parent), row(p, p.Creator)
		if c.one == nil {
			at, ok := hosts[p.Host]
			if !ok {
				at = len(a.Hosts)
				hosts[p.Host] = at
				a.Hosts = append(a.Hosts, TreeHost{ID: p.Host, Name: answer.Optional(c.name(p.Host))})
			}
			o.Host = &at
		}
		if p.Container != "" && !p.Helper {
			at, ok := containers[p.Container]
			if !ok {
				at = len(a.Containers)
				containers[p.Container] = at
				a.Containers = append(a.Containers, answer.StoredContainer(containerOf(&p.Process)))
			}
			o.Container = &at
		}
		if key, name := groupOf(&p.Process, by, c); key != "" {
			at, ok := groups[key]
			if !ok {
				at = len(a.Groups)
				groups[key] = at
				a.Groups = append(a.Groups, Group{Key: key, Name: name})
			}
			if p.matched {
				a.Groups[at].Rows++
			}
			o.Group = &at
		}
		a.Rows = append(a.Rows, o)
	}
}

func containerOf(p *store.Process) *store.Container {
	if p.Stored != nil {
		return p.Stored
	}
	return &store.Container{ID: p.Container}
}

// groupOf is what a process is grouped by, empty for nothing.
func groupOf(p *store.Process, by string, hosts *scope) (key, name string) {
	c := containerOf(p)
	switch {
	case by == "host":
		return p.Host, cmp.Or(hosts.name(p.Host), p.Host)
	case by == "unit":
		return p.Unit, p.Unit
	case by == "session":
		return p.Session, p.Session
	case p.Container == "" || p.Helper || by == "none":
		return "", ""
	case by == "pod" && c.PodName != "":
		return c.PodUID, c.Namespace + "/" + c.PodName
	case by == "pod":
		return c.PodUID, c.PodUID
	case c.Name != "":
		return p.Container, c.Name
	}
	return p.Container, p.Container[:min(len(p.Container), 12)]
}

// rowOf is what of a row does not depend on others.
func rowOf(c *scope, p *node) Row {
	o := Row{
		ID: p.ID.String(), PID: p.ID.PID, Gap: p.gap, Name: p.Name, State: p.state.String(), Kernel: p.Kernel,
		Scanned: p.Evidence != process.Observed, BeganMS: millis(p.Began), EndedMS: millis(p.Ended), User: p.User,
		Unit: p.Unit, Session: p.Session, Matched: p.matched,
	}
	if p.Boot != c.boot() {
		o.BootID = p.Boot
	}
	if p.Parent.Evidence != process.Unknown {
		o.PPID = new(p.Parent.ID.PID)
	}
	if p.Creator.Evidence != process.Unknown {
		o.CreatorPID = new(p.Creator.ID.PID)
	}
	o.Adopted = o.PPID != nil && o.CreatorPID != nil && (*o.PPID != *o.CreatorPID ||
		p.Parent.ID.Known() && p.Creator.ID.Known() && !p.Parent.ID.Same(p.Creator.ID))
	o.Command, o.CommandCut = commandOf(p.Command())
	if n := len(p.NamespacePIDs); n > 1 {
		o.NamespacePID = p.NamespacePIDs[n-1]
	}
	switch x := &p.Exit; {
	case x.Evidence == process.Observed && x.Status.Signaled():
		o.Signal, o.Failed = answer.SignalName(x.Status.Signal()), true
	case x.Evidence == process.Observed:
		o.Status = new(x.Status.ExitStatus())
		o.Failed = *o.Status != 0
	default:
		o.EndUncertain = x.Evidence != process.Unknown
	}
	return o
}

// millis is a time in milliseconds since 1970, nil for one that is not known.
func millis(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(float64(t.UnixMicro()) / 1e3)
}

// mostCommand is how many bytes of a command line a row has.
const mostCommand = 256

// commandOf is a command line in one piece.
func commandOf(c process.Command) (text string, cut bool) {
	var b strings.Builder
	for i, arg := range c.Args {
		if i > 0 {
			b.WriteByte(' ')
		}
		if b.Len()+len(arg) > mostCommand {
			n := max(mostCommand-b.Len(), 0)
			for n > 0 && !utf8.RuneStart(arg[n]) {
				n--
			}
			b.WriteString(arg[:n])
			return b.String(), true
		}
		b.WriteString(arg)
	}
	return b.String(), c.ArgsCut
}
