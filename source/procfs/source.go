// Package procfs learns of processes from /proc, as any user and on any
// Linux: what is alive when it looks. Pidfds, where the kernel has them, pin
// what was read and tell at the least cost whether it still holds.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/source"
)

// Name is the name of this source.
const Name = "procfs"

// Options says how a [Source] works. The zero value is a good choice.
type Options struct {
	// Path is where procfs is mounted, "/proc" when empty.
	Path string
	// MaxDescriptors is the most file descriptors that the source holds
	// between two calls. Zero means an eighth of RLIMIT_NOFILE, at most
	// DefaultMaxDescriptors; a negative number means none.
	MaxDescriptors int
}

// DefaultMaxDescriptors is the largest default of Options.MaxDescriptors.
const DefaultMaxDescriptors = 4096

// The errors of [Open].
var (
	// ErrNotProcfs says that what is at the path is not the root of procfs.
	ErrNotProcfs = errors.New("procfs is not mounted there")
	// ErrForeignNamespace says that the PIDs in the mount are not those of
	// this process's PID namespace, so they would name other processes.
	ErrForeignNamespace = errors.New("it shows another PID namespace than the one lineage runs in")
)

// Source is the procfs source. It implements [source.Reader].
type Source struct {
	path      string
	root      int // a descriptor of path
	has       Features
	hides     string // see Hides
	namespace uint64 // see Namespace
	held      held
	scanned   atomic.Pointer[ids] // what the last scan found
	buffers   sync.Pool           // of *buffers
}

var _ source.Reader = (*Source)(nil)

// Features is what of the kernel the source found usable when it was opened.
type Features struct {
	// PIDFD says that pidfd_open(2) works (Linux 5.3).
	PIDFD bool
	// PIDFS says that pidfds have an inode for each process (Linux 6.9).
	PIDFS bool
	// GetInfo says that ioctl PIDFD_GET_INFO works (Linux 6.13).
	GetInfo bool
	// Unified says that there is only the cgroup v2 hierarchy.
	Unified bool
}

// infoTellsMoves reports whether PIDFD_GET_INFO tells that a process has moved.
func (f Features) infoTellsMoves() bool { return f.GetInfo && f.Unified }

// Open opens the source. The error wraps [ErrNotProcfs] or
// [ErrForeignNamespace] where the mount is not usable.
func Open(o Options) (*Source, error) {
	path := o.Path
	if path == "" {
		path = "/proc"
	}
	root, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	s := &Source{path: path, root: root}
	s.buffers.New = func() any { return newBuffers() }
	if err := s.verify(); err != nil {
		unix.Close(root)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.probe()
	s.hides = s.findHides()
	if s.namespace, err = readNamespace(root, "self/"+namespaceName); err != nil && !errors.Is(err, unix.ENOENT) {
		unix.Close(root)
		return nil, fmt.Errorf("%s/self/%s: %w", path, namespaceName, err)
	}
	s.held.init(maxDescriptors(o.MaxDescriptors), !s.has.infoTellsMoves())
	return s, nil
}

func maxDescriptors(n int) int {
	if n != 0 {
		return max(n, 0)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 64
	}
	return int(min(limit.Cur/8, DefaultMaxDescriptors))
}

// verify finds out whether the mount is procfs and its PIDs are ours. The
// line NStgid (Linux 4.1) has our PID in each PID namespace from the mount's
// to our own.
func (s *Source) verify() error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(s.root, &st); err != nil {
		return err
	}
	if uint32(st.Type) != unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("%w; mount it (mount -t proc proc %s) or name the path where it is", ErrNotProcfs, s.path)
	}
	pid := strconv.Itoa(os.Getpid())
	status, err := linux.ReadFileAt(s.root, []byte("self/status\x00"), nil)
	if errors.Is(err, unix.ENOENT) {
		if _, err := linux.ReadFileAt(s.root, []byte("uptime\x00"), nil); err != nil {
			return fmt.Errorf("%w: it is not the root of the mount", ErrNotProcfs)
		}
		return fmt.Errorf("%w: this process is not in it; mount procfs in this PID namespace", ErrForeignNamespace)
	}
	if err != nil {
		return err
	}
	tgid, _ := statusField(status, "Tgid")
	nstgid, found := statusField(status, "NStgid")
	if string(tgid) != pid || found && string(nstgid) != pid {
		return fmt.Errorf("%w: this process is %s there and %s here; share the host's PID namespace (hostPID: true, --pid=host) or use this namespace's own procfs",
			ErrForeignNamespace, tgid, pid)
	}
	return nil
}

// statusField returns the value of one field of proc_pid_status(5).
func statusField(status []byte, name string) ([]byte, bool) {
	for line := range bytes.Lines(status) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && string(key) == name {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}

// probe finds out what the kernel has, by using it.
func (s *Source) probe() {
	if membership, err := linux.ReadFileAt(s.root, []byte("self/cgroup\x00"), nil); err == nil {
		s.has.Unified = onlyUnified(membership)
	}
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	s.has.PIDFD = true
	s.has.PIDFS = linux.InPIDFS(fd)
	info := linux.PIDFDInfo{Mask: linux.PIDFDInfoPID | linux.PIDFDInfoCgroupID}
	s.has.GetInfo = linux.PIDFDGetInfo(fd, &info) == nil && int(info.TGID) == os.Getpid() &&
		info.Mask&linux.PIDFDInfoCgroupID != 0
}

// onlyUnified reports whether a membership has no v1 hierarchy.
func onlyUnified(membership []byte) bool {
	return bytes.HasPrefix(membership, []byte("0::")) && bytes.Count(membership, []byte("\n")) == 1
}

// Name implements [source.Reader].
func (s *Source) Name() string { return Name }

// Features returns what of the kernel the source uses.
func (s *Source) Features() Features { return s.has }

// Descriptors returns how many file descriptors the source holds for
// processes, and the most that it will hold.
func (s *Source) Descriptors() (held, limit int) { return s.held.count() }

// Limits implements [source.Reader].
func (s *Source) Limits() []source.Limit {
	limits := []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen}
	if !s.has.PIDFS {
		limits = append(limits, source.TicksOnly)
	}
	return limits
}

// Close implements [source.Reader].
func (s *Source) Close() error {
	s.held.close()
	return unix.Close(s.root)
}

// validPID reports whether the number can be a PID at all.
func validPID(pid int) bool { return pid > 0 && pid <= math.MaxInt32 }
