package lineage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/procfs"
)

func newTree(t testing.TB) *Tree {
	t.Helper()
	return newTreeWith(t, Options{})
}

func newTreeWith(t testing.TB, o Options) *Tree {
	t.Helper()
	if o.Source == "" {
		o.Source = procfs.Name
	}
	tree, err := NewTree(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// sameGroup answers the question of FindAllAncestorProcessIDsInSameCgroup
// from /proc in the plainest way. The chain must not change meanwhile.
func sameGroup(t testing.TB, pid int) []int {
	t.Helper()
	group := func(pid int) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			t.Fatal(err)
		}
		path, _ := cgroup.Group(text)
		return string(path)
	}
	want := []int{}
	own := group(pid)
	for _, up := range parents(t, pid) {
		if group(up) == own {
			want = append(want, up)
		}
	}
	return want
}

// parents returns the PIDs of the ancestors in the plainest way.
func parents(t testing.TB, pid int) []int {
	t.Helper()
	var pids []int
	for {
		s, err := linuxtest.ReadStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		if s.PPID == 0 {
			return pids
		}
		pid = s.PPID
		pids = append(pids, pid)
	}
}

func wantSameGroup(t testing.TB, tree *Tree, pid int) {
	t.Helper()
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(pid)
	if err != nil {
		t.Fatal(err)
	}
	if want := sameGroup(t, pid); !slices.Equal(got, want) {
		t.Fatalf("ancestors of %d in its cgroup: %v, want %v", pid, got, want)
	}
}

func TestAncestorsInSameCgroup(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	c := b.Fork()
	for range 3 { // the first question learns, the others check
		wantSameGroup(t, tree, c.PID)
	}
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(c.PID)
	if err != nil || len(got) < 3 || !slices.Equal(got[:3], []int{b.PID, a.PID, os.Getpid()}) {
		t.Fatalf("got %v, %v", got, err)
	}
	p, err := tree.Process(c.PID)
	if err != nil {
		t.Fatal(err)
	}
	if byID, err := tree.FindAllAncestorProcessIDsInSameCgroupByID(p.ID); err != nil || !slices.Equal(byID, got) {
		t.Errorf("by ID: %v, %v, want %v", byID, err, got)
	}
}

// An ancestor in another container group is left out, and those behind it in
// the same one are not.
func TestAncestorsBehindAnotherCgroup(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	c := b.Fork()
	wantSameGroup(t, tree, c.PID)
	b.Move(linuxtest.NewCgroup(t))
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(c.PID)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(got, b.PID) || !slices.Contains(got, a.PID) {
		t.Errorf("got %v, want %d in it and %d not", got, a.PID, b.PID)
	}
	if got, err = tree.FindAllAncestorProcessIDsInSameCgroup(b.PID); err != nil || got == nil || len(got) != 0 {
		t.Errorf("ancestors of %d, alone in its cgroup: %#v, %v, want none and not nil", b.PID, got, err)
	}
}

func TestThreadIsAnsweredForItsProcess(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	th := a.NewThread()
	if th.TID == a.PID {
		t.Fatal("the thread is the leader")
	}
	want, err := tree.FindAllAncestorProcessIDsInSameCgroup(a.PID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(th.TID)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("for the TID: %v, %v, want %v", got, err, want)
	}
	p, err := tree.Process(th.TID)
	if err != nil || p.ID.PID != a.PID {
		t.Errorf("process of the TID: %v, %v, want PID %d", p.ID, err, a.PID)
	}
}

// With its leader ended, a process lives on in its other threads.
func TestLeaderThatEndedFirst(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	wantSameGroup(t, tree, b.PID)
	a.ExitLeader()
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(b.PID)
	if err != nil || len(got) == 0 || got[0] != a.PID {
		t.Errorf("known before: %v, %v, want %d first", got, err, a.PID)
	}
	got, err = newTree(t).FindAllAncestorProcessIDsInSameCgroup(b.PID)
	if err != nil || len(got) == 0 || got[0] != a.PID {
		t.Errorf("first read now: %v, %v, want %d first", got, err, a.PID)
	}
}

