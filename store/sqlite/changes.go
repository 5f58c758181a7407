package sqlite

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Changes returns what the store was told of the host after the mark, as a batch
// that tells another store of it: the processes of one boot of which the latest
// knowledge came in batches after that, with their containers, and the gaps and
// containers that came then. Going on from the batch returned leads through all of
// it, boot by boot in the order in which they were. It is nil where nothing is new.
//
// A batch has what some whole batches brought, those that came first, of which the
// last one gives it its Now and Wall: of at most about limit processes, but never
// fewer than one batch had. It ends where the wall clock was set, so that the other
// store knows of that as this one does.
//
// Batches that are forgotten here are told of as a Dropped gap, from the mark on
// where nothing is left of before, and what can no longer be read as a Damaged one.
//
// With a zero mark it begins with the first that there is, and with one of a zero
// Now with the first of its boot. It fails with ErrNotFound where the store has the
// host, and nothing of the mark's boot. All batches of a boot must have been
// appended in the order of their Now.
func (s *Store) Changes(ctx context.Context, host string, after store.Mark, limit int) (*store.Batch, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	boots := s.bootsInOrder(host)
	if len(boots) == 0 {
		return nil, nil //nolint:nilnil // nothing is no error
	}
	if after.Boot != "" {
		i := slices.IndexFunc(boots, func(b *boot) bool { return b.id == after.Boot })
		if i < 0 {
			return nil, store.ErrNotFound
		}
		boots = boots[i:]
	}
	for _, at := range boots {
		since := int64(-1)
		if at.id == after.Boot && after.Now > 0 {
			since = int64(after.Now)
		}
		n, err := s.news(at, since)
		if err != nil {
			return nil, err
		}
		if n != nil {
			return n.batch(ctx, max(limit, 1))
		}
	}
	return nil, nil //nolint:nilnil // the same
}

// bootsInOrder returns the boots of the host of which files have batches.
func (s *Store) bootsInOrder(host string) []*boot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*boot
	for _, d := range s.days {
		for b := range d.boots {
			if b.host == host && b.last.now > 0 && !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	slices.SortFunc(all, func(a, b *boot) int { return cmp.Compare(a.last.batch, b.last.batch) })
	return all
}

// News is what came with the batches of a boot after one.
type news struct {
	s          *Store
	at         *boot
	since, end int64 // the batches after since, to end
	name       string
	last       mark
	v          view
	sources    []*source
	gaps       []gap
	containers map[string]*facts
}

// A source is processes of which some came with these batches.
type source struct {
	d     *day
	e     *entry // of a block of the file
	b     *block // of rows in memory
	first int64  // no process came with one before
}

// A change is a process, and the batch that it came with.
type change struct {
	asOf int64
	in   *source
	at   int
}

// news returns what there is after that, nil for nothing, with a view to be
// released.
func (s *Store) news(at *boot, since int64) (*news, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if int64(at.last.now) <= since {
		return nil, nil //nolint:nilnil // nothing is no error
	}
	n := &news{s: s, at: at, since: since, end: int64(at.last.now), name: s.names[at.host], last: at.last, v: s.use(), containers: map[string]*facts{}}
	for _, step := range at.clock.Load().Steps {
		if int64(step.From) > since {
			n.end = int64(step.From)
			break
		}
	}
	n.forget()
	for i, d := range s.days {
		for _, g := range d.gaps {
			if g.boot == at && n.came(int64(g.asOf)) {
				n.gaps = append(n.gaps, g)
			}
		}
		maps.Copy(n.containers, d.containers) // the latest day knows best
		for _, e := range d.blocks {
			if e.boot == at && e.asOf[1] > since && e.asOf[0] <= n.end {
				n.sources = append(n.sources, &source{d: d, e: e, first: e.asOf[0]})
			}
		}
		var rows []*row
		for _, r := range s.listed(i, 0) {
			if r.boot == at && n.came(r.cell[colAsOf]) {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			n.sources = append(n.sources, &source{d: d, b: gathered(at, rows), first: math.MinInt64})
		}
	}
	return n, nil
}

// forget takes note of the batches that are in no file.
func (n *news) forget() {
	known := int64(0) // the last batch before
	for _, d := range n.s.days {
		part, ok := d.boots[n.at]
		if !ok {
			continue
		}
		first, lost := max(known, n.since)+1, int64(part.since)
		if lost > first {
			n.gaps = append(n.gaps, gap{n.at, process.Instant(first), store.Gap{Reason: store.Dropped, Since: process.Instant(first), Until: part.since}})
		}
		known = max(known, int64(part.now))
	}
}

// came reports whether it came with one of the batches.
func (n *news) came(asOf int64) bool { return asOf > n.since && asOf <= n.end }

// batch returns what came with the first ones, of about as many processes, and
// releases the view.
func (n *news) batch(ctx context.Context, limit int) (*store.Batch, error) {
	defer n.v.release()
	all, err := n.first(ctx, limit)
	if err != nil {
		return nil, err
	}
	b := &store.Batch{Host: n.at.host, Boot: n.at.id, HostName: n.name, Now: process.Instant(n.end)}
	if b.Wall = n.at.clock.Load().Wall(b.Now); n.end == int64(n.last.now) {
		b.Wall = timeOf(n.last.wall)
	}
	told := map[string]bool{}
	tell := func(c *store.Container) {
		if !told[c.ID] {
			told[c.ID] = true
			b.Containers = append(b.Containers, *c)
		}
	}
	for _, c := range n.containers {
		if c.boot == n.at && n.came(int64(c.asOf)) {
			tell(&c.Container)
		}
	}
	for _, c := range all {
		p, err := n.process(ctx, &c)
		switch {
		case errors.Is(err, store.ErrCorrupt):
			continue
		case err != nil:
			return nil, err
		case p.Stored != nil:
			tell(p.Stored)
		}
		b.Processes = append(b.Processes, p)
	}
	b.Processes = creatorsFirst(b.Processes)
	for _, g := range n.gaps {
		if int64(g.asOf) <= n.end {
			b.Gaps = append(b.Gaps, g.Gap)
		}
	}
	return b, nil
}

// first returns the changes that came with the first batches, and makes the last one
// of these the end.
func (n *news) first(ctx context.Context, limit int) ([]change, error) {
	slices.SortStableFunc(n.sources, func(a, b *source) int { return cmp.Compare(a.first, b.first) })
	var all []change
	for _, from := range n.sources {
		if from.first > n.end {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := n.block(ctx, from)
		if errors.Is(err, store.ErrCorrupt) {
			n.damaged(process.Instant(from.e.start[0]), process.Instant(from.e.end[1]), uint64(from.e.n-len(from.e.replaced)))
			continue
		}
		if err != nil {
			return nil, err
		}
		var replaced []int
		if from.e != nil {
			replaced = from.e.replaced
		}
		for i, asOf := range b.col(colAsOf) {
			if n.came(asOf) && !contains(replaced, i) {
				all = append(all, change{asOf, from, i})
			}
		}
		if len(all) > 2*limit {
			all = n.cut(all, limit)
		}
	}
	return n.cut(all, limit), nil
}

// cut leaves of the changes those that came first, a batch's all or none.
func (n *news) cut(all []change, limit int) []change {
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.asOf, b.asOf) })
	if len(all) <= limit {
		return all
	}
	at := limit
	for at > 0 && all[at-1].asOf == all[at].asOf {
		at--
	}
	for at == 0 || at < len(all) && all[at].asOf == all[at-1].asOf { // one that has more
		at++
	}
	if at < len(all) {
		n.end = all[at-1].asOf
	}
	return all[:at]
}

