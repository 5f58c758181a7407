package ship

import (
	"context"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// refusing is a store that takes no batch of more than some processes, and not the
// third one of those.
type refusing struct {
	store.Store
	most  int
	n     int
	taken map[process.ID]int
}

func (s *refusing) Append(ctx context.Context, b *store.Batch) error {
	if len(b.Processes) > s.most {
		return errDown
	}
	if s.n++; s.n == 3 {
		return errDown
	}
	for i := range b.Processes {
		s.taken[b.Processes[i].ID]++
	}
	return s.Store.Append(ctx, b)
}

// TestRefreshThatFails makes its batches smaller, keeps what has come, and is not in
// the way of what is new.
func TestRefreshThatFails(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	b := daily("a", 0, 1)
	b.Processes = []store.Process{living(1, process.ID{})}
	for pid := 2; pid <= 700; pid++ {
		b.Processes = append(b.Processes, living(pid, exact(1, 1)))
	}
	appended(t, from, b)
	s := New(Options{From: from, To: to, Host: "h", BatchSize: 1000})
	s.pause = [2]time.Duration{}
	s.refresh.next = time.Now().Add(time.Hour)
	ship := func() {
		t.Helper()
		if err := s.ship(t.Context(), t.Context().Done()); err != nil || !s.begun || s.size != 1000 {
			t.Fatalf("what is new ships with %v, size %d", err, s.size)
		}
	}
	ship()
	strict := &refusing{Store: to, most: 200, taken: map[process.ID]int{}}
	s.o.To, s.refresh.next = strict, time.Time{}
	// It fails with 700, 500 and 250 processes, and the third time with 125.
	for n := range 5 {
		ship()
		if got := s.Stats().Unrefreshed; got != min(uint64(n)+1, 4) {
			t.Fatalf("after %d calls it has failed %d times", n+1, got)
		}
	}
	if stats := s.Stats(); s.due() || stats.Failed != 0 || stats.Err != nil {
		t.Errorf("due: %t, %+v", s.due(), stats)
	}
	for pid := 1; pid <= 700; pid++ {
		if n := strict.taken[exact(pid, process.Instant(pid))]; n != 1 {
			t.Fatalf("%d was taken %d times", pid, n)
		}
	}
}
