package procfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// buffers is what one reading needs, kept for the next one.
type buffers struct {
	path   []byte
	stat   []byte
	cgroup []byte

	// The strings made so far, which are needed again and again.
	names   map[string]string
	cgroups map[string]process.Cgroup
}

// maxStrings is how many strings of a kind buffers keep.
const maxStrings = 1024

func newBuffers() *buffers {
	return &buffers{
		path:    make([]byte, 0, 64),
		stat:    make([]byte, 1024),
		cgroup:  make([]byte, 4096),
		names:   make(map[string]string),
		cgroups: make(map[string]process.Cgroup),
	}
}

// pidPath returns "PID" as a path for [linux.OpenAt].
func (b *buffers) pidPath(pid int) []byte {
	b.path = append(strconv.AppendInt(b.path[:0], int64(pid), 10), 0)
	return b.path
}

// filePath returns "PID/file" as a path for [linux.OpenAt].
func (b *buffers) filePath(pid int, file []byte) []byte {
	b.path = append(strconv.AppendInt(b.path[:0], int64(pid), 10), '/')
	b.path = append(b.path, file...)
	return b.path
}

var (
	statPath   = []byte("stat\x00")
	statusPath = []byte("status\x00")
	cgroupPath = []byte("cgroup\x00")
	taskPath   = []byte("task\x00")
)

// Read implements [source.Reader].
func (s *Source) Read(pid int, e *process.Event) error {
	b := s.buffers.Get().(*buffers)
	defer s.buffers.Put(b)
	return s.read(pid, b, e)
}

// read is Read with the buffers of the caller.
func (s *Source) read(pid int, b *buffers, e *process.Event) error {
	return s.try(pid, func() error { return s.readPinned(pid, b, e) })
}

// try calls f, which reads a process, and turns its error into one of package
// source. A program that has run out of descriptors gets back half of those
// held. With hidepid=invisible, procfs says ENOENT of processes that are
// there, which a signal that is not sent still finds; so it does one that took
// the PID a moment ago, hence the second call.
func (s *Source) try(pid int, f func() error) error {
	err := f()
	if errors.Is(err, unix.EMFILE) && s.held.shed() {
		err = f()
	}
	if errors.Is(err, unix.ENOENT) && exists(pid) {
		if err = f(); errors.Is(err, unix.ENOENT) && exists(pid) {
			return source.ErrHidden
		}
	}
	return explain(err)
}

// readPinned reads the process while open descriptors pin it.
//
// The directory /proc/PID stays with the process it was opened for: once that
// one is reaped, all that is opened in it fails. So where the last reading in
// it succeeds, the PID was that process's all the while, and the pidfd that
// was opened by the PID in between is of the same process.
func (s *Source) readPinned(pid int, b *buffers, e *process.Event) error {
	if !validPID(pid) {
		return source.ErrGone
	}
	*e = process.Event{Kind: process.Seen, Time: process.Instant(linux.Boottime())}
	dir, err := s.openDir(pid, b)
	if err != nil {
		return err
	}
	h := handle{dir: dir, pidfd: -1, stat: -1, cgroup: -1}
	defer h.close()
	leader, err := s.pin(pid, &h, b)
	if err == nil && leader != pid {
		return s.readPinned(leader, b, e)
	}
	if err == nil {
		err = s.readInto(pid, &h, b, e)
	}
	return err
}

// openDir opens /proc/PID.
func (s *Source) openDir(pid int, b *buffers) (int, error) {
	return linux.OpenAt(s.root, b.pidPath(pid), unix.O_PATH|unix.O_DIRECTORY)
}

// pin opens a pidfd and learns the inode. It returns the PID of the process,
// which is another one where pid is the TID of a thread.
func (s *Source) pin(pid int, h *handle, b *buffers) (int, error) {
	if s.has.PIDFD {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == nil {
			h.pidfd = fd
			if s.has.PIDFS {
				h.id.Inode, err = linux.PIDFDInode(fd)
			}
			return pid, err
		}
		// For a thread that does not lead its group: EINVAL, and from
		// Linux 6.9 on ENOENT.
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return 0, err
		}
	}
	status, err := linux.ReadFileAt(h.dir, statusPath, b.cgroup)
	if err != nil {
		return 0, err
	}
	value, _ := statusField(status, "Tgid")
	leader, ok := parseInt(value)
	switch {
	case !ok:
		return 0, fmt.Errorf("/proc/%d/status: no Tgid", pid)
	case leader == 0: // it is being reaped (task_tgid_nr_ns)
		return 0, unix.ESRCH
	case s.has.PIDFD && int(leader) == pid: // the PID passed to a process after pidfd_open
		return 0, unix.ESRCH
	}
	return int(leader), nil
}

