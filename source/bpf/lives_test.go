package bpf

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// lives are scenes of processes, each with a source of its own. They hold in
// any PID namespace.
var lives = []struct {
	name string
	play func(w *watch)
}{
	{"forks", forks},
	{"threads", threads},
	{"double fork", doubleFork},
	{"subreapers", subreapers},
	{"clone parent", cloneParent},
	{"vfork", vfork},
	{"leader first", leaderFirst},
	{"exec by a thread", execByThread},
	{"reuse", reuse},
	{"sessions", sessions},
	{"scan", scanned},
}

func TestLives(t *testing.T) {
	for _, scene := range lives {
		t.Run(scene.name, func(t *testing.T) { scene.play(newWatch(t, Options{})) })
	}
}

func forks(w *watch) {
	a := linuxtest.Start(w.T)
	b := a.Fork()
	w.check(a, self, self)
	p := w.check(b, a.PID, a.PID)
	b.Exec("named", "x", "y z")
	q := w.check(b, a.PID, a.PID)
	if q.ID != p.ID || q.Name != "named" {
		w.Errorf("%v, named %q after exec, was %v", q.ID, q.Name, p.ID)
	}
	e := w.one(process.Exec, b.PID)
	if !slices.Equal(e.Args, []string{e.File, "x", "y z"}) || e.ArgsCut || !e.Owner.Known {
		w.Errorf("exec of %q with %q, cut %t, as %+v", e.File, e.Args, e.ArgsCut, e.Owner)
	}
	b.Exit(3)
	if e := w.ended(b.PID); !e.Status.Exited() || e.Status.ExitStatus() != 3 {
		w.Errorf("status %#x, want exit 3", e.Status)
	}
	c := a.Fork()
	c.Kill(unix.SIGKILL)
	if e := w.ended(c.PID); !e.Status.Signaled() || e.Status.Signal() != unix.SIGKILL {
		w.Errorf("status %#x, want SIGKILL", e.Status)
	}
	a.Wait(b)
	a.Wait(c)
	w.check(a, self, self)
}

func threads(w *watch) {
	a := linuxtest.Start(w.T)
	th := a.NewThread()
	c := th.Fork()
	w.check(c, a.PID, a.PID)
	th.Exit()
	w.check(a, self, self)
	w.check(c, a.PID, a.PID)
}

func doubleFork(w *watch) {
	a := linuxtest.Start(w.T)
	a.SetSubreaper(true)
	b := a.Fork()
	c := b.Fork()
	b.Exit(0)
	w.check(c, b.PID, a.PID)
	if e := w.ended(b.PID); e.Adopter != w.table.ID(w.table.ByPID(a.PID)) {
		w.Errorf("adopted by %v, want %d", e.Adopter, a.PID)
	}
}

func subreapers(w *watch) {
	a := linuxtest.Start(w.T)
	a.SetSubreaper(true)
	b := a.Fork()
	b.SetSubreaper(true)
	c := b.Fork()
	d := c.Fork()
	c.Exit(0)
	w.check(d, c.PID, b.PID)
	b.Exit(0)
	w.check(d, c.PID, a.PID)
	a.SetSubreaper(false) // children keep the mark that there was one above
	e := d.Fork()
	d.Exit(0)
	w.check(e, d.PID, e.Getppid())
	linuxtest.LeaveOrphans(w.T)
	f := linuxtest.Start(w.T)
	g := f.Fork()
	h := g.Fork()
	g.Exit(0)
	w.check(h, g.PID, h.Getppid())
}

func cloneParent(w *watch) {
	a := linuxtest.Start(w.T)
	b := a.Fork()
	c := b.Clone(linuxtest.CloneOptions{Parent: true})
	w.check(c, b.PID, a.PID)
	if e := w.one(process.Fork, c.PID); e.Creator.PID != b.PID || e.Parent.PID != a.PID {
		w.Errorf("creator %v and parent %v, want %d and %d", e.Creator, e.Parent, b.PID, a.PID)
	}
}

func vfork(w *watch) {
	a := linuxtest.Start(w.T)
	b := a.Clone(linuxtest.CloneOptions{Vfork: true})
	w.check(b, a.PID, a.PID)
	b.Exec("vforked")
	if p := w.check(b, a.PID, a.PID); p.Name != "vforked" {
		w.Errorf("name %q", p.Name)
	}
}

