package procfs

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/source"
)

func TestParseNamespace(t *testing.T) {
	for link, want := range map[string]uint64{
		"pid:[4026531836]": 4026531836, "pid:[18446744073709551615]": math.MaxUint64,
		"": 0, "pid:[]": 0, "pid:[1": 0, "1]": 0, "pid:[-1]": 0, "pid:[1] ": 0, "user:[1]": 0, "pid:[18446744073709551616]": 0,
	} {
		got, err := parseNamespace([]byte(link))
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v, want %d", link, got, err, want)
		}
	}
}

// inode returns what stat(2) says of the PID namespace of a process.
func inode(t *testing.T, a *linuxtest.Actor) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/pid", a.PID), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestInside(t *testing.T) {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	onKernels(t, func(t *testing.T, s *Source) {
		a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
		b := a.Fork()
		a.NewThread() // takes the number after b's
		c := b.Clone(linuxtest.CloneOptions{NewPID: true})
		outer, inner := inode(t, a), inode(t, c)
		if own := inode(t, linuxtest.Start(t)); s.Namespace() != own || own == outer {
			t.Errorf("the own namespace is %d, want %d", s.Namespace(), own)
		}
		levels := map[*linuxtest.Actor][]int{
			a: {a.PID, 1}, b: {b.PID, b.Getpid()}, c: {c.PID, c.Told, 1},
		}
		for x, pids := range levels {
			for i, namespace := range []uint64{outer, inner}[:len(pids)-1] {
				id, got, err := s.Inside(x.PID, namespace, pids[i+1])
				if err != nil || !id.Same(x.ID()) || !slices.Equal(got, pids) {
					t.Errorf("%d in %d: %v, %v, %v, want %v, %v", pids[i+1], namespace, id, got, err, x.ID(), pids)
				}
			}
			for _, not := range []struct {
				namespace uint64
				pid       int
			}{{inner, pids[1] + 7}, {outer, x.PID}, {s.Namespace(), x.PID}, {outer + 1<<40, 1}, {0, 1}} {
				if id, _, err := s.Inside(x.PID, not.namespace, not.pid); err != nil || !id.IsZero() {
					t.Errorf("%v: %v, %v", not, id, err)
				}
			}
			if d, err := s.Details(x.ID()); err != nil || d.Missing != nil || d.PIDNamespace != inode(t, x) {
				t.Errorf("%+v, %v, want it in %d", d, err, inode(t, x))
			}
		}
		// A number is of one namespace and not of the one around it.
		if id, _, err := s.Inside(c.PID, outer, 1); err != nil || !id.IsZero() {
			t.Errorf("1 of %d is %v, %v, which is 1 further in", outer, id, err)
		}
		c.Kill(syscall.SIGKILL)
		if id, _, err := s.Inside(c.PID, inner, 1); err != nil || !id.Same(c.ID()) {
			t.Errorf("the zombie: %v, %v, want %v", id, err, c.ID())
		}
		a.Kill(syscall.SIGKILL)
		a.Reap()
		for _, pid := range []int{a.PID, 0, -1, math.MaxInt} {
			if id, _, err := s.Inside(pid, outer, 1); !errors.Is(err, source.ErrGone) {
				t.Errorf("PID %d: %v, %v, want ErrGone", pid, id, err)
			}
		}
	})
}

// A thread that leads no process is none, by either of its numbers.
func TestInsideOfThread(t *testing.T) {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	s := open(t, Options{})
	a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
	th := a.NewThread()
	dir, err := unix.Open(fmt.Sprintf("/proc/%d/task", a.PID), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	tids, err := entries(dir)
	if err != nil || len(tids) < 2 {
		t.Fatal(tids, err)
	}
	for _, outside := range tids {
		if id, _, err := s.Inside(outside, inode(t, a), 1); outside != a.PID && !errors.Is(err, source.ErrGone) {
			t.Errorf("of the TID %d: %v, %v, want ErrGone", outside, id, err)
		}
	}
	tid, err := th.Syscall(unix.SYS_GETTID)
	if err != nil || tid == 1 {
		t.Fatal(tid, err)
	}
	if id, _, err := s.Inside(a.PID, inode(t, a), int(tid)); err != nil || !id.IsZero() {
		t.Errorf("of a TID inside: %v, %v", id, err)
	}
}

// BenchmarkInside is what a process that has nothing to do with the question
// costs it.
func BenchmarkInside(b *testing.B) {
	s := open(b, Options{})
	for b.Loop() {
		if id, _, err := s.Inside(os.Getpid(), 1, 1); err != nil || !id.IsZero() {
			b.Fatal(id, err)
		}
	}
}

// BenchmarkLevels is what it would cost by its status.
func BenchmarkLevels(b *testing.B) {
	s := open(b, Options{})
	room := newBuffers()
	for b.Loop() {
		if _, err := s.levels(s.root, room.filePath(os.Getpid(), statusPath), room); err != nil {
			b.Fatal(err)
		}
	}
}
