package bpf

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter waits until the programs wake the reader. It does so in the Go
// runtime's own poller: a thread that is blocked in a system call keeps the
// runtime's monitor awake, which takes more time than all the events.
type waiter struct {
	mu   sync.Mutex
	file *os.File // an epoll of the ring buffer
	raw  syscall.RawConn
}

func newWaiter(ringFD int) (*waiter, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// A ring buffer can be read as soon as there is anything in it. The edge
	// is only where a program wakes the reader.
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, ringFD, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(ringFD)})
	if err == nil {
		err = unix.SetNonblock(epoll, true) // so that os.NewFile hands it to the poller
	}
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	w := &waiter{file: os.NewFile(uintptr(epoll), "ring buffer")}
	if w.raw, err = w.file.SyscallConn(); err != nil {
		_ = w.close()
		return nil, err
	}
	return w, nil
}

func (w *waiter) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	deadline, _ := ctx.Deadline()
	if err := w.file.SetReadDeadline(deadline); err != nil {
		return err
	}
	stopped := make(chan struct{})
	undo := context.AfterFunc(ctx, func() {
		_ = w.file.SetReadDeadline(time.Unix(1, 0)) // long ago
		close(stopped)
	})
	var events [1]unix.EpollEvent
	var failed error
	err := w.raw.Read(func(fd uintptr) bool {
		n, err := unix.EpollWait(int(fd), events[:], 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = os.NewSyscallError("epoll_wait", err)
		}
		return n > 0 || failed != nil
	})
	if !undo() {
		<-stopped
		return ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded // which ctx is about to find
	}
	return errors.Join(failed, err)
}

func (w *waiter) close() error { return w.file.Close() }
