package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// zombies have ended, hold their PID and have no children.
func zombies(r *run) {
	a := r.start("subreaper")
	a.SetSubreaper(true)
	b := r.fork(a, "b")
	c := r.fork(b, "c")
	r.fork(c, "d")
	r.compare()
	r.exit(c, 0, a)
	r.compare()
	r.exit(b, 0, a) // its zombie child goes to the subreaper
	r.compare()
	unseen := r.fork(a, "zombie at first sight")
	r.exit(unseen, 2, a)
	r.compare()
	r.reap(c)
	r.reap(b)
	r.compare()
	r.reap(unseen)
	r.seen.adoptions = true
	r.compare()
}

// exits are of every kind.
func exits(r *run) {
	a := r.fork(r.start("starter"), "a")
	for i, status := range []int{0, 1, 255} {
		b := r.fork(a, fmt.Sprintf("exit %d", status))
		if i != 1 {
			r.compare()
		}
		r.exit(b, status, r.test)
		r.reap(b)
	}
	for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGTERM} {
		b := r.fork(a, fmt.Sprintf("killed by %d", sig))
		r.compare()
		r.kill(b, sig, r.test)
		r.reap(b)
	}
	b := r.clone(a, "without SIGCHLD", linuxtest.CloneOptions{NoSignal: true})
	r.compare()
	r.exit(b, 3, r.test)
	r.reap(b)
	r.compare()
}

// shortLives begin and end between two looks.
func shortLives(r *run) {
	a := r.fork(r.start("starter"), "a")
	r.compare()
	const n = 100
	if _, err := a.Churn(n, 0); err != nil {
		r.t.Fatal(err)
	}
	r.compare()
	r.countShortLives(a, n)
}

// countShortLives counts those of the n children that a had, all ended and
// reaped but for those that a still has, which are known.
func (r *run) countShortLives(a *subject, n int) {
	known := 0
	for ref := range r.table.All() {
		p := r.table.Process(ref)
		if !a.is(p.Creator.ID) && !a.is(p.Parent.ID) || r.inCast(p.ID) {
			continue
		}
		known++
		if p.State != process.Ended {
			r.errorf("%v has ended and been reaped, and is %v", p.ID, p.State)
		}
		if x := p.Exit; r.live != nil && !r.limits[source.ExitsUnseen] && x.Evidence == process.Observed && x.Status != 0 && x.Status != syscall.WaitStatus(unix.SIGKILL) {
			r.errorf("%v ended with %#x, want 0 or SIGKILL", p.ID, x.Status)
		}
	}
	if known > n {
		r.errorf("%v had %d children, and has %d", a, n, known)
	}
	r.seen.born += n
	r.seen.known += known
}

// reuse gives a PID again within the tick in which its last holder began.
func reuse(r *run) {
	a := r.fork(r.start("starter"), "a")
	first := r.fork(a, "first")
	r.leave(first, r.test)
	collided := 0
	const patience = time.Minute // a storm of others may go on
	for begun, n := time.Now(), 0; n < 200 || collided == 0 && time.Since(begun) < patience; n++ {
		b := r.again(a, first.pid, "older")
		if !r.meet(b) {
			return
		}
		b.busy = true // it is asked nothing more: a tick is short
		r.leave(b, r.test)
		c := r.again(a, b.pid, "younger")
		if c.ticks == b.ticks {
			collided++
			r.checkReused(b, c)
		}
		r.leave(c, r.test)
		if collided == 5 {
			break
		}
	}
	if collided == 0 {
		linuxtest.Lack(r.t, linuxtest.Quick, "no PID was given again within a tick")
	}
	r.again(a, first.pid, "last")
	r.compare()
}

// again makes a child of a that has the PID, which is free.
func (r *run) again(a *subject, pid int, label string) *subject {
	r.t.Helper()
	return r.clone(a, label, linuxtest.CloneOptions{PID: pid})
}

// meet takes in that the process is there, at the least cost, and reports
// whether it is told of as what it is.
func (r *run) meet(s *subject) bool {
	if r.read == nil {
		r.drain()
		s.told = r.table.ID(r.table.ByPID(s.pid))
		if !s.is(s.told) {
			r.errorf("%v is told of as %v", s, s.told)
		}
		return s.is(s.told)
	}
	var e process.Event
	if err := r.read.Read(s.pid, &e); err != nil || !s.is(e.ID) {
		r.errorf("%v: Read: %v, %v", s, e.ID, orNil(err))
		return false
	}
	s.told = e.ID
	r.table.Apply(&e)
	return true
}

