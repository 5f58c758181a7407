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
// which are valid only during the call. The messages that are drained meanwhile
// may be newer than what the scan has just read. Where they are about the same
// process, or its parent, it is read once more at the end, and told again, or
// told as Gone.
func (s *Source) Scan(ctx context.Context, emit func(*process.Event)) error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	if err := s.beginScan(); err != nil {
		return err
	}
	err := s.reader.Scan(ctx, func(e *process.Event) {
		s.record(e)
		emit(e)
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
	s.doubtful = nil
	return nil
}

// record takes in that a process was found, and notes if that may have been
// before what the messages drained by now told.
func (s *Source) record(e *process.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := e.ID.PID
	if s.touched[pid] || s.touched[e.Parent.PID] {
		s.doubtful = append(s.doubtful, e.ID)
	}
	p := s.procs[pid]
	switch {
	case p == nil && s.touched[pid]:
		return // its end may have been drained
	case p == nil:
		p = s.add(pid)
	case p.id.Known() && p.id.Same(e.ID):
	case p.id.Known() && p.readAt > e.Time:
		s.doubtful = append(s.doubtful, e.ID)
		return
	case p.id.Known():
		// Messages tell of who had the PID before, or have been dropped.
		s.doubtful = append(s.doubtful, p.id)
		for c := p.child; c != nil; c = c.next {
			s.doubtful = append(s.doubtful, c.id)
		}
		s.drop(p)
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
}

// endScan returns what is to be told of the doubtful, and forgets those whose
// end no message will tell: what the last two scans have not found, if messages
// about it may have been dropped or it was a zombie.
func (s *Source) endScan(all bool) (events []process.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy.Store(true)
	defer s.busy.Store(false)
	emit := func(e *process.Event) { events = append(events, *e) }
	for _, id := range s.doubtful {
		if id.Known() {
			err = errors.Join(err, s.verify(id, emit))
		}
	}
	s.touched, s.doubtful = nil, nil
	for _, p := range s.procs {
		if all && p.scan+1 < s.scan && (p.zombie || p.epoch != s.epoch) {
			s.drop(p)
		}
	}
	return events, err
}

// verify reads a process once more and tells how it is now, or that it is gone
// if no message is going to.
func (s *Source) verify(id process.ID, emit func(*process.Event)) error {
	p := s.procs[id.PID]
	known := p != nil && p.id.Same(id)
	var e process.Event
	err := s.reader.Read(id.PID, &e)
	hidden := errors.Is(err, source.ErrHidden)
	switch {
	case err == nil && e.ID.Same(id):
		if p == nil {
			p = s.add(id.PID)
		} else if !known {
			p.mixed, p.counted = true, false
		}
		p.found(&e, s.epoch)
		s.tell(p, &e, emit)
	case err != nil && !hidden && !errors.Is(err, source.ErrGone):
		return err
	case known:
	case hidden && !ended(id.PID, id):
		if p == nil {
			s.add(id.PID).id = id
		}
	default:
		emit(&process.Event{Kind: process.Gone, Time: process.Instant(linux.Boottime()), ID: id})
	}
	return nil
}
