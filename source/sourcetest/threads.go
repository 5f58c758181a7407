package sourcetest

import (
	"fmt"

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
	var e process.Event
	if err := r.src.Read(tid, &e); err != nil || !s.is(e.ID) || e.Zombie {
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
		a.Exec(fmt.Sprintf("link-%d", i))
		if i%5 == 0 {
			r.compare()
		}
	}
	r.fork(a, "child from after")
	b.Exec(") R 1 1 1 (")
	r.compare()
}

// execByThread makes the thread the leader, and the process keeps its PID and
// start (de_thread).
func execByThread(r *run) {
	a := r.start("a")
	b := r.fork(a, "b")
	th := a.NewThread()
	r.compare()
	th.Exec("usurper")
	r.compare()
	a.NewThread()
	a.ExitLeader()
	r.compare()
	a.Exec("phoenix") // by a thread, whose leader has ended
	r.fork(a, "c")
	r.leave(b, r.test)
	r.compare()
}
