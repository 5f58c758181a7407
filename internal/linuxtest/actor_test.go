package linuxtest_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

func TestForkAndWait(t *testing.T) {
	a := linuxtest.Start(t)
	if got := a.Getppid(); got != os.Getpid() {
		t.Errorf("getppid in the first actor = %d, want the test, %d", got, os.Getpid())
	}
	b := a.Fork()
	if got := b.Getpid(); got != b.PID || b.PID == a.PID {
		t.Errorf("getpid in the child = %d, PID = %d, the parent's %d", got, b.PID, a.PID)
	}
	if got := b.Getppid(); got != a.PID {
		t.Errorf("getppid in the child = %d, want %d", got, a.PID)
	}
	c := b.Fork()
	if got := c.Getppid(); got != b.PID {
		t.Errorf("getppid in the grandchild = %d, want %d", got, b.PID)
	}
	if s := c.Stat(); s.PID != c.PID || s.PPID != b.PID || s.Threads != 1 {
		t.Errorf("stat of the grandchild: %+v", s)
	}
	c.Exit(3)
	if s := c.Stat(); s.State != 'Z' {
		t.Errorf("state after exit is %c, want Z", s.State)
	}
	if st := b.Wait(c); !st.Exited() || st.ExitStatus() != 3 {
		t.Errorf("status %#x, want exit 3", st)
	}
	if _, err := linuxtest.ReadStat(c.PID); err == nil {
		t.Error("the grandchild is there after it was reaped")
	}
	b.Kill(unix.SIGTERM)
	if st := a.Wait(b); !st.Signaled() || st.Signal() != unix.SIGTERM {
		t.Errorf("status %#x, want SIGTERM", st)
	}
}

func TestBirth(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	from, to := a.Born()
	id := a.ID()
	if first := id.Start; first+1e7 <= from || first > to {
		t.Errorf("began at %d, by stat, not between %d and %d", first, from, to)
	}
	if linuxtest.Has(linuxtest.Pidfs) && id.Inode == 0 {
		t.Error("no inode")
	}
}

func TestAdoption(t *testing.T) {
	a := linuxtest.Start(t)
	a.SetSubreaper(true)
	b := a.Fork()
	c := b.Fork()
	d := c.Fork()
	c.Exit(0)
	if got := d.Getppid(); got != a.PID {
		t.Errorf("adopted by %d, want the subreaper %d", got, a.PID)
	}
	b.SetSubreaper(true)
	e := b.Fork()
	f := e.Fork()
	e.Exit(0)
	if got := f.Getppid(); got != b.PID {
		t.Errorf("adopted by %d, want the nearer subreaper %d", got, b.PID)
	}
	b.Exit(0)
	a.Exit(0)
	if got := f.Getppid(); got != os.Getpid() {
		t.Errorf("adopted by %d, want the test %d", got, os.Getpid())
	}
	f.Exit(7)
	if st := f.Reap(); st.ExitStatus() != 7 {
		t.Errorf("status %#x, want exit 7", st)
	}
}

func TestLeaveOrphans(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	b := a.Fork()
	linuxtest.LeaveOrphans(t)
	a.Exit(0)
	if got := b.Getppid(); got == os.Getpid() || got == a.PID {
		t.Errorf("adopted by %d", got)
	}
}

func TestCloneParent(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	b := a.Fork()
	c := b.Clone(linuxtest.CloneOptions{Parent: true})
	if got := c.Getppid(); got != a.PID {
		t.Errorf("getppid = %d, want the caller's parent %d", got, a.PID)
	}
	c.Exit(1)
	if st := a.Wait(c); st.ExitStatus() != 1 {
		t.Errorf("status %#x, want exit 1", st)
	}
}

func TestVfork(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	b := a.Clone(linuxtest.CloneOptions{Vfork: true})
	if s := a.Stat(); s.State != 'D' && s.State != 'S' {
		t.Errorf("the parent's state is %c", s.State)
	}
	b.Exec("vforked")
	if got := a.Getpid(); got != a.PID {
		t.Errorf("getpid of the parent = %d", got)
	}
	if s := b.Stat(); s.Name != "vforked" || s.PPID != a.PID {
		t.Errorf("stat of the child: %+v", s)
	}
}

