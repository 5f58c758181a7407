package linuxtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long an actor may take for what it is told. It decides
// nothing but when a test that hangs is given up.
const patience = 60 * time.Second

// A set is all actors that came of one [Start].
type set struct {
	t        testing.TB
	addr     string // abstract, without the leading NUL
	listener *net.UnixListener
	token    atomic.Uint64

	mu     sync.Mutex
	hellos map[uint64]chan *channel // by token
	actors []*Actor
	files  []*net.UnixConn
}

// A channel is the test's end of the socket of one thread of an actor.
type channel struct {
	conn *net.UnixConn
	pid  int // of who connected, as the test sees it; zero if it did not
	msg  message
}

func newSet(t testing.TB) *set {
	t.Helper()
	subreaper(t, 1)
	s := &set{t: t, addr: "lineage-" + rand.Text(), hellos: map[uint64]chan *channel{}}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: "@" + s.addr, Net: "unixpacket"})
	if err != nil {
		t.Fatalf("a socket for the actors: %v", err)
	}
	s.listener = l
	go s.accept()
	t.Cleanup(s.close)
	return s
}

// LeaveOrphans makes the test binary no subreaper for the rest of the test, so
// that orphans go to the next one above it, or to init. Call it after the last
// [Start]; it is not for tests that run in parallel to others.
func LeaveOrphans(t testing.TB) {
	t.Helper()
	subreaper(t, 0)
	t.Cleanup(func() { subreaper(t, 1) })
}

// subreaper sets whether the test binary adopts orphans.
func subreaper(t testing.TB, on uintptr) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
		t.Fatalf("prctl: PR_SET_CHILD_SUBREAPER: %v", err)
	}
}

// accept hands each new channel to who waits for its token.
func (s *set) accept() {
	for {
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			return
		}
		c := &channel{conn: conn}
		if err := c.hello(); err != nil {
			_ = conn.Close() // whoever it was
			continue
		}
		s.mu.Lock()
		waiting := s.hellos[c.msg.args[0]]
		delete(s.hellos, c.msg.args[0])
		s.files = append(s.files, conn)
		s.mu.Unlock()
		if waiting != nil {
			waiting <- c
		}
	}
}

// expect returns a token, and where the channel that has it will come.
func (s *set) expect() (uint64, chan *channel) {
	token := s.token.Add(1)
	c := make(chan *channel, 1)
	s.mu.Lock()
	s.hellos[token] = c
	s.mu.Unlock()
	return token, c
}

func (s *set) add(a *Actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors = append(s.actors, a)
}

// close ends the actors and reaps them.
func (s *set) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors = slices.DeleteFunc(s.actors, func(a *Actor) bool { return a.pidfd == -1 })
	for _, a := range s.actors {
		if err := unix.PidfdSendSignal(a.pidfd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			s.t.Errorf("ending %d: %v", a.PID, err)
		}
	}
	for _, c := range s.files {
		_ = c.Close()
	}
	// Whoever has ended has no children any more. So when all have, those
	// that no actor reaped have been adopted by the test.
	for _, a := range s.actors {
		if err := AwaitEnd(a.pidfd); err != nil {
			s.t.Errorf("waiting for the end of %d: %v", a.PID, err)
		}
	}
	for _, a := range s.actors {
		_ = unix.Waitid(unix.P_PIDFD, a.pidfd, nil, unix.WEXITED|unix.WNOHANG, nil)
		for _, pid := range a.children {
			_, _ = unix.Wait4(pid, nil, unix.WALL, nil)
		}
		_ = unix.Close(a.pidfd)
	}
}

// AwaitEnd waits until the last thread of the process behind a pidfd has ended:
// pidfd_poll.
func AwaitEnd(pidfd int) error {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for limit := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, int(time.Until(limit).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("still there after %v", patience)
		default:
			return nil
		}
	}
}

// hello receives the first message of a channel and finds out whose it is.
func (c *channel) hello() error {
	if err := c.receive(); err != nil {
		return err
	}
	if c.msg.op != opHello {
		return fmt.Errorf("message %d instead of a greeting", c.msg.op)
	}
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil {
		return cerr
	}
	if err == nil {
		c.pid = int(cred.Pid)
	}
	return err
}

func (c *channel) receive() error {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	n, err := c.conn.Read(c.msg.bytes(dataSize))
	if err == nil && n < headerSize {
		err = fmt.Errorf("a message of %d bytes", n)
	}
	return err
}

func (c *channel) send(data int) error {
	_, err := c.conn.Write(c.msg.bytes(data))
	return err
}