func TestErrors(t *testing.T) {
	tree := newTree(t)
	for _, pid := range []int{0, -1, math.MinInt} {
		if _, err := tree.FindAllAncestorProcessIDsInSameCgroup(pid); !errors.Is(err, ErrInvalidPID) {
			t.Errorf("PID %d: %v, want ErrInvalidPID", pid, err)
		}
	}
	a := linuxtest.Start(t)
	p, err := tree.Process(a.PID)
	if err != nil {
		t.Fatal(err)
	}
	a.Exit(0)
	a.Reap()
	for _, pid := range []int{a.PID, 1<<22 + 1, math.MaxInt} {
		got, err := tree.FindAllAncestorProcessIDsInSameCgroup(pid)
		if !errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("PID %d: %v, %v, want ErrNotFound", pid, got, err)
		}
	}
	if got, err := tree.ProcessByID(p.ID); err != nil || got.State.String() != "ended" {
		t.Errorf("by the ID of an ended process: %v, %v", got.State, err)
	}
	p.ID.Start += process.FromTicks(1) // no process ever had it
	p.ID.Inode = 0
	if _, err := tree.ProcessByID(p.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("by an ID of no process: %v, want ErrNotFound", err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Process(1); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
	if err := tree.Run(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Run after Close: %v, want ErrClosed", err)
	}
}

func TestNewTreeErrors(t *testing.T) {
	empty := t.TempDir()
	for _, test := range []struct {
		options Options
		want    error
		advice  string
	}{
		{Options{Source: "magic"}, ErrUnsupported, "procfs"},
		{Options{ProcPath: filepath.Join(empty, "none")}, fs.ErrNotExist, "none"},
		{Options{ProcPath: empty}, procfs.ErrNotProcfs, "mount -t proc"},
		{Options{ProcPath: "/proc/self"}, procfs.ErrNotProcfs, "root of the mount"},
	} {
		_, err := NewTree(test.options)
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.advice) {
			t.Errorf("%+v: %v, want %v that says %q", test.options, err, test.want, test.advice)
		}
	}
}

// A /proc of another PID namespace has other processes under our PIDs.
func TestForeignProc(t *testing.T) {
	t.Run("of a namespace inside", func(t *testing.T) {
		linuxtest.Need(t, linuxtest.PIDNamespace, linuxtest.Root)
		a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
		call := func(nr uintptr, args ...any) uintptr {
			r, err := a.Syscall(nr, args...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		config := call(unix.SYS_FSOPEN, "proc", unix.FSOPEN_CLOEXEC)
		call(unix.SYS_FSCONFIG, config, unix.FSCONFIG_CMD_CREATE, 0, 0, 0)
		mount := call(unix.SYS_FSMOUNT, config, unix.FSMOUNT_CLOEXEC, 0)
		_, err := NewTree(Options{ProcPath: fmt.Sprintf("/proc/%d/fd/%d", a.PID, mount)})
		if !errors.Is(err, procfs.ErrForeignNamespace) {
			t.Errorf("%v, want ErrForeignNamespace", err)
		}
	})
	t.Run("of a namespace outside", func(t *testing.T) {
		const mark = "LINEAGE_TEST_INSIDE"
		if os.Getenv(mark) != "" {
			_, err := NewTree(Options{})
			fmt.Printf("foreign: %v: %v\n", errors.Is(err, procfs.ErrForeignNamespace), err)
			return
		}
		linuxtest.Need(t, linuxtest.PIDNamespace)
		inside := exec.Command("/proc/self/exe", "-test.run=^TestForeignProc$/outside")
		inside.Env = append(os.Environ(), mark+"=1")
		inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if os.Geteuid() != 0 {
			inside.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		}
		out, err := inside.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "foreign: true") || !strings.Contains(string(out), "hostPID") {
			t.Errorf("%v, %s", err, out)
		}
	})
}

func TestCloseEndsRun(t *testing.T) {
	for _, name := range []string{bpf.Name, procfs.Name} {
		t.Run(name, func(t *testing.T) {
			if name == bpf.Name {
				linuxtest.Need(t, linuxtest.BPF)
			}
			tree, err := NewTree(Options{Source: name})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- tree.Run(t.Context()) }()
			a := linuxtest.Start(t).Fork()
			if _, err := a.Churn(100, 0); err != nil { // for Run to be at work
				t.Fatal(err)
			}
			if err := tree.Close(); err != nil {
				t.Error(err)
			}
			// A Run that came too late is refused.
			if err := <-ended; err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("Run of a tree that is closed meanwhile: %v", err)
			}
			if err := tree.Run(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("Run of a closed tree: %v", err)
			}
		})
	}
}
