package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// reference is a source that reads /proc the plain way. It is slow, and meant
// to be right.
type reference struct {
	inodes bool // tell identities by pidfs
}

func (reference) Name() string { return "reference" }

func (s reference) Limits() []source.Limit {
	limits := []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen}
	if !s.inodes {
		limits = append(limits, source.TicksOnly)
	}
	return limits
}

func (reference) Close() error { return nil }

func (s reference) Scan(ctx context.Context, emit func(*process.Event)) error {
	dir, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, entry := range dir {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e, err := s.settled(pid)
		if errors.Is(err, source.ErrGone) {
			continue
		}
		if err != nil {
			return err
		}
		if e.ID.PID == pid {
			emit(&e)
		}
	}
	return nil
}

// settled reads a process with its parent, which is who held the parent's PID
// while the process had that for its parent.
func (s reference) settled(pid int) (process.Event, error) {
	for {
		var e, parent, after process.Event
		if err := s.Read(pid, &e); err != nil {
			return e, err
		}
		if e.NoParent {
			return e, nil
		}
		parentErr := s.Read(e.Parent.PID, &parent)
		if err := s.Read(pid, &after); err != nil {
			return e, err
		}
		if parentErr == nil && after.ID.Same(e.ID) && after.Parent == e.Parent {
			e.Parent = parent.ID
			return e, nil
		}
	}
}

func (s reference) Read(pid int, e *process.Event) error {
	if pid <= 0 || pid > 1<<30 {
		return source.ErrGone
	}
	*e = process.Event{Kind: process.Seen, Time: linuxtest.Now()}
	err := s.read(pid, e)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return source.ErrGone
	}
	return err
}

func (s reference) read(tid int, e *process.Event) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return err
	}
	var pid int
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "Tgid:"); ok {
			pid, err = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if err != nil {
		return fmt.Errorf("/proc/%d/status: %w", tid, err)
	}
	if pid == 0 { // it was reaped while it was read (task_tgid_nr_ns)
		return source.ErrGone
	}
	if s.inodes {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		err = errors.Join(unix.Fstat(fd, &st), unix.Close(fd))
		if err != nil {
			return err
		}
		e.ID.Inode = st.Ino
	}
	membership, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return err
	}
	st, err := linuxtest.ReadStat(pid)
	if err != nil {
		return err
	}
	if st.Session == -1 { // it was reaped while it was read (do_task_stat)
		return source.ErrGone
	}
	e.ID.PID, e.ID.Start, e.ID.Precision = pid, process.FromTicks(st.Start), process.ToTick
	e.Parent.PID, e.NoParent = st.PPID, st.PPID == 0
	e.Name, e.TTY = st.Name, st.TTY
	e.GroupID, e.SessionID = max(st.PGRP, 0), max(st.Session, 0)
	e.Kernel = st.Flags&0x200000 != 0 // PF_KTHREAD
	dead := st.State == 'Z' || st.State == 'X'
	e.Zombie = dead && st.Threads <= 1
	if dead || st.Flags&4 != 0 { // PF_EXITING
		if membership, err = ofThread(pid); err != nil {
			return err
		}
	}
	e.Cgroup.Membership = string(membership)
	e.Cgroup.Group, _ = cgroup.Group(e.Cgroup.Membership)
	if s.inodes { // who has the PID now is who had it above
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		var again unix.Stat_t
		if err := errors.Join(unix.Fstat(fd, &again), unix.Close(fd)); err != nil {
			return err
		}
		if again.Ino != e.ID.Inode {
			return s.read(tid, e)
		}
	}
	return nil
}

// ofThread returns the membership by a thread that has not ended, if any.
func ofThread(pid int) ([]byte, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		name := fmt.Sprintf("/proc/%d/task/%s/", pid, task.Name())
		membership, err := os.ReadFile(name + "cgroup")
		if err != nil {
			continue
		}
		text, err := os.ReadFile(name + "stat")
		if err != nil {
			continue
		}
		st, err := linuxtest.ParseStat(string(text))
		if err == nil && st.State != 'Z' && st.State != 'X' && st.Flags&4 == 0 {
			return membership, nil
		}
	}
	return nil, nil
}

func (s reference) Check(id process.ID, membership string) (source.Status, error) {
	var e process.Event
	if err := s.Read(id.PID, &e); err != nil {
		return source.Status{}, err
	}
	if !e.ID.Same(id) {
		return source.Status{}, source.ErrGone
	}
	moved := membership != "" && e.Cgroup.Membership != "" && e.Cgroup.Membership != membership
	return source.Status{ParentPID: e.Parent.PID, Moved: moved}, nil
}

func TestReferenceByTicks(t *testing.T) {
	runScenes(t, func(*testing.T) source.Source { return reference{} }, true)
}

func TestReferenceByInodes(t *testing.T) {
	linuxtest.Need(t, linuxtest.Pidfs)
	Run(t, func(*testing.T) source.Source { return reference{inodes: true} })
}
