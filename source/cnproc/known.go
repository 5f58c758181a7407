package cnproc

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
)

// A proc is what the source keeps of a process until it ends: as much as it
// takes to tell its end from that of a thread, and who is adopted then.
type proc struct {
	pid int
	id  process.ID // zero where it was gone, or hidden, before it was read

	// threads is how many have not ended, if counted: the source saw it
	// being born and has missed nothing since.
	threads int
	counted bool
	// mixed says that exits may be told of that are another process's,
	// which had the PID before.
	mixed bool
	// leader is how the leader ended, if it has.
	leader      uint32
	leaderEnded bool

	readAt process.Instant // when it was last read
	zombie bool            // it had ended then
	lived  bool            // it had not when the source met it, so its end has a message
	epoch  uint64          // of the source, when it was last known to be there
	scan   uint64          // the last scan that it was in

	parent            *proc
	child, next, prev *proc
}

// add makes the process the one that holds the PID.
func (s *Source) add(pid int) *proc {
	p := &proc{pid: pid, epoch: s.epoch, scan: s.scan}
	s.procs[pid] = p
	return p
}

// drop forgets the process, and leaves its children without a parent.
func (s *Source) drop(p *proc) {
	if s.procs[p.pid] == p {
		delete(s.procs, p.pid)
	}
	if s.touched != nil {
		s.touched[p.pid] = true
	}
	p.adopted(nil)
	for p.child != nil {
		p.child.adopted(nil)
	}
}

// adopted makes q the parent of p.
func (p *proc) adopted(q *proc) {
	if p.parent == q || p == q {
		return
	}
	if p.parent != nil {
		if p.prev != nil {
			p.prev.next = p.next
		} else {
			p.parent.child = p.next
		}
		if p.next != nil {
			p.next.prev = p.prev
		}
	}
	p.parent, p.next, p.prev = q, nil, nil
	if q == nil {
		return
	}
	if p.next = q.child; p.next != nil {
		p.next.prev = p
	}
	q.child = p
}

// found takes in that the process was read, as e.
func (p *proc) found(e *process.Event, epoch uint64) {
	p.id, p.readAt, p.epoch, p.zombie = e.ID, max(p.readAt, e.Time), epoch, e.Zombie
	p.lived = p.lived || !e.Zombie
}

// ended reports whether the process with the PID, and the ID if that is known,
// is found to have ended. It takes no right to read the process, but before
// Linux 6.9 another one can pass for it.
func ended(pid int, id process.ID) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil { // of a thread that leads no process it is EINVAL, or ENOENT
		return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT)
	}
	defer unix.Close(fd)
	if inode, err := linux.PIDFDInode(fd); err == nil && id.Inode != 0 && inode != id.Inode {
		return true
	}
	return readable(fd)
}

// look reads the process that holds the PID at this place in the queue into e,
// and reports whether it is certain that it is the one: nobody else got the
// PID by the end of the reading if there is no fork with it among the messages
// that were queued by then.
func (s *Source) look(pid int, e *process.Event) bool {
	if !s.tryRead(pid, e) {
		return false
	}
	return s.receive() && !s.lossAhead() && s.queue.pending[int32(pid)].forks == 0
}

// lossAhead reports whether messages between this place in the queue and now
// were dropped.
func (s *Source) lossAhead() bool { return s.overrun || s.marks > 0 }

// holder returns the process that held the PID at this place in the queue and
// holds it now, nil where that is not known. It began before whoever has it as
// the parent.
func (s *Source) holder(pid int, emit func(*process.Event)) *proc {
	p := s.procs[pid]
	if p != nil && p.id.Known() && p.epoch == s.epoch {
		return p
	}
	var e process.Event
	if !s.look(pid, &e) {
		return nil
	}
	if p != nil && p.id.Known() && !p.id.Same(e.ID) {
		s.gone(p, emit)
		p = nil
	}
	if p == nil {
		p = s.add(pid)
	}
	p.counted = p.counted && p.epoch == s.epoch
	p.found(&e, s.epoch)
	q := s.procs[e.Parent.PID]
	if q != nil && q.id.Known() && q.epoch == s.epoch && s.queue.pending[int32(q.pid)].forks == 0 {
		p.adopted(q)
		e.Parent = q.id
	} else if !e.NoParent {
		e.Parent = process.ID{}
	}
	emit(&e)
	return p
}
