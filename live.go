package lineage

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/proclineage/lineage/source/procfs"
)

// A kind is a way to learn of processes as things happen to them.
type kind struct {
	name string
	open func(Options, *procfs.Source) (source.Live, error)
}

// kinds is the live sources, best first.
var kinds = []kind{
	{bpf.Name, func(o Options, _ *procfs.Source) (source.Live, error) {
		return bpf.Open(bpf.Options{Buffer: o.Buffer, ProcPath: o.ProcPath})
	}},
	{cnproc.Name, func(o Options, proc *procfs.Source) (source.Live, error) {
		return cnproc.Open(cnproc.Options{Reader: proc, Buffer: o.Buffer, ProcPath: o.ProcPath})
	}},
}

// A feed is a live source in use.
type feed struct {
	source.Live
	// exact says that whoever has drained the source knows all that has
	// happened: it is late with nothing and leaves nothing out.
	exact bool
	emit  func(*process.Event)
	// successor says that there was another one before it, so that what it
	// finds first is news.
	successor bool
	// losses counts the times that memory fell behind the source, of which
	// a scan has made healed good. The first is that nothing was known.
	losses, healed atomic.Uint64
	// listed says that memory has what /proc lists and the source left out.
	listed atomic.Bool
}

// inStep reports whether memory has all that the source told.
func (f *feed) inStep() bool { return f.losses.Load() == f.healed.Load() }

// openLive opens the best of the live sources that works, from the nth on, and
// notes why better ones do not. Without one, single processes are read and
// nothing else is known. The caller holds t.choosing.
func (t *Tree) openLive(n int) *feed {
	for _, k := range t.kinds[n:] {
		if t.options.Source != k.name && !t.options.auto() {
			continue
		}
		live, err := k.open(t.options, t.proc)
		if err != nil {
			t.passed = append(t.passed, PassedSource{Name: k.name, Err: err})
			continue
		}
		f := &feed{Live: live, successor: n > 0}
		f.exact = !slices.ContainsFunc(live.Limits(), func(l source.Limit) bool {
			return l == source.ExitsLate || l == source.MovesUnseen || l == source.ShortLivedUnseen
		})
		f.emit = func(e *process.Event) { t.take(f, e) }
		f.losses.Store(1)
		t.feeds = append(t.feeds, f)
		t.live.Store(f)
		return f
	}
	return nil
}

// fail goes on with the next best source when one fails. The failed one stays
// open, since others may be looking at it.
func (t *Tree) fail(f *feed, err error) {
	t.choosing.Lock()
	defer t.choosing.Unlock()
	if t.live.Load() != f {
		return // it is known already
	}
	t.live.Store(nil)
	t.passed = append(t.passed, PassedSource{Name: f.Name(), Err: err})
	next := procfs.Name
	n := slices.IndexFunc(t.kinds, func(k kind) bool { return k.name == f.Name() })
	if f := t.openLive(n + 1); f != nil {
		next = f.Name()
		t.requestHeal()
	}
	t.log.Warn("source failed, going on with the next one", "source", f.Name(), "error", err, "next", next)
	t.interrupt(next == procfs.Name)
}

// drain takes into memory what the source has to tell. It reports whether
// memory is exact: that it has all that had happened when drain was called.
func (t *Tree) drain() (exact bool) {
	f := t.live.Load()
	if f == nil {
		return false
	}
	if f.Pending() {
		if err := f.Drain(f.emit); err != nil {
			t.fail(f, err)
			return false
		}
	}
	return f.exact && f.inStep()
}

// take takes in one event of a live source.
func (t *Tree) take(f *feed, e *process.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Kind == process.Loss {
		f.losses.Add(1)
		t.requestHeal()
	}
	t.applyAndPublish(e)
}

// requestHeal asks Run to make good what was lost.
func (t *Tree) requestHeal() {
	select {
	case t.heal <- struct{}{}:
	default: // it has been asked already
	}
}

// How often Run drains: while something happens or somebody reads Tree.Events,
// and at the least. A source that fills up sooner says so.
const (
	drainInterval     = 10 * time.Millisecond
	idleDrainInterval = 100 * time.Millisecond
)

