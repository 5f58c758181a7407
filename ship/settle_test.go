package ship

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// ponderous is a store that takes minutes to say who lives.
type ponderous struct {
	store.Store
	takes time.Duration
}

func (s *ponderous) Living(ctx context.Context, host string, yield func(*store.Process) bool) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < s.takes {
		return context.DeadlineExceeded
	}
	return s.Store.Living(ctx, host, yield)
}

// TestPatience gives a store that takes long to say who lives more time each time.
func TestPatience(t *testing.T) {
	from, to := opened(t, t.TempDir()), &ponderous{opened(t, t.TempDir()), 5 * time.Minute}
	s := New(Options{From: from, To: to, Host: "h"})
	s.patience = time.Minute
	first, next := daily("a", 0, 1), daily("a", 0, 2)
	first.Processes = append(first.Processes, living(1, process.ID{}))
	next.Gaps = []store.Gap{{Reason: store.Away, Since: first.Now, Until: next.Now}}
	appended(t, from, first, next)
	for n, want := range []error{context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded, nil} {
		if err := s.ship(t.Context(), t.Context().Done()); !errors.Is(err, want) {
			t.Fatalf("after %d times it ships with %v, and not with %v", n, err, want)
		}
	}
	if _, err := to.Process(t.Context(), store.Key{Host: "h", Boot: "a", ID: exact(1, 1)}); err != nil {
		t.Error(err)
	}
}
