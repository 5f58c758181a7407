package procfs

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

func open(t testing.TB, o Options) *Source {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// kernels are what older kernels have, and hosts with cgroup v2 alone. On a
// hybrid host the last one sees moves in the v2 hierarchy only.
var kernels = map[string]Features{
	"all":                        {PIDFD: true, PIDFS: true, GetInfo: true},
	"before 6.13":                {PIDFD: true, PIDFS: true},
	"before 6.9":                 {PIDFD: true},
	"before 5.3":                 {},
	"before 6.13, only cgroup 2": {PIDFD: true, PIDFS: true, Unified: true},
	"only cgroup 2":              {PIDFD: true, PIDFS: true, GetInfo: true, Unified: true},
}

// openAs opens the source as on a kernel that has no more than f.
func openAs(t testing.TB, f Features) *Source {
	t.Helper()
	if f.GetInfo {
		linuxtest.Need(t, linuxtest.PidfdInfo)
	}
	if f.PIDFS {
		linuxtest.Need(t, linuxtest.Pidfs)
	}
	s := open(t, Options{})
	_, limit := s.Descriptors()
	s.has = f
	s.held.init(limit, !f.infoTellsMoves())
	return s
}

func onKernels(t *testing.T, f func(t *testing.T, s *Source)) {
	for name, has := range kernels {
		t.Run(name, func(t *testing.T) { f(t, openAs(t, has)) })
	}
}

func TestRead(t *testing.T) {
	onKernels(t, func(t *testing.T, s *Source) {
		a := linuxtest.Start(t)
		b := a.Fork()
		const name = ") S 9\n(é"
		b.SetName(name)
		b.Setsid()
		var e process.Event
		if err := s.Read(b.PID, &e); err != nil {
			t.Fatal(err)
		}
		id := b.ID()
		if !s.has.PIDFS {
			id.Inode = 0
		}
		if e.Kind != process.Seen || e.ID != id || e.Name != name || e.Parent != (process.ID{PID: a.PID}) || e.NoParent {
			t.Errorf("%+v, want %v named %q, child of %d", e, id, name, a.PID)
		}
		if e.SessionID != b.PID || e.GroupID != b.PID || e.Zombie || e.Kernel {
			t.Errorf("%+v, want a session of its own", e)
		}
		membership, err := os.ReadFile("/proc/self/cgroup")
		if err != nil || e.Cgroup.Membership != string(membership) {
			t.Errorf("membership %q, want %q, %v", e.Cgroup.Membership, membership, err)
		}
		b.Exit(0)
		if !onlyUnified(membership) {
			membership = nil // of a zombie it is not known
		}
		if err := s.Read(b.PID, &e); err != nil || !e.Zombie || e.Cgroup.Membership != string(membership) {
			t.Errorf("%+v, %v, want a zombie in %q", e, err, membership)
		}
		a.Wait(b)
		if err := s.Read(b.PID, &e); !errors.Is(err, source.ErrGone) {
			t.Errorf("%v, want ErrGone", err)
		}
		for _, pid := range []int{0, -1, math.MinInt, math.MaxInt} {
			if err := s.Read(pid, &e); !errors.Is(err, source.ErrGone) {
				t.Errorf("PID %d: %v, want ErrGone", pid, err)
			}
		}
	})
}

func TestReadOfThreads(t *testing.T) {
	onKernels(t, func(t *testing.T, s *Source) {
		a := linuxtest.Start(t)
		th := a.NewThread()
		var before, e process.Event
		if err := s.Read(a.PID, &before); err != nil {
			t.Fatal(err)
		}
		if err := s.Read(th.TID, &e); err != nil || e.ID != before.ID {
			t.Errorf("of the TID: %v, %v, want %v", e.ID, err, before.ID)
		}
		a.ExitLeader()
		if err := s.Read(a.PID, &e); err != nil || e.Zombie || e.Cgroup != before.Cgroup {
			t.Errorf("with its leader ended: %+v, %v, want it alive in %q", e, err, before.Cgroup.Group)
		}
		if st, err := s.Check(e.ID, e.Cgroup.Membership); err != nil || st.Moved || st.ParentPID != os.Getpid() {
			t.Errorf("%+v, %v, want nothing changed", st, err)
		}
	})
}

func TestCheck(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	onKernels(t, func(t *testing.T, s *Source) {
		group := linuxtest.NewCgroup(t)
		if s.has.Unified {
			group = linuxtest.NewUnifiedCgroup(t)
		}
		a := linuxtest.Start(t)
		a.SetSubreaper(true)
		b := a.Fork()
		c := b.Fork()
		var e process.Event
		if err := s.Read(c.PID, &e); err != nil {
			t.Fatal(err)
		}
		want := func(moved bool, parent *linuxtest.Actor) {
			t.Helper()
			for range 3 {
				st, err := s.Check(e.ID, e.Cgroup.Membership)
				if err != nil || st.Moved != moved || st.ParentPID != parent.PID {
					t.Fatalf("%+v, %v, want moved %v, parent %d", st, err, moved, parent.PID)
				}
			}
		}
		want(false, b)
		old := e
		c.Move(group)
		want(true, b)
		if err := s.Read(c.PID, &e); err != nil || e.Cgroup.Membership == old.Cgroup.Membership {
			t.Fatal(err, "the membership is the old one")
		}
		want(false, b)
		b.Exit(0)
		want(false, a)
		c.Exit(0)
		want(false, a) // a zombie has not moved
		a.Wait(c)
		if st, err := s.Check(e.ID, e.Cgroup.Membership); !errors.Is(err, source.ErrGone) {
			t.Errorf("%+v, %v, want ErrGone", st, err)
		}
		if held, _ := s.Descriptors(); held != 0 {
			t.Errorf("%d descriptors are held for nobody", held)
		}
	})
}

// A PID that passes to another process within a tick is not taken for the old
// one: a held descriptor tells, and the inode where there is one.
func TestCheckOfReusedPID(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID)
	onKernels(t, func(t *testing.T, s *Source) {
		a := linuxtest.Start(t)
		b := a.Fork()
		for range 20 {
			var e process.Event
			if err := s.Read(b.PID, &e); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Check(e.ID, e.Cgroup.Membership); err != nil { // holds it
				t.Fatal(err)
			}
			b.Exit(0)
			a.Wait(b)
			b = a.Clone(linuxtest.CloneOptions{PID: b.PID})
			if st, err := s.Check(e.ID, e.Cgroup.Membership); !errors.Is(err, source.ErrGone) {
				t.Fatalf("%+v, %v, want ErrGone", st, err)
			}
			if _, err := s.Check(e.ID, ""); s.has.PIDFS && !errors.Is(err, source.ErrGone) {
				t.Fatalf("with nothing held: %v, want ErrGone", err)
			}
		}
	})
}

