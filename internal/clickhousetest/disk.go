package clickhousetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk is a tmpfs that is mounted nowhere: it is reached through the descriptor
// that the test binary has of it, and nothing is left of it when that has ended.
type disk struct {
	root *os.File
}

// path is the path of the disk in any process.
func (d *disk) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), d.root.Fd()) }

// filling is the file that takes what room there is.
func (d *disk) filling() string { return filepath.Join(d.path(), "filling") }

func newDisk(t testing.TB, size int64) *disk {
	t.Helper()
	root, err := mountTmpfs(size)
	if err != nil {
		t.Fatalf("mounting a disk: %v", err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &disk{root}
}

func mountTmpfs(size int64) (root *os.File, err error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen of tmpfs: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fs)) }()
	if err := unix.FsconfigSetString(fs, "size", strconv.FormatInt(size, 10)); err != nil {
		return nil, fmt.Errorf("the size of a tmpfs: %w", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("making a tmpfs: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mounting a tmpfs: %w", err)
	}
	return os.NewFile(uintptr(fd), "tmpfs"), nil
}

// Fill takes all the room that is left on the disk of a server that [OldOnDisk]
// has started.
func (s *Server) Fill() {
	s.t.Helper()
	f, err := os.OpenFile(s.disk.filling(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	// As much as there is at once, then page by page.
	for _, size := range []int{1 << 20, os.Getpagesize()} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			s.t.Fatalf("filling the disk: %v", err)
		}
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// Free gives the room back that Fill has taken.
func (s *Server) Free() {
	s.t.Helper()
	if err := os.Remove(s.disk.filling()); err != nil {
		s.t.Fatal(err)
	}
}
