package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// holdVariable makes the test binary a bench that has made a population.
const holdVariable = "LINEAGE_BENCH_HOLD"

func TestMain(m *testing.M) {
	if play() {
		return
	}
	if os.Getenv(holdVariable) != "" {
		p, err := newPopulation(order{Processes: 20, Chains: 2, Depth: 8})
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(p.report)
		}
		if err == nil {
			_, err = os.Stdin.Read(make([]byte, 1))
		}
		panic(err) // the test ends this process before that
	}
	os.Exit(m.Run())
}

// makePopulation makes processes for a test.
func makePopulation(t *testing.T, n int) *population {
	t.Helper()
	p, err := newPopulation(order{Processes: n, Chains: 3, Depth: depth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return p
}

func TestPopulation(t *testing.T) {
	p := makePopulation(t, 60)
	if got := len(p.parents()); got != 60 {
		t.Errorf("%d processes, not 60", got)
	}
	if got := len(p.asked()); got != 3 {
		t.Errorf("%d processes to ask about, not 3", got)
	}
	for i, pid := range p.asked() {
		want, err := above(pid)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ancestors(i); !slices.Equal(got, want) {
			t.Errorf("the ancestors of %d are %v, not %v", pid, want, got)
		}
		if want := max(depth, len(p.Above)+1); len(p.ancestors(i)) != want {
			t.Errorf("%d has %d ancestors, not %d", pid, len(p.ancestors(i)), want)
		}
	}
}

// pidfds opens a pidfd of each process of the population and of its head.
func pidfds(t *testing.T, p *population) []int {
	t.Helper()
	pids := []int{p.Head}
	for pid := range p.parents() {
		pids = append(pids, pid)
	}
	var fds []int
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatalf("%d: %v", pid, err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		fds = append(fds, fd)
	}
	return fds
}

func TestPopulationEndsWithClose(t *testing.T) {
	p := makePopulation(t, 60)
	fds := pidfds(t, p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds[1:] { // the head is reaped by who adopted it
		if err := unix.PidfdSendSignal(fd, 0, nil, 0); err != unix.ESRCH {
			t.Errorf("a process of the population has not been reaped: %v", err)
		}
	}
}

func TestPopulationEndsWithBench(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bench := exec.Command(exe)
	bench.Env = append(os.Environ(), holdVariable+"=1")
	bench.Stderr = os.Stderr
	stdin, err := bench.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := bench.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	var p population
	err = json.NewDecoder(bufio.NewReader(stdout)).Decode(&p.report)
	if err != nil {
		t.Fatal(errors.Join(err, bench.Process.Kill(), bench.Wait()))
	}
	fds := pidfds(t, &p)
	if err := bench.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = bench.Wait() // it was killed
	for _, fd := range fds {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(poll, 30_000)
			if err == unix.EINTR {
				continue
			}
			if n != 1 {
				t.Fatalf("the population goes on without the bench: %v", err)
			}
			break
		}
	}
}

func TestNoRoom(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		t.Fatal(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{most, maxPopulation + 1} {
		if err := checkRoom(n); err == nil {
			t.Errorf("there is room for %d processes", n)
		}
	}
	if _, err := newPopulation(order{Processes: 20, Chains: 3, Depth: 20}); err == nil || !strings.Contains(err.Error(), "cannot have 3 chains") {
		t.Errorf("20 processes in 3 chains of depth 20: %v", err)
	}
}