func leaderFirst(w *watch) {
	a := linuxtest.Start(w.T)
	b := a.Fork()
	a.ExitLeader()
	p := w.check(a, self, self)
	w.check(b, a.PID, a.PID)
	c := a.Fork()
	w.check(c, a.PID, a.PID)
	if e := w.scan()[a.PID]; e.ID != p.ID || e.Zombie || e.Cgroup != p.Cgroup {
		w.Errorf("scanned as %+v, is %+v", e, p)
	}
	a.Exit(5)
	if e := w.ended(a.PID); e.Status.ExitStatus() != 5 || e.ID != p.ID {
		w.Errorf("%v ended with %#x, want %v and 5", e.ID, e.Status, p.ID)
	}
}

func execByThread(w *watch) {
	a := linuxtest.Start(w.T)
	th := a.NewThread()
	p := w.check(a, self, self)
	th.Exec("usurper")
	q := w.check(a, self, self)
	if q.ID != p.ID || q.Name != "usurper" {
		w.Errorf("%v, named %q, was %v", q.ID, q.Name, p.ID)
	}
	a.ExitLeader()
	a.Exec("phoenix")
	q = w.check(a, self, self)
	if q.ID != p.ID || q.Name != "phoenix" {
		w.Errorf("%v, named %q, was %v", q.ID, q.Name, p.ID)
	}
	if n := len(w.of(process.Exited, a.PID)); n != 0 {
		w.Errorf("%d ends of a living process", n)
	}
}

// reuse gives one PID to two processes at once.
func reuse(w *watch) {
	linuxtest.Need(w, linuxtest.SetTID)
	a := linuxtest.Start(w.T)
	b := a.Fork()
	p := w.check(b, a.PID, a.PID)
	b.Exit(0)
	a.Wait(b)
	c, err := a.TryClone(linuxtest.CloneOptions{PID: b.PID})
	if err != nil {
		w.Skipf("the PID is taken: %v", err)
	}
	q := w.check(c, a.PID, a.PID)
	if q.ID == p.ID || q.ID.Same(p.ID) {
		w.Errorf("%v is taken for %v", q.ID, p.ID)
	}
	if s := w.table.State(w.table.ByID(p.ID)); s != process.Ended {
		w.Errorf("the first one is %v", s)
	}
}

func sessions(w *watch) {
	a := linuxtest.Start(w.T)
	b := a.Fork()
	b.Setsid()
	c := b.Fork()
	e := w.one(process.Fork, c.PID)
	if e.SessionID != b.PID || e.GroupID != b.PID || e.TTY != 0 {
		w.Errorf("session %d, group %d, terminal %d, want %d twice and none", e.SessionID, e.GroupID, e.TTY, b.PID)
	}
	if s := w.scan()[b.PID]; s.SessionID != b.PID || s.GroupID != b.PID {
		w.Errorf("session %d, group %d in a scan, want %d", s.SessionID, s.GroupID, b.PID)
	}
}

func scanned(w *watch) {
	a := linuxtest.Start(w.T)
	a.SetSubreaper(true)
	b := a.Fork()
	z := b.Fork()
	z.Exit(1)
	w.drain()
	found := w.scan()
	for _, x := range []struct {
		*linuxtest.Actor
		parent   int
		zombie   bool
		adoption process.Adoption
	}{{a, self, false, process.Adopts}, {b, a.PID, false, process.AdoptsNone}, {z, b.PID, true, process.AdoptsNone}} {
		e := found[x.PID]
		born := w.one(process.Fork, x.PID)
		if e.ID != born.ID || e.Parent.PID != x.parent || e.Zombie != x.zombie || e.Adoption != x.adoption {
			w.Errorf("scanned as %+v, want parent %d, zombie %t, adoption %v", e, x.parent, x.zombie, x.adoption)
		}
		if e.Parent != w.table.ID(w.table.ByPID(x.parent)) {
			w.Errorf("parent %v, which is %v", e.Parent, w.table.ID(w.table.ByPID(x.parent)))
		}
		if e.Cgroup.Membership != membership(w, x.parent) {
			w.Errorf("membership %q, want %q", e.Cgroup.Membership, membership(w, x.parent))
		}
	}
}
