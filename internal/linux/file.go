package linux

import (
	"errors"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AtCWD makes a relative path start at the working directory.
const AtCWD = unix.AT_FDCWD

// OpenAt is openat(2) with O_CLOEXEC, for a path that ends in a NUL byte, so
// that a path built in a buffer costs no allocation.
func OpenAt(dir int, path []byte, flags int) (int, error) {
	if len(path) == 0 || path[len(path)-1] != 0 {
		return -1, unix.EINVAL
	}
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
			uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINTR:
		default:
			return -1, errno
		}
	}
}

// ReadFileAt reads a whole file of procfs into buf as [ReadAll] does. A file of
// more than one record, such as mountinfo, it may read in part: see
// [ReadRecordsAt].
func ReadFileAt(dir int, path, buf []byte) ([]byte, error) {
	fd, err := OpenAt(dir, path, unix.O_RDONLY)
	if err != nil {
		return buf[:0], err
	}
	defer unix.Close(fd)
	return ReadAll(fd, buf)
}

// ReadRecordsAt reads a file of procfs that has many records, such as mountinfo,
// to its end. One read(2) gives as many records of such a file as a page has room
// for (seq_read_iter), so what it returns is of more than one moment.
func ReadRecordsAt(dir int, path []byte) ([]byte, error) {
	fd, err := OpenAt(dir, path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text := make([]byte, 0, 8192)
	for {
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return text, nil
		default:
			text = slices.Grow(text[:len(text)+n], 4096)
		}
	}
}

// ReadAll reads a whole open file of procfs of one record with one read(2), so
// that what it returns is from one moment, into buf, or a longer one where buf
// has no room.
func ReadAll(fd int, buf []byte) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 4096)
	}
	for {
		buf = buf[:cap(buf)]
		n, err := unix.Pread(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return buf[:0], err
		case n < len(buf):
			return buf[:n], nil
		default:
			buf = make([]byte, 2*len(buf))
		}
	}
}
