package container

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
)

// first is the first process of a container, and the cgroup that is the
// container's because that process is in it.
type first struct {
	pidfd int
	path  string // of the container group
}

// openFirst reads which cgroup the first process of a container is in. It
// reports false where that cannot be a container's: it is the root, or that of
// the process's parent or above it, or a path that says what it is; and
// where the process began later than the container: the PID was another's.
func openFirst(procPath string, pid int, started time.Time) (*first, bool) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, false
	}
	f := &first{pidfd: pidfd}
	if beganBy(procPath, pid, started) && f.locate(procPath, pid) && f.alive() { // and so it had the PID all the while
		return f, true
	}
	f.close()
	return nil, false
}

func (f *first) locate(procPath string, pid int) (ok bool) {
	if f.path, ok = groupOf(procPath, pid); !ok || Explained(f.path) {
		return false
	}
	parent, ok := parentOf(procPath, pid)
	if !ok {
		return false
	}
	around, ok := groupOf(procPath, parent)
	return ok && around != f.path && !strings.HasPrefix(around, f.path+"/")
}

// alive reports whether the process has not ended: a pidfd can be read when it
// has (pidfd_poll).
func (f *first) alive() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.pidfd), Events: unix.POLLIN}}, 0)
	return err == nil && n == 0
}

func (f *first) close() { _ = unix.Close(f.pidfd) }

// mostText is more than the kernel shows in the files that are read here.
const mostText = 1 << 16

func readProc(procPath string, pid int, name string) ([]byte, bool) {
	f, err := os.Open(filepath.Join(procPath, strconv.Itoa(pid), name))
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, mostText))
	return text, err == nil
}

func groupOf(procPath string, pid int) (string, bool) {
	text, ok := readProc(procPath, pid, "cgroup")
	if !ok {
		return "", false
	}
	return cgroup.Group(string(text))
}

// statOf returns a field of /proc/PID/stat by its number in proc_pid_stat(5), of
// those from the state on (do_task_stat).
func statOf(procPath string, pid, number int) (uint64, bool) {
	text, ok := readProc(procPath, pid, "stat")
	if !ok {
		return 0, false
	}
	// The name may have any byte in it; what follows its last ")" is numbers.
	const first = 3
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= number-first {
		return 0, false
	}
	n, err := strconv.ParseUint(string(fields[number-first]), 10, 64)
	return n, err == nil
}

// parentOf returns the PID of the parent.
func parentOf(procPath string, pid int) (int, bool) {
	ppid, ok := statOf(procPath, pid, 4)
	return int(ppid), ok && ppid > 0
}

// slack is by how much clocks and runtimes may be off.
const slack = time.Second

// beganBy reports whether the process began no later than the time, if that is
// known.
func beganBy(procPath string, pid int, t time.Time) bool {
	start, ok := statOf(procPath, pid, 22)
	if !ok || t.IsZero() {
		return ok
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return false
	}
	age := time.Duration(now.Nano()) - time.Duration(start)*(time.Second/userHZ)
	return !time.Now().Add(-age).After(t.Add(slack))
}

// userHZ is how many ticks of /proc/PID/stat a second has (USER_HZ).
const userHZ = 100
