package cnproc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/procfs"
)

// world is what the source has told.
type world struct {
	t      testing.TB
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

// open opens the source, without a scan.
func open(t testing.TB, o Options) *world {
	t.Helper()
	linuxtest.Need(t, linuxtest.HostPID)
	if o.Reader == nil {
		o.Reader = newReader(t)
	}
	src, err := Open(o)
	if os.Getuid() != 0 && (errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported)) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t: t, src: src, table: process.NewTable(process.Retention{Age: time.Hour, Count: 1 << 20})}
}

func (w *world) apply(e *process.Event) {
	switch e.Kind {
	case process.Fork, process.Exec, process.Exited, process.Loss:
		if e.Time <= w.last {
			w.t.Errorf("%v of %v at %d after %d", e.Kind, e.ID, e.Time, w.last)
		}
		w.last = e.Time
		if e.Time > linuxtest.Now() {
			w.t.Errorf("%v of %v in the future", e.Kind, e.ID)
		}
	case process.Seen, process.Gone, process.Moved:
	}
	w.table.Apply(e)
	w.events = append(w.events, *e)
}

func (w *world) scan() {
	w.t.Helper()
	if err := w.src.Scan(w.t.Context(), w.apply); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drain() {
	w.t.Helper()
	if err := w.src.Drain(w.apply); err != nil {
		w.t.Fatal(err)
	}
	w.undisturbed()
}

// drainUntil drains until it holds: the message of an end comes after others
// can see the end.
func (w *world) drainUntil(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for w.drain(); !holds(); w.drain() {
		if err := w.src.Wait(ctx); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
	}
}

// undisturbed skips the rest where the storm of others on the machine overran
// the queue.
func (w *world) undisturbed() {
	w.t.Helper()
	if w.table.Counts().Losses > 0 && !w.lossy {
		w.t.Skip("the queue was overrun by others on this machine")
	}
}

func (w *world) process(id process.ID) process.Process {
	w.t.Helper()
	r := w.table.ByID(id)
	if r == 0 {
		w.t.Fatalf("%v is not known", id)
	}
	return w.table.Process(r)
}

// alive holds what is known of a living actor to the truth.
func (w *world) alive(a *linuxtest.Actor, parent int) {
	w.t.Helper()
	p := w.process(a.ID())
	if p.State != process.Alive || p.ID != a.ID() {
		w.t.Errorf("%v is %v, want %v alive", p.ID, p.State, a.ID())
	}
	if got := a.Getppid(); got != parent {
		w.t.Fatalf("the parent of %d is %d, the test wants %d", a.PID, got, parent)
	}
	if p.Parent.Evidence == process.Unknown || p.Parent.ID.PID != parent || !p.Parent.ID.Known() {
		w.t.Errorf("the parent of %d is %+v, want %d", a.PID, p.Parent, parent)
	}
	if name := a.Stat().Name; p.Name != name {
		w.t.Errorf("%d is called %q, want %q", a.PID, p.Name, name)
	}
	if want := a.ReadFile("/proc/thread-self/cgroup"); p.Cgroup.Membership != want {
		w.t.Errorf("%d is in %q, want %q", a.PID, p.Cgroup.Membership, want)
	}
}

// ended drains until the end of the process is known, and holds it to its
// truth.
func (w *world) ended(id process.ID, notBefore process.Instant, status syscall.WaitStatus) {
	w.t.Helper()
	w.drainUntil("the end of "+id.String(), func() bool { return w.table.State(w.table.ByID(id)) == process.Ended })
	p := w.process(id)
	if x := p.Exit; x.Evidence != process.Observed || x.Status != status || x.At < notBefore || x.At > linuxtest.Now() {
		w.t.Errorf("%v ended with %+v, want %#x, after %d", id, x, status, notBefore)
	}
	for _, e := range w.events {
		if e.Kind == process.Gone && e.ID.Same(id) {
			w.t.Errorf("%v is told as gone", id)
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

func TestForkExecExit(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	w.scan()
	b := a.Fork()
	if !w.src.Pending() {
		t.Error("nothing is pending after a fork")
	}
	w.drain()
	w.alive(a, os.Getpid())
	w.alive(b, a.PID)
	if n := w.count(process.Fork, b.ID()); n != 1 {
		t.Errorf("%d forks", n)
	}
	if l := w.process(b.ID()).Creator; l.ID.PID != a.PID || l.Evidence != process.Inferred {
		t.Errorf("creator %+v", l)
	}
	b.Exec("another")
	w.drain()
	w.alive(b, a.PID)
	if n := w.count(process.Exec, b.ID()); n != 1 {
		t.Errorf("%d execs", n)
	}
	id, before := b.ID(), linuxtest.Now()
	b.Exit(3)
	w.ended(id, before, 3<<8)
	a.Wait(b)
	c := a.Fork()
	w.drain()
	id, before = c.ID(), linuxtest.Now()
	c.Kill(syscall.SIGKILL)
	a.Wait(c)
	w.ended(id, before, syscall.WaitStatus(syscall.SIGKILL))
	w.alive(a, os.Getpid())
}

// A process that was there before the source ends, with one thread or more.
func TestEndOfProcessFromBefore(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	b := a.Fork()
	w.drain()
	w.src.procs = map[int]*proc{} // as if it had not been
	w.scan()
	th := a.NewThread()
	th.Exit()
	w.drain()
	w.alive(a, os.Getpid())
	id, before := b.ID(), linuxtest.Now()
	b.Exit(4)
	w.ended(id, before, 4<<8)
	id, before = a.ID(), linuxtest.Now()
	a.Exit(5)
	w.ended(id, before, 5<<8)
}

func TestThreads(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	w.drain()
	forks := func() (n int) {
		for _, e := range w.events {
			if e.Kind == process.Fork && e.Parent.PID == a.PID {
				n++
			}
		}
		return n
	}
	first := a.NewThread()
	w.drain()
	if n := forks(); n != 0 {
		t.Errorf("threads are told as %d forks", n)
	}
	b := first.Fork()
	w.drain()
	w.alive(b, a.PID)
	first.Exit()
	w.drain()
	w.alive(a, os.Getpid())
	a.ExitLeader()
	w.drain()
	w.alive(a, os.Getpid())
	c := a.Fork()
	w.drain()
	w.alive(c, a.PID)
	id, before := a.ID(), linuxtest.Now()
	a.Exit(7)
	if !w.src.wholeStatus {
		t.Skip("this kernel may tell another status")
	}
	w.ended(id, before, 7<<8)
	w.alive(b, os.Getpid())
	w.alive(c, os.Getpid())
}

func TestExecByThread(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	w.drain()
	id := a.ID()
	th := a.NewThread()
	th.Exec("usurper")
	w.drain()
	w.alive(a, os.Getpid())
	if a.ID() != id || w.count(process.Exec, id) == 0 || w.count(process.Exited, id) != 0 {
		t.Errorf("%v: %d execs, %d exits", id, w.count(process.Exec, id), w.count(process.Exited, id))
	}
	before := linuxtest.Now()
	a.Exit(9)
	w.ended(id, before, 9<<8)
}

func TestAdoption(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	a.SetSubreaper(true)
	b := a.Fork()
	c := b.Fork()
	d := c.Fork()
	w.drain()
	id, before := b.ID(), linuxtest.Now()
	b.Exit(0)
	w.ended(id, before, 0)
	a.Wait(b)
	w.alive(c, a.PID)
	w.alive(d, c.PID)
	// All in one drain.
	e := d.Fork()
	f := e.Fork()
	id, before = e.ID(), linuxtest.Now()
	e.Exit(0)
	w.ended(id, before, 0)
	w.alive(f, a.PID)
	id, before = a.ID(), linuxtest.Now()
	a.Exit(0)
	w.ended(id, before, 0)
	w.alive(c, os.Getpid())
	w.alive(f, os.Getpid())
}

// A process whose parent is gone before it is read has its new one, and its
// first is a gap.
func TestParentUnread(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	a.SetSubreaper(true)
	w.drain()
	b := a.Fork()
	c := b.Fork()
	b.Exit(0)
	a.Wait(b)
	w.drain()
	w.alive(c, a.PID)
	if l := w.process(c.ID()).Creator; l.Evidence != process.Unknown {
		t.Errorf("creator %+v", l)
	}
	for _, e := range w.events {
		if e.ID.PID == b.PID && e.ID.Known() {
			t.Errorf("%v of what could not be read: %v", e.Kind, e.ID)
		}
	}
}

func TestCloneParent(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t).Fork()
	b := a.Fork()
	c := b.Clone(linuxtest.CloneOptions{Parent: true})
	w.drain()
	w.alive(b, a.PID)
	w.alive(c, a.PID)
}

func TestReuse(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID, linuxtest.Pidfs)
	w := open(t, Options{})
	a := linuxtest.Start(t)
	w.drain()
	for round := range 50 {
		b := a.Fork()
		first := b.ID()
		if round%2 == 0 {
			w.drain()
		}
		b.Exit(1)
		a.Wait(b)
		c, err := a.TryClone(linuxtest.CloneOptions{PID: b.PID})
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		w.alive(c, a.PID)
		if round%2 == 0 {
			w.drainUntil("the first one's end", func() bool { return w.table.State(w.table.ByID(first)) == process.Ended })
		} else if w.table.ByID(first) != 0 {
			t.Errorf("%v is known, which was gone before it was read", first)
		}
		if w.process(c.ID()).ID.Inode == first.Inode {
			t.Errorf("%v is taken for %v", c.ID(), first)
		}
		c.Exit(2)
		second := process.ID{PID: c.PID, Inode: c.Inode()}
		a.Wait(c)
		w.drainUntil("the second one's end", func() bool { return w.table.State(w.table.ByID(second)) == process.Ended })
	}
}

// Fork, then drain: it is there, with no wait.
func TestFreshness(t *testing.T) {
	w := open(t, Options{})
	a := linuxtest.Start(t)
	w.drain()
	for range 300 {
		b := a.Fork()
		w.drain()
		w.alive(b, a.PID)
		b.Exit(0)
		a.Wait(b)
	}
}

func TestLoss(t *testing.T) {
	w := open(t, Options{Buffer: 16 << 10})
	w.lossy = true
	a := linuxtest.Start(t)
	bare := a.Fork()
	w.drain()
	w.scan()
	before := linuxtest.Now()
	if _, err := bare.Churn(1000, 0); err != nil {
		t.Fatal(err)
	}
	c := a.Fork()
	if !w.src.Pending() {
		t.Error("nothing is pending after a loss")
	}
	w.drain()
	n := 0
	for _, e := range w.events {
		if e.Kind == process.Loss {
			n++
			if e.Since == 0 || e.Since > e.Time {
				t.Errorf("%+v", e)
			}
		}
	}
	if last := w.last; n == 0 || last < before {
		t.Fatalf("%d losses, until %d, before %d", n, last, before)
	}
	for tries := 0; w.events[len(w.events)-1].Kind == process.Loss; tries++ {
		if tries == 5 {
			t.Skip("the queue is overrun again and again, by others on this machine")
		}
		w.scan()
		w.drain()
	}
	if w.table.Counts().Losses > 0 && w.src.procs[c.PID] == nil {
		w.scan()
	}
	w.alive(c, a.PID)
	if n := len(w.src.procs); n > 4*w.table.Counts().Alive+100 {
		t.Errorf("%d processes are kept, of %+v", n, w.table.Counts())
	}
}

// 5,000 processes as fast as can be, with a reader beside them.
func TestStorm(t *testing.T) {
	w := open(t, Options{})
	w.lossy = true
	bare := linuxtest.Start(t).Fork()
	w.scan()
	w.drain()
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
	w.drain()
	switch n := w.table.Counts().Losses; {
	case n > 0 && os.Getuid() != 0:
		t.Skip("an ordinary user's queue is short, and was overrun")
	case n > 0:
		t.Fatalf("%d losses", n)
	}
	forks := 0
	for _, e := range w.events {
		if e.Kind == process.Fork && e.Parent.PID == bare.PID {
			forks++
		}
	}
	t.Logf("%d of 5000 were read before they were gone", forks)
	w.drainUntil("the end of all", func() bool {
		n := 0
		for _, p := range w.src.procs {
			if p.parent != nil && p.parent.pid == bare.PID {
				n++
			}
		}
		return n == 0
	})
}

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"6.6.0": true, "6.18.44-x": true, "7.0": true, "6.5.9": false, "5.15": false, "x": false} {
		if got := atLeast(release, 6, 6); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(Options{}); err == nil {
		t.Error("no Reader, and no error")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/self/ns", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pid:[4026539999]", dir+"/self/ns/pid"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Reader: newReader(t), ProcPath: dir}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("in another PID namespace: %v", err)
	}
}

