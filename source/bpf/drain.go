package bpf

import (
	"context"
	"errors"
	"os"

	"github.com/proclineage/lineage/process"
)

// Pending reports whether there is anything to drain. It costs a few loads.
func (s *Source) Pending() bool {
	return s.ring.pending() || s.shared.dropped.Load() != s.shared.told.Load() || s.renaming.Load()
}

// Drain hands over what has happened until the call and was not handed over
// before: events of kind Fork, Exec, Exited, Moved and Loss, each valid only
// during the call of emit. Their Times increase. An event counts as pending
// until emit has returned, and emit must not call Drain.
func (s *Source) Drain(emit func(*process.Event)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.shared.woken.Store(0)
	before := s.last
	// What was dropped by now was dropped before the end of what is read now,
	// and so all that was told before it is told when the Loss is.
	dropped := s.shared.dropped.Load()
	s.problems = nil
	s.ring.read(func(record []byte) { s.take(record, emit) })
	if s.sets.full() {
		s.shared.epoch.Add(1)
	}
	if s.renamed {
		s.rename(emit)
		s.renaming.Store(s.renamed)
	}
	if dropped != s.shared.told.Load() {
		s.lose(dropped, before, emit)
	}
	return s.problems
}

// take takes in one record of the ring.
func (s *Source) take(record []byte, emit func(*process.Event)) {
	if len(record) >= headSize {
		switch native.Uint32(record) {
		case recordLine:
			s.problems = errors.Join(s.problems, s.sets.line(record))
			return
		case recordRenamed:
			s.renamed = true
			s.renaming.Store(true) // before the record counts as read
			return
		}
	}
	e := &s.event
	moved, err := s.decoder.event(record, e)
	if err != nil {
		s.problems = errors.Join(s.problems, err)
		return
	}
	if e.Kind == process.Exited && s.ends != nil && s.ends.again(e.ID) {
		return
	}
	e.Time = s.next(e.Time)
	emit(e)
	if moved {
		*e = process.Event{Kind: process.Moved, Time: s.next(e.Time), ID: e.ID, Cgroup: e.Cgroup}
		emit(e)
	}
}

// next returns the Time of the event that happened at t. The ring has one order
// for all processors, which their clocks need not have.
func (s *Source) next(t process.Instant) process.Instant {
	s.last = max(s.last+1, t)
	return s.last
}

// lose tells that records were dropped. As it comes after all that was read,
// also what happened since then counts as doubtful: more than need be, never
// less.
func (s *Source) lose(dropped uint64, before process.Instant, emit func(*process.Event)) {
	first, last, err := s.drops.since()
	s.problems = errors.Join(s.problems, err)
	since := before
	if first != 0 {
		since = min(since, first+s.decoder.offset-1)
	}
	s.event = process.Event{Kind: process.Loss, Since: since, Time: s.next(last + s.decoder.offset)}
	emit(&s.event)
	s.shared.told.Store(dropped)
}

// rename takes in that cgroups have other paths than before, or that there is
// one hierarchy more or less: what was told of memberships is doubtful, and so
// is what the programs tell before they begin anew.
func (s *Source) rename(emit func(*process.Event)) {
	since := s.last
	s.renamed = false
	// proc_cgroup_show waits until the change is complete (cgroup_mutex).
	_, err := s.learnSelf()
	s.problems = errors.Join(s.problems, err)
	s.shared.epoch.Add(1)
	s.ring.read(func(record []byte) { s.take(record, emit) })
	s.event = process.Event{Kind: process.Loss, Renamed: true, Since: since, Time: s.next(0)}
	emit(&s.event)
}

// Wait returns when so much is pending that it should be drained soon, or with
// the error of ctx. Who drains now and then, and before each question, needs it
// only so that nothing is lost.
func (s *Source) Wait(ctx context.Context) error { return s.waiter.wait(ctx) }