// follow drains the live source now and then until ctx ends.
func (t *Tree) follow(ctx context.Context) {
	interval := drainInterval
	for ctx.Err() == nil {
		f := t.live.Load()
		if f == nil {
			t.choosing.Lock() // until the next one is open
			f = t.live.Load()
			t.choosing.Unlock()
			if f == nil {
				return
			}
		}
		wait, cancel := context.WithTimeout(ctx, interval)
		err := f.Wait(wait)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			t.fail(f, err)
		}
		interval = min(2*interval, idleDrainInterval)
		if f.Pending() || t.subscribed.Load() > 0 {
			interval = drainInterval
		}
		t.drain()
	}
}

// errLost is why an answer about all processes is incomplete.
var errLost = errors.New("events were dropped faster than the processes could be read again")

// iterate has the source tell of every process there is, so that memory has all
// that happened until then and, drained, what happens from then on. It is how
// memory begins, and how what was lost is made good.
func (t *Tree) iterate(ctx context.Context, f *feed, began process.Instant, emit func(*process.Event)) error {
	losses := f.losses.Load()
	// To list takes as long as to iterate. The first time it is left to who
	// asks for all processes.
	again := f.healed.Load() != 0
	listed := []int{1}
	listing := make(chan error, 1)
	go func() {
		var err error
		if f.exact && again { // the scans of others are of what is listed
			listed, err = t.proc.List()
		}
		listing <- err
	}()
	if err := errors.Join(f.Scan(ctx, emit), <-listing); err != nil {
		return err
	}
	t.drain()
	if f.exact {
		if err := t.addUnseen(listed, began); err != nil {
			return err
		}
		f.listed.Store(again)
		t.mu.Lock()
		t.table.EndUnseen(began)
		t.mu.Unlock()
	} else {
		t.endUnseen(began)
	}
	f.healed.Store(losses)
	t.drain()
	if f.exact {
		t.adopt()
	}
	return nil
}

// addUnseen reads the processes that are listed in /proc and that the source
// has left out. There are kernels whose task iterator does not show PID 1.
func (t *Tree) addUnseen(listed []int, since process.Instant) error {
	var unseen []int
	t.mu.RLock()
	for _, pid := range listed {
		r := t.table.ByPID(pid)
		p := t.table.Process(r)
		// Its children may have told that it lives, and nothing else.
		if r == 0 || p.State == process.Unseen || p.State == process.Alive && (p.AsOf < since || p.Evidence == process.Unknown) {
			unseen = append(unseen, pid)
		}
	}
	t.mu.RUnlock()
	for _, pid := range unseen {
		_, err := t.learn(pid)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrPermission) && !errors.Is(err, ErrIncomplete) {
			return about(pid, err)
		}
	}
	return nil
}

// reap looks at the processes that have ended and may hold their PID still:
// the source tells when a process ends, not when its parent takes note. It also
// reads the orphans: nor does it tell who has them.
func (t *Tree) reap() {
	var ended []process.ID
	t.mu.RLock()
	for r := range t.table.Unreaped() {
		ended = append(ended, t.table.ID(r))
	}
	t.mu.RUnlock()
	defer t.adopt()
	for _, id := range ended {
		if errors.Is(unix.Kill(id.PID, 0), unix.ESRCH) {
			t.gone(id)
		} else if now, err := t.learn(id.PID); err == nil && !now.Same(id) || errors.Is(err, ErrNotFound) {
			t.gone(id)
		}
	}
}

// adopt reads the orphans, and those that others find to be some meanwhile. It
// takes in nothing itself: who ended by that would not be looked at any more.
func (t *Tree) adopt() {
	known := false
	for range maxScans {
		var orphans []int
		t.mu.RLock()
		for r := range t.table.All() {
			if _, evidence := t.table.Parent(r); t.table.Orphan(r) && (!known || evidence == process.Inferred) {
				orphans = append(orphans, t.table.ID(r).PID)
			}
		}
		t.mu.RUnlock()
		if len(orphans) == 0 {
			return
		}
		for _, pid := range orphans {
			// Who cannot be read has ended, or stays an orphan, and is shown as such.
			_, _ = t.learn(pid)
		}
		known = true // where the parent has not left them, it had not when they were read
	}
}