func TestExec(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	id := a.ID()
	for _, name := range []string{"one", ") S 9 (", "new\nline", "a b", "longer-than-what-the-kernel-keeps"} {
		a.Exec(name, "x", "y")
		if s := a.Stat(); s.Name != name[:min(15, len(name))] {
			t.Errorf("name %q after exec of %q", s.Name, name)
		}
		if a.ID() != id || a.Getpid() != a.PID {
			t.Errorf("exec of %q made %v of %v", name, a.ID(), id)
		}
	}
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(a.PID), "cmdline"))
	if err != nil || !strings.HasSuffix(string(line), "\x00x\x00y\x00") {
		t.Errorf("cmdline %q, %v", line, err)
	}
	a.SetName("(\n) R 1")
	if s := a.Stat(); s.Name != "(\n) R 1" {
		t.Errorf("name %q after prctl", s.Name)
	}
	if got := a.ReadFile("/proc/self/comm"); got != "(\n) R 1\n" {
		t.Errorf("its own comm is %q", got)
	}
}

func TestThreads(t *testing.T) {
	a := linuxtest.Start(t)
	th := a.NewThread()
	if th.TID == a.PID {
		t.Error("a thread with the TID of the leader")
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(a.PID), "task", strconv.Itoa(th.TID))); err != nil {
		t.Error(err)
	}
	b := th.Fork()
	if got := b.Getppid(); got != a.PID {
		t.Errorf("getppid of a thread's child = %d, want %d", got, a.PID)
	}
	th.Exit()
	if got := b.Getppid(); got != a.PID {
		t.Errorf("getppid after the thread ended = %d, want %d", got, a.PID)
	}
	a.ExitLeader()
	if s := a.Stat(); s.State != 'Z' || s.Threads < 2 {
		t.Errorf("after the leader: %+v", s)
	}
	if got := a.Getpid(); got != a.PID {
		t.Errorf("getpid of the other thread = %d, want %d", got, a.PID)
	}
	c := a.Fork()
	if got := c.Getppid(); got != a.PID {
		t.Errorf("getppid = %d, want %d", got, a.PID)
	}
	id := a.ID()
	a.Exec("phoenix")
	if s := a.Stat(); s.State == 'Z' || s.Name != "phoenix" || a.ID() != id {
		t.Errorf("after exec by another thread: %+v, %v, was %v", s, a.ID(), id)
	}
	if got := c.Getppid(); got != a.PID {
		t.Errorf("getppid after exec = %d, want %d", got, a.PID)
	}
	c.Exit(0)
	a.Wait(c)
}

func TestExecOfThread(t *testing.T) {
	a := linuxtest.Start(t)
	th := a.NewThread()
	id := a.ID()
	th.Exec("usurper")
	if a.TID != a.PID || a.Getpid() != a.PID || a.ID() != id || a.Stat().Name != "usurper" {
		t.Errorf("TID %d, ID %v of %v, %+v", a.TID, a.ID(), id, a.Stat())
	}
}

func TestSessions(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	b := a.Fork()
	a.Setsid()
	c := a.Fork()
	b.Setpgid(0)
	if s := a.Stat(); s.Session != a.PID || s.PGRP != a.PID {
		t.Errorf("after setsid: %+v", s)
	}
	if s := c.Stat(); s.Session != a.PID || s.PGRP != a.PID {
		t.Errorf("a child after setsid: %+v", s)
	}
	if s := b.Stat(); s.Session == a.PID || s.PGRP != b.PID {
		t.Errorf("a child before setsid: %+v", s)
	}
}

func TestChosenPID(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID)
	a := linuxtest.Start(t).Fork()
	b := a.Fork()
	old := b.ID()
	b.Exit(0)
	if _, err := a.TryClone(linuxtest.CloneOptions{PID: b.PID}); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("error for a taken PID: %v", err)
	}
	a.Wait(b)
	c := a.Clone(linuxtest.CloneOptions{PID: b.PID})
	if c.PID != b.PID || c.Getppid() != a.PID {
		t.Errorf("PID %d, want %d", c.PID, b.PID)
	}
	if linuxtest.Has(linuxtest.Pidfs) && c.ID().Inode == old.Inode {
		t.Error("two processes with one inode")
	}
}

