package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by [Lock] for a file that another one writes.
var ErrLocked = errors.New("another recording is being written to it")

// ErrAbandoned is returned by [Follow] where the writer of a recording is gone, and
// has not ended it.
var ErrAbandoned = errors.New("the recording has no end, and nobody writes it")

// Lock locks a file that a recording is written to, until it is closed or the
// process has ended (F_OFD_SETLK of fcntl(2)). A reader can ask for the lock without
// taking it. Locked is false where the file is not one that can be locked.
func Lock(f *os.File) (locked bool, err error) {
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		return false, fmt.Errorf("%s: %w", f.Name(), ErrLocked)
	}
	return err == nil, nil
}

// isLocked reports whether somebody has locked the file.
func isLocked(f *os.File) bool {
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}
