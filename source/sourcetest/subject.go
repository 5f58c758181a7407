package sourcetest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// A subject is a process of which the truth is known.
type subject struct {
	*linuxtest.Actor // nil for a process that does not do as told

	run     *run
	label   string
	pid     int
	ticks   uint64          // its start
	from    process.Instant // between which it began
	to      process.Instant
	inode   uint64 // in pidfs, zero where the kernel has none
	state   process.State
	parent  *subject
	creator *subject
	busy    bool // it can be asked nothing now
	inner   bool // its getppid is of another PID namespace

	name               string
	groupID, sessionID int
	tty                int
	membership, group  string

	status       syscall.WaitStatus
	died, buried process.Instant // between which it ended
	adopter      *subject        // who got its children then
	named        *subject        // who was to get them when it ended, if another one
	last         *subject        // its parent then
	used         use
	told         process.ID // what the source called it

	born   state
	execs  []program
	untold untold // what it is and no event told
}

// state is what a subject was at some instant.
type state struct {
	parent                  *subject
	name                    string
	groupID, sessionID, tty int
	membership, group       string
	owner                   process.Owner
	pids                    []int // in each PID namespace
}

// program is one that a subject runs, begun between two instants.
type program struct {
	file     string
	args     []string
	from, to process.Instant
	state    state
}

// untold is a set of facts.
type untold uint8

const (
	untoldName untold = 1 << iota
	untoldIDs
	untoldCgroup // told unless source.MovesUnseen
)

func (s *subject) String() string { return fmt.Sprintf("%s (%d)", s.label, s.pid) }

// self is the test binary.
func (r *run) self() *subject { return r.stranger("the test", os.Getpid()) }

// stranger is a process that lives as long as the test, of which only the
// identity is known.
func (r *run) stranger(label string, pid int) *subject {
	r.t.Helper()
	st, err := linuxtest.ReadStat(pid)
	if err != nil {
		r.t.Fatal(err)
	}
	s := &subject{label: label, pid: pid, ticks: st.Start, to: linuxtest.Now(), state: process.Alive}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		var stat unix.Stat_t
		if linuxtest.Has(linuxtest.Pidfs) && unix.Fstat(fd, &stat) == nil {
			s.inode = stat.Ino
		}
		_ = unix.Close(fd)
	}
	return s
}

// start makes a child of the test, which is a Go program.
func (r *run) start(label string) *subject {
	r.t.Helper()
	return r.startWith(label, linuxtest.StartOptions{})
}

func (r *run) startWith(label string, o linuxtest.StartOptions) *subject {
	r.t.Helper()
	s := r.cast1(label, linuxtest.StartWith(r.t, o), r.test, r.test)
	s.execs = []program{{file: "exe", from: s.from, to: s.to, state: s.born}}
	s.born.name = "" // that of the test's thread
	return s
}

// cast1 takes a new actor in.
func (r *run) cast1(label string, a *linuxtest.Actor, parent, creator *subject) *subject {
	r.t.Helper()
	s := &subject{Actor: a, run: r, label: label, pid: a.PID, parent: parent, creator: creator, state: process.Alive}
	s.from, s.to = a.Born()
	id := a.ID()
	s.ticks, s.inode = uint64(id.Start)/uint64(process.Tick), id.Inode
	if id.Start > s.to || id.Start+process.Instant(process.Tick) <= s.from {
		r.t.Fatalf("%v began at %d, not between %d and %d", s, id.Start, s.from, s.to)
	}
	s.born = r.now(s)
	r.cast = append(r.cast, s)
	r.news = r.live != nil
	return s
}

// now reads what a process is that does nothing meanwhile.
func (r *run) now(s *subject) state {
	r.t.Helper()
	st := s.Stat()
	b := state{parent: s.parent, name: st.Name, groupID: max(st.PGRP, 0), sessionID: max(st.Session, 0), tty: st.TTY}
	membership, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.pid))
	if err != nil {
		r.t.Fatal(err)
	}
	b.membership = string(membership)
	b.group, _ = cgroup.Group(b.membership)
	b.pids = r.numbers(s.pid, "NSpid")
	uids, gids := r.numbers(s.pid, "Uid"), r.numbers(s.pid, "Gid")
	b.owner = process.Owner{Known: true, UID: uids[0], EffectiveUID: uids[1], GID: gids[0], EffectiveGID: gids[1]}
	return b
}

