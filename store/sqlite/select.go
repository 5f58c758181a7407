package sqlite

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A hit is a process that a query means.
type hit struct {
	key
	in *candidate
	at int
}

// hits are a heap with the last one on top.
type hits []hit

func (h hits) Len() int           { return len(h) }
func (h hits) Less(i, j int) bool { return h[i].compare(&h[j].key) > 0 }
func (h hits) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hits) Push(x any)        { *h = append(*h, x.(hit)) }
func (h *hits) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// A candidate is a block that may have processes that are meant.
type candidate struct {
	d     *day
	m     *matcher
	e     *entry // of a block of the file
	b     *block // of rows in memory
	steps []store.Step
	best  int64 // no process has a key by more
}

// A selection is a query that is being answered.
type selection struct {
	s      *Store
	q      *store.Query
	cursor cursor
	under  *under
	above  []*ancestry
	pid    int64 // of those that are meant, zero for all
	need   int   // hits, of which a page's last one says that there is another page
	hits   hits
}

// Select returns a page of the processes that the query asks for.
func (s *Store) Select(ctx context.Context, q *store.Query) (store.Page, error) {
	if err := s.ready(ctx); err != nil {
		return store.Page{}, err
	}
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	c, err := parseCursor(q, time.Now())
	if err != nil {
		return store.Page{}, err
	}
	sel := &selection{s: s, q: q, cursor: c, need: q.PageSize() + 1}
	v, err := s.view(0)
	if err != nil {
		return store.Page{}, err
	}
	defer v.release()
	page := store.Page{Gaps: s.gaps(q)}
	if q.Under != (store.Key{}) {
		boots := s.bootsOf(q.Under.Host, q.Under.Boot)
		if len(boots) == 0 {
			return page, nil
		}
		sel.under = s.under(boots[0], q.Under.ID)
	}
	for _, name := range q.Ancestors {
		a, err := s.ancestry(v, name)
		if err != nil {
			return store.Page{}, err
		}
		sel.above = append(sel.above, a)
	}
	return page, sel.run(ctx, v, &page)
}

// Holder returns the process that held the PID at the time. Of those that are
// known to have lived then it is the one that began last: that one which nobody
// watched has ended is known by the next one only.
func (s *Store) Holder(ctx context.Context, host string, pid int, at time.Time) (store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return store.Process{}, err
	}
	if pid <= 0 || at.IsZero() {
		return store.Process{}, store.ErrNotFound
	}
	v, err := s.view(pid)
	if err != nil {
		return store.Process{}, err
	}
	defer v.release()
	sel := &selection{s: s, q: &store.Query{Host: host, Since: at, Until: at}, pid: int64(pid), need: 1}
	var page store.Page
	if err := sel.run(ctx, v, &page); err != nil {
		return store.Process{}, err
	}
	if len(page.Processes) == 0 {
		return store.Process{}, store.ErrNotFound
	}
	return page.Processes[0], nil
}

// run looks for the processes, the blocks with the greatest keys first.
func (sel *selection) run(ctx context.Context, v view, page *store.Page) error {
	candidates := sel.candidates(v)
	slices.SortFunc(candidates, func(a, b *candidate) int { return cmp.Compare(b.best, a.best) })
	for _, c := range candidates {
		if len(sel.hits) == sel.need && c.best < sel.hits[0].by {
			break
		}
		if err := sel.scan(ctx, c); err != nil {
			return err
		}
	}
	return sel.fill(ctx, page)
}

// candidates are the blocks of the time, and the rows in memory as blocks.
func (sel *selection) candidates(v view) []*candidate {
	var all []*candidate
	for _, d := range v {
		m := sel.s.matcher(d.day, sel.q.Filter, sel.cursor.now)
		for _, e := range d.blocks {
			if c := (&candidate{d: d.day, m: m, e: e, steps: e.boot.clock.Load().Steps}); sel.wants(c, e.boot) && m.may(e) && sel.covers(c, e) {
				all = append(all, c)
			}
		}
		byBoot := map[*boot][]*row{}
		for _, r := range d.rows {
			byBoot[r.boot] = append(byBoot[r.boot], r)
		}
		for at, rows := range byBoot {
			c := &candidate{d: d.day, m: m, b: gathered(at, rows), steps: at.clock.Load().Steps, best: math.MaxInt64}
			if sel.wants(c, at) {
				all = append(all, c)
			}
		}
	}
	return all
}

// wants reports whether processes of the boot are asked for.
func (sel *selection) wants(c *candidate, at *boot) bool {
	if sel.q.Host != "" && at.host != sel.q.Host {
		return false
	}
	if u := sel.under; u != nil {
		return at == u.at && (c.e == nil || c.e.start[1] >= int64(u.id.Start)-int64(process.Tick))
	}
	return sel.pid == 0 || c.e == nil || sel.pid >= c.e.pid[0] && sel.pid <= c.e.pid[1]
}

// covers reports whether the block may have processes of the time that are not of
// the pages before, and sets the best key.
func (sel *selection) covers(c *candidate, e *entry) bool {
	since, until := sel.bounds()
	lo, hi := span(c.steps, process.Instant(e.start[0]), process.Instant(e.start[1]))
	_, end := span(c.steps, process.Instant(e.end[0]), process.Instant(e.end[1]))
	if lo > until || max(hi, end) < since {
		return false
	}
	after := sel.q.After != ""
	switch sel.q.Order {
	case store.Earliest:
		c.best = negated(lo)
		return !after || negated(hi) <= sel.cursor.after.by
	case store.Longest:
		c.best = e.lived
	case store.ByCPU:
		c.best = e.processor
	case store.ByMemory:
		c.best = e.memory
	default: // Latest
		c.best = hi
		return !after || lo <= sel.cursor.after.by
	}
	return true
}

