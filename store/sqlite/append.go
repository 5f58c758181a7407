package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func waitStatus(v int64) syscall.WaitStatus { return syscall.WaitStatus(v) }

// Append writes the batch.
func (s *Store) Append(ctx context.Context, b *store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.inPlace(); err != nil {
		return fmt.Errorf("write to the history: %w", err)
	}
	wall := b.Wall
	if wall.IsZero() {
		wall = time.Now()
	}
	if err := s.turn(ctx, b, wall); err != nil {
		return fmt.Errorf("begin a new day of the history: %w", err)
	}
	t := s.stage(b, wall)
	err := t.take(ctx, b)
	if err == nil {
		err = t.write(ctx)
	}
	if err != nil {
		t.undo()
		return fmt.Errorf("write to the history: %w", failed(ctx, t.day, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.publish()
	return nil
}

// A stage is what a batch changes, before it does.
type stage struct {
	*day
	s     *Store
	v     view // of which no day goes away: the writer alone removes them
	boot  *boot
	asOf  process.Instant
	wall  time.Time
	clock *store.Clock // with the step that the batch makes, nil for none
	last  mark         // of the boot
	name  string       // that the host has now and had not before, empty for none

	rows       []*row         // what it says of processes
	byPID      map[int][]*row // the same
	gone       map[*row]bool  // of these and of those in memory, what is replaced
	leftovers  []*held        // of earlier days' memory, the same
	places     []place        // of blocks, the same
	stay                      // of the boot, with the batch
	newBoot    bool
	containers []*facts
	newGaps    []gap
	made       []madeBlock
	inBlock    map[*row]bool
	ended      map[pool][]*row // that are in no block then
	nextHome   int64
}

type madeBlock struct {
	*entry
	rows []*row
}

func (s *Store) stage(b *store.Batch, wall time.Time) *stage {
	d := s.today()
	t := &stage{day: d, s: s, v: s.snapshot(), asOf: b.Now, wall: wall, byPID: make(map[int][]*row, len(b.Processes)), gone: map[*row]bool{},
		nextHome: d.writer.nextHome}
	s.mu.Lock()
	t.boot = s.boot(b.Host, b.Boot)
	s.mu.Unlock()
	if t.last = t.boot.last; t.last.batch == 0 || b.Now > t.last.now {
		t.last = mark{b.Now, wall.UnixNano(), s.batch() + 1}
		if b.HostName != s.names[b.Host] {
			t.name = b.HostName
		}
	}
	clock := t.boot.clock.Load()
	changed := store.Clock{Steps: slices.Clone(clock.Steps)}
	if changed.Set(b.Now, wall) {
		t.clock = &changed
	}
	var known bool
	if t.stay, known = d.boots[t.boot]; !known {
		t.stay, t.newBoot = stay{id: int64(len(d.boots)) + 1, since: t.boot.last.now}, true
	}
	t.now = t.last.now
	return t
}

// take works out what the batch changes.
func (t *stage) take(ctx context.Context, b *store.Batch) error {
	for i := range b.Processes {
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := t.process(ctx, &b.Processes[i]); err != nil {
			return err
		}
	}
	for i := range b.Containers {
		if b.Now < t.boot.last.now {
			break // it is an earlier batch, again
		}
		c := &b.Containers[i]
		if old := t.day.containers[c.ID]; old == nil || old.Container != *c {
			t.containers = append(t.containers, &facts{*c, t.boot, b.Now})
		}
	}
	for _, g := range b.Gaps {
		kept := store.Gap{Reason: g.Reason, Since: g.Since, Until: g.Until, Lost: g.Lost}
		if !slices.ContainsFunc(t.s.days, func(d *day) bool { return hasGap(d.gaps, t.boot, kept) }) && !hasGap(t.newGaps, t.boot, kept) {
			t.newGaps = append(t.newGaps, gap{t.boot, b.Now, kept})
		}
	}
	return nil
}

// process takes in what the batch says of one process.
func (t *stage) process(ctx context.Context, p *store.Process) error {
	if !p.ID.Known() {
		return fmt.Errorf("PID %d without a start and an inode: %w", p.ID.PID, store.ErrQuery)
	}
	old, err := t.find(ctx, p.ID)
	if err != nil {
		return err
	}
	var known process.ID
	if old != nil {
		if process.Instant(old.cell[colAsOf]) > t.asOf {
			return nil // it is the earlier batch, again
		}
		known = old.id()
	}
	kept := store.Kept(p, known)
	r := newRow(&kept, t.boot, t.asOf, t.writer.interner)
	if r.creator, err = t.node(ctx, p.Creator); err != nil {
		return err
	}
	r.parent = r.creator
	if p.Parent.ID != p.Creator.ID {
		if r.parent, err = t.node(ctx, p.Parent); err != nil {
			return err
		}
	}
	if err := t.replace(ctx, r, old); err != nil {
		return err
	}
	t.rows = append(t.rows, r)
	t.byPID[p.ID.PID] = append(t.byPID[p.ID.PID], r)
	return nil
}

// replace takes note that the row takes the place of what was known.
func (t *stage) replace(ctx context.Context, r *row, old *held) error {
	if old == nil {
		return nil
	}
	for _, d := range t.s.days[:len(t.s.days)-1] {
		if c := d.copied(t.boot, old.id()); c != nil {
			t.leftovers = append(t.leftovers, &held{row: c, day: d})
		}
	}
	switch {
	case old.place.block != 0:
		t.places = append(t.places, old.place)
	case old.day != t.day:
		if old.origin == 0 {
			t.leftovers = append(t.leftovers, old)
		}
	default:
		t.gone[old.row] = true
		r.home = old.home
		if old.origin == 0 {
			break
		}
		original, err := t.s.inBlocks(ctx, t.v, t.boot, old.id())
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		t.places = append(t.places, original.place)
		original.done()
	}
	return nil
}

// find returns what is known of the process with the batch so far, nil for
// nothing.
func (t *stage) find(ctx context.Context, id process.ID) (*held, error) {
	for _, r := range slices.Backward(t.byPID[id.PID]) {
		if !t.gone[r] && r.id().Same(id) {
			return &held{row: r, day: t.day}, nil
		}
	}
	if r, d := t.s.rowOf(t.boot, id); r != nil {
		return &held{row: r, day: d}, nil
	}
	h, err := t.s.inBlocks(ctx, t.v, t.boot, id)
	if errors.Is(err, store.ErrNotFound) {
		if r, d := t.s.copyOf(t.boot, id); r != nil {
			return &held{row: r, day: d}, nil
		}
		return nil, nil //nolint:nilnil // nothing is no error
	}
	if err != nil {
		return nil, err
	}
	h.done()
	return h, nil
}

// node returns the node of who is at the other end of the link.
func (t *stage) node(ctx context.Context, l process.Link) (*node, error) {
	if l.ID.IsZero() {
		return nil, nil //nolint:nilnil // nobody is no error
	}
	n := &node{id: l.ID}
	if l.Evidence != process.Unknown && l.ID.Known() {
		r, err := t.find(ctx, l.ID)
		if err != nil {
			return nil, err
		}
		if r != nil && r.creatorKnown() {
			n.up, n.final = r.creator, true
		}
	}
	return n, nil
}

// write writes it all in one transaction.
func (t *stage) write(ctx context.Context) error {
	t.fill(fewBlockRows)
	return t.writer.transact(ctx, func() error {
		if err := t.writeFacts(ctx); err != nil {
			return err
		}
		if err := t.writeBlocks(ctx); err != nil {
			return err
		}
		for _, r := range t.rows {
			if t.gone[r] || t.inBlock[r] {
				continue
			}
			if r.home == 0 {
				t.nextHome++
				r.home = t.nextHome
			}
			if err := do(ctx, t.writer.recent, r.home, t.id, r.origin, sealed(appendRow(nil, r))); err != nil {
				return err
			}
		}
		oldest := t.day.oldest
		if oldest == 0 {
			oldest = t.wall.UnixNano()
		}
		if err := do(ctx, t.writer.covered, t.previous, oldest, max(t.newest, t.wall.UnixNano())); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// writeFacts writes what is no process.
func (t *stage) writeFacts(ctx context.Context) error {
	w := t.writer
	if t.newBoot || t.last != t.boot.last {
		if err := w.writeBoot(ctx, t.boot, t.stay, t.last); err != nil {
			return err
		}
	}
	if t.name != "" {
		if err := do(ctx, w.host, []byte(t.boot.host), []byte(t.name)); err != nil {
			return err
		}
	}
	steps := t.boot.clock.Load().Steps
	if t.clock != nil {
		steps = t.clock.Steps
	}
	if !t.newBoot { // the file has those before
		steps = steps[len(t.boot.clock.Load().Steps):]
	}
	for _, s := range steps {
		if err := do(ctx, w.step, t.id, int64(s.From), int64(s.Offset)); err != nil {
			return err
		}
	}
	first, pages := w.interner.pages()
	for i, page := range pages {
		if err := do(ctx, w.text, first[i], page); err != nil {
			return err
		}
	}
	for _, c := range t.containers {
		if err := do(ctx, w.container, []byte(c.ID), appendContainer(nil, &c.Container), t.id, int64(c.asOf)); err != nil {
			return err
		}
	}
	for _, g := range t.newGaps {
		if err := do(ctx, w.gap, t.id, int64(g.Since), int64(g.Until), string(g.Reason), int64(g.Lost), int64(g.asOf)); err != nil {
			return err
		}
	}
	for _, p := range t.places {
		if err := do(ctx, w.replaced, p.day, p.block, p.at); err != nil {
			return err
		}
	}
	return nil
}

// undo forgets what was not written.
func (t *stage) undo() { t.writer.interner.undo() }

// publish lets others see what was written.
func (t *stage) publish() {
	w := t.writer
	w.interner.written()
	w.nextHome, w.ended = t.nextHome, t.ended
	t.boots[t.boot], t.boot.last = t.stay, t.last
	if t.name != "" {
		t.s.names[t.boot.host] = t.name
	}
	if t.clock != nil {
		t.boot.clock.Store(t.clock)
	}
	for _, c := range t.containers {
		t.day.containers[c.ID] = c
	}
	t.gaps = append(t.gaps, t.newGaps...)
	for r := range t.gone {
		t.remove(r)
	}
	for _, old := range t.leftovers {
		old.day.remove(old.row)
	}
	for _, m := range t.made {
		for _, r := range m.rows {
			if r.home != 0 {
				t.remove(r)
			}
		}
		t.add(m.entry)
	}
	for _, r := range t.rows {
		if !t.gone[r] && !t.inBlock[r] {
			t.insert(r)
		}
	}
	for _, p := range t.places {
		t.s.markReplaced(p)
	}
	if t.oldest == 0 {
		t.oldest = t.wall.UnixNano()
	}
	t.newest = max(t.newest, t.wall.UnixNano())
}
