package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// A process is in one PID namespace for all its life (task_active_pid_ns):
// setns(2) and unshare(2) choose that of its children. Its struct pid has a
// number for each namespace from the first one to its own, which the line NStgid
// of /proc/PID/status shows from the one of the mount on (task_state). The link
// /proc/PID/ns/pid shows its own namespace, and ioctl NS_GET_PARENT of a file of
// it the one around that (pidns_get_parent).

const namespaceName = "ns/pid"

var namespacePath = []byte(namespaceName + "\x00")

// Namespace returns the inode number of the PID namespace of the mount, which is
// the reader's own. It is zero where the kernel has no PID namespaces.
func (s *Source) Namespace() uint64 { return s.namespace }

// Inside reports whether the process that holds the PID has the PID inner in a
// PID namespace below that of the mount, which is named by its inode number. It
// then returns the process and its PID in each PID namespace from the mount's
// to the one that it is in; else the ID is zero.
//
// It fails with [source.ErrGone], and with [source.ErrHidden] where a process
// that has such a PID in some namespace may not be asked in which: that takes
// what ptrace(2) takes to read. It fails with [errors.ErrUnsupported] before
// Linux 4.9 where namespaces are nested.
func (s *Source) Inside(pid int, namespace uint64, inner int) (id process.ID, pids []int, err error) {
	if !validPID(pid) {
		return process.ID{}, nil, source.ErrGone
	}
	b := s.buffers.Get().(*buffers)
	defer s.buffers.Put(b)
	err = s.try(pid, func() (err error) {
		id, pids = process.ID{}, nil
		maybe, err := s.maybeInside(pid, namespace, inner, b)
		if err == nil && maybe {
			id, pids, err = s.inside(pid, namespace, inner, b)
		}
		return err
	})
	return id, pids, err
}

// maybeInside asks at the least cost. Most processes are in the namespace of the
// mount, and the link costs a fifth of status.
func (s *Source) maybeInside(pid int, namespace uint64, inner int, b *buffers) (bool, error) {
	own, err := readNamespace(s.root, strconv.Itoa(pid)+"/"+namespaceName)
	switch {
	case err == nil && own == s.namespace:
		return false, nil
	case err != nil && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM):
		return false, err
	}
	pids, err := s.levels(s.root, b.filePath(pid, statusPath), b)
	if err != nil || len(pids) < 2 {
		return false, err
	}
	if own == namespace {
		return pids[len(pids)-1] == inner, nil
	}
	return slices.Contains(pids[1:], inner), nil
}

// inside asks the process while open descriptors pin it, see readPinned. The
// last thing that is opened in its directory is the namespace.
func (s *Source) inside(pid int, namespace uint64, inner int, b *buffers) (id process.ID, pids []int, err error) {
	dir, err := s.openDir(pid, b)
	if err != nil {
		return process.ID{}, nil, err
	}
	h := handle{dir: dir, pidfd: -1, stat: -1, cgroup: -1}
	defer h.close()
	var e process.Event
	leader, err := s.pin(pid, &h, b)
	if err == nil && leader != pid {
		return process.ID{}, nil, source.ErrGone // its PID is the TID of another process by now
	}
	if err == nil {
		err = s.readInto(pid, &h, b, &e)
	}
	if err == nil {
		pids, err = s.levels(dir, statusPath, b)
	}
	if err != nil {
		return process.ID{}, nil, err
	}
	fd, err := linux.OpenAt(dir, namespacePath, unix.O_RDONLY)
	if errors.Is(err, unix.EACCES) {
		// So says proc_ns_get_link also of a process that has been reaped.
		if _, gone := s.levels(dir, statusPath, b); gone != nil {
			err = gone
		}
	}
	if err != nil {
		return process.ID{}, nil, err
	}
	defer func() { unix.Close(fd) }()
	for i := len(pids) - 1; i > 0 && slices.Contains(pids[1:i+1], inner); i-- {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return process.ID{}, nil, err
		}
		if st.Ino == namespace {
			if pids[i] != inner {
				break
			}
			return e.ID, pids, nil
		}
		if i == 1 {
			break // the next one is the reader's
		}
		around, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		if errors.Is(err, unix.ENOTTY) {
			return process.ID{}, nil, fmt.Errorf("NS_GET_PARENT: %w", errors.ErrUnsupported)
		}
		if err != nil {
			return process.ID{}, nil, os.NewSyscallError("NS_GET_PARENT", err)
		}
		unix.Close(fd)
		fd = around
	}
	return process.ID{}, nil, nil
}

// levels reads the PIDs of a process from the file of its status.
func (s *Source) levels(dir int, path []byte, b *buffers) ([]int, error) {
	status, err := linux.ReadFileAt(dir, path, b.cgroup)
	if err != nil {
		return nil, err
	}
	b.cgroup = status
	value, found := statusField(status, "NStgid")
	if !found { // before Linux 4.1, or without PID namespaces
		return nil, nil
	}
	return parsePIDs(value)
}

// parsePIDs reads the value of NStgid.
func parsePIDs(value []byte) ([]int, error) {
	var pids []int
	for word := range bytes.FieldsSeq(value) {
		n, err := strconv.Atoi(string(word))
		if err != nil {
			return nil, errStatus
		}
		pids = append(pids, n)
	}
	return pids, nil
}

// readNamespace returns the inode number in a link like "pid:[4026531836]".
func readNamespace(dir int, name string) (uint64, error) {
	var room [64]byte
	n, err := unix.Readlinkat(dir, name, room[:])
	if err != nil {
		return 0, os.NewSyscallError("readlink", err)
	}
	return parseNamespace(room[:n])
}

var errNamespace = errors.New("not a link to a PID namespace")

func parseNamespace(link []byte) (uint64, error) {
	digits, begins := bytes.CutPrefix(link, []byte("pid:["))
	digits, ends := bytes.CutSuffix(digits, []byte("]"))
	inode, err := strconv.ParseUint(string(digits), 10, 64)
	if !begins || !ends || err != nil {
		return 0, fmt.Errorf("%q: %w", link, errNamespace)
	}
	return inode, nil
}