func TestPIDNamespaces(t *testing.T) {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
	if a.Getpid() != 1 || a.Getppid() != 0 || a.PID == 1 {
		t.Errorf("init: getpid %d, getppid %d, PID %d", a.Getpid(), a.Getppid(), a.PID)
	}
	b := a.Fork()
	c := b.Clone(linuxtest.CloneOptions{NewPID: true})
	if c.Told == c.Getpid() || c.Told == c.PID {
		t.Errorf("its maker knows it as %d, itself as %d, the test as %d", c.Told, c.Getpid(), c.PID)
	}
	d := c.Fork()
	e := d.Fork()
	if c.Getpid() != 1 || e.Getpid() == e.PID {
		t.Errorf("nested: getpid %d and %d", c.Getpid(), e.Getpid())
	}
	if s := e.Stat(); s.PPID != d.PID {
		t.Errorf("stat of the nested one: %+v, want parent %d", s, d.PID)
	}
	d.Exit(0)
	if e.Getppid() != 1 {
		t.Errorf("adopted by %d, want its init", e.Getppid())
	}
	if s := e.Stat(); s.PPID != c.PID {
		t.Errorf("adopted by %d, want its init %d", s.PPID, c.PID)
	}
	c.Wait(d)
	f := b.Fork()
	f.Exit(9)
	if st := b.Wait(f); st.ExitStatus() != 9 {
		t.Errorf("status %#x", st)
	}
}

func TestCgroups(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	a := linuxtest.Start(t).Fork()
	for _, g := range []*linuxtest.Cgroup{linuxtest.NewCgroup(t), linuxtest.NewUnifiedCgroup(t)} {
		if g == nil {
			continue
		}
		a.Move(g)
		line := ":" + strings.Join(g.Controllers, ",") + ":" + g.Path + "\n"
		if got := a.ReadFile("/proc/self/cgroup"); !strings.Contains(got, line) {
			t.Errorf("membership %q without %q", got, line)
		}
	}
	if g := linuxtest.NewUnifiedCgroup(t); g != nil {
		b := a.Clone(linuxtest.CloneOptions{Cgroup: g})
		if got := b.ReadFile("/proc/self/cgroup"); !strings.Contains(got, "0::"+g.Path+"\n") {
			t.Errorf("membership %q without %q", got, g.Path)
		}
	}
}

func TestChain(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	links, err := a.Chain(50)
	if err != nil {
		t.Fatal(err)
	}
	above := a.PID
	for i, l := range links {
		s, err := linuxtest.ReadStat(l.PID)
		if err != nil || s.PPID != above || l.PPID != above {
			t.Fatalf("link %d: %+v, %+v, %v, want parent %d", i, l, s, err, above)
		}
		above = l.PID
	}
	a.EndChain()
	for _, l := range links {
		if s, err := linuxtest.ReadStat(l.PID); err == nil && s.PPID == l.PPID {
			t.Errorf("still there: %+v", s)
		}
	}
}

func TestChurn(t *testing.T) {
	a := linuxtest.Start(t).Fork()
	var before []int
	for _, step := range []struct{ n, keep, left int }{{10, 4, 4}, {3, 4, 4}, {100, 64, 64}, {0, 2, 2}, {20, 0, 0}} {
		alive, err := a.Churn(step.n, step.keep)
		if err != nil {
			t.Fatal(err)
		}
		if len(alive) != step.left {
			t.Errorf("Churn(%d, %d) leaves %d, want %d", step.n, step.keep, len(alive), step.left)
		}
		for _, pid := range alive {
			if s, err := linuxtest.ReadStat(pid); err != nil || s.PPID != a.PID || s.State == 'Z' {
				t.Errorf("child %+v, %v", s, err)
			}
		}
		for _, pid := range before {
			if _, err := linuxtest.ReadStat(pid); err == nil && !slices.Contains(alive, pid) {
				t.Errorf("%d is there, not ended", pid)
			}
		}
		before = alive
	}
}
