package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A population is sleeping processes that the bench made: the truth that the
// answers are compared with.
type population struct {
	report
	orders  io.Closer     // closing it ends them
	reports io.ReadCloser // at its end they have ended
}

// newPopulation makes n sleeping processes. So many of them as chains says are
// at a depth: they have that many ancestors, up to the first process of the
// PID namespace (or one more than the head of the population has, if that
// itself is as deep).
//
// The processes end with Close, and also when this program ends in any way.
func newPopulation(o order) (*population, error) {
	if err := checkRoom(o.Processes); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	launcher := exec.Command(exe)
	launcher.Env = []string{roleVariable + "=" + launcherRole}
	launcher.Stderr = os.Stderr
	fromBench, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	reports, fromHead, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, fromBench.Close(), orders.Close())
	}
	launcher.Stdin, launcher.Stdout = fromBench, fromHead
	// Once the launcher is reaped, the head has the parent that it keeps.
	err = errors.Join(launcher.Run(), fromBench.Close(), fromHead.Close())
	p := &population{orders: orders, reports: reports}
	if err == nil {
		err = json.NewEncoder(orders).Encode(o)
	}
	if err == nil {
		err = json.NewDecoder(reports).Decode(&p.report)
	}
	if err == nil && p.Error != "" {
		err = errors.New(p.Error)
	}
	if err == nil {
		err = p.verify(o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a population of %d: %w", o.Processes, err), p.Close())
	}
	return p, nil
}

// verify makes sure that all are there, each under its parent.
func (p *population) verify(o order) error {
	made := 0
	for pid, parent := range p.parents() {
		made++
		got, err := parentOf(pid)
		if err != nil {
			return err
		}
		if got != parent {
			return fmt.Errorf("the parent of %d is %d, not %d", pid, got, parent)
		}
	}
	if made != o.Processes {
		return fmt.Errorf("only %d were made", made)
	}
	return nil
}

// parents returns the parent of each sleeper.
func (p *population) parents() map[int]int {
	parents := make(map[int]int)
	for _, chain := range p.Chains {
		up := p.Head
		for _, pid := range chain {
			parents[pid] = up
			up = pid
		}
	}
	for _, pid := range p.Others {
		parents[pid] = p.Head
	}
	return parents
}

// asked returns the processes at the depth asked for, the last of each chain.
func (p *population) asked() []int {
	var pids []int
	for _, chain := range p.Chains {
		pids = append(pids, chain[len(chain)-1])
	}
	return pids
}

// ancestors returns the ancestors of the last process of a chain, nearest
// first.
func (p *population) ancestors(chain int) []int {
	pids := slices.Clone(p.Chains[chain])
	slices.Reverse(pids)
	return slices.Concat(pids[1:], []int{p.Head}, p.Above)
}

// depth returns how many ancestors the asked processes have.
func (p *population) depth() int { return len(p.ancestors(0)) }

// Close ends the processes and returns when all of them have been reaped.
func (p *population) Close() error {
	err := p.orders.Close()
	// The head holds the other end until it has reaped them.
	_, readErr := io.Copy(io.Discard, p.reports)
	return errors.Join(err, readErr, p.reports.Close())
}

// above returns the ancestors of a process, nearest first, without itself.
func above(pid int) ([]int, error) {
	var pids []int
	for {
		up, err := parentOf(pid)
		if err != nil {
			return nil, err
		}
		if up == 0 {
			return pids, nil
		}
		pids = append(pids, up)
		pid = up
	}
}

// parentOf returns the PID of the parent. It is written to be right and not to
// be fast, as the truth that others are held to.
func parentOf(pid int) (int, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	status, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "PPid:"); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s: no PPid", name)
}

// checkRoom fails where the machine or the user may not have n more processes
// and some to spare.
func checkRoom(n int) error {
	const spare = 1000 // for all else on the host
	if n > maxPopulation {
		return fmt.Errorf("%d processes are more than the bench makes, %d", n, maxPopulation)
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	need := n + len(all) + spare
	for _, name := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if need > limit {
			return fmt.Errorf("%d processes: %s is %d, and needs to be %d; raise it or ask for fewer with -processes", n, name, limit, need)
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return err
	}
	if os.Geteuid() != 0 && limit.Cur < uint64(n+spare) {
		return fmt.Errorf("%d processes: RLIMIT_NPROC is %d, and needs to be %d; raise it (ulimit -u) or ask for fewer with -processes", n, limit.Cur, n+spare)
	}
	return nil
}
