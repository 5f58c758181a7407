package linuxtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Link is one process of a chain.
type Link struct {
	PID int
	// PPID is what getppid(2) returned in it.
	PPID int
}

// Chain makes the actor, a bare one, the head of a chain of n more processes,
// each the child of the one before, and returns them in order. They live
// until the actor does no more; it takes no other command. If fewer could be
// made, the error says why.
func (a *Actor) Chain(n int) ([]Link, error) {
	a.set.t.Helper()
	m, err := a.command(opChain)
	if err != nil {
		return nil, err
	}
	if !a.bare || a.level != nil {
		return nil, errors.New("a chain begins with a bare actor in the test's PID namespace")
	}
	m.args[0] = uint64(n)
	if err := a.ch.send(0); err != nil {
		return nil, a.lost(err)
	}
	conn := a.ch.conn
	a.set.t.Cleanup(func() {
		// From the last one up, each ends and is reaped by its parent.
		_ = conn.Close()
		if err := AwaitEnd(a.pidfd); err != nil {
			a.set.t.Errorf("the chain below %d: %v", a.PID, err)
		}
	})
	links := make([]Link, 0, n)
	for len(links) < n {
		if err := a.ch.receive(); err != nil {
			return links, a.lost(err)
		}
		if m.op != opLink {
			return links, fmt.Errorf("clone3: %w", unix.Errno(m.args[0]))
		}
		links = append(links, Link{PID: int(m.args[1]), PPID: int(m.args[2])})
	}
	return links, nil
}

// EndChain ends a chain and returns when all of it but the actor, which is a
// zombie then, has been reaped.
func (a *Actor) EndChain() {
	a.set.t.Helper()
	_ = a.ch.conn.Close()
	a.end("end of a chain")
}

// Churn makes the actor, a bare one, have n children one after the other, of
// which it ends and reaps the oldest so that never more than keep, at most 64,
// live. With none kept, each ends by itself. It returns the PIDs of those that
// live now, who count for the next Churn.
func (a *Actor) Churn(n, keep int) ([]int, error) {
	a.set.t.Helper()
	if !a.bare || a.level != nil || keep > window {
		return nil, errors.New("a bare actor in the test's PID namespace keeps at most " + strconv.Itoa(window) + " children")
	}
	const most = 1000 // at a time, so that each may take some of its patience
	for left := n; ; left -= most {
		m, err := a.command(opChurn)
		if err != nil {
			return nil, err
		}
		part := min(left, most)
		m.args[0], m.args[1] = uint64(part), uint64(keep)
		made, err := a.call(0)
		if err != nil {
			return nil, err
		}
		if int(made) != part {
			return nil, fmt.Errorf("%d of %d children", n-left+int(made), n)
		}
		if left <= most {
			a.children = living(m)
			return a.children, nil
		}
	}
}

// living returns the PIDs of the children that an answer tells of.
func living(m *message) (alive []int) {
	for i := range window {
		if pid := binary.NativeEndian.Uint64(m.data[8*i:]); pid != 0 {
			alive = append(alive, int(pid))
		}
	}
	return alive
}

// PIDs returns after how many new processes and threads the PIDs go round. The
// kernel begins again after the first 300 (RESERVED_PIDS).
func PIDs() (int, error) {
	n, err := number("/proc/sys/kernel/pid_max")
	return n - 300, err
}

// Room returns how many more processes the test may make, by what kernel.pid_max
// and kernel.threads-max have left, and by half of its user's limit
// (RLIMIT_NPROC). It leaves some to others.
func Room() (int, error) {
	pids, err := number("/proc/sys/kernel/pid_max")
	if err != nil {
		return 0, err
	}
	threads, err := number("/proc/sys/kernel/threads-max")
	if err != nil {
		return 0, err
	}
	// The fourth word of /proc/loadavg is RUNNABLE/ALL, of all threads.
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == '/' })
	taken, err := strconv.Atoi(words[4])
	if err != nil {
		return 0, fmt.Errorf("/proc/loadavg: %w", err)
	}
	const others = 3000
	room := max(0, min(pids, threads)-taken-others)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
		return 0, err
	}
	if os.Geteuid() != 0 && limit.Cur/2 < uint64(room) {
		room = int(limit.Cur / 2)
	}
	return room, nil
}

func number(name string) (int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
