package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A held is a row and the day that it is of, which is in use until done is called.
type held struct {
	*row
	day   *day
	place place // in a block, zero for none
}

func (h *held) done() { h.day.users.Done() }

// bootsOf returns the boots of the host, of all where that is empty.
func (s *Store) bootsOf(host, id string) []*boot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*boot
	for k, b := range s.boots {
		if (host == "" || k.host == host) && (id == "" || k.id == id) {
			all = append(all, b)
		}
	}
	return all
}

// find returns the latest that is known of the process. Its error is ErrNotFound
// where that is nothing.
func (s *Store) find(ctx context.Context, at *boot, id process.ID) (*held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v, r, of, err := s.inMemory(at, id)
	if err != nil {
		return nil, err
	}
	defer v.release()
	if r != nil {
		of.users.Add(1)
		return &held{row: r, day: of}, nil
	}
	h, err := s.inBlocks(ctx, v, at, id)
	if !errors.Is(err, store.ErrNotFound) {
		return h, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if r, of = s.copyOf(at, id); r == nil {
		return nil, err
	}
	of.users.Add(1)
	return &held{row: r, day: of}, nil
}

// inBlocks returns what the blocks have of the process. Its error is ErrNotFound
// where that is nothing.
func (s *Store) inBlocks(ctx context.Context, v view, at *boot, id process.ID) (*held, error) {
	d, e, b, i, err := s.seek(ctx, v, at, id)
	if err != nil {
		return nil, err
	}
	if err := s.whole(ctx, d.day, e, b); err != nil {
		return nil, err
	}
	r := b.row(i)
	if err := b.sane(d.day); err != nil {
		return nil, err
	}
	d.users.Add(1)
	return &held{row: r, day: d.day, place: place{d.sequence, e.id, i}}, nil
}

// seek returns the block that has the process, and its place there. Its error is
// ErrNotFound where there is none.
func (s *Store) seek(ctx context.Context, v view, at *boot, id process.ID) (d *seen, e *entry, b *block, i int, err error) {
	for _, d := range slices.Backward(v) {
		if !d.boots[at] {
			continue
		}
		for _, e := range slices.Backward(d.blocks) {
			if e.boot != at {
				continue
			}
			if id.Precision != process.StartUnknown && e.reach < int64(id.Start)-int64(process.Tick) {
				break
			}
			if !e.mayHave(id) {
				continue
			}
			b, err := s.block(ctx, d.day, e)
			if err != nil {
				return nil, nil, nil, 0, err
			}
			i, ok := b.place(id, e.replaced)
			if err := b.sane(d.day); err != nil {
				return nil, nil, nil, 0, err
			}
			if ok {
				return d, e, b, i, nil
			}
		}
	}
	return nil, nil, nil, 0, store.ErrNotFound
}

// inMemory returns the row in memory of the process, nil where there is none, and
// what the store had at the same moment.
func (s *Store) inMemory(at *boot, id process.ID) (v view, r *row, of *day, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, nil, nil, store.ErrClosed
	}
	v = s.use()
	r, of = s.rowOf(at, id)
	return v, r, of, nil
}

// rowOf returns the row in memory of the process, nil for none. It is called with
// the lock held, or by the writer.
func (s *Store) rowOf(at *boot, id process.ID) (*row, *day) {
	for _, d := range slices.Backward(s.days) {
		if r := d.held(at, id); r != nil {
			return r, d
		}
	}
	// The copies of the last day are as good as what they are of.
	if d := s.today(); d != nil {
		return d.copied(at, id), d
	}
	return nil, nil
}

// copyOf returns the latest copy of a process that is nowhere else. It is called as
// rowOf is.
func (s *Store) copyOf(at *boot, id process.ID) (*row, *day) {
	for _, d := range slices.Backward(s.days) {
		if r := d.copied(at, id); r != nil {
			return r, d
		}
	}
	return nil, nil
}

// A view is what the store had at a moment, of which nothing goes away until it is
// released.
type view []*seen

type seen struct {
	*day
	blocks []*entry
	boots  map[*boot]bool // that the blocks are of
	rows   []*row
}

func (v view) release() {
	for _, d := range v {
		d.users.Done()
	}
}

// use makes a view without rows. It is called with the lock held.
func (s *Store) use() view {
	v := s.snapshot()
	for _, d := range v {
		d.users.Add(1)
	}
	return v
}

// snapshot returns what there is now.
func (s *Store) snapshot() view {
	v := make(view, len(s.days))
	for i, d := range s.days {
		v[i] = &seen{day: d, blocks: d.blocks, boots: d.sealed}
	}
	return v
}