func TestHeldDescriptors(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{})
	if _, most := s.Descriptors(); most > DefaultMaxDescriptors || uint64(most) > limit.Cur/8 {
		t.Errorf("%d descriptors at most, of %d", most, limit.Cur)
	}
	for _, most := range []int{-1, 1, 6} {
		s := open(t, Options{MaxDescriptors: most})
		a := linuxtest.Start(t)
		var children []*linuxtest.Actor
		for range 10 {
			children = append(children, a.Fork())
		}
		before := descriptors(t)
		var events []process.Event
		for _, b := range children {
			var e process.Event
			if err := s.Read(b.PID, &e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		for range 3 {
			for _, e := range events {
				if st, err := s.Check(e.ID, e.Cgroup.Membership); err != nil || st.Moved || st.ParentPID != a.PID {
					t.Fatalf("%+v, %v", st, err)
				}
			}
		}
		held, _ := s.Descriptors()
		if held > max(most, 0) || most >= 6 && held < 2 {
			t.Errorf("%d descriptors held of at most %d", held, most)
		}
		if n := descriptors(t) - before; n != held {
			t.Errorf("%d descriptors open, %d said to be held", n, held)
		}
	}
}

// descriptors returns how many the test binary has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A program that has run out of descriptors gets those back that are held.
func TestOutOfDescriptors(t *testing.T) {
	s := open(t, Options{})
	a := linuxtest.Start(t)
	var events []process.Event
	for range 20 {
		var e process.Event
		if err := s.Read(a.Fork().PID, &e); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(e.ID, e.Cgroup.Membership); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	// Take what there is, which somewhere is a thousand million.
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: min(limit.Cur, 4096), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	var taken []int
	defer func() {
		for _, fd := range taken {
			unix.Close(fd)
		}
	}()
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	var e process.Event
	if err := s.Read(os.Getpid(), &e); err != nil {
		t.Errorf("reading with no descriptor left: %v", err)
	}
	for _, e := range events {
		if _, err := s.Check(e.ID, e.Cgroup.Membership); err != nil {
			t.Errorf("checking with no descriptor left: %v", err)
		}
	}
}

func TestScanIsCancelled(t *testing.T) {
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Scan(ctx, func(*process.Event) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
}

// With hidepid, a scan has what may be seen, and the parent of one that may
// not as a PID.
func TestScanWithHidepid(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid)
	s := open(t, Options{Path: linuxtest.MountProc(t, "hidepid", "invisible")})
	a := linuxtest.Start(t)
	var e process.Event
	if err := s.Read(a.PID, &e); err != nil || e.ID != a.ID() {
		t.Errorf("%v, %v, want %v: root sees all", e.ID, err, a.ID())
	}
	n := 0
	if err := s.Scan(t.Context(), func(*process.Event) { n++ }); err != nil || n < 3 {
		t.Errorf("%d processes, %v", n, err)
	}
}

func TestLimits(t *testing.T) {
	s := openAs(t, Features{})
	if !slices.Contains(s.Limits(), source.TicksOnly) {
		t.Error("without pidfs, identity is limited to ticks")
	}
	s.has.PIDFS = true
	if slices.Contains(s.Limits(), source.TicksOnly) {
		t.Error("with pidfs, identity is not limited to ticks")
	}
}
