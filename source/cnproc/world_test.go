package cnproc

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/procfs"
)

// world is what the source has told.
type world struct {
	*testing.T
	src    *Source
	table  *process.Table
	events []process.Event
	last   process.Instant
	lossy  bool // the test is of losses
}

func newReader(t testing.TB) *procfs.Source {
	t.Helper()
	r, err := procfs.Open(procfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func newTable() *process.Table {
	return process.NewTable(process.Retention{Age: time.Hour, Count: 1 << 20})
}

// start opens the source, without a scan.
func start(t testing.TB, o Options) *Source {
	t.Helper()
	linuxtest.Need(t, linuxtest.Connector)
	if o.Reader == nil {
		o.Reader = newReader(t)
	}
	src, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// play plays a scene with a source of its own, and once more where others on
// the machine overran the queue, which is theirs to fill as well.
func play(t *testing.T, o Options, scene func(w *world)) {
	t.Helper()
	linuxtest.Quiet(t)
	if o.Buffer == 0 {
		o.Buffer = 64 << 20
	}
	for range 10 {
		if perform(t, o, scene) {
			return
		}
	}
	t.Fatal("others on this machine overrun the queue again and again")
}

// overrun is what ends a scene that others have disturbed.
type overrun struct{}

func perform(t *testing.T, o Options, scene func(w *world)) (undisturbed bool) {
	t.Helper()
	w := &world{T: t, src: start(t, o), table: newTable()}
	defer func() {
		if err := w.src.Close(); err != nil {
			t.Error(err)
		}
		switch r := recover(); r {
		case nil, overrun{}:
			undisturbed = r == nil
		default:
			panic(r)
		}
	}()
	scene(w)
	return true
}

func (w *world) apply(e *process.Event) {
	switch e.Kind {
	case process.Fork, process.Exec, process.Exited, process.Loss:
		if e.Time <= w.last {
			w.Errorf("%v of %v at %d after %d", e.Kind, e.ID, e.Time, w.last)
		}
		w.last = e.Time
		if e.Time > linuxtest.Now() {
			w.Errorf("%v of %v in the future", e.Kind, e.ID)
		}
	case process.Seen, process.Gone, process.Moved:
	}
	w.table.Apply(e)
	w.events = append(w.events, *e)
}

func (w *world) scan() {
	w.Helper()
	if err := w.src.Scan(w.Context(), w.apply); err != nil {
		w.Fatal(err)
	}
}

func (w *world) drain() {
	w.Helper()
	if err := w.src.Drain(w.apply); err != nil {
		w.Fatal(err)
	}
	if w.table.Counts().Losses > 0 && !w.lossy {
		panic(overrun{})
	}
}

// drainUntil drains until it holds: the message of an end comes after others
// can see the end.
func (w *world) drainUntil(what string, holds func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	for w.drain(); !holds(); w.drain() {
		if err := w.src.Wait(ctx); err != nil {
			w.Fatalf("%s: %v", what, err)
		}
	}
}

func (w *world) process(id process.ID) process.Process {
	w.Helper()
	r := w.table.ByID(id)
	if r == 0 {
		w.Fatalf("%v is not known", id)
	}
	return w.table.Process(r)
}

// alive holds what is known of a living actor to the truth.
func (w *world) alive(a *linuxtest.Actor, parent int) {
	w.Helper()
	p := w.process(a.ID())
	if p.State != process.Alive || p.ID != a.ID() {
		w.Errorf("%v is %v, want %v alive", p.ID, p.State, a.ID())
	}
	if got := a.Getppid(); got != parent {
		w.Fatalf("the parent of %d is %d, the test wants %d", a.PID, got, parent)
	}
	if p.Parent.Evidence == process.Unknown || p.Parent.ID.PID != parent || !p.Parent.ID.Known() {
		w.Errorf("the parent of %d is %+v, want %d", a.PID, p.Parent, parent)
	}
	if name := a.Stat().Name; p.Name != name {
		w.Errorf("%d is called %q, want %q", a.PID, p.Name, name)
	}
	if want := a.ReadFile("/proc/thread-self/cgroup"); p.Cgroup.Membership != want {
		w.Errorf("%d is in %q, want %q", a.PID, p.Cgroup.Membership, want)
	}
}

// ended drains until the end of the process is known, and holds it to its
// truth.
func (w *world) ended(id process.ID, notBefore process.Instant, status syscall.WaitStatus) {
	w.Helper()
	w.drainUntil("the end of "+id.String(), func() bool { return w.table.State(w.table.ByID(id)) == process.Ended })
	p := w.process(id)
	if x := p.Exit; x.Evidence != process.Observed || x.Status != status || x.At < notBefore || x.At > linuxtest.Now() {
		w.Errorf("%v ended with %+v, want %#x, after %d", id, x, status, notBefore)
	}
	for _, e := range w.events {
		if e.Kind == process.Exited && e.ID.Same(id) {
			break
		}
		if e.Kind == process.Gone && e.ID.Same(id) {
			w.Errorf("%v is told as gone before its end is", id)
		}
	}
}

func (w *world) count(kind process.Kind, id process.ID) (n int) {
	for _, e := range w.events {
		if e.Kind == kind && e.ID.Same(id) {
			n++
		}
	}
	return n
}
