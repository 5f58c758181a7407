package bpf

import (
	"context"
	"errors"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// bare returns a process that is no Go program and can make others fast.
func bare(t *testing.T) *linuxtest.Actor {
	t.Helper()
	return linuxtest.Start(t).Fork()
}

// whole holds that n children of a process were told whole, and nothing lost.
func (w *watch) whole(parent, n int, kinds ...process.Kind) {
	w.Helper()
	next := map[process.ID]int{}
	children := 0
	for i := range w.events {
		e := &w.events[i]
		if e.Kind == process.Loss {
			w.Errorf("a loss: %+v", e)
		}
		if e.Kind == process.Fork && e.Creator.PID == parent {
			children++
			if e.Parent != e.Creator || e.Cgroup.Membership == "" {
				w.Errorf("born as %+v", e)
			}
			next[e.ID] = 0
		}
		if at, ok := next[e.ID]; ok && e.Kind != process.Moved {
			if at >= len(kinds) || kinds[at] != e.Kind {
				w.Fatalf("%v of %v is its event number %d", e.Kind, e.ID, at)
			}
			next[e.ID]++
			if e.Kind == process.Exited && (!e.Status.Exited() || e.Status.ExitStatus() != 0) {
				w.Errorf("%v ended with %#x", e.ID, e.Status)
			}
			if at == len(kinds)-1 && w.table.State(w.table.ByID(e.ID)) == process.Alive {
				w.Errorf("%v has ended, and is alive", e.ID)
			}
		}
	}
	if children != n {
		w.Errorf("%d children, want %d", children, n)
	}
	for id, at := range next {
		if at != len(kinds) {
			w.Errorf("%d events of %v, want %d", at, id, len(kinds))
		}
	}
}

func TestStorm(t *testing.T) {
	const n = 20_000
	defer linuxtest.Storm(t)()
	w := newWatch(t, Options{})
	a := bare(t)
	stop := w.draining()
	if _, err := a.Churn(n, 0); err != nil {
		t.Error(err)
	}
	stop()
	w.whole(a.PID, n, process.Fork, process.Exited)
}

// What happened before a question is there when it is asked.
func TestFreshness(t *testing.T) {
	const rounds = 10_000
	w := newWatch(t, Options{})
	a := bare(t)
	w.drain()
	for i := range rounds {
		if _, err := a.Churn(1, 0); err != nil {
			t.Fatal(err)
		}
		if !w.src.Pending() {
			t.Fatalf("round %d: nothing is pending", i)
		}
		born, ended := process.ID{}, process.ID{}
		err := w.src.Drain(func(e *process.Event) {
			switch {
			case e.Kind == process.Fork && e.Creator.PID == a.PID:
				born = e.ID
			case e.Kind == process.Exited && e.ID == born:
				ended = e.ID
			}
		})
		if err != nil || born.IsZero() || ended != born {
			t.Fatalf("round %d: %v was born, %v has ended, %v", i, born, ended, err)
		}
	}
}

func TestWaitEnds(t *testing.T) {
	w := newWatch(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		for {
			if err := w.src.Wait(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := w.src.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
