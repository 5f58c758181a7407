package lineage

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/proclineage/lineage/process"
)

// An Event is one change of one process, or a Loss of such. It is a copy that
// nothing changes.
type Event struct {
	// Kind is what has happened. What scans find after a Loss comes as Seen
	// and Gone.
	Kind process.Kind
	// Time is when it happened, and of Seen and Gone when it was found.
	Time process.Instant
	// Since is, of a Loss, when the last event before it happened.
	Since process.Instant
	// Process is what is known of the process right after. Of a Loss it is
	// empty.
	Process process.Process
	// Adopter is, of an Exited, who has the children that were left, zero
	// where that is not known.
	Adopter process.ID
	// From is, of a Moved, the cgroups that the process was in before.
	From process.Cgroup
	// Chain is the process's creator, the creator of that one and so on, as
	// [Tree.Lineage] has them, as they are right after. A Link with an Unknown
	// evidence is a gap: the earliest known parent of the one before it, and
	// not known to be its creator. With ChainCut there are more above.
	Chain    []process.Ancestor
	ChainCut bool
}

// maxChain is the most that Event.Chain has.
const maxChain = 128

// eventQueue is the most events that wait for one reader, and keptQueue those
// whose room is kept.
const (
	eventQueue = 1 << 16
	keptQueue  = 1 << 10
)

// Events returns a channel of everything that happens to processes from the
// call on, in the order in which it happened, a parent's fork before its
// child's. It needs a live source, without which it fails with
// [ErrUnsupported], and a [Tree.Run]: what Run takes in every 10 ms is sent.
//
// A reader that falls behind by 65,536 events gets a Loss instead of what
// comes after until it has caught up, and slows nobody else. The channel is
// closed when ctx ends, with the tree, and when no live source is left.
func (t *Tree) Events(ctx context.Context) (<-chan Event, error) {
	if t.closed.Load() {
		return nil, ErrClosed
	}
	if t.live.Load() == nil {
		return nil, fmt.Errorf("source %s tells of nothing that happens: %w", t.Source().Name, ErrUnsupported)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &subscriber{cancel: cancel, more: make(chan struct{}, 1), out: make(chan Event)}
	t.mu.Lock()
	if t.live.Load() == nil || t.closed.Load() { // since it was looked at
		s.over = true
		s.wake()
	}
	t.subscribers = append(t.subscribers, s)
	t.subscribed.Store(int32(len(t.subscribers)))
	t.mu.Unlock()
	go func() {
		s.send(ctx)
		t.mu.Lock()
		t.subscribers = slices.DeleteFunc(t.subscribers, func(o *subscriber) bool { return o == s })
		t.subscribed.Store(int32(len(t.subscribers)))
		t.mu.Unlock()
		cancel()
		close(s.out)
	}()
	return s.out, nil
}

// A subscriber is one reader of events.
type subscriber struct {
	cancel context.CancelFunc
	more   chan struct{} // holds one note that there is something in queue
	out    chan Event

	mu    sync.Mutex
	queue []Event
	last  process.Instant // the Time of the last event in queue, or sent
	lost  process.Instant // the Time of the last that had no room, zero for none
	over  bool            // nothing comes any more
}

// push hands an event to the reader, or notes that it had no room.
func (s *subscriber) push(e Event) {
	s.mu.Lock()
	if len(s.queue) < eventQueue && s.lost == 0 {
		s.queue = append(s.queue, e)
		s.last = e.Time
	} else {
		s.lost = max(s.lost, e.Time)
	}
	s.mu.Unlock()
	s.wake()
}

func (s *subscriber) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// take returns what has come since the last call, in place of batch.
func (s *subscriber) take(batch []Event) (next []Event, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(batch)
	next, s.queue = s.queue, batch[:0]
	if cap(s.queue) > keptQueue {
		s.queue = nil
	}
	if s.lost != 0 {
		next = append(next, Event{Kind: process.Loss, Since: s.last, Time: s.lost})
		s.last, s.lost = s.lost, 0
	}
	return next, s.over
}

// send sends what is pushed until ctx ends or nothing comes any more.
func (s *subscriber) send(ctx context.Context) {
	var batch []Event
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return
		case <-s.more:
		}
		batch, over = s.take(batch)
		for _, e := range batch {
			select {
			case <-ctx.Done():
				return
			case s.out <- e:
			}
		}
	}
}

