package cnproc

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// A queue of some hundred messages overflows in a storm in which processes are
// made, adopted and ended. That is told, and a scan makes good for it.
func TestLoss(t *testing.T) {
	play(t, Options{Buffer: 32 << 10}, func(w *world) {
		w.lossy = true
		a := linuxtest.Start(t)
		a.SetSubreaper(true)
		b := a.Fork()
		c := b.Fork()
		d := c.Fork()
		w.heal()
		before := linuxtest.Now()
		if _, err := c.Churn(1000, 4); err != nil {
			t.Fatal(err)
		}
		b.Exit(1)
		a.Wait(b)
		e := d.Fork()
		d.Exit(2)
		c.Wait(d)
		alive, err := c.Churn(1000, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !w.src.Pending() {
			t.Error("nothing is pending after a loss")
		}
		w.events = nil
		w.drain()
		losses := 0
		for _, e := range w.events {
			if e.Kind == process.Loss {
				losses++
				if e.Since == 0 || e.Since > e.Time {
					t.Errorf("%+v", e)
				}
			}
		}
		if losses == 0 || w.last < before {
			t.Fatalf("%d losses, until %d, before %d", losses, w.last, before)
		}
		w.heal()
		w.alive(c, a.PID)
		w.alive(e, a.PID)
		for _, pid := range alive {
			if w.table.State(w.table.ByPID(pid)) != process.Alive {
				t.Errorf("%d is alive, and for the table it is not", pid)
			}
		}
		w.heal()
		w.heal()
		if n := len(w.src.procs); n > 4*w.table.Counts().Alive+100 {
			t.Errorf("%d processes are kept, of %+v", n, w.table.Counts())
		}
	})
}

// heal scans until nothing was lost since the scan began, and the table has the
// same processes below the test as the kernel.
func (w *world) heal() {
	w.Helper()
	w.drainUntil("table and kernel to be the same", func() bool {
		losses, began := w.table.Counts().Losses, linuxtest.Now()
		w.scan()
		w.table.EndUnseen(began)
		w.drain()
		if w.table.Counts().Losses > losses {
			return false
		}
		known := map[process.ID]process.ID{}
		for r := range w.table.All() {
			if p := w.table.Process(r); p.State == process.Alive {
				known[p.ID] = p.Parent.ID
			}
		}
		there := map[process.ID]process.ID{}
		err := w.src.reader.Scan(w.Context(), func(e *process.Event) {
			if !e.Zombie {
				there[e.ID] = e.Parent
			}
		})
		if err != nil {
			w.Fatal(err)
		}
		return maps.Equal(below(known), below(there))
	})
}

// below returns who of the processes, each with its parent, descends from the
// test, with the parent.
func below(parents map[process.ID]process.ID) map[process.ID]process.ID {
	found := map[process.ID]process.ID{}
	for id, parent := range parents {
		for p := id; p.Known(); p = parents[p] {
			if p.PID == os.Getpid() && id != p {
				found[id] = parent
				break
			}
		}
	}
	return found
}

// 5,000 processes as fast as can be, with a reader beside them.
func TestStorm(t *testing.T) {
	play(t, Options{Buffer: DefaultBuffer}, func(w *world) {
		bare := linuxtest.Start(t).Fork()
		w.scan()
		w.drain()
		w.lossy = true
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for w.src.Wait(ctx) == nil {
				if err := w.src.Drain(w.apply); err != nil {
					t.Error(err)
				}
			}
		})
		_, err := bare.Churn(5000, 0)
		cancel()
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if linuxtest.Has(linuxtest.Root) { // of others the queue is short
			w.lossy = false
		} else if w.drain(); w.table.Counts().Losses > 0 {
			w.heal()
		}
		w.drainUntil("the end of all", func() bool { return w.children(bare.PID) == "" })
	})
}

// children names a child of the process that source or table have alive.
func (w *world) children(pid int) string {
	for _, p := range w.src.procs {
		if p.parent != nil && p.parent.pid == pid && p.epoch == w.src.epoch {
			return fmt.Sprintf("%+v", *p)
		}
	}
	for r := range w.table.All() {
		if p := w.table.Process(r); p.State == process.Alive && p.Parent.ID.PID == pid {
			return p.ID.String()
		}
	}
	return ""
}