// listed returns the rows in memory that the day is the one to list, those of the
// PID alone where that is not zero. It is called with the lock held.
func (s *Store) listed(i, pid int) []*row {
	d := s.days[i]
	rows := slices.Clone(d.recent[pid])
	if pid == 0 {
		rows = make([]*row, 0, len(d.recent))
		for _, held := range d.recent {
			rows = append(rows, held...)
		}
	}
	for of, held := range d.copies {
		if pid != 0 && of != pid {
			continue
		}
		for _, r := range held {
			// A copy is in all days from that of its original on.
			if i == 0 || s.days[i-1].sequence < r.origin {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// view makes a view with the rows in memory, those of the PID alone where that is
// not zero.
func (s *Store) view(pid int) (view, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	v := s.use()
	for i := range v {
		v[i].rows = s.listed(i, pid)
	}
	return v, nil
}

// Process returns one process.
func (s *Store) Process(ctx context.Context, k store.Key) (store.Process, error) {
	h, err := s.key(ctx, k)
	if err != nil {
		return store.Process{}, err
	}
	defer h.done()
	return s.process(ctx, h.day, h.row)
}

func (s *Store) key(ctx context.Context, k store.Key) (*held, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	for _, b := range s.bootsOf(k.Host, k.Boot) {
		h, err := s.find(ctx, b, k.ID)
		if !errors.Is(err, store.ErrNotFound) {
			return h, err
		}
	}
	return nil, store.ErrNotFound
}

// ready returns an error where nothing is answered any more.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// Ancestors returns who made the process, nearest first.
func (s *Store) Ancestors(ctx context.Context, k store.Key) ([]store.Process, error) {
	h, err := s.key(ctx, k)
	if err != nil {
		return nil, err
	}
	seen := map[process.ID]bool{h.id(): true}
	var all []store.Process
	for {
		creator, known, at := h.creator, h.creatorKnown(), h.boot
		h.done()
		if creator == nil || !known || seen[creator.id] {
			return all, nil
		}
		if h, err = s.find(ctx, at, creator.id); errors.Is(err, store.ErrNotFound) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		seen[creator.id], seen[h.id()] = true, true
		p, err := s.process(ctx, h.day, h.row)
		if err != nil {
			h.done()
			return nil, err
		}
		all = append(all, p)
	}
}

// lastBoots returns the boot of each host of which the last batch was. It is called
// with the lock held, or by the writer.
func (s *Store) lastBoots() map[string]*boot {
	last := map[string]*boot{}
	for _, b := range s.boots {
		if o := last[b.host]; b.last.batch > 0 && (o == nil || b.last.batch > o.last.batch) {
			last[b.host] = b
		}
	}
	return last
}

// batch is the number of the last batch. It is called by the writer.
func (s *Store) batch() int64 {
	n := int64(0)
	for _, b := range s.boots {
		n = max(n, b.last.batch)
	}
	return n
}

// Last returns when the last batch of the host was made, of any host where that is
// empty.
func (s *Store) Last(ctx context.Context, host string) (store.Mark, error) {
	if err := s.ready(ctx); err != nil {
		return store.Mark{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var last *boot
	for _, b := range s.lastBoots() {
		if (host == "" || b.host == host) && (last == nil || b.last.batch > last.last.batch) {
			last = b
		}
	}
	if last == nil {
		return store.Mark{}, store.ErrNotFound
	}
	return store.Mark{Boot: last.id, Now: last.last.now, Wall: timeOf(last.last.wall)}, nil
}

// Hosts returns the hosts that the store knows of, by name, then by ID.
func (s *Store) Hosts(ctx context.Context) ([]store.Host, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []store.Host
	for id, b := range s.lastBoots() {
		all = append(all, store.Host{ID: id, Name: s.names[id], Last: store.Mark{Boot: b.id, Now: b.last.now, Wall: timeOf(b.last.wall)}})
	}
	slices.SortFunc(all, func(a, b store.Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Living calls yield with each process that the store has as not ended.
func (s *Store) Living(ctx context.Context, host string, yield func(*store.Process) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := s.view(0)
	if err != nil {
		return err
	}
	defer v.release()
	for _, d := range v {
		for _, r := range d.rows {
			if r.ended() || host != "" && r.boot.host != host {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := s.process(ctx, d.day, r)
			if err != nil {
				return err
			}
			if !yield(&p) {
				return nil
			}
		}
	}
	return nil
}
