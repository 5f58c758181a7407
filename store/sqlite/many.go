package sqlite

import (
	"context"
	"errors"

	"github.com/proclineage/lineage/store"
)

// Processes returns those of the processes that the store has.
func (s *Store) Processes(ctx context.Context, keys []store.Key) ([]store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	all, told := make([]store.Process, 0, len(keys)), make(map[store.Key]bool, len(keys))
	for _, k := range keys {
		p, err := s.Process(ctx, k)
		if errors.Is(err, store.ErrNotFound) || err == nil && told[p.Key] {
			continue
		}
		if err != nil {
			return nil, err
		}
		told[p.Key] = true
		all = append(all, p)
	}
	return all, nil
}
