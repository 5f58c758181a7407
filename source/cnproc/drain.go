package cnproc

import (
	"errors"
	"os"
	"syscall"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Drain hands over what has happened until the call and was not handed over
// before: events of kind Fork, Exec, Exited and Loss, whose Times increase, and
// between them what was found by reading, as Seen and Gone; each valid only
// during the call of emit. What is read is as of the reading, which is later
// than the messages that are still to come: Times tell. An event counts as
// pending until emit has returned, and emit must not call Drain.
//
// A Fork has the parent, of which only the PID is known where it was gone
// before it could be read. It has no Creator: with CLONE_PARENT that is
// another one than the parent, and the message does not tell.
//
// A process has ended with its last thread. Of a process that the source saw
// being born it counts the threads. Of another one it reads at each end of a
// thread whether it was the last, and so tells its end when the last message
// about it that is queued by then is taken.
//
// The status is that of the thread that ended last, which from Linux 6.6 on is
// what wait(2) tells (synchronize_group_exit; before, only where the leader
// ended last or the same way), or else the end is told as Gone. Of two threads
// that end at once with different statuses, each by itself and not the whole
// process, either may be told.
//
// A process whose parent ends is read and told again, with the new parent.
func (s *Source) Drain(emit func(*process.Event)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.busy.Store(true)
	defer s.busy.Store(false)
	s.problems = nil
	for _, p := range s.replaced {
		s.gone(p, emit)
	}
	s.replaced = nil
	for all := false; !all && s.problems == nil; {
		all = s.receive()
		for n := s.queue.len(); n > 0; n-- {
			m := s.queue.pop()
			s.unread.Store(int64(s.queue.len()))
			s.take(m, emit)
		}
	}
	return s.problems
}

// next returns the Time of the event that happened at t. The queue has one
// order for all processors, which the clock readings in it need not have.
func (s *Source) next(t process.Instant) process.Instant {
	s.last = max(s.last+1, t)
	return s.last
}

func (s *Source) take(m message, emit func(*process.Event)) {
	switch m.what {
	case whatFork:
		if m.tid == m.pid {
			s.fork(m, emit)
		} else if p := s.procs[int(m.pid)]; p != nil {
			p.threads++
		}
	case whatExec:
		s.exec(m, emit)
	case whatExit:
		s.exit(m, emit)
	case markOverrun:
		s.lost = s.last
	case markOverrunEnd:
		s.marks--
		s.epoch++
		s.event = process.Event{Kind: process.Loss, Since: s.lost, Time: s.next(process.Instant(m.at))}
		emit(&s.event)
	}
}

// tryRead reads a process and reports whether it could.
func (s *Source) tryRead(pid int, e *process.Event) bool {
	err := s.reader.Read(pid, e)
	if err != nil && !errors.Is(err, source.ErrGone) && !errors.Is(err, source.ErrHidden) {
		s.fail(err)
	}
	return err == nil && e.ID.PID == pid && e.ID.Known()
}

func (s *Source) fork(m message, emit func(*process.Event)) {
	pid, at := int(m.pid), s.time(m.at)
	old := s.procs[pid]
	var seen process.Event
	known, read := false, false
	if s.look(pid, &seen) {
		known, read = true, true
		if old != nil && !old.id.Same(seen.ID) {
			s.gone(old, emit)
		}
	} else if old != nil && old.id.Known() && s.readSince(old, m) && s.queue.pending[m.pid].forks == 0 && !s.lossAhead() {
		known = true // a scan found it before it ended
	} else if old != nil {
		s.gone(old, emit)
	}
	p := s.procs[pid]
	if p == nil {
		p = s.add(pid)
		p.mixed = old != nil
	}
	p.threads, p.counted, p.lived = 1, !p.mixed, true
	if read {
		p.found(&seen, s.epoch)
	}
	var parent *proc
	if m.parent != 0 {
		parent = s.holder(int(m.parent), emit)
	}
	if parent == nil { // not one that can be told, but its children are its own
		parent = s.procs[int(m.parent)]
	}
	if !known {
		p.adopted(parent)
		s.touch(pid)
		return
	}
	// What was read comes first, so that the process is known when its fork is
	// told.
	switch {
	case !read: // the scan told of it
	case seen.Parent.PID == int(m.parent):
		p.adopted(parent)
		// The parent of a child that has it still is as the fork tells.
		seen.Parent, seen.NoParent = process.ID{}, false
		emit(&seen)
	default:
		s.tell(p, &seen, emit)
	}
	e := &s.event
	*e = process.Event{Kind: process.Fork, Time: s.next(at), ID: p.id, NoParent: m.parent == 0}
	e.Parent = process.ID{PID: int(m.parent)}
	if parent != nil && parent.id.Known() {
		e.Parent = parent.id
	}
	emit(e)
}

// tell tells of a process that was read, with its parent, who may have adopted
// it.
func (s *Source) tell(p *proc, seen *process.Event, emit func(*process.Event)) {
	if !seen.NoParent {
		parent := s.holder(seen.Parent.PID, emit)
		p.adopted(parent)
		if parent != nil {
			seen.Parent = parent.id
		} else {
			seen.Parent = process.ID{}
		}
	}
	emit(seen)
}

func (s *Source) exec(m message, emit func(*process.Event)) {
	p := s.procs[int(m.pid)]
	at := s.time(m.at)
	if p == nil || !p.id.Known() || p.epoch != s.epoch {
		s.touch(int(m.pid))
		return
	}
	if !s.readSince(p, m) { // else that was of the new program
		s.readAnew(p, emit)
	}
	s.event = process.Event{Kind: process.Exec, Time: s.next(at), ID: p.id}
	emit(&s.event)
}

// readAnew reads a process that runs another program and tells of it.
func (s *Source) readAnew(p *proc, emit func(*process.Event)) {
	seen := &s.read
	if !s.look(p.pid, seen) || !p.id.Same(seen.ID) {
		return
	}
	p.found(seen, s.epoch)
	if p.parent != nil && p.parent.pid == seen.Parent.PID {
		seen.Parent, seen.NoParent = process.ID{}, false
		emit(seen)
		return
	}
	s.tell(p, seen, emit)
}

func (s *Source) exit(m message, emit func(*process.Event)) {
	p := s.procs[int(m.pid)]
	if p == nil {
		s.touch(int(m.pid))
		return
	}
	if m.tid == m.pid {
		p.leader, p.leaderEnded = m.code, true
	}
	p.threads--
	certain := !p.mixed && p.epoch == s.epoch
	if p.counted && certain {
		if p.threads > 0 {
			return
		}
	} else {
		if c := s.queue.pending[m.pid]; c.exits > 0 && c.forks == 0 {
			return // a later one may be the last
		}
		e := &s.read
		switch err := s.reader.Read(p.pid, e); {
		case err == nil && (e.ID.Same(p.id) || !p.id.Known()):
			if !e.Zombie {
				return
			}
			if m.tid != m.pid && !p.leaderEnded {
				// The leader has ended too, and its message is to come.
				e.Parent, e.NoParent = process.ID{}, false
				emit(e)
				return
			}
			certain = certain || !p.mixed && p.id.Known()
		case err == nil, errors.Is(err, source.ErrGone):
		case errors.Is(err, source.ErrHidden):
			if !ended(p.pid, p.id) {
				return
			}
		default:
			s.fail(err)
			return
		}
	}
	s.end(p, m, certain, emit)
}

// end tells that the process has ended with a thread. If it is not certain that
// this was a thread of it, only that it is gone.
func (s *Source) end(p *proc, m message, certain bool, emit func(*process.Event)) {
	wait := s.wholeStatus || !p.leaderEnded || p.leader == m.code
	if !certain || !wait {
		s.gone(p, emit)
		return
	}
	if p.id.Known() {
		at := s.next(s.time(m.at))
		s.event = process.Event{Kind: process.Exited, Time: at, ID: p.id, Status: syscall.WaitStatus(m.code)}
		emit(&s.event)
		if p.readAt > at { // so it was told as a zombie, and nothing tells when it no longer is
			s.event = process.Event{Kind: process.Gone, Time: process.Instant(linux.Boottime()), ID: p.id}
			emit(&s.event)
		}
	}
	s.orphan(p, emit)
}

// gone tells that the process is found to have ended, at a time and in a way
// not known.
func (s *Source) gone(p *proc, emit func(*process.Event)) {
	if p.id.Known() {
		s.event = process.Event{Kind: process.Gone, Time: process.Instant(linux.Boottime()), ID: p.id}
		emit(&s.event)
	}
	s.orphan(p, emit)
}

// orphan forgets a process that has ended and tells of who has its children
// now. They were adopted before its last message was sent (exit_notify).
func (s *Source) orphan(p *proc, emit func(*process.Event)) {
	var children []*proc
	for c := p.child; c != nil; c = c.next {
		children = append(children, c)
	}
	s.drop(p)
	for _, c := range children {
		var seen process.Event
		// A zombie's end may have been told, and what is told after that lasts.
		if !c.id.Known() || c.zombie || s.procs[c.pid] != c || !s.look(c.pid, &seen) || !seen.ID.Same(c.id) {
			continue
		}
		c.found(&seen, s.epoch)
		s.tell(c, &seen, emit)
	}
}

// touch takes in that there is news of a process that is not known.
func (s *Source) touch(pid int) {
	if s.touched != nil {
		s.touched[pid] = true
	}
}