// numbers reads a field of /proc/PID/status.
func (r *run) numbers(pid int, field string) []int {
	r.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	var numbers []int
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(line, field+":")
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(value) {
			n, err := strconv.Atoi(word)
			if err != nil {
				r.t.Fatalf("%s of %d: %v", field, pid, err)
			}
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Exec makes the subject run another program.
func (s *subject) Exec(name string, args ...string) { s.run.exec(s, s.Thread, name, args...) }

// exec makes a thread of the subject run another program.
func (r *run) exec(s *subject, th *linuxtest.Thread, name string, args ...string) {
	r.t.Helper()
	x := program{file: name, args: args, from: linuxtest.Now()}
	th.Exec(name, args...)
	x.to = linuxtest.Now()
	x.state = r.now(s)
	s.execs = append(s.execs, x)
	s.untold &^= untoldName | untoldIDs
	r.news = r.live != nil
}

// SetName gives the subject another name, of which no event tells.
func (s *subject) SetName(name string) {
	s.Actor.SetName(name)
	s.untold |= untoldName
}

// Setsid makes the subject the leader of a session, of which no event tells.
func (s *subject) Setsid() {
	s.Actor.Setsid()
	s.untold |= untoldIDs
}

// Setpgid gives the subject another process group, of which no event tells.
func (s *subject) Setpgid(pgid int) {
	s.Actor.Setpgid(pgid)
	s.untold |= untoldIDs
}

// Move puts the subject in another cgroup.
func (s *subject) Move(g *linuxtest.Cgroup) {
	s.Actor.Move(g)
	s.untold |= untoldCgroup
}

func (r *run) fork(s *subject, label string) *subject {
	r.t.Helper()
	return r.clone(s, label, linuxtest.CloneOptions{})
}

func (r *run) clone(s *subject, label string, o linuxtest.CloneOptions) *subject {
	r.t.Helper()
	parent := s
	if o.Parent {
		parent = s.parent
	}
	c := r.cast1(label, s.Clone(o), parent, s)
	c.inner = s.inner || o.NewPID
	s.busy = o.Vfork
	return c
}

// exit ends a process, whose children the adopter has from then on.
func (r *run) exit(s *subject, status int, adopter *subject) {
	r.t.Helper()
	r.end(s, adopter, func() { s.Exit(status) })
	s.status = syscall.WaitStatus(status << 8)
}

// kill ends a process by a signal.
func (r *run) kill(s *subject, sig syscall.Signal, adopter *subject) {
	r.t.Helper()
	r.end(s, adopter, func() { s.Kill(sig) })
	s.status = syscall.WaitStatus(sig)
}

func (r *run) end(s, adopter *subject, act func()) {
	r.t.Helper()
	r.refresh(s)
	if r.live != nil && s.Actor != nil && !s.busy {
		r.measure(s)
	}
	s.died = linuxtest.Now()
	act()
	s.buried = linuxtest.Now()
	s.state, s.adopter, s.last = process.Zombie, adopter, s.parent
	r.news = r.live != nil && !r.limits[source.ExitsLate]
	for _, c := range r.cast {
		if c.parent == s && c.state != process.Ended {
			c.parent = adopter
		}
	}
}

// reap makes the parent of a zombie reap it.
func (r *run) reap(s *subject) {
	r.t.Helper()
	var got syscall.WaitStatus
	if s.parent == r.test {
		got = s.Reap()
	} else {
		got = s.parent.Wait(s.Actor)
	}
	if got != s.status {
		r.t.Fatalf("%v ended with %#x, want %#x", s, got, s.status)
	}
	s.state = process.Ended
}

// leave ends and reaps a process.
func (r *run) leave(s, adopter *subject) {
	r.t.Helper()
	r.exit(s, 0, adopter)
	r.reap(s)
}

// refresh asks a living process what it is now.
func (r *run) refresh(s *subject) {
	r.t.Helper()
	if s.Actor == nil || s.busy || s.state != process.Alive {
		return
	}
	s.name = strings.TrimSuffix(s.ReadFile("/proc/self/comm"), "\n")
	// A thread's, since a leader that has ended is in no cgroup of v1.
	s.membership = s.ReadFile("/proc/thread-self/cgroup")
	s.group, _ = cgroup.Group(s.membership)
	var errs [3]error
	s.groupID, errs[0] = unix.Getpgid(s.pid)
	s.sessionID, errs[1] = unix.Getsid(s.pid)
	st, err := linuxtest.ReadStat(s.pid)
	s.tty, errs[2] = st.TTY, err
	if i := slices.IndexFunc(errs[:], func(err error) bool { return err != nil }); i >= 0 {
		r.t.Fatalf("%v: %v", s, errs[i])
	}
	if s.inner {
		return
	}
	if got := s.Getppid(); got != s.parent.pid {
		r.t.Fatalf("getppid in %v is %d: the scene is wrong, which has %v", s, got, s.parent)
	}
}

// is reports whether the identity is that of the subject.
func (s *subject) is(id process.ID) bool {
	first := process.FromTicks(s.ticks)
	switch {
	case id.PID != s.pid || !id.Known():
		return false
	case id.Inode != 0 && s.inode != 0 && id.Inode != s.inode:
		return false
	case id.Precision == process.ToTick:
		return id.Start == first
	case id.Precision == process.Exact:
		return first <= id.Start && id.Start < first+process.Instant(process.Tick) && s.from <= id.Start && id.Start <= s.to
	default:
		return true
	}
}
