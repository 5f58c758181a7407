package main

import (
	"context"
	"errors"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
)

// makeStorm compiles a storm of n processes.
func makeStorm(t *testing.T, n int) *storm {
	t.Helper()
	needPrograms(t, "cc")
	s, err := newStorm(t.Context(), t.TempDir(), n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStorm counts what happens in a storm.
func TestStorm(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	s := makeStorm(t, 50)
	cpu, _, err := processors()
	if err != nil {
		t.Fatal(err)
	}
	source, err := bpf.Open(bpf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, k := range []kind{forkExit, forkExecExit} {
		took, err := s.run(t.Context(), k, cpu)
		if err != nil {
			t.Fatal(err)
		}
		if took.asked != s.count || took.elapsed <= 0 || took.cpu <= 0 {
			t.Errorf("%s: %+v", k, took)
		}
		born := map[process.ID]bool{}
		execs, exits := 0, 0
		err = source.Drain(func(e *process.Event) {
			switch {
			case e.Kind == process.Fork && e.Name == "storm":
				born[e.ID] = true
			case e.Kind == process.Exec && born[e.ID]:
				if e.File != s.end {
					t.Errorf("%s: one runs %q", k, e.File)
				}
				execs++
			case e.Kind == process.Exited && born[e.ID]:
				exits++
			}
		})
		if err != nil {
			t.Error(err)
		}
		want := 0
		if k == forkExecExit {
			want = s.count
		}
		if len(born) != s.count || execs != want || exits != s.count {
			t.Errorf("%s: %d forks, %d execs, %d exits of %d", k, len(born), execs, exits, s.count)
		}
	}
}

func TestStormEnds(t *testing.T) {
	s := makeStorm(t, math.MaxInt32)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.run(ctx, forkExit, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the end of the context: %v", err)
	}
	s.program += ".c"
	if _, err := s.run(t.Context(), forkExit, 0); err == nil {
		t.Error("a program that cannot run has run")
	}
}

func TestOnProcessor(t *testing.T) {
	_, cpu, err := processors()
	if err != nil {
		t.Fatal(err)
	}
	var before, after, child unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	err = onProcessor(cpu, func() error {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		err := unix.SchedGetaffinity(cmd.Process.Pid, &child)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !child.IsSet(cpu) || child.Count() != 1 {
		t.Errorf("the child may use %d processors", child.Count())
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil {
		t.Fatal(err)
	}
	if after.Count() != before.Count() {
		t.Errorf("%d processors before, %d after", before.Count(), after.Count())
	}
}

func TestReader(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	asked := false
	r, err := readingDuring(t.Context(), bpfSource, 0, func() error { asked = true; return nil })
	if err != nil || !asked || r.CPU <= 0 || r.Losses != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	broken := errors.New("broken")
	if _, err := readingDuring(t.Context(), procfsSource, 0, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("what was read fails: %v", err)
	}
	if _, err := readingDuring(t.Context(), "nothing", 0, func() error { return nil }); err == nil {
		t.Error("a reader with no source")
	}
}

func TestSimulation(t *testing.T) {
	s := simulate(1000)
	if len(s.leaves) != 1000/depth-1 && len(s.leaves) != 1000/depth {
		t.Errorf("%d leaves", len(s.leaves))
	}
	for i := range s.rows {
		s.rows[i].group = ""
	}
	all := newPlainPeer(s.rows)
	for _, pid := range s.some(10) {
		ancestors, err := all.appendSameGroup(nil, pid)
		if err != nil || len(ancestors) != depth {
			t.Errorf("%d has the ancestors %v, %v", pid, ancestors, err)
		}
		same, err := s.appendSameGroup(nil, pid)
		if err != nil || !slices.Equal(same, ancestors[:depth-1]) {
			t.Errorf("in the group of %d are %v of %v, %v", pid, same, ancestors, err)
		}
	}
	if err := agree(s, all, s.leaves); err == nil {
		t.Error("a walk that does not look at groups is right")
	}
	if _, err := s.appendSameGroup(nil, 2); !errors.Is(err, errUncertain) {
		t.Errorf("a process that there is not: %v", err)
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Microsecond)
	}
	l.add(0)
	for q, want := range map[float64]float64{0.5: 500e3, 0.99: 990e3, 1: 1000e3} {
		if got := l.quantile(q); got < want || got > want*class*class {
			t.Errorf("%v of them took %v at most, not %v", q, got, want)
		}
	}
	ended := make(chan error, 1)
	asked := 0
	took, err := l.ask(func(int) error {
		if asked++; asked == 250 {
			ended <- nil
		}
		return nil
	}, 0, ended)
	if err != nil || took.asked != asked || asked < 250 || asked > 350 {
		t.Errorf("%d of %d answers, %v", took.asked, asked, err)
	}
	broken := errors.New("broken")
	ended <- nil
	if _, err := l.ask(func(int) error { return broken }, time.Nanosecond, ended); !errors.Is(err, broken) {
		t.Errorf("an answer fails: %v", err)
	}
}

// TestLive makes every measurement of the live sources once.
func TestLive(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	st := makeStorm(t, 20)
	p := makePopulation(t, 60)
	tree, err := newTreePeer(bpfSource)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	}()
	f, err := newFootprint()
	if err != nil {
		t.Fatal(err)
	}
	var s sheaf
	live := peer{name: bpfName, impl: tree}
	silent := func(string, ...any) {}
	for _, err := range []error{
		s.heaps(f, 60),
		s.starts(t.Context(), 60, 1),
		s.simulated(t.Context(), 100, 200, 1),
		s.pair(t.Context(), 60, 1, p.asked(), []peer{live}),
		s.stormy(t.Context(), st, 60, 1, p.asked(), live, live),
		s.storms(t.Context(), st, 1, silent),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, r := range s.Results {
		if r.Nanoseconds.Median <= 0 {
			t.Errorf("%s: %s took nothing", r.Question, r.Contender)
		}
	}
	for _, l := range s.Limits {
		// Of so few processes a heap may grow by nothing.
		if l.Measured == nil || l.Measured.Median == 0 && !strings.Contains(l.Text, "lost") && l.Unit != inBytes {
			t.Errorf("%s: %v", l.Text, l.Measured)
		}
	}
	if f.bare <= 0 {
		t.Errorf("a tree takes %v bytes", f.bare)
	}
	if err := s.starts(t.Context(), 1e6, 1); err == nil {
		t.Error("a scan that finds too few")
	}
}
