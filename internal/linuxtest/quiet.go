package linuxtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The tests of several packages run side by side, and the kernel's buffers of
// events are for what the whole host does. A test that makes so many processes
// that they overflow, and one that must not miss an event, wait for each other.

// quiet is what the tests of this process share that are quiet.
var quiet struct {
	sync.Mutex
	tests int
	host  *os.File
}

// Quiet waits until no test makes a [Storm], and holds those off until this
// test has ended. A test that does so makes none.
func Quiet(t testing.TB) {
	t.Helper()
	quiet.Lock()
	defer quiet.Unlock()
	if quiet.tests == 0 {
		var err error
		if quiet.host, err = theHost(unix.LOCK_SH); err != nil {
			t.Fatalf("waiting for the end of a storm: %v", err)
		}
	}
	quiet.tests++
	t.Cleanup(func() {
		quiet.Lock()
		defer quiet.Unlock()
		if quiet.tests--; quiet.tests == 0 {
			_ = quiet.host.Close()
		}
	})
}

// Storm waits until no other test makes a storm of processes or is [Quiet], and
// holds those off until over is called.
func Storm(t testing.TB) (over func()) {
	t.Helper()
	host, err := theHost(unix.LOCK_EX)
	if err != nil {
		t.Fatalf("waiting for others, to make a storm: %v", err)
	}
	return func() { _ = host.Close() }
}

// theHost returns the file that stands for the host, locked.
func theHost(how int) (*os.File, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("lineage-tests-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	// Who waits for the host stands in the door, where nobody passes: else
	// those that share it might never leave it to a storm.
	door, err := locked(filepath.Join(dir, "door"), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer func() { _ = door.Close() }()
	return locked(filepath.Join(dir, "host"), how)
}

func locked(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
}
