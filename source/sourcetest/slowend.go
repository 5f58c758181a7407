package sourcetest

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// slowEnds are of processes that the kernel needs a while to take down. Between
// when they have ended, for all that is told, and when they leave their children
// they are still the parent, and who adopts is not decided.
func slowEnds(r *run) {
	top := r.start("subreaper")
	top.SetSubreaper(true)
	for _, between := range []bool{false, true} {
		for tries := 1; !r.slowEnd(top, between); tries++ {
			if tries == 20 {
				linuxtest.Lack(r.t, linuxtest.Quick, "a process was a zombie before anyone could ask")
			}
		}
	}
	r.seen.adoptions = true
	r.compare()
}

// slowEnd is one end, between the beginning and the end of which another adopter
// comes, or none does. It reports whether that was seen: the kernel may be sooner, as
// it is where an end is told late (before 6.15).
func (r *run) slowEnd(top *subject, between bool) (seen bool) {
	a := r.fork(top, "above")
	p := r.fork(a, "slow to end")
	c := r.fork(p, "child")
	if err := p.SlowDown(); err != nil {
		r.t.Fatalf("%v: memory: %v", p, err)
	}
	r.compare()
	adopter := top
	if between {
		adopter = a
		p.named = top
	}
	r.end(p, adopter, func() { seen = r.watchEnd(p, c, adopter) })
	if between && c.Stat().PPID == top.pid {
		adopter, seen = top, false
		p.adopter, p.named, c.parent = top, nil, top
	}
	p.status = syscall.WaitStatus(unix.SIGKILL)
	r.news = false // it was told meanwhile
	if r.live != nil {
		r.sync() // as it takes to know whose the child is
	}
	r.compare()
	r.reap(p)
	r.leave(c, adopter)
	r.leave(a, top)
	if r.live != nil {
		r.sync() // of who is reaped nobody tells
	}
	return seen
}

// watchEnd ends p and holds what is told of it and of its child to what the
// kernel says right before and after, until p is a zombie. It reports whether
// anything was told while p had its child still.
func (r *run) watchEnd(p, c, adopter *subject) (seen bool) {
	r.t.Helper()
	if err := unix.Kill(p.pid, unix.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.news = false    // it is told some time from now
	const exiting = 4 // PF_EXITING
	for ended := false; !ended; runtime.Gosched() {
		ended = p.Stat().Flags&exiting != 0
		if r.exact() { // its end is told somewhat later
			r.drain()
			ended = r.table.Process(r.table.ByPID(p.pid)).Exit.Evidence == process.Observed
		}
	}
	if adopter != r.cast[0] {
		adopter.SetSubreaper(true)
	}
	for i := 0; ; i++ {
		parent, child := p.Stat(), c.Stat()
		if parent.State != 'Z' && child.PPID == p.pid {
			seen = true
		}
		told := r.tellEnd(p, c, i)
		after, now := p.Stat(), c.Stat()
		for _, t := range told {
			if t.parent != 0 && t.parent != child.PPID && t.parent != now.PPID {
				r.errorf("%v has parent %d, %s, want %d or %d", c, t.parent, t.how, child.PPID, now.PPID)
			}
			if t.zombie && after.State != 'Z' {
				r.errorf("%v is a zombie, %s, and in state %c", p, t.how, after.State)
			}
		}
		if parent.State == 'Z' {
			break
		}
	}
	p.Kill(unix.SIGKILL) // which waits for its end
	return seen
}

// told is what one way to know tells of a process that ends and of its child.
type told struct {
	how    string
	parent int // of the child, zero where it is not certain
	zombie bool
}

// tellEnd asks in all ways that there are, in the slow ones now and then.
func (r *run) tellEnd(p, c *subject, round int) (all []told) {
	r.t.Helper()
	if r.read != nil {
		var ended, child process.Event
		if err := r.read.Read(p.pid, &ended); err != nil {
			r.errorf("%v, which ends: Read: %v", p, err)
		}
		if err := r.read.Read(c.pid, &child); err != nil {
			r.errorf("%v: Read: %v", c, err)
		}
		st, err := r.read.Check(child.ID, child.Cgroup.Membership)
		if err != nil {
			r.errorf("%v: Check: %v", c, err)
		}
		all = append(all, told{"by Read", child.Parent.PID, ended.Zombie}, told{"by Check", st.ParentPID, false})
	}
	const slow = 8
	if round%slow == 0 {
		events, err := r.scan()
		if err != nil {
			r.errorf("Scan: %v", err)
		}
		t := told{how: "scanned"}
		for i := range events {
			switch e := &events[i]; {
			case p.is(e.ID):
				t.zombie = e.Zombie
			case c.is(e.ID):
				t.parent = e.Parent.PID
			}
			if round%(2*slow) == 0 {
				r.table.Apply(&events[i])
			}
		}
		all = append(all, t)
	}
	if r.exact() {
		r.drain()
		t := told{how: "told", zombie: r.table.State(r.table.ByPID(p.pid)) == process.Zombie}
		ref := r.table.ByPID(c.pid)
		if parent, ev := r.table.Parent(ref); ev >= process.Scanned && !r.table.Orphan(ref) {
			t.parent = r.table.ID(parent).PID
		}
		all = append(all, t)
	}
	return all
}
