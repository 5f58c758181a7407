package linuxtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// An Actor is a process that does what the test tells it. The methods of its
// [Thread] are done by its leader, or by another thread once the leader has
// ended. Methods fail the test when what they do fails, unless they return an
// error. An Actor is not safe for concurrent use; two actors of a test may be
// used side by side.
type Actor struct {
	*Thread

	// PID is its ID as the test sees it, also where it is in a PID
	// namespace of its own.
	PID int
	// Told is its PID as clone told who made it, in the PID namespace of
	// that one. It is zero of a first actor and of a vfork.
	Told int

	set     *set
	level   *level // its PID namespace, nil for the test's
	inner   int    // its PID there
	pidfd   int
	bare    bool // no Go program
	threads []*Thread

	children []int // of Churn

	notBefore, notAfter process.Instant
}

// level is a PID namespace below the test's.
type level struct{ _ byte }

// StartOptions are what the first actor is to be like.
type StartOptions struct {
	// NewPID makes it the init of a new PID namespace, for which an
	// ordinary user gets a user namespace too. It needs [PIDNamespace].
	NewPID bool
}

// Start makes a child of the test binary.
func Start(t testing.TB) *Actor {
	t.Helper()
	return StartWith(t, StartOptions{})
}

// StartWith makes a child of the test binary.
func StartWith(t testing.TB, o StartOptions) *Actor {
	t.Helper()
	s := newSet(t)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("a channel for an actor: %v", err)
	}
	file := os.NewFile(uintptr(ends[0]), "channel")
	conn, err := net.FileConn(file)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatalf("a channel for an actor: %v", err)
	}
	a := &Actor{set: s, notBefore: Now(), pidfd: -1}
	var sys syscall.SysProcAttr
	if o.NewPID {
		a.level = new(level)
		sys = newPIDNamespace()
	}
	sys.PidFD = &a.pidfd
	token := s.token.Add(1)
	a.PID, err = syscall.ForkExec("/proc/self/exe", os.Args[:1], &syscall.ProcAttr{
		Env:   actorEnviron(fmt.Sprintf("%s,%d,%d", s.addr, token, channelFD)),
		Files: []uintptr{0, 1, 2, uintptr(ends[1])},
		Sys:   &sys,
	})
	_ = unix.Close(ends[1])
	if err != nil {
		t.Fatalf("starting an actor: %v", err)
	}
	if a.pidfd == -1 {
		a.pidfd, err = unix.PidfdOpen(a.PID, 0)
		if err != nil {
			t.Fatalf("opening actor %d: %v", a.PID, err)
		}
	}
	s.add(a)
	ch := &channel{conn: conn.(*net.UnixConn)}
	s.mu.Lock()
	s.files = append(s.files, ch.conn)
	s.mu.Unlock()
	err = ch.hello()
	ch.pid = a.PID
	if err == nil {
		err = a.greeted(ch)
	}
	if err != nil {
		t.Fatalf("starting an actor: %v", err)
	}
	return a
}

// newPIDNamespace returns how to make a PID namespace as who the test runs as.
func newPIDNamespace() syscall.SysProcAttr {
	sys := syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		sys.Cloneflags |= unix.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return sys
}

// actorEnviron is all the environment of an actor. The garbage collector has
// nothing to do there, and its threads would only stand in the way.
func actorEnviron(value string) []string {
	return []string{actorEnv + "=" + value, "GOMAXPROCS=4", "GOGC=off"}
}

// greeted takes in the first message of the actor's leader, and, where the
// actor is new, who it is.
func (a *Actor) greeted(ch *channel) error {
	th := newThread(a, ch)
	a.inner = int(ch.msg.args[1])
	a.threads = []*Thread{th}
	a.Thread = th
	if a.PID != 0 && a.notAfter != 0 {
		return nil
	}
	a.notAfter = Now()
	if a.PID == 0 {
		a.PID = ch.pid
		fd, err := unix.PidfdOpen(a.PID, 0) // it waits for us, so it is still itself
		if err != nil {
			return fmt.Errorf("opening actor %d: %w", a.PID, err)
		}
		a.pidfd = fd
		a.set.add(a)
	}
	return nil
}

// forget takes an ended thread out. If it was the one that does what the actor
// is told, another one does it now.
func (a *Actor) forget(th *Thread) {
	a.threads = slices.DeleteFunc(a.threads, func(other *Thread) bool { return other == th })
	if a.Thread == th && len(a.threads) > 0 {
		a.Thread = a.threads[0]
	}
}

// Born returns between which two moments the process began.
func (a *Actor) Born() (notBefore, notAfter process.Instant) { return a.notBefore, a.notAfter }

// Inode returns the inode of the process in pidfs, see [Pidfs].
func (a *Actor) Inode() uint64 {
	a.set.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(a.pidfd, &st); err != nil {
		a.fatal("fstat of its pidfd", err)
	}
	return st.Ino
}

// ID returns the identity of the process as /proc tells it, with the inode
// where the kernel has one. The process must not have been reaped.
func (a *Actor) ID() process.ID {
	a.set.t.Helper()
	id := process.ID{PID: a.PID, Start: process.FromTicks(a.Stat().Start), Precision: process.ToTick}
	if Has(Pidfs) {
		id.Inode = a.Inode()
	}
	return id
}