// block returns all of the processes.
func (n *news) block(ctx context.Context, from *source) (*block, error) {
	if from.b != nil {
		return from.b, nil
	}
	b, err := n.s.block(ctx, from.d, from.e)
	if err == nil {
		err = n.s.whole(ctx, from.d, from.e, b)
	}
	if err == nil {
		b.col(colAsOf)
		err = b.sane(from.d)
	}
	return b, err
}

// process reads a process, and takes note of one that cannot be read.
func (n *news) process(ctx context.Context, c *change) (store.Process, error) {
	b, err := n.block(ctx, c.in)
	if err != nil {
		return store.Process{}, err
	}
	r := b.row(c.at)
	p, err := n.s.process(ctx, c.in.d, r)
	if err == nil {
		err = b.sane(c.in.d)
	}
	if errors.Is(err, store.ErrCorrupt) {
		n.damaged(r.id().Start, max(r.id().Start, r.end()), 1)
	}
	return p, err
}

// damaged takes note that as many processes of the time cannot be read.
func (n *news) damaged(since, until process.Instant, lost uint64) {
	n.gaps = append(n.gaps, gap{boot: n.at, Gap: store.Gap{Reason: store.Damaged, Since: since, Until: until, Lost: lost}})
}

// creatorsFirst puts processes into an order in which none comes before the one that
// made it.
func creatorsFirst(all []store.Process) []store.Process {
	slices.SortStableFunc(all, func(a, b store.Process) int { return cmp.Compare(a.ID.Start, b.ID.Start) })
	byPID := make(map[int][]int, len(all))
	for i := range all {
		byPID[all[i].ID.PID] = append(byPID[all[i].ID.PID], i)
	}
	creator := func(i int) int {
		l := all[i].Creator
		for _, c := range byPID[l.ID.PID] {
			if l.Evidence != process.Unknown && all[c].ID.Same(l.ID) {
				return c
			}
		}
		return -1
	}
	ordered, placed := make([]store.Process, 0, len(all)), make([]bool, len(all))
	var chain []int
	for i := range all {
		for at := i; at >= 0 && !placed[at]; at = creator(at) {
			placed[at] = true
			chain = append(chain, at)
		}
		for _, at := range slices.Backward(chain) {
			ordered = append(ordered, all[at])
		}
		chain = chain[:0]
	}
	return ordered
}
