package sourcetest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// tree is three generations with nothing odd about them.
func tree(r *run) {
	a := r.start("a")
	for i := range 3 {
		b := r.fork(a, fmt.Sprintf("b%d", i))
		for j := range 3 {
			r.fork(b, fmt.Sprintf("c%d%d", i, j))
		}
	}
	r.compare()
}

// names are what /proc shows in brackets, chosen to break its readers.
func names(r *run) {
	a := r.fork(r.start("starter"), "a")
	for _, name := range []string{
		"plain", "", " ", ")", "(", ") S 9", "a) S 1 (b", "new\nline", "\n", "tab\tand\rmore",
		"15 bytes long..", "more than 15 bytes long", "\xff\xfe\x01", "naïve", "kworker/0:0",
	} {
		r.fork(a, fmt.Sprintf("named %q", name)).SetName(name)
		b := r.fork(a, "parent of a name")
		b.SetName(name)
		r.fork(b, fmt.Sprintf("inherits %q", name))
	}
	r.compare()
}

// sessions and process groups come and go without their leaders.
func sessions(r *run) {
	a := r.fork(r.start("starter"), "a")
	b := r.fork(a, "session leader")
	r.compare()
	b.Setsid()
	r.fork(b, "in the session")
	d := r.fork(b, "group leader")
	d.Setpgid(0)
	e := r.fork(d, "in the group")
	r.compare()
	e.Setpgid(0)
	r.leave(d, r.test)
	r.leave(b, r.test)
	r.compare()
}

// doubleFork is how a daemon leaves who started it.
func doubleFork(r *run) {
	a := r.start("subreaper")
	a.SetSubreaper(true)
	for i := range 3 {
		b := r.fork(a, "in between")
		c := r.fork(b, fmt.Sprintf("daemon %d", i))
		d := r.fork(c, "child of the daemon")
		r.compare()
		r.exit(b, 0, a)
		r.compare() // beside a zombie
		r.reap(b)
		r.leave(d, a)
		r.fork(c, "second child of the daemon")
	}
	b := r.fork(a, "gone before anyone looks")
	r.fork(b, "daemon at once")
	r.leave(b, a)
	r.seen.adoptions = true
	r.compare()
}

// adoptionByInit is without a subreaper, as far as that is in the test's hand.
func adoptionByInit(r *run) {
	a := r.fork(r.start("starter"), "a")
	b := r.fork(a, "b")
	c := r.fork(b, "c")
	r.compare()
	linuxtest.LeaveOrphans(r.t)
	r.exit(b, 0, nil)
	c.parent = r.stranger("who adopts", c.Getppid())
	r.reap(b)
	if c.parent.pid == a.pid || c.parent.pid == r.test.pid {
		r.t.Fatalf("adopted by %v", c.parent)
	}
	r.seen.adoptions = true
	r.compare()
}

// nestedSubreapers stand one above the other, and end from below and above.
func nestedSubreapers(r *run) {
	var reapers []*subject
	above := r.start("starter")
	for i := range 4 {
		s := r.fork(above, fmt.Sprintf("subreaper %d", i))
		s.SetSubreaper(true)
		reapers = append(reapers, s)
		above = r.fork(s, fmt.Sprintf("between %d", i))
	}
	last := r.fork(above, "last")
	r.compare()
	r.exit(above, 0, reapers[3]) // last goes to the nearest
	r.compare()
	r.leave(reapers[3], reapers[2])
	r.compare()
	reapers[2].SetSubreaper(false) // has adopted, and does so no more
	r.exit(last.parent, 0, reapers[1])
	r.exit(reapers[1], 0, reapers[0])
	r.exit(reapers[0], 0, r.test)
	r.seen.adoptions = true
	r.compare()
	for _, s := range r.cast {
		if s.state == process.Alive && s != last && s.parent == r.test && s.label != "starter" {
			r.kill(s, unix.SIGKILL, r.test)
			r.reap(s)
		}
	}
	r.compare()
}

// vfork holds the parent until the child calls exec or ends.
func vfork(r *run) {
	a := r.fork(r.start("starter"), "a")
	r.refresh(a)
	b := r.clone(a, "in vfork", linuxtest.CloneOptions{Vfork: true})
	c := r.fork(b, "child of one in vfork")
	r.compare()
	b.Exec("vforked")
	a.busy = false
	r.compare()
	r.refresh(a)
	d := r.clone(a, "ends in vfork", linuxtest.CloneOptions{Vfork: true})
	r.compare()
	r.exit(d, 1, r.test)
	a.busy = false
	r.compare()
	r.reap(d)
	r.leave(c, r.test)
	r.compare()
}

// cloneParent has the caller's parent for the parent, as in runc's start.
func cloneParent(r *run) {
	a := r.fork(r.start("starter"), "a")
	b := r.fork(a, "b")
	c := r.clone(b, "sibling of its creator", linuxtest.CloneOptions{Parent: true})
	d := r.clone(c, "sibling of both", linuxtest.CloneOptions{Parent: true})
	r.fork(d, "child of a sibling")
	r.compare()
	r.leave(b, r.test)
	r.compare()
	r.leave(c, r.test)
	r.seen.adoptions = true
	r.compare()
}

// late opens the source when all is there already, an adopted one too.
func late(r *run) {
	a := r.start("subreaper")
	a.SetSubreaper(true)
	b := r.fork(a, "b")
	c := r.fork(b, "orphan")
	r.fork(c, "child of an orphan")
	e := r.fork(a, "child")
	r.fork(e, "grandchild")
	r.leave(b, a)
	z := r.fork(e, "zombie")
	r.exit(z, 0, a)
	r.reopen()
	for _, s := range r.cast {
		if s.parent.pid == r.test.pid {
			s.parent, s.creator = r.test, r.test
		}
	}
	r.seen.late = true
	r.compare()
	r.leave(c, a)
	r.compare()
}