// Stat reads /proc/PID/stat of the process.
func (a *Actor) Stat() Stat {
	a.set.t.Helper()
	s, err := ReadStat(a.PID)
	if err != nil {
		a.fatal("its stat", err)
	}
	return s
}

// Getpid returns what getpid(2) returns in the actor, in its PID namespace.
func (a *Actor) Getpid() int {
	a.set.t.Helper()
	return int(a.must("getpid", unix.SYS_GETPID))
}

// Getppid returns what getppid(2) returns in the actor, in its PID namespace.
func (a *Actor) Getppid() int {
	a.set.t.Helper()
	return int(a.must("getppid", unix.SYS_GETPPID))
}

// SetSubreaper makes the process one that adopts the orphans below it, or
// again one that does not.
func (a *Actor) SetSubreaper(on bool) {
	a.set.t.Helper()
	value := 0
	if on {
		value = 1
	}
	a.must("PR_SET_CHILD_SUBREAPER", unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, value, 0, 0, 0)
}

// Setsid makes the process the leader of a new session.
func (a *Actor) Setsid() {
	a.set.t.Helper()
	a.must("setsid", unix.SYS_SETSID)
}

// Setpgid puts the process in the process group, zero for one of its own.
func (a *Actor) Setpgid(pgid int) {
	a.set.t.Helper()
	a.must("setpgid", unix.SYS_SETPGID, 0, pgid)
}

// Move puts the process, with all its threads, in the cgroup.
func (a *Actor) Move(g *Cgroup) {
	a.set.t.Helper()
	if err := g.add(a.PID); err != nil {
		a.fatal("move", err)
	}
}

// Exit ends the process with the status (exit_group). When it returns the
// process is a zombie, unless its parent has reaped it already, and its
// children are adopted.
func (a *Actor) Exit(status int) {
	a.set.t.Helper()
	m, err := a.command(opSyscall)
	if err == nil {
		m.nr, m.args[0] = unix.SYS_EXIT_GROUP, uint64(status)
		err = a.ch.send(0)
	}
	if err != nil {
		a.fatal("exit", err)
	}
	a.end("exit")
}

// Kill ends the process by a signal that it does not survive.
func (a *Actor) Kill(sig syscall.Signal) {
	a.set.t.Helper()
	if err := unix.PidfdSendSignal(a.pidfd, sig, nil, 0); err != nil {
		a.fatal("kill", err)
	}
	a.end("kill")
}

func (a *Actor) end(doing string) {
	a.set.t.Helper()
	if err := AwaitEnd(a.pidfd); err != nil {
		a.fatal(doing, err)
	}
	for _, th := range a.threads {
		_ = th.ch.conn.Close()
	}
}

// ExitLeader ends the leader alone, with another thread to go on, which is
// made if there is none. It returns when the kernel shows the leader ended.
func (a *Actor) ExitLeader() {
	a.set.t.Helper()
	leader := a.Thread
	if leader.TID != a.inner {
		a.fatal("exit of the leader", errors.New("it has ended already"))
	}
	if len(a.threads) == 1 {
		a.NewThread()
	}
	leader.Exit()
}

// NewThread makes a thread, which can do what the actor can do.
func (a *Actor) NewThread() *Thread {
	a.set.t.Helper()
	if a.bare {
		a.fatal("new thread", errors.New("not a Go program; call Exec first"))
	}
	token, hello := a.set.expect()
	m, err := a.command(opThread)
	if err == nil {
		m.args[0] = token
		_, err = a.call(0)
	}
	if err != nil {
		a.fatal("new thread", err)
	}
	select {
	case ch := <-hello:
		th := newThread(a, ch)
		a.threads = append(a.threads, th)
		return th
	case <-time.After(patience):
		a.fatal("new thread", errors.New("it does not come forward"))
		return nil
	}
}

// Wait reaps a child, which it waits for, and returns how it ended. To reap
// one, an actor must be its parent.
func (a *Actor) Wait(c *Actor) syscall.WaitStatus {
	a.set.t.Helper()
	pid := c.PID
	switch {
	case a.level == c.level:
		pid = c.inner
	case a.level != nil:
		a.fatal("wait", errors.New("the child has no PID that is known in this PID namespace"))
	}
	status := make([]byte, 4)
	r := a.must(fmt.Sprintf("wait for %d", pid), unix.SYS_WAIT4, pid, status, unix.WALL, 0)
	if int(r) != pid {
		a.fatal("wait", fmt.Errorf("reaped %d instead of %d", r, pid))
	}
	c.release()
	return waitStatus(status)
}

// release closes the pidfd of a process that has been reaped.
func (a *Actor) release() {
	_ = unix.Close(a.pidfd)
	a.pidfd = -1
}

// Reap reaps an actor whose parent is the test.
func (a *Actor) Reap() syscall.WaitStatus {
	a.set.t.Helper()
	var status syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(a.PID, &status, syscall.WALL, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			a.fatal("reap", err)
		case pid == a.PID:
			a.release()
			return status
		}
	}
}
