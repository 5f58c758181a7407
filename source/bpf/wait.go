package bpf

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter waits until the programs wake the reader.
type waiter struct {
	mu    sync.Mutex
	epoll int
	stop  int // an eventfd
}

func newWaiter(ringFD int) (*waiter, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	w := &waiter{epoll: epoll, stop: -1}
	w.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = w.close()
		return nil, os.NewSyscallError("eventfd2", err)
	}
	// A ring buffer can be read as soon as there is anything in it. The edge
	// is only where a program wakes the reader.
	for fd, events := range map[int]uint32{ringFD: unix.EPOLLIN | unix.EPOLLET, w.stop: unix.EPOLLIN} {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
			_ = w.close()
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	return w, nil
}

// maxTimeout is the longest time in milliseconds for which epoll_wait does
// without a timer.
const maxTimeout = 10_000

// wait is [Source.Wait].
func (w *waiter) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// A thread that only waits costs less than a timer that wakes another one.
	timeout := -1
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline).Milliseconds(); left > 0 && left < maxTimeout {
			timeout = int(left)
		}
	}
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	stopped := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		_, _ = unix.Write(w.stop, one)
		close(stopped)
	})
	var events [2]unix.EpollEvent
	for {
		n, err := unix.EpollWait(w.epoll, events[:], timeout)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if !undo() {
			<-stopped
			_, _ = unix.Read(w.stop, make([]byte, 8)) // for the next one
			return ctx.Err()
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		if n > 0 || timeout > 0 {
			return nil
		}
	}
}

func (w *waiter) close() error {
	err := unix.Close(w.epoll)
	if w.stop >= 0 {
		err = errors.Join(err, unix.Close(w.stop))
	}
	return err
}
