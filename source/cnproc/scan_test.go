package cnproc

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Scans, drains and a storm side by side: nothing stays alive that has ended.
func TestScanWhileProcessesEnd(t *testing.T) {
	play(t, Options{}, func(w *world) {
		bare := linuxtest.Start(t).Fork()
		var mu sync.Mutex
		apply := func(e *process.Event) {
			mu.Lock()
			defer mu.Unlock()
			w.table.Apply(e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := w.src.Scan(ctx, apply); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for w.src.Wait(ctx) == nil {
				if err := w.src.Drain(apply); err != nil {
					t.Error(err)
				}
			}
		})
		alive, err := bare.Churn(2000, 4)
		cancel()
		wg.Wait()
		if err != nil {
			t.Fatal(err)
		}
		w.drainUntil("the end of all that have ended", func() bool { return !w.phantoms(bare.PID) })
		for _, pid := range alive {
			if w.table.State(w.table.ByPID(pid)) != process.Alive {
				t.Errorf("%d is alive, and for the table it is not", pid)
			}
		}
	})
}

// phantoms reports whether the process has a child that is alive for the table
// and not in truth.
func (w *world) phantoms(parent int) bool {
	for r := range w.table.All() {
		p := w.table.Process(r)
		if p.State != process.Alive || p.Parent.ID.PID != parent {
			continue
		}
		var e process.Event
		if err := w.src.reader.Read(p.ID.PID, &e); err != nil || !e.ID.Same(p.ID) || e.Zombie {
			return true
		}
	}
	return false
}

// A process that ends between its reading by a scan and what the scan tells of
// it: its last message is drained before.
func TestScanOfEnded(t *testing.T) {
	r := &slow{Reader: newReader(t)}
	play(t, Options{Reader: r}, func(w *world) {
		a := linuxtest.Start(t)
		a.SetSubreaper(true)
		b := a.Fork()
		c := b.Fork()
		for _, before := range []bool{true, false} { // the source
			if before {
				w.drain()
				w.src.procs = map[int]*proc{}
				w.table = newTable()
			} else {
				b = a.Fork()
				c = b.Fork()
				w.drain()
			}
			id := b.ID()
			r.meanwhile = func() {
				b.Exit(0)
				a.Wait(b)
				w.drainUntil("the message of the end", func() bool { return w.src.touched[b.PID] })
			}
			w.scan()
			r.meanwhile = nil
			w.drainUntil("the end", func() bool { return w.table.State(w.table.ByID(id)) != process.Alive })
			w.alive(c, a.PID)
		}
	})
}

// However many scans come before its last message is drained, the end of a
// process is told, with the status.
func TestScansBeforeDrain(t *testing.T) {
	play(t, Options{}, func(w *world) {
		a := linuxtest.Start(t)
		b := a.Fork()
		w.drain()
		id, before := b.ID(), linuxtest.Now()
		b.Exit(3)
		w.scan() // it is a zombie
		a.Wait(b)
		for range 4 {
			w.scan()
		}
		w.ended(id, before, 3<<8)
	})
}

// slow is a reader that does something between the reading and the telling of
// a scan.
type slow struct {
	source.Reader
	meanwhile func()
}

func (r *slow) Scan(ctx context.Context, emit func(*process.Event)) error {
	var found []process.Event
	err := r.Reader.Scan(ctx, func(e *process.Event) { found = append(found, *e) })
	if r.meanwhile != nil {
		r.meanwhile()
	}
	for i := range found {
		emit(&found[i])
	}
	return err
}
