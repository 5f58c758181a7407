package ship

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A steady host has a process that has ended every half of a second, until it stops.
type steady struct {
	began  time.Time
	length time.Duration
	limits []int // of each question
}

const beat = process.Instant(500 * time.Millisecond)

func (s *steady) Changes(_ context.Context, host string, after store.Mark, limit int) (*store.Batch, error) {
	s.limits = append(s.limits, limit)
	b := &store.Batch{Host: host, Boot: "a"}
	for at := after.Now - after.Now%beat + beat; at <= process.Instant(min(time.Since(s.began), s.length)) && len(b.Processes) < limit; at += beat {
		b.Processes = append(b.Processes, ended(living(int(at/beat), process.ID{}), at))
		b.Now, b.Wall = at, s.began.Add(time.Duration(at))
	}
	if b.Now == 0 {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return b, nil
}

func (s *steady) Living(context.Context, string, func(*store.Process) bool) error { return nil }

func (s *steady) Process(context.Context, store.Key) (store.Process, error) {
	return store.Process{}, store.ErrNotFound
}

func (s *steady) Ancestors(context.Context, store.Key) ([]store.Process, error) { return nil, nil }

// A laden store takes a while for each batch, and at first none.
type laden struct {
	takes   time.Duration
	refuses int
	taken   map[int]int
	batches int
	mark    store.Mark
}

func (l *laden) Append(ctx context.Context, b *store.Batch) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(l.takes):
	}
	if l.refuses > 0 {
		l.refuses--
		return fmt.Errorf("too many parts: %w", store.ErrBusy)
	}
	for i := range b.Processes {
		l.taken[b.Processes[i].ID.PID]++
	}
	l.batches++
	l.mark = store.Mark{Boot: b.Boot, Now: b.Now, Wall: b.Wall}
	return nil
}

func (l *laden) Last(context.Context, string) (store.Mark, error) {
	if l.batches == 0 {
		return store.Mark{}, store.ErrNotFound
	}
	return l.mark, nil
}

func (l *laden) Living(context.Context, string, func(*store.Process) bool) error { return nil }

// The longer a store takes the longer it is left alone, and the larger batches are; one
// that is busy is not sent smaller ones.
func TestBusy(t *testing.T) {
	const length = 10 * time.Minute
	for _, c := range []struct {
		takes   time.Duration
		refuses int
		batches int // at most
	}{
		{10 * time.Millisecond, 0, int(length / time.Second)},
		{3 * time.Second, 0, int(length/(11*time.Second)) + 2},
		{10 * time.Millisecond, 5, int(length / time.Second)},
		{20 * time.Second, 5, int(length/(80*time.Second)) + 1}, // a minute is the longest rest
	} {
		t.Run(fmt.Sprintf("%v, %d refused", c.takes, c.refuses), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := &steady{began: time.Now(), length: length}
				to := &laden{takes: c.takes, refuses: c.refuses, taken: map[int]int{}}
				ctx, stop := context.WithTimeout(t.Context(), length)
				defer stop()
				s := New(Options{From: from, To: to, Host: "h", BatchSize: 1000})
				s.goodbye = time.Minute
				var watch sync.WaitGroup
				defer watch.Wait()
				watch.Go(func() { // what waits is told of
					for every := time.Tick(time.Second); ctx.Err() == nil; <-every {
						stats := s.Stats()
						if waits := time.Since(stats.Mark.Wall) - 4*time.Second; stats.Mark.Boot != "" && stats.Behind < waits {
							t.Errorf("%v behind, and the store for %v", stats.Behind, waits)
						}
					}
				})
				if err := s.Run(ctx); err != nil {
					t.Fatal(err)
				}
				for pid := 1; pid <= int(process.Instant(length)/beat); pid++ {
					if to.taken[pid] != 1 {
						t.Fatalf("process %d came %d times", pid, to.taken[pid])
					}
				}
				if to.batches > c.batches || to.batches < c.batches/2 {
					t.Errorf("%d batches, and not about %d", to.batches, c.batches)
				}
				for _, limit := range from.limits {
					if limit != 1000 {
						t.Fatalf("batches of up to %d are asked for", limit)
					}
				}
			})
		})
	}
}
