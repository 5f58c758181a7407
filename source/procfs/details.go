package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

var (
	cmdlinePath = []byte("cmdline\x00")
	exeName     = "exe"
)

// Details reads what is seldom asked about the process. It fails with
// [source.ErrGone] where the process has ended, and never mixes two processes
// that held one PID.
func (s *Source) Details(id process.ID) (d process.Details, err error) {
	if !validPID(id.PID) {
		return process.Details{}, source.ErrGone
	}
	b := s.buffers.Get().(*buffers)
	defer s.buffers.Put(b)
	err = s.try(id.PID, func() (err error) { d, err = s.details(id, b); return err })
	return d, err
}

func (s *Source) details(id process.ID, b *buffers) (process.Details, error) {
	dir, err := s.openDir(id.PID, b)
	if err != nil {
		return process.Details{}, err
	}
	h := handle{dir: dir, pidfd: -1, stat: -1, cgroup: -1}
	defer h.close()
	var e process.Event
	leader, err := s.pin(id.PID, &h, b)
	if err == nil {
		err = s.readInto(id.PID, &h, b, &e)
	}
	if err != nil {
		return process.Details{}, err
	}
	if leader != id.PID || !e.ID.Same(id) {
		return process.Details{}, source.ErrGone
	}
	var d process.Details
	if !e.Kernel && !e.Zombie {
		if d.Exe, err = readlinkAt(dir, exeName); err != nil {
			d.Missing = errors.Join(d.Missing, fmt.Errorf("exe: %w", err))
		}
		args, err := linux.ReadFileAt(dir, cmdlinePath, nil)
		if err != nil {
			d.Missing = errors.Join(d.Missing, fmt.Errorf("cmdline: %w", err))
		}
		d.Args = splitArgs(args)
	}
	d.PIDNamespace, err = readNamespace(dir, namespaceName)
	if err != nil && !e.Kernel && !e.Zombie && !errors.Is(err, unix.ENOENT) {
		d.Missing = errors.Join(d.Missing, fmt.Errorf("%s: %w", namespaceName, err))
	}
	// status comes last: that it can be read shows that the process was
	// there all the while.
	status, err := linux.ReadFileAt(dir, statusPath, b.cgroup)
	if err != nil {
		return process.Details{}, err
	}
	if err := parseStatus(status, &d); err != nil {
		return process.Details{}, fmt.Errorf("/proc/%d/status: %w", id.PID, err)
	}
	if d.NamespacePIDs == nil {
		d.NamespacePIDs = []int{id.PID}
	}
	return d, nil
}

// splitArgs splits the text of /proc/PID/cmdline.
func splitArgs(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

var errStatus = errors.New("not of the form of proc_pid_status(5)")

// parseStatus reads the text of /proc/PID/status into d.
func parseStatus(status []byte, d *process.Details) error {
	for line := range bytes.Lines(status) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return errStatus
		}
		var want []*int
		switch string(key) {
		case "Uid":
			want = []*int{&d.UID, &d.EffectiveUID}
		case "Gid":
			want = []*int{&d.GID, &d.EffectiveGID}
		case "Threads":
			want = []*int{&d.Threads}
		case "NStgid":
			var err error
			if d.NamespacePIDs, err = parsePIDs(value); err != nil {
				return err
			}
		}
		for word := range bytes.FieldsSeq(value) {
			if len(want) == 0 {
				break
			}
			n, err := strconv.ParseUint(string(word), 10, 32)
			if err != nil {
				return errStatus
			}
			*want[0] = int(n)
			want = want[1:]
		}
		if len(want) > 0 {
			return errStatus
		}
	}
	return nil
}

// readlinkAt returns the target of a symbolic link of procfs.
func readlinkAt(dir int, name string) (string, error) {
	for size := 256; size <= 1<<20; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return "", os.NewSyscallError("readlink", err)
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
	return "", unix.ENAMETOOLONG
}
