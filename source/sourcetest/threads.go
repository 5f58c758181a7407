package sourcetest

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// workerThreads make children and end; the children stay the process's.
func workerThreads(r *run) {
	a := r.start("a")
	first, second := a.NewThread(), a.NewThread()
	first.SetName("worker")
	c := r.cast1("child of a worker", first.Fork(), a, a)
	r.cast1("child of another", second.Fork(), a, a)
	r.compare()
	for _, tid := range []int{first.TID, second.TID} {
		r.checkTID(a, tid)
	}
	first.Exit()
	r.compare()
	second.Exit()
	r.compare()
	r.leave(c, r.test)
	r.compare()
}

// checkTID holds Read of a TID, which is about the process.
func (r *run) checkTID(s *subject, tid int) {
	if r.read == nil {
		return
	}
	var e process.Event
	if err := r.read.Read(tid, &e); err != nil || !s.is(e.ID) || e.Zombie {
		r.errorf("Read of TID %d of %v: %v, zombie %t, %v", tid, s, e.ID, e.Zombie, orNil(err))
	}
}

// leaderFirst ends the leader: the kernel shows it as a zombie, but the
// process goes on with its other threads.
func leaderFirst(r *run) {
	a := r.start("a")
	a.SetName("headless")
	b := r.fork(a, "child from before")
	tid := a.NewThread().TID
	r.compare()
	a.ExitLeader()
	r.compare()
	r.checkTID(a, tid)
	c := r.fork(a, "child from after")
	r.leave(b, r.test)
	r.compare()
	d := r.fork(c, "grandchild")
	r.leave(c, a.parent)
	r.compare()
	r.leave(d, r.test)
	r.exit(a, 5, r.test)
	r.compare()
	r.reap(a)
	r.compare()
}

// execs change the name and nothing else.
func execs(r *run) {
	a := r.fork(r.start("starter"), "a")
	b := r.fork(a, "b")
	for i := range 10 {
		a.Exec(fmt.Sprintf("link-%d", i), make([]string, i)...)
		if i%5 == 0 {
			r.compare()
		}
	}
	r.fork(a, "child from after")
	b.Exec(") R 1 1 1 (", "an argument", "", "\xff\n", strings.Repeat("x", 3000))
	r.compare()
	// What most shells do between fork and exec.
	c := r.fork(b, "leader of a group")
	c.Setpgid(0)
	c.Exec("in a group")
	d := r.fork(b, "leader of a session")
	d.Setsid()
	d.Exec("in a session")
	r.compare()
}

// owners are who a process runs as, which its children do as well.
func owners(r *run) {
	a := r.fork(r.start("starter"), "a")
	for i, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, err := a.Syscall(nr, 4711+i, 0, 0); err != nil { // the real ID alone
			r.t.Fatal(err)
		}
	}
	r.fork(a, "as another user")
	r.compare()
	a.Exec("as another user")
	r.compare()
}

// terminal is one that a session gets, and loses.
func terminal(r *run) {
	a := r.fork(r.start("starter"), "a")
	fd, err := a.Syscall(unix.SYS_OPENAT, unix.AT_FDCWD, "/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)
	if err == nil {
		_, err = a.Syscall(unix.SYS_IOCTL, fd, unix.TIOCSPTLCK, make([]byte, 4))
	}
	if err == nil {
		fd, err = a.Syscall(unix.SYS_IOCTL, fd, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY)
	}
	a.Setsid()
	if err == nil {
		_, err = a.Syscall(unix.SYS_IOCTL, fd, unix.TIOCSCTTY, 0)
	}
	if err != nil {
		r.t.Fatalf("a terminal: %v", err)
	}
	b := r.fork(a, "at the terminal")
	b.Exec("at the terminal")
	r.compare()
	if a.tty == 0 || b.tty != a.tty {
		r.t.Fatalf("%v has terminal %#x, and %v %#x", a, a.tty, b, b.tty)
	}
	c := r.fork(b, "leaves the terminal")
	c.Setsid()
	c.Exec("without a terminal")
	r.compare()
}

// execByThread makes the thread the leader, and the process keeps its PID and
// start (de_thread).
func execByThread(r *run) {
	a := r.start("a")
	b := r.fork(a, "b")
	th := a.NewThread()
	r.compare()
	r.exec(a, th, "usurper")
	r.compare()
	a.NewThread()
	a.ExitLeader()
	r.compare()
	a.Exec("phoenix") // by a thread, whose leader has ended
	r.fork(a, "c")
	r.leave(b, r.test)
	r.compare()
}
