package clickhouse

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// bootsOf returns the boots that the key may be of: an empty host or boot is any.
func (s *Store) bootsOf(ctx context.Context, k store.Key) ([]bootKey, error) {
	if k.Host != "" && k.Boot != "" {
		return []bootKey{{k.Host, k.Boot}}, nil
	}
	where := ofHost(k.Host)
	if k.Boot != "" {
		where += " AND boot = " + quote(k.Boot)
	}
	var all []bootKey
	err := s.rows(ctx, "SELECT host, boot FROM "+s.table("marks")+" FINAL WHERE "+where+" ORDER BY batch DESC", func(scan func(...any) error) error {
		var b bootKey
		if err := scan(&b.host, &b.boot); err != nil {
			return err
		}
		all = append(all, b)
		return nil
	})
	return all, err
}

// one returns the row of the process, nil for none.
func (s *Store) one(ctx context.Context, b bootKey, clock *store.Clock, id process.ID) (one *row, err error) {
	if !id.Known() {
		return nil, nil //nolint:nilnil // nothing is no error
	}
	err = s.readKeys(ctx, rowsOf(b, clock, []process.ID{id}), func(r *row) error {
		if r.ID.Same(id) {
			one = r
		}
		return nil
	})
	return one, err
}

// find returns the row of the process, and the clock of its boot.
func (s *Store) find(ctx context.Context, k store.Key) (*row, *store.Clock, error) {
	boots, err := s.bootsOf(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range boots {
		clock, err := s.clock(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		r, err := s.one(ctx, b, &clock, k.ID)
		if r != nil || err != nil {
			return r, &clock, err
		}
	}
	return nil, nil, store.ErrNotFound
}

// Process returns one process.
func (s *Store) Process(ctx context.Context, k store.Key) (store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return store.Process{}, err
	}
	r, _, err := s.find(ctx, k)
	if err == nil {
		err = s.contain(ctx, []*store.Process{&r.Process})
	}
	if err != nil {
		return store.Process{}, s.failed(ctx, "read from", err)
	}
	return r.Process, nil
}

// Ancestors returns who made the process, nearest first.
func (s *Store) Ancestors(ctx context.Context, k store.Key) ([]store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	all, err := s.ancestors(ctx, k)
	return all, s.failed(ctx, "read from", err)
}

func (s *Store) ancestors(ctx context.Context, k store.Key) ([]store.Process, error) {
	r, clock, err := s.find(ctx, k)
	if err != nil {
		return nil, err
	}
	b := bootKey{r.Host, r.Boot}
	seen := map[key]bool{r.key: true}
	read := map[key]*row{}
	var above []*store.Process
	for {
		creator := r.Creator
		if creator.Evidence == process.Unknown || !creator.ID.Known() {
			break
		}
		if err := s.ahead(ctx, b, clock, r, read); err != nil {
			return nil, err
		}
		var next *row
		for _, o := range read {
			if o.ID.Same(creator.ID) {
				next = o
			}
		}
		if next == nil {
			if next, err = s.one(ctx, b, clock, creator.ID); err != nil {
				return nil, err
			}
		}
		if next == nil || seen[next.key] {
			break
		}
		seen[next.key] = true
		r = next
		above = append(above, &r.Process)
	}
	if err := s.contain(ctx, above); err != nil {
		return nil, err
	}
	all := make([]store.Process, len(above))
	for i, p := range above {
		all[i] = *p
	}
	return all, nil
}

// ahead reads those that stand above the process by its row, where the nearest of them
// is not read yet.
func (s *Store) ahead(ctx context.Context, b bootKey, clock *store.Clock, r *row, read map[key]*row) error {
	if len(r.above) == 0 || read[r.above[0]] != nil {
		return nil
	}
	clear(read)
	var hours []int64
	for _, k := range r.above {
		hours = append(hours, hourOf(clock.Wall(k.start())))
	}
	where := b.of() + " AND hour IN (" + numerals(sorted(hours)) + ") AND id IN (" + list(r.above, key.literal) + ")"
	return s.readKeys(ctx, where, func(r *row) error {
		read[r.key] = r
		return nil
	})
}

// Living calls yield with each process that the store has as not ended.
func (s *Store) Living(ctx context.Context, host string, yield func(*store.Process) bool) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	where := "WHERE " + ofHost(host) + " AND " + s.living()
	stopped := false
	err := s.read(ctx, where, func(r *row) error {
		if stopped = !yield(&r.Process); stopped {
			return context.Canceled
		}
		return nil
	})
	if stopped {
		return nil
	}
	return s.failed(ctx, "read from", err)
}

// Last returns when the last batch of the host was made, of any host where that is
// empty.
func (s *Store) Last(ctx context.Context, host string) (store.Mark, error) {
	if err := s.ready(ctx); err != nil {
		return store.Mark{}, err
	}
	all, err := s.hosts(ctx, host)
	if err != nil {
		return store.Mark{}, s.failed(ctx, "read from", err)
	}
	if len(all) == 0 {
		return store.Mark{}, store.ErrNotFound
	}
	return all[len(all)-1].Last, nil
}

// Hosts returns the hosts that the store knows of, by name, then by ID.
func (s *Store) Hosts(ctx context.Context) ([]store.Host, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	all, err := s.hosts(ctx, "")
	if err != nil {
		return nil, s.failed(ctx, "read from", err)
	}
	slices.SortFunc(all, func(a, b store.Host) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// hosts returns the host, or all where that is empty, the one whose batch was the last
// as the last.
func (s *Store) hosts(ctx context.Context, host string) ([]store.Host, error) {
	var all []store.Host
	query := "SELECT host, argMax(boot, batch), argMax(now, batch), argMax(" + s.nanoseconds("seen") + ", batch), argMax(host_name, batch) FROM " +
		s.table("marks") + " FINAL WHERE " + ofHost(host) + " GROUP BY host ORDER BY max(batch)"
	err := s.rows(ctx, query, func(scan func(...any) error) error {
		var h store.Host
		var now uint64
		var wall int64
		if err := scan(&h.ID, &h.Last.Boot, &now, &wall, &h.Name); err != nil {
			return err
		}
		h.Last.Now, h.Last.Wall = process.Instant(now), time.Unix(0, wall).UTC()
		all = append(all, h)
		return nil
	})
	return all, err
}