// checkReused holds what the source tells of two that had one PID, of which
// the older one has been reaped.
func (r *run) checkReused(b, c *subject) {
	if r.read != nil {
		// A source that cannot tell them apart may still hold a
		// descriptor of the first, which can.
		if st, err := r.read.Check(b.told, ""); !errors.Is(err, source.ErrGone) && !r.limits[source.TicksOnly] {
			r.errorf("%v has been reaped and %v has its PID: Check: %+v, %v", b, c, st, orNil(err))
		}
	}
	if !r.meet(c) {
		return
	}
	if c.told.Same(b.told) {
		if r.limits[source.TicksOnly] {
			r.t.Logf("%v and %v are not compared: %v", b, c, source.TicksOnly)
			return
		}
		r.errorf("%v is taken for %v: %v", c, b, c.told)
	}
	if ref := r.table.ByPID(c.pid); !c.is(r.table.ID(ref)) || r.table.State(ref) != process.Alive {
		r.errorf("%v is %v as %v", c, r.table.State(ref), r.table.ID(ref))
	}
	r.checkEnded(r.views()[0], b)
}

// reuseOfParent gives the PID of a dead parent to a stranger: who was adopted
// is not the stranger's child.
func reuseOfParent(r *run) {
	a := r.start("subreaper")
	a.SetSubreaper(true)
	b := r.fork(a, "parent")
	c := r.fork(b, "orphan")
	r.compare()
	r.leave(b, a)
	d := r.again(a, b.pid, "stranger")
	e := r.fork(d, "child of the stranger")
	r.seen.adoptions = true
	r.compare()
	r.leave(c, a)
	f := r.again(e, c.pid, "below the stranger")
	r.compare()
	r.leave(f, a)
	r.leave(e, a)
	r.leave(d, a)
	r.compare()
}

// failures are what a source has to say when there is nothing to read.
func failures(r *run) {
	a := r.fork(r.start("starter"), "a")
	r.leave(a, r.test)
	r.readFailures(a)
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	if err := r.src.Scan(ctx, func(*process.Event) {}); !errors.Is(err, context.Canceled) {
		r.errorf("Scan of a canceled context: %v", orNil(err))
	}
	if r.live == nil {
		return
	}
	if err := r.live.Wait(ctx); !errors.Is(err, context.Canceled) {
		r.errorf("Wait with a canceled context: %v", orNil(err))
	}
	ctx, cancel = context.WithTimeout(r.t.Context(), 10*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil { // what others do may be enough to return for
		if err := r.live.Wait(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			r.errorf("Wait until a deadline: %v", err)
		}
	}
	r.compare()
}

// readFailures are of reads and checks, of who has ended among others.
func (r *run) readFailures(a *subject) {
	if r.read == nil {
		return
	}
	for _, pid := range []int{a.pid, 0, -1, math.MinInt, 1 << 22, math.MaxInt32, math.MaxInt} {
		var e process.Event
		if err := r.read.Read(pid, &e); !errors.Is(err, source.ErrGone) {
			r.errorf("Read(%d): %v, %v", pid, e.ID, orNil(err))
		}
		id := process.ID{PID: pid, Start: a.from, Precision: process.Exact}
		if st, err := r.read.Check(id, ""); !errors.Is(err, source.ErrGone) {
			r.errorf("Check(%v): %+v, %v", id, st, orNil(err))
		}
	}
	// Another process that had the PID of the test once.
	id := process.ID{PID: os.Getpid(), Start: process.FromTicks(r.test.ticks - 1), Precision: process.ToTick}
	if st, err := r.read.Check(id, ""); !errors.Is(err, source.ErrGone) {
		r.errorf("Check(%v), which has ended: %+v, %v", id, st, orNil(err))
	}
}

// kernelThreads are there where the PID namespace is the first one. Their first
// is kthreadd, whose PID is 2 (rest_init).
func kernelThreads(r *run) {
	const kthreadd = 2
	r.step()
	ref := r.table.ByPID(kthreadd)
	if ref == 0 || !r.table.Process(ref).Kernel {
		r.errorf("kthreadd is not shown as a thread of the kernel")
		return
	}
	for ref := range r.table.All() {
		p := r.table.Process(ref)
		if p.State == process.Unseen {
			continue
		}
		if below := p.Parent.ID.PID == kthreadd || p.ID.PID == kthreadd; p.Kernel != below && p.State == process.Alive {
			r.errorf("%v, %q, is a thread of the kernel: %t, and has parent %v", p.ID, p.Name, p.Kernel, p.Parent.ID)
		}
	}
	if p := r.table.Process(ref); p.Parent.Evidence == process.Unknown || !p.Parent.ID.IsZero() {
		r.errorf("kthreadd has parent %v (%v), want none", p.Parent.ID, p.Parent.Evidence)
	}
}
