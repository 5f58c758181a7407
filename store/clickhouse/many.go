package clickhouse

import (
	"context"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Processes returns those of the processes that the store has.
func (s *Store) Processes(ctx context.Context, keys []store.Key) ([]store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	found, err := s.many(ctx, keys)
	if err == nil {
		err = s.contain(ctx, found)
	}
	if err != nil {
		return nil, s.failed(ctx, "read from", err)
	}
	all := make([]store.Process, len(found))
	for i, p := range found {
		all[i] = *p
	}
	return all, nil
}

func (s *Store) many(ctx context.Context, keys []store.Key) (all []*store.Process, err error) {
	ids, byBoot := map[store.Key][]process.ID{}, []store.Key{}
	for _, k := range keys {
		of := store.Key{Host: k.Host, Boot: k.Boot}
		if ids[of] == nil {
			byBoot = append(byBoot, of)
		}
		ids[of] = append(ids[of], k.ID)
	}
	told := map[joint]bool{}
	for _, of := range byBoot {
		boots, err := s.bootsOf(ctx, of)
		if err != nil {
			return nil, err
		}
		for _, b := range boots {
			err := s.manyOf(ctx, b, ids[of], func(r *row) {
				if j := (joint{b, r.key}); !told[j] {
					told[j] = true
					all = append(all, &r.Process)
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// manyOf calls each with the rows of the processes of the boot.
func (s *Store) manyOf(ctx context.Context, b bootKey, ids []process.ID, each func(*row)) error {
	clock, err := s.clock(ctx, b)
	if err != nil {
		return err
	}
	byPID := map[int][]process.ID{}
	var asked []process.ID
	for _, id := range ids {
		if id.Known() && !slices.Contains(byPID[id.PID], id) {
			byPID[id.PID] = append(byPID[id.PID], id)
			asked = append(asked, id)
		}
	}
	for part := range slices.Chunk(asked, 1000) {
		err := s.readKeys(ctx, rowsOf(b, &clock, part), func(r *row) error {
			if slices.ContainsFunc(byPID[r.ID.PID], r.ID.Same) {
				each(r)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