// bounds are the first and the last moment that may be of the time.
func (sel *selection) bounds() (since, until int64) {
	until = math.MaxInt64
	if !sel.q.Until.IsZero() {
		until = nanos(sel.q.Until)
	}
	return nanos(sel.q.Since), until
}

// negated is for those of which nobody knows when they began the greatest number.
func negated(began int64) int64 {
	if began == never {
		return math.MaxInt64
	}
	return -began
}

// scan takes in the processes of a block.
func (sel *selection) scan(ctx context.Context, c *candidate) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := sel.s.blockOf(ctx, c)
	if err != nil {
		return err
	}
	var replaced []int
	if c.e != nil {
		replaced = c.e.replaced
		if sel.q.Order == store.ByCPU || sel.q.Order == store.ByMemory || len(c.m.pids) > 0 {
			if err := sel.s.whole(ctx, c.d, c.e, b); err != nil {
				return err
			}
		}
	}
	since, until := sel.bounds()
	pids := b.col(colPID)
	below := below{u: sel.under, b: b}
	starts, ends, flags := b.col(colStart), b.col(colEnd), b.col(colFlags)
	for i, start := range starts {
		if sel.pid != 0 && pids[i] != sel.pid {
			continue
		}
		began, ended, lives := wall(c.steps, process.Instant(start)), int64(never), flag(flags[i], flagExit) == 0
		if !lives {
			ended = wall(c.steps, process.Instant(start+ends[i]))
		}
		// What is certainly not of the time; the query itself says of the rest.
		if began > until || ended != never && ended < since && began < since || contains(replaced, i) {
			continue
		}
		by := sel.by(b, i, began, lives)
		if len(sel.hits) == sel.need && by < sel.hits[0].by {
			continue
		}
		k := key{by: by, began: began, start: start, host: b.boot.host, boot: b.boot.id, pid: pids[i], inode: b.col(colInode)[i]}
		if sel.q.After != "" && k.compare(&sel.cursor.after) <= 0 || len(sel.hits) == sel.need && k.compare(&sel.hits[0].key) > 0 {
			continue
		}
		// Where it is clear by the numbers, Query.Covers is not asked.
		if (ended <= since || began >= until) && !sel.q.Covers(timeOf(began), timeOf(ended)) {
			continue
		}
		ok, err := c.m.holds(ctx, b, i, began, ended)
		if err == nil && ok && sel.under != nil {
			ok, err = below.holds(ctx, i)
		}
		for n := 0; n < len(sel.above) && ok && err == nil; n++ {
			ok, err = sel.above[n].holds(ctx, b, i)
		}
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		heap.Push(&sel.hits, hit{k, c, i})
		if len(sel.hits) > sel.need {
			heap.Pop(&sel.hits)
		}
	}
	return b.sane(c.d)
}

// by is the first field of the key.
func (sel *selection) by(b *block, i int, began int64, lives bool) int64 {
	switch sel.q.Order {
	case store.Earliest:
		return negated(began)
	case store.Longest:
		switch {
		case !lives:
			return lived(b.col(colStart)[i], b.col(colEnd)[i])
		case began == never:
			return 0
		}
		return sel.cursor.now.UnixNano() - began
	case store.ByCPU:
		return b.col(colUser)[i] + b.col(colSystem)[i]
	case store.ByMemory:
		return b.col(colMemory)[i]
	default: // Latest
		return began
	}
}

func (s *Store) blockOf(ctx context.Context, c *candidate) (*block, error) {
	if c.b != nil {
		return c.b, nil
	}
	return s.block(ctx, c.d, c.e)
}

// fill reads the processes of the page.
func (sel *selection) fill(ctx context.Context, page *store.Page) error {
	all := sel.hits
	slices.SortFunc(all, func(a, b hit) int { return a.compare(&b.key) })
	if sel.pid == 0 && len(all) == sel.need {
		all = all[:len(all)-1]
		sel.cursor.after = all[len(all)-1].key
		page.Next = sel.cursor.String()
	}
	page.Processes = make([]store.Process, len(all))
	// Block by block, so that none is read twice.
	places := map[*candidate][]int{}
	for i, h := range all {
		places[h.in] = append(places[h.in], i)
	}
	for c, at := range places {
		b, err := sel.s.blockOf(ctx, c)
		if err != nil {
			return err
		}
		if c.e != nil {
			if err := sel.s.whole(ctx, c.d, c.e, b); err != nil {
				return err
			}
		}
		for _, i := range at {
			if page.Processes[i], err = sel.s.process(ctx, c.d, b.row(all[i].at)); err != nil {
				return err
			}
		}
		if err := b.sane(c.d); err != nil {
			return err
		}
	}
	return nil
}

// gaps are those of the time that the query asks for.
func (s *Store) gaps(q *store.Query) []store.Gap {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []store.Gap
	for _, d := range s.days {
		for _, g := range d.gaps {
			steps := g.boot.clock.Load().Steps
			g.Host, g.Boot = g.boot.host, g.boot.id
			g.From, g.To = timeOf(wall(steps, g.Since)), timeOf(wall(steps, g.Until))
			if (q.Host == "" || q.Host == g.Host) && q.Covers(g.From, g.To) {
				all = append(all, g.Gap)
			}
		}
	}
	for _, damage := range s.damaged {
		g := store.Gap{Reason: store.Damaged, From: damage.Day, To: damage.Day.AddDate(0, 0, 1)}
		if q.Covers(g.From, g.To) {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b store.Gap) int { return a.From.Compare(b.From) })
	return all
}