// interrupt tells all readers that events were lost, and with end that there
// will be no more.
func (t *Tree) interrupt(end bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := now()
	for _, s := range t.subscribers {
		s.mu.Lock()
		s.lost, s.over = at, end
		s.mu.Unlock()
		s.wake()
	}
}

// applyAndPublish takes an event of a live source into memory and hands it to
// the readers of events. What a live source has read besides is no event of
// its own. t.mu is held.
func (t *Tree) applyAndPublish(e *process.Event) {
	if len(t.subscribers) == 0 {
		t.table.Apply(e)
		return
	}
	before := t.table.ByID(e.ID)
	event := Event{Kind: e.Kind, Time: e.Time, Since: e.Since, Adopter: e.Adopter}
	event.Process.ID = e.ID
	if before != 0 {
		t.describe(&event, before)
		event.From = event.Process.Cgroup
	}
	ended := event.Process.State == process.Ended || event.Process.Exit.Evidence == process.Observed
	t.table.Apply(e)
	if r := t.table.ByID(e.ID); r != 0 {
		t.describe(&event, r)
	} else { // with a short retention what has ended is forgotten at once
		event.Process.State = process.Ended
		event.Process.Exit = process.Exit{Evidence: process.Scanned, At: e.Time}
		if e.Kind == process.Exited {
			event.Process.Exit = process.Exit{Evidence: process.Observed, At: e.Time, Status: e.Status, Usage: e.Usage}
		}
	}
	switch e.Kind {
	case process.Seen:
		return
	case process.Exited, process.Gone:
		if ended {
			return // no news
		}
	case process.Loss:
		if e.Renamed {
			return // what was dropped is nothing
		}
		event.Process = process.Process{}
	case process.Fork, process.Exec, process.Moved:
	}
	if e.Kind != process.Moved {
		event.From = process.Cgroup{}
	}
	t.publish(event)
}

// describe writes into e what is known of the process. t.mu is held.
func (t *Tree) describe(e *Event, r process.Ref) {
	e.Process = t.table.Process(r)
	chain, cut := t.table.AppendChain(t.chain[:0], r, maxChain)
	t.chain = chain
	e.Chain, e.ChainCut = slices.Clone(chain), cut
}

// publish hands an event to all readers, or keeps it until a scan has told what
// it has found. t.mu is held.
func (t *Tree) publish(e Event) {
	if t.scans > 0 && len(t.kept) < eventQueue {
		t.kept = append(t.kept, e)
		return
	}
	t.send(e)
}

func (t *Tree) send(e Event) {
	for _, s := range t.subscribers {
		s.push(e)
	}
}

// publishFound hands to the readers what a scan has found: that the processes
// in found are there and that others are not; and then what has happened
// meanwhile. t.mu is held.
func (t *Tree) publishFound(found []process.ID, began process.Instant) {
	told := make(map[process.ID]bool) // to have been born
	for i := range t.kept {
		if t.kept[i].Kind == process.Fork {
			told[t.kept[i].Process.ID] = true
		}
	}
	slices.SortFunc(found, func(a, b process.ID) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	for _, id := range found {
		r := t.table.ByID(id)
		if r == 0 || told[id] {
			continue
		}
		e := Event{Kind: process.Seen, Time: began}
		t.describe(&e, r)
		t.send(e)
	}
	for r := range t.table.All() {
		if p := t.table.Process(r); p.Exit.Evidence == process.Scanned && p.Exit.At == began && p.State == process.Ended {
			e := Event{Kind: process.Gone, Time: began}
			t.describe(&e, r)
			t.send(e)
		}
	}
}

// release ends the keeping of events that publish began. t.mu is held.
func (t *Tree) release() {
	t.scans--
	for i := range t.kept {
		t.send(t.kept[i])
	}
	t.kept = nil
}
