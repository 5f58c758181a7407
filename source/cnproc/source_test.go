package cnproc

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

func TestWait(t *testing.T) {
	play(t, Options{}, func(w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.src.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait with a context that has ended: %v", err)
		}
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				err := error(nil)
				for err == nil {
					err = errors.Join(w.src.Wait(ctx), w.src.Drain(func(*process.Event) {}))
				}
				done <- err
			}()
			linuxtest.Start(t)
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Wait: %v", err)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	play(t, Options{}, func(w *world) {
		want := []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsLate, source.MovesUnseen}
		if !linuxtest.Has(linuxtest.Pidfs) {
			want = append(want, source.TicksOnly)
		}
		if got := w.src.Limits(); !slices.Equal(got, want) || w.src.Name() != Name {
			t.Errorf("%s: %v", w.src.Name(), got)
		}
	})
}

// A faulty reader fails as it is told.
type faulty struct {
	source.Reader
	pid int   // only of this process
	err error // nil for no fault
}

func (r *faulty) Read(pid int, e *process.Event) error {
	if pid == r.pid && r.err != nil {
		return r.err
	}
	return r.Reader.Read(pid, e)
}

// A process that was there before the source and can no longer be read ends
// with its last thread all the same, and no earlier.
func TestEndOfHidden(t *testing.T) {
	r := &faulty{Reader: newReader(t)}
	play(t, Options{Reader: r}, func(w *world) {
		a := linuxtest.Start(t)
		w.drain()
		w.src.procs = map[int]*proc{} // as if it had not been
		r.err = nil
		w.scan()
		r.pid, r.err = a.PID, source.ErrHidden
		a.NewThread().Exit()
		w.drain()
		w.alive(a, a.Getppid())
		id, before := a.ID(), linuxtest.Now()
		a.Exit(5)
		w.ended(id, before, 5<<8)
	})
}

// An error of the reader is no end.
func TestReaderFails(t *testing.T) {
	r := &faulty{Reader: newReader(t)}
	play(t, Options{Reader: r}, func(w *world) {
		a := linuxtest.Start(t)
		w.drain()
		w.src.procs = map[int]*proc{}
		r.err = nil
		w.scan()
		r.pid, r.err = a.PID, errors.New("out of order")
		a.NewThread().Exit()
		err := error(nil)
		for err == nil {
			err = w.src.Drain(w.apply)
		}
		if !errors.Is(err, r.err) || w.count(process.Gone, a.ID())+w.count(process.Exited, a.ID()) > 0 {
			t.Errorf("%v, and %v is taken for ended", err, a.ID())
		}
	})
}
