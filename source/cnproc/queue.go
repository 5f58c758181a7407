package cnproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
)

// maxQueue is how many messages are held at most outside of the socket, of 40
// bytes each. With so many, no process that is read is certain to be the one
// that a message is about (look), so it is more than large sockets hold.
const maxQueue = 1 << 18

// A queue is the messages that were received and not dealt with.
type queue struct {
	messages []message
	head     int
	pending  map[int32]counts
}

// counts is how many messages of a PID are in the queue.
type counts struct{ forks, exits int32 }

func (q *queue) len() int { return len(q.messages) - q.head }

func (q *queue) push(m message) {
	if q.head > 1024 && q.head > len(q.messages)/2 {
		q.messages = q.messages[:copy(q.messages, q.messages[q.head:])]
		q.head = 0
	}
	q.messages = append(q.messages, m)
	q.count(m, 1)
}

func (q *queue) pop() message {
	m := q.messages[q.head]
	q.head++
	if q.head == len(q.messages) {
		q.messages, q.head = q.messages[:0], 0
	}
	q.count(m, -1)
	return m
}

func (q *queue) count(m message, n int32) {
	c := q.pending[m.pid]
	switch {
	case m.what == whatFork && m.tid == m.pid:
		c.forks += n
	case m.what == whatExit:
		c.exits += n
	default:
		return
	}
	if c == (counts{}) {
		delete(q.pending, m.pid)
		return
	}
	if q.pending == nil {
		q.pending = make(map[int32]counts)
	}
	q.pending[m.pid] = c
}

// receive moves messages from the socket to the queue, and reports whether
// that is all there were.
//
// The kernel drops messages from when the socket has no room until it has been
// emptied (netlink_broadcast_deliver, netlink_rcv_wake), so one overrun ends
// where nothing is left to receive. It says ENOBUFS before it hands over what
// was queued before the overrun.
func (s *Source) receive() (all bool) {
	defer s.setOffset()
	for s.queue.len() < maxQueue {
		b, err := s.datagram()
		switch {
		case errors.Is(err, unix.EAGAIN):
			if s.overrun {
				s.overrun = false
				s.marks++
				s.push(message{what: markOverrunEnd, at: linux.Boottime()})
			}
			return true
		case errors.Is(err, unix.ENOBUFS):
			if !s.overrun {
				s.overrun = true
				s.push(message{what: markOverrun})
			}
			continue
		case err != nil:
			s.fail(fmt.Errorf("cnproc: %w", err))
			return false
		}
		for len(b) > 0 {
			var m message
			var ok bool
			m, ok, b = parse(b)
			if ok && m.what != whatNone {
				s.push(m)
			}
		}
	}
	return false
}

func (s *Source) push(m message) {
	s.queue.push(m)
	s.unread.Store(int64(s.queue.len()))
}

// datagram receives what the kernel sent, without waiting. Others with
// CAP_NET_ADMIN may send to the socket too, which is left out.
func (s *Source) datagram() ([]byte, error) {
	for {
		var from unix.RawSockaddrNetlink
		size := uint32(unsafe.Sizeof(from))
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&s.room[0])), uintptr(len(s.room)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from)), uintptr(unsafe.Pointer(&size)))
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return nil, errno
		case from.Pid == 0:
			return s.room[:n], nil
		}
	}
}

// Pending reports whether there is anything to drain. It costs one poll(2)
// that does not wait.
func (s *Source) Pending() bool {
	// A message on its way from the socket to emit is either still in the
	// socket when that is asked, or found by what is asked after it.
	return readable(s.fd) || s.busy.Load() || s.unread.Load() > 0
}

// readable reports whether poll(2) finds something to read, of a socket a
// message or an error and of a pidfd the end of the process.
func readable(fd int) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds[:], 0)
		if !errors.Is(err, unix.EINTR) {
			return err != nil || n > 0
		}
	}
}

// delay is how long messages may gather before Wait returns: a reader that is
// woken by each of them slows those who make them, and one that is slow finds
// fewer processes still there.
const delay = time.Millisecond

// Wait returns a moment after there is something to drain, or with the error
// of ctx. Who wants to know processes that live shortly drains when it returns.
func (s *Source) Wait(ctx context.Context) error {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	stopped := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // it fails only once closed, which ends the wait too
		close(stopped)
	})
	err := s.raw.Read(func(uintptr) bool { return readable(s.fd) || s.unread.Load() > 0 })
	if !undo() {
		<-stopped
		return errors.Join(ctx.Err(), s.conn.SetReadDeadline(time.Time{}))
	}
	if err != nil {
		return fmt.Errorf("cnproc: %w", err)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// setOffset finds out what the boot clock is ahead of the kernel's monotonic
// one, by which messages are told: the time that the host was suspended, which
// only grows. Each look at the clocks, one between two at the other, bounds it
// from both sides. A message from before a suspend that is received after it
// seems to be as late as that one's end.
func (s *Source) setOffset() {
	before, err := monotonic()
	boot := int64(linux.Boottime())
	after, err2 := monotonic()
	if err := errors.Join(err, err2); err != nil {
		s.fail(err)
		return
	}
	low, high := boot-(after-s.skew), boot-(before-s.skew)
	if s.offset == 0 && s.offsetMax == 0 || low > s.offsetMax {
		s.offset, s.offsetMax = low, high
		return
	}
	s.offset, s.offsetMax = max(s.offset, low), min(s.offsetMax, high)
}

func monotonic() (int64, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano(), os.NewSyscallError("clock_gettime", err)
}

// time turns an instant of the kernel's monotonic clock into one of the boot
// clock, or one that is a moment too early.
func (s *Source) time(at uint64) process.Instant {
	return process.Instant(int64(at) + s.offset)
}

// readSince reports whether it is certain that the process was read after what
// the message tells of had happened.
func (s *Source) readSince(p *proc, m message) bool {
	return p.readAt > process.Instant(int64(m.at)+s.offsetMax)
}
