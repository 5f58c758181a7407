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
// which are valid only during the call, and of kind Gone where one has ended
// meanwhile and its message was drained before it was found.
func (s *Source) Scan(ctx context.Context, emit func(*process.Event)) error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	if err := s.beginScan(); err != nil {
		return err
	}
	var doubtful []process.ID
	err := s.reader.Scan(ctx, func(e *process.Event) {
		if !s.record(e) {
			doubtful = append(doubtful, e.ID)
		}
		emit(e)
	})
	for _, e := range s.endScan(err == nil, doubtful) {
		emit(&e)
	}
	return err
}

func (s *Source) beginScan() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.scan++
	s.touched = make(map[int]bool)
	return nil
}

// record takes in that a process was found. It reports false if that may have
// been before what the messages drained by now told.
func (s *Source) record(e *process.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[e.ID.PID]
	switch {
	case p == nil && s.touched[e.ID.PID]:
		return false // its end may have been drained
	case p == nil:
		p = s.add(e.ID.PID)
	case p.id.Known() && p.id.Same(e.ID):
	case p.id.Known() && p.readAt > e.Time:
		return false
	case p.id.Known():
		// Messages tell of who had the PID before, or have been dropped.
		s.drop(p)
		p = s.add(e.ID.PID)
		p.mixed = true
	default:
		// It was hidden, or another one since.
		p.mixed, p.counted = true, false
	}
	p.scan = s.scan
	p.counted = p.counted && p.epoch == s.epoch
	if e.Time >= p.readAt {
		p.adopted(s.procs[e.Parent.PID])
	}
	p.found(e, s.epoch)
	return !s.touched[e.Parent.PID] // it may have been adopted since
}

// endScan returns what is to be told of the doubtful, and forgets what has not
// been found for two scans: there may be messages about what ended before the
// last one.
func (s *Source) endScan(all bool, doubtful []process.ID) []process.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []process.Event
	emit := func(e *process.Event) { events = append(events, *e) }
	for _, id := range doubtful {
		var e process.Event
		err := s.reader.Read(id.PID, &e)
		switch p := s.procs[id.PID]; {
		case errors.Is(err, source.ErrGone), err == nil && (e.Zombie || !e.ID.Same(id)):
			if p == nil || !p.id.Same(id) { // else its end has a message
				emit(&process.Event{Kind: process.Gone, Time: process.Instant(linux.Boottime()), ID: id})
			}
		case err == nil:
			if p == nil {
				p = s.add(id.PID)
			}
			p.found(&e, s.epoch)
			s.tell(p, &e, emit)
		}
	}
	s.touched = nil
	for _, p := range s.procs {
		if all && p.scan+1 < s.scan {
			s.drop(p)
		}
	}
	return events
}