// readInto reads cgroup and stat of the process that h pins, in this order:
// a thread that is not exiting when stat is read was not when cgroup was. Of
// one that is exiting, the kernel shows only the v2 cgroup (proc_cgroup_show),
// and leaves it there when the others move (cgroup_migrate_add_task).
func (s *Source) readInto(pid int, h *handle, b *buffers, e *process.Event) error {
	var err error
	if b.cgroup, err = linux.ReadFileAt(h.dir, cgroupPath, b.cgroup); err != nil {
		return err
	}
	if b.stat, err = linux.ReadFileAt(h.dir, statPath, b.stat); err != nil {
		return err
	}
	var st stat
	if err := parseStat(b.stat, &st); err != nil {
		return fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	h.id.PID, h.id.Start, h.id.Precision = pid, process.FromTicks(st.startTick), process.ToTick
	e.Zombie = st.dead() && st.threads <= 1
	membership := b.cgroup
	if st.exiting() {
		if !onlyUnified(membership) {
			membership = nil
		}
		if !e.Zombie {
			if text := s.threadCgroup(h, b); text != nil {
				membership = text
			}
		}
	}
	b.fill(e, h.id, &st, membership)
	return nil
}

// readKnown reads a process again if it is still the one that id names, and
// not about to end.
func (s *Source) readKnown(id process.ID, b *buffers, e *process.Event) bool {
	if !id.Known() {
		return false
	}
	*e = process.Event{Kind: process.Seen, Time: process.Instant(linux.Boottime())}
	var err error
	if b.cgroup, err = linux.ReadFileAt(s.root, b.filePath(id.PID, cgroupPath), b.cgroup); err != nil {
		return false
	}
	if b.stat, err = linux.ReadFileAt(s.root, b.filePath(id.PID, statPath), b.stat); err != nil {
		return false
	}
	var st stat
	if parseStat(b.stat, &st) != nil || process.FromTicks(st.startTick) != id.Start || st.exiting() {
		return false
	}
	b.fill(e, id, &st, b.cgroup)
	return true
}

// fill puts what was read of the process into e.
func (b *buffers) fill(e *process.Event, id process.ID, st *stat, membership []byte) {
	e.ID = id
	e.Parent.PID, e.NoParent = st.ppid, st.ppid == 0
	e.GroupID, e.SessionID, e.TTY = max(st.pgrp, 0), max(st.session, 0), st.tty
	e.Kernel = st.flags&flagKernel != 0
	e.Name = b.name(st.name)
	e.Cgroup = b.membership(membership)
}

// threadCgroup reads the membership of a process whose leader has ended while
// other threads live on, from one of these; nil where there is none.
func (s *Source) threadCgroup(h *handle, b *buffers) []byte {
	task, err := linux.OpenAt(h.dir, taskPath, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer unix.Close(task)
	tids, _ := entries(task)
	for _, tid := range tids {
		membership, err := linux.ReadFileAt(task, b.filePath(tid, cgroupPath), nil)
		if err != nil {
			continue
		}
		text, err := linux.ReadFileAt(task, b.filePath(tid, statPath), nil)
		var st stat
		if err == nil && parseStat(text, &st) == nil && !st.exiting() {
			return membership
		}
	}
	return nil
}

// membership returns the text of /proc/PID/cgroup as strings.
func (b *buffers) membership(text []byte) process.Cgroup {
	if len(text) == 0 {
		return process.Cgroup{}
	}
	c, ok := b.cgroups[string(text)]
	if !ok {
		if len(b.cgroups) >= maxStrings {
			clear(b.cgroups)
		}
		c.Membership = string(text)
		c.Group, _ = cgroup.Group(c.Membership)
		b.cgroups[c.Membership] = c
	}
	return c
}

// name returns comm as a string.
func (b *buffers) name(comm []byte) string {
	name, ok := b.names[string(comm)]
	if !ok {
		if len(b.names) >= maxStrings {
			clear(b.names)
		}
		name = string(comm)
		b.names[name] = name
	}
	return name
}

// explain turns the error of a call about a process into one of package
// source.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOENT):
		return source.ErrGone
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return source.ErrHidden
	}
	return err
}

// exists reports whether there is a process with the PID, by a signal that is
// not sent.
func exists(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || err == unix.EPERM
}

// entries returns the numbers among the names in a directory of procfs.
func entries(dir int) ([]int, error) {
	var numbers []int
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(dir, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return numbers, fmt.Errorf("getdents64: %w", err)
		case n == 0:
			return numbers, nil
		default:
			numbers = appendEntries(numbers, buf[:n])
		}
	}
}

// appendEntries appends the numbers among the names in what getdents64(2)
// returned: for each entry 8 bytes of inode, 8 of offset, 2 that are the length
// of the whole, 1 of type, and the name with a NUL byte after it.
func appendEntries(numbers []int, b []byte) []int {
	const length, name = 16, 19
	for len(b) > name {
		n := int(binary.NativeEndian.Uint16(b[length:]))
		if n <= name || n > len(b) {
			break
		}
		word, _, _ := bytes.Cut(b[name:n], []byte{0})
		if number, ok := parseInt(word); ok && validPID(int(number)) {
			numbers = append(numbers, int(number))
		}
		b = b[n:]
	}
	return numbers
}
