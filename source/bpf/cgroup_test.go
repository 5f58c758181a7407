package bpf

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

func TestMoves(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	first, second := linuxtest.NewCgroup(t), linuxtest.NewCgroup(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	w.check(b, a.PID, a.PID)
	b.Move(first)
	if p := w.check(b, a.PID, a.PID); p.Cgroup.Group != first.Path {
		t.Errorf("container group %q, want %q", p.Cgroup.Group, first.Path)
	}
	c := b.Fork()
	w.check(c, b.PID, b.PID)
	c.Move(second)
	d := c.Fork()
	c.Move(first)
	w.check(c, b.PID, b.PID)
	if p := w.check(d, c.PID, c.PID); p.Cgroup.Group != second.Path {
		t.Errorf("container group %q, want %q", p.Cgroup.Group, second.Path)
	}
	if e := w.one(process.Fork, d.PID); e.Cgroup.Group != second.Path {
		t.Errorf("born in %q, want %q", e.Cgroup.Group, second.Path)
	}
	a.NewThread()
	a.ExitLeader() // who is not moved with the others
	a.Move(second)
	e := a.Fork()
	w.check(e, a.PID, a.PID)
	if p := w.scan()[a.PID]; p.Cgroup.Group != second.Path {
		t.Errorf("container group %q in a scan, want %q", p.Cgroup.Group, second.Path)
	}
	if unified := linuxtest.NewUnifiedCgroup(t); unified != nil {
		b.Move(unified)
		w.check(b, a.PID, a.PID)
		f := c.Clone(linuxtest.CloneOptions{Cgroup: unified})
		w.check(f, c.PID, c.PID)
		w.check(c.Fork(), c.PID, c.PID)
	}
}

// A path is known although the cgroup is gone when somebody asks.
func TestRemovedCgroup(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	a := linuxtest.Start(t)
	b := a.Fork()
	home := linuxtest.NewCgroup(t)
	dir := filepath.Join(home.Dir, "one", "two")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.Move(&linuxtest.Cgroup{Dir: dir})
	want := membership(t, b.PID)
	c := b.Fork()
	c.Exit(0)
	z := b.Fork()
	b.Move(home)
	z.Move(home)
	b.Wait(c)
	for _, name := range []string{dir, filepath.Dir(dir)} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	w.drain()
	for _, e := range []process.Event{w.of(process.Moved, b.PID)[0], w.one(process.Fork, c.PID), w.one(process.Fork, z.PID)} {
		if e.Cgroup.Membership != want || e.Cgroup.Group != home.Path+"/one/two" {
			t.Errorf("%v of %v in %q, want %q", e.Kind, e.ID, e.Cgroup.Membership, want)
		}
	}
	w.check(b, a.PID, a.PID)
}

// The kernel asks again about the process that has no room in what a scan hands
// over at once, whose cgroups may be told for the first time.
func TestScanOfManyCgroups(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	a := linuxtest.Start(t).Fork()
	const n = 80
	in := make(map[int]string)
	var children []*linuxtest.Actor
	for range n {
		c, g := a.Fork(), linuxtest.NewCgroup(t)
		c.Move(g)
		in[c.PID] = g.Path
		children = append(children, c)
	}
	for _, c := range children[:n/2] {
		found := w.scan()
		for pid, path := range in {
			if got := found[pid].Cgroup.Group; got != path {
				t.Fatalf("%d is in %q, want %q", pid, got, path)
			}
		}
		c.Exit(0) // so that all others come elsewhere in the next one
		a.Wait(c)
		delete(in, c.PID)
	}
}

// A zombie is in the cgroups that it was in.
func TestCgroupOfZombie(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	a := linuxtest.Start(t)
	g := linuxtest.NewCgroup(t)
	b := a.Fork()
	b.Move(g)
	want := membership(t, b.PID)
	b.Exit(0)
	if e := w.scan()[b.PID]; !e.Zombie || e.Cgroup.Membership != want {
		t.Errorf("zombie %t, in %q, want %q", e.Zombie, e.Cgroup.Membership, want)
	}
}

// Another name makes doubtful what was told before, and is told from then on.
func TestRenamedCgroup(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	g := linuxtest.NewCgroup(t)
	if g.Unified() {
		linuxtest.Lack(t, linuxtest.CgroupV1, "cgroups of version 2 are not renamed")
	}
	a := linuxtest.Start(t)
	a.Move(g)
	w.check(a, self, self)
	for tries := 1; ; tries++ {
		if err := os.Rename(g.Dir, g.Dir+".renamed"); err != nil {
			t.Fatal(err)
		}
		losses := 0
		for _, e := range w.drain() {
			if e.Kind == process.Loss {
				losses++
			}
		}
		if losses == 1 {
			break
		}
		if losses == 0 || tries == 10 {
			t.Errorf("%d losses, want one", losses)
			break
		}
		// Others renamed one of theirs too.
		if err := os.Rename(g.Dir+".renamed", g.Dir); err != nil {
			t.Fatal(err)
		}
		w.drain()
	}
	w.scan()
	p := w.check(a, self, self)
	if !strings.HasSuffix(p.Cgroup.Group, ".renamed") || p.Evidence == process.Unknown {
		t.Errorf("container group %q, %v", p.Cgroup.Group, p.Evidence)
	}
	w.check(a.Fork(), a.PID, a.PID)
	if err := os.Rename(g.Dir+".renamed", g.Dir); err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.check(a.Fork(), a.PID, a.PID)
}

// What a rename has to find out it does not find out in the middle of a scan,
// which has the numbers of its sets in the same place.
func TestRenamedBesideScans(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	w := newWatch(t, Options{})
	g := linuxtest.NewCgroup(t)
	if g.Unified() {
		linuxtest.Lack(t, linuxtest.CgroupV1, "cgroups of version 2 are not renamed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			number := uint64(0)
			err := w.src.Scan(t.Context(), func(*process.Event) {
				now := w.src.shared.scan.Load()
				if number == 0 {
					number = now
				}
				if now != number {
					t.Errorf("scan %d has become %d", number, now)
					cancel()
				}
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	names := []string{g.Dir, g.Dir + ".renamed"}
	for i := range 100 {
		if err := os.Rename(names[i%2], names[(i+1)%2]); err != nil {
			t.Error(err)
			break
		}
		w.drain()
	}
	cancel()
	wg.Wait()
}

// The membership of every process is what /proc shows, and so is what else it shows
// both before the scan and after.
func TestMembershipsAreThoseOfProcfs(t *testing.T) {
	w := newWatch(t, Options{})
	before := listProc(t)
	found := w.scan()
	compared := 0
	for pid, e := range found {
		// The text first: it is another one once the process exits.
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
		if err != nil {
			continue
		}
		st, err := linuxtest.ReadStat(pid)
		if err != nil || e.Zombie || st.State == 'Z' || st.Flags&4 != 0 || process.FromTicks(st.Start) != e.ID.Start/1e7*1e7 {
			continue
		}
		if len(w.of(process.Moved, pid)) > 0 {
			continue
		}
		compared++
		if e.Cgroup.Membership != string(text) {
			t.Errorf("%v (%s) is in %q, want %q", e.ID, e.Name, e.Cgroup.Membership, text)
		}
		if st.PPID != e.Parent.PID || !e.Kernel && st.Name != e.Name || max(st.PGRP, 0) != e.GroupID || max(st.Session, 0) != e.SessionID || st.TTY != e.TTY {
			if was := before[pid]; shown(was) == shown(st) {
				t.Errorf("%+v, want %+v", e, st)
			}
		}
	}
	if compared < 2 {
		t.Errorf("%d of %d processes could be compared", compared, len(found))
	}
}

// shown is what a process keeps of its stat unless it does something.
func shown(s linuxtest.Stat) linuxtest.Stat {
	s.State, s.Flags, s.Threads = 0, 0, 0
	return s
}