func TestWait(t *testing.T) {
	w := open(t, Options{})
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
				err = errors.Join(w.src.Wait(ctx), w.src.Drain(w.apply))
			}
			done <- err
		}()
		linuxtest.Start(t)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
	}
}

func TestLimits(t *testing.T) {
	w := open(t, Options{})
	got := w.src.Limits()
	if len(got) < 2 || got[0] != source.CreatorsUnseen || got[1] != source.ShortLivedUnseen || w.src.Name() != Name {
		t.Errorf("%s: %v", w.src.Name(), got)
	}
}

// BenchmarkFork is a fork and what it costs to learn of it.
func BenchmarkFork(b *testing.B) {
	w := open(b, Options{})
	w.lossy = true
	a := linuxtest.Start(b)
	w.drain()
	drop := func(*process.Event) {}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c := a.Fork()
		b.StartTimer()
		if err := w.src.Drain(drop); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Exit(0)
		a.Wait(c)
		b.StartTimer()
	}
}

// BenchmarkPending is a question when nothing has happened.
func BenchmarkPending(b *testing.B) {
	w := open(b, Options{})
	w.lossy = true
	for b.Loop() {
		w.src.Pending()
	}
}

// BenchmarkStorm is what a process costs the reader that ends at once.
func BenchmarkStorm(b *testing.B) {
	w := open(b, Options{Buffer: 64 << 20})
	w.lossy = true
	bare := linuxtest.Start(b).Fork()
	drop := func(*process.Event) {}
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		if _, err := bare.Churn(n, 0); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := w.src.Drain(drop); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/process")
}
