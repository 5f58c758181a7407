package cnproc

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

func TestForkExecExit(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
	})
}

// A process that was there before the source ends, with one thread or more.
func TestEndOfProcessFromBefore(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
	})
}

func TestThreads(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
		w.drainUntil("the end of the thread", func() bool { return w.src.procs[a.PID].threads == a.Stat().Threads })
		w.alive(a, os.Getpid())
		a.ExitLeader()
		w.drainUntil("the end of the leader", func() bool { return w.src.procs[a.PID].leaderEnded })
		w.alive(a, os.Getpid())
		c := a.Fork()
		w.drain()
		w.alive(c, a.PID)
		id, before := a.ID(), linuxtest.Now()
		a.Exit(7)
		if w.src.wholeStatus {
			w.ended(id, before, 7<<8)
		} else {
			w.drainUntil("the end", func() bool { return w.table.State(w.table.ByID(id)) == process.Ended })
		}
		w.alive(b, os.Getpid())
		w.alive(c, os.Getpid())
	})
}

func TestExecByThread(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
	})
}

func TestAdoption(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
	})
}

// A process whose parent is gone before it is read has its new one, and its
// first is a gap.
func TestParentUnread(t *testing.T) {
	play(t, Options{}, func(w *world) {
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
	})
}

func TestCloneParent(t *testing.T) {
	play(t, Options{}, func(w *world) {
		a := linuxtest.Start(t).Fork()
		b := a.Fork()
		c := b.Clone(linuxtest.CloneOptions{Parent: true})
		w.drain()
		w.alive(b, a.PID)
		w.alive(c, a.PID)
	})
}

func TestReuse(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID, linuxtest.Pidfs)
	play(t, Options{}, func(w *world) {
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
	})
}

// Fork, then drain: it is there, with no wait.
func TestFreshness(t *testing.T) {
	play(t, Options{}, func(w *world) {
		a := linuxtest.Start(t)
		w.drain()
		for range 300 {
			b := a.Fork()
			w.drain()
			w.alive(b, a.PID)
			b.Exit(0)
			a.Wait(b)
		}
	})
}
