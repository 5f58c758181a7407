package bpf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// A watch keeps a table in step with a source, and the events.
type watch struct {
	*testing.T
	src    *Source
	table  *process.Table
	events []process.Event
	known  int // how many of the events the table knows
}

func newWatch(t *testing.T, o Options) *watch {
	t.Helper()
	linuxtest.Need(t, linuxtest.BPF)
	src, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return &watch{T: t, src: src, table: process.NewTable(process.Retention{})}
}

// drain takes in all that is pending and returns what the table did not know.
func (w *watch) drain() []process.Event {
	w.Helper()
	w.take()
	from, last := w.known, process.Instant(0)
	if from > 0 {
		last = w.events[from-1].Time
	}
	for ; w.known < len(w.events); w.known++ {
		e := &w.events[w.known]
		if e.Time <= last {
			w.Errorf("%v at %d, after one at %d", e.Kind, e.Time, last)
		}
		last = e.Time
		w.table.Apply(e)
	}
	return w.events[from:]
}

// take takes in all that is pending and leaves it for drain, so that a storm
// does not wait for a table under the race detector.
func (w *watch) take() {
	w.Helper()
	if err := w.src.Drain(func(e *process.Event) { w.events = append(w.events, clone(e)) }); err != nil {
		w.Error(err)
	}
}

// taking takes whenever wait returns, on a thread that other programs do not
// keep waiting, until the returned function has drained the rest.
func (w *watch) taking(wait func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with its priority
		if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20); err != nil {
			w.Logf("a reader that waits for others: %v", err)
		}
		for {
			switch err := wait(ctx); {
			case ctx.Err() != nil:
				return
			case err != nil:
				w.Error(err)
				return
			}
			w.take()
		}
	})
	return func() {
		w.Helper()
		cancel()
		wg.Wait()
		w.drain()
	}
}

// draining takes whenever the source says that it should.
func (w *watch) draining() (stop func()) { return w.taking(w.src.Wait) }

// drainingOften takes every 10 ms, and when the source says that it should.
func (w *watch) drainingOften() (stop func()) {
	return w.taking(func(ctx context.Context) error {
		soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if err := w.src.Wait(soon); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	})
}

// clone returns the event with slices of its own.
func clone(e *process.Event) process.Event {
	c := *e
	c.Args, c.NamespacePIDs = slices.Clone(e.Args), slices.Clone(e.NamespacePIDs)
	return c
}

// scan returns the events of a scan by PID.
func (w *watch) scan() map[int]process.Event {
	w.Helper()
	found := make(map[int]process.Event)
	err := w.src.Scan(w.Context(), func(e *process.Event) {
		if other, ok := found[e.ID.PID]; ok {
			w.Errorf("%v and %v in one scan", other.ID, e.ID)
		}
		found[e.ID.PID] = clone(e)
		w.table.Apply(e)
	})
	if err != nil {
		w.Error(err)
	}
	return found
}

// of returns the events of a kind about the process that holds the PID.
func (w *watch) of(kind process.Kind, pid int) []process.Event {
	w.drain()
	id := w.table.ID(w.table.ByPID(pid))
	var found []process.Event
	for _, e := range w.events {
		if e.Kind == kind && e.ID == id {
			found = append(found, e)
		}
	}
	return found
}

// one returns the only event of a kind about a process.
func (w *watch) one(kind process.Kind, pid int) process.Event {
	w.Helper()
	found := w.of(kind, pid)
	if len(found) != 1 {
		w.Fatalf("%d events of kind %v about %d, want one: %+v", len(found), kind, pid, found)
	}
	return found[0]
}

// check holds what is known of a living actor to the truth.
func (w *watch) check(a *linuxtest.Actor, creator, parent int) process.Process {
	w.Helper()
	w.drain()
	p := w.table.Process(w.table.ByPID(a.PID))
	from, to := a.Born()
	if id := p.ID; id.Precision != process.Exact || id.Start < from || id.Start > to ||
		linuxtest.Has(linuxtest.Pidfs) && id.Inode != a.Inode() {
		w.Errorf("%v is no identity of %d, born from %d to %d, inode %d", p.ID, a.PID, from, to, a.Inode())
	}
	if p.State != process.Alive {
		w.Errorf("%v is %v", p.ID, p.State)
	}
	if p.Parent.ID.PID != parent || p.Parent.Evidence == process.Unknown {
		w.Errorf("the parent of %v is %+v, want %d", p.ID, p.Parent, parent)
	}
	if p.Creator.ID.PID != creator || p.Creator.Evidence != process.Observed {
		w.Errorf("the creator of %v is %+v, want %d", p.ID, p.Creator, creator)
	}
	if want := a.ReadFile("/proc/thread-self/cgroup"); p.Cgroup.Membership != want {
		w.Errorf("the membership of %v is %q, want %q", p.ID, p.Cgroup.Membership, want)
	}
	return p
}

// ended returns the end of a process that the table knows.
func (w *watch) ended(pid int) process.Event {
	w.Helper()
	e := w.one(process.Exited, pid)
	if s := w.table.State(w.table.ByID(e.ID)); s != process.Ended {
		w.Errorf("%v is %v after its end", e.ID, s)
	}
	return e
}

func membership(t testing.TB, pid int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var self = os.Getpid()
