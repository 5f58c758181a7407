package cnproc

import (
	"context"
	"errors"
	"os"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Scan tells of every process that the reader finds, as events of kind Seen,
// which are valid only during the call, and of kind Gone where a known one is
// found to have lost its PID and no message may tell. The messages that are
// drained meanwhile may be newer than what the scan has just read. Where they
// are about the same process, or its parent, it is read once more at the end,
// and told only then.
func (s *Source) Scan(ctx context.Context, emit func(*process.Event)) error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	if err := s.beginScan(); err != nil {
		return err
	}
	err := s.reader.Scan(ctx, func(e *process.Event) {
		if s.record(e) {
			emit(e)
		}
	})
	events, checked := s.endScan(err == nil)
	for i := range events {
		emit(&events[i])
	}
	return errors.Join(err, checked)
}

func (s *Source) beginScan() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.scan++
	s.scanEpoch = s.epoch
	s.touched = make(map[int]bool)
	s.doubtful = make(map[process.ID]bool)
	return nil
}

// record takes in that a process was found. It reports false, and notes the
// process, if that may have been before what the messages drained by now told.
func (s *Source) record(e *process.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := e.ID.PID
	p := s.procs[pid]
	if s.touched[pid] || s.touched[e.Parent.PID] || p != nil && p.id.Known() && !p.id.Same(e.ID) && p.readAt > e.Time {
		s.doubtful[e.ID] = true
		return false
	}
	switch {
	case p == nil:
		p = s.add(pid)
	case p.id.Same(e.ID):
	case p.id.Known():
		// Messages tell of who had the PID before, or have been dropped.
		s.replaced = append(s.replaced, p)
		s.touched[pid] = true
		p = s.add(pid)
		p.mixed = true
	default:
		// It was hidden, or another one since.
		p.mixed, p.counted = true, false
	}
	p.scan = s.scan
	p.counted = p.counted && p.epoch == s.scanEpoch
	if e.Time >= p.readAt {
		p.adopted(s.procs[e.Parent.PID])
	}
	p.found(e, s.scanEpoch)
	return true
}

// endScan returns what is left to be told, and forgets whom the last two scans
// have not found if no message may tell of their end: those who had ended
// already, and those from before messages were dropped.
func (s *Source) endScan(all bool) (events []process.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.doubtful {
		var e process.Event
		there, failed := s.verify(id, &e)
		if there {
			events = append(events, e)
		}
		err = errors.Join(err, failed)
	}
	s.touched, s.doubtful = nil, nil
	for _, p := range s.procs {
		if !all || p.scan+1 >= s.scan || p.lived && p.epoch == s.epoch {
			continue
		}
		if !p.lived && p.id.Known() {
			events = append(events, process.Event{Kind: process.Gone, Time: process.Instant(linux.Boottime()), ID: p.id})
		}
		s.drop(p)
	}
	return events, err
}

// verify reads a process once more into e and takes it in, and reports whether
// it is to be told of. If not, its end has been told, or has a message, or
// nothing was ever told of it.
//
// The parent is the process that was read under its PID between two readings of
// the child that name it: a parent that is lost does not come back.
func (s *Source) verify(id process.ID, e *process.Event) (bool, error) {
	var parent process.Event
	for range maxTries {
		err := s.reader.Read(id.PID, e)
		p := s.procs[id.PID]
		hidden := errors.Is(err, source.ErrHidden)
		switch {
		case hidden && p == nil && !ended(id.PID, id):
			p = s.add(id.PID)
			p.id, p.lived = id, true
			return false, nil
		case hidden, errors.Is(err, source.ErrGone):
			return false, nil
		case err != nil:
			return false, err
		case !e.ID.Same(id), e.Zombie && p == nil:
			return false, nil
		case e.NoParent, e.Parent.PID == parent.ID.PID:
			e.Parent = parent.ID
			s.confirm(e)
			return true, nil
		}
		err = s.reader.Read(e.Parent.PID, &parent)
		switch {
		case errors.Is(err, source.ErrHidden):
			s.confirm(e)
			return true, nil
		case errors.Is(err, source.ErrGone):
			parent = process.Event{}
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

// maxTries bounds how often a child is asked for its parent while one parent
// after the other ends.
const maxTries = 100

// confirm takes in what verify found.
func (s *Source) confirm(e *process.Event) {
	p := s.procs[e.ID.PID]
	switch {
	case p == nil:
		p = s.add(e.ID.PID)
	case !p.id.Same(e.ID):
		p.mixed, p.counted = true, false
	}
	p.scan = s.scan
	p.found(e, s.epoch)
	var parent *proc
	if e.Parent.Known() {
		switch parent = s.procs[e.Parent.PID]; {
		case parent == nil:
			parent = s.add(e.Parent.PID)
			parent.id, parent.lived = e.Parent, true
		case parent.id.Known() && !parent.id.Same(e.Parent):
			parent = nil
		}
	}
	p.adopted(parent)
}
