package procfs

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Check implements [source.Reader]. With a membership, the source goes on
// holding what it opened for the next time, with an empty one, which is not
// checked, it does not.
//
// It costs one PIDFD_GET_INFO where the kernel has that, else a read of
// /proc/PID/stat; and, unless there is only cgroup v2, whose ID that call
// tells, a read of /proc/PID/cgroup, since nothing else shows that a process
// has moved in a v1 hierarchy.
func (s *Source) Check(id process.ID, membership string) (source.Status, error) {
	if !validPID(id.PID) {
		return source.Status{}, source.ErrGone
	}
	b := s.buffers.Get().(*buffers)
	defer s.buffers.Put(b)
	h := s.held.acquire(id)
	if h == nil {
		err := s.try(id.PID, func() (err error) { h, err = s.hold(id, membership != "", b); return err })
		if err != nil {
			return source.Status{}, err
		}
	}
	defer h.release()
	st, err := s.check(h, membership, b)
	if err != nil {
		s.held.drop(h)
		return source.Status{}, explain(err)
	}
	return st, nil
}

func (s *Source) check(h *handle, membership string, b *buffers) (source.Status, error) {
	if !s.has.GetInfo {
		text, err := linux.ReadAll(h.stat, b.stat)
		if err != nil {
			return source.Status{}, err
		}
		b.stat = text
		var st stat
		if err := parseStat(text, &st); err != nil {
			return source.Status{}, err
		}
		if st.exiting() {
			return s.reread(h.id, membership, b)
		}
		moved, err := s.movedFrom(h, membership, b)
		return source.Status{ParentPID: st.ppid, Moved: moved}, err
	}
	info := linux.PIDFDInfo{Mask: linux.PIDFDInfoPID}
	if s.has.Unified {
		info.Mask |= linux.PIDFDInfoCgroupID
	}
	err := linux.PIDFDGetInfo(h.pidfd, &info)
	if errors.Is(err, unix.ESRCH) {
		return source.Status{}, err
	}
	if err != nil {
		// Some kernels from 6.13 to 6.15 fail for a parent outside the
		// PID namespace of the caller.
		return s.reread(h.id, membership, b)
	}
	st := source.Status{ParentPID: int(info.PPID)}
	switch {
	case membership == "":
	case !s.has.Unified:
		st.Moved, err = s.movedFrom(h, membership, b)
	case !s.held.paired(h, info.CgroupID, membership):
		st.Moved, err = s.movedUnified(h, info.CgroupID, membership, b)
	}
	return st, err
}

// movedFrom reports whether the membership is another one by now.
func (s *Source) movedFrom(h *handle, membership string, b *buffers) (bool, error) {
	if membership == "" {
		return false, nil
	}
	text, err := linux.ReadAll(h.cgroup, b.cgroup)
	if err != nil {
		return false, err
	}
	b.cgroup = text
	if string(text) == membership {
		return false, nil
	}
	st, err := s.reread(h.id, membership, b)
	return st.Moved, err
}

// movedUnified is movedFrom on a host with cgroup v2 alone, where the
// membership needs no reading as long as the ID of the cgroup is the same.
func (s *Source) movedUnified(h *handle, cgroupID uint64, membership string, b *buffers) (bool, error) {
	text, err := linux.ReadFileAt(s.root, b.filePath(h.id.PID, cgroupPath), b.cgroup)
	if err != nil {
		return false, err
	}
	b.cgroup = text
	same := string(text) == membership
	// The text is of this process if that is there still, and of this
	// cgroup if it is in the same one as before, also once more after it.
	info := linux.PIDFDInfo{Mask: linux.PIDFDInfoPID | linux.PIDFDInfoCgroupID}
	if err := linux.PIDFDGetInfo(h.pidfd, &info); err != nil {
		return false, err
	}
	text, err = linux.ReadFileAt(s.root, b.filePath(h.id.PID, cgroupPath), b.cgroup)
	if err != nil {
		return false, err
	}
	b.cgroup = text
	if !same || info.CgroupID != cgroupID || string(text) != membership {
		st, err := s.reread(h.id, membership, b)
		return st.Moved, err
	}
	s.held.pair(h, cgroupID, membership)
	return false, nil
}

// reread answers Check by reading the process again, which knows of zombies
// and of leaders that have ended before their threads.
func (s *Source) reread(id process.ID, membership string, b *buffers) (source.Status, error) {
	var e process.Event
	if err := s.read(id.PID, b, &e); err != nil {
		return source.Status{}, err
	}
	if !e.ID.Same(id) {
		return source.Status{}, source.ErrGone
	}
	now := e.Cgroup.Membership
	return source.Status{ParentPID: e.Parent.PID, Moved: now != "" && membership != "" && now != membership}, nil
}

// hold opens what Check needs of the process, and keeps it if it is told to.
// The caller must release the handle.
func (s *Source) hold(id process.ID, keep bool, b *buffers) (*handle, error) {
	dir, err := s.openDir(id.PID, b)
	if err != nil {
		return nil, err
	}
	h := &handle{id: id, dir: dir, pidfd: -1, stat: -1, cgroup: -1}
	if err := s.open(h, b); err != nil {
		h.close()
		return nil, err
	}
	h.users.Store(1) // the caller's
	if keep {
		s.held.add(h)
	}
	return h, nil
}

func (s *Source) open(h *handle, b *buffers) error {
	id := h.id
	leader, err := s.pin(id.PID, h, b)
	if err != nil {
		return err
	}
	if leader != id.PID {
		return source.ErrGone // its PID is the TID of another process by now
	}
	// Files are opened in dir after the pidfd, so that both are of one
	// process, see read.
	if h.stat, err = linux.OpenAt(h.dir, statPath, unix.O_RDONLY); err != nil {
		return err
	}
	if id.Inode == 0 || h.id.Inode != id.Inode {
		if b.stat, err = linux.ReadAll(h.stat, b.stat); err != nil {
			return err
		}
		var st stat
		if err := parseStat(b.stat, &st); err != nil {
			return err
		}
		h.id.Start, h.id.Precision = process.FromTicks(st.startTick), process.ToTick
		if !h.id.Same(id) {
			return source.ErrGone
		}
	}
	h.id = id
	if !s.has.infoTellsMoves() {
		if h.cgroup, err = linux.OpenAt(h.dir, cgroupPath, unix.O_RDONLY); err != nil {
			return err
		}
	}
	unix.Close(h.dir)
	h.dir = -1
	switch {
	case s.has.GetInfo:
		unix.Close(h.stat)
		h.stat = -1
	case h.pidfd >= 0:
		unix.Close(h.pidfd)
		h.pidfd = -1
	}
	return nil
}
