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
	// Chain is the process's creator, the creator of that one and so on, as
	// [Tree.Lineage] has them. A Link with an Unknown evidence is a gap: the
	// earliest known parent of the one before it, and not known to be its
	// creator.
	Chain []process.Link
}

// eventQueue is the most events that wait for one reader.
const eventQueue = 1 << 16

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
	// With a short retention what has ended is forgotten at once.
	before := t.table.ByID(e.ID)
	event := Event{Kind: e.Kind, Time: e.Time, Since: e.Since, Adopter: e.Adopter}
	if before != 0 && (e.Kind == process.Exited || e.Kind == process.Gone) {
		event.Process, event.Chain = t.table.Process(before), t.chain(before)
		if event.Process.State == process.Ended || event.Process.Exit.Evidence == process.Observed {
			t.table.Apply(e)
			return // no news
		}
	}
	t.table.Apply(e)
	if e.Kind == process.Seen {
		return
	}
	if r := t.table.ByID(e.ID); r != 0 {
		event.Process, event.Chain = t.table.Process(r), t.chain(r)
	} else if e.Kind == process.Exited {
		event.Process.State = process.Ended
		event.Process.Exit = process.Exit{Evidence: process.Observed, At: e.Time, Status: e.Status, Usage: e.Usage}
	}
	t.publish(event)
}

// publish hands an event to all readers. t.mu is held.
func (t *Tree) publish(e Event) {
	for _, s := range t.subscribers {
		s.push(e)
	}
}

// publishFound hands to the readers what a scan has found: that the processes
// in found are there and that others are not. t.mu is held.
func (t *Tree) publishFound(found []process.ID, began process.Instant) {
	slices.SortFunc(found, func(a, b process.ID) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	for _, id := range found {
		if r := t.table.ByID(id); r != 0 {
			t.publish(Event{Kind: process.Seen, Time: began, Process: t.table.Process(r), Chain: t.chain(r)})
		}
	}
	for r := range t.table.All() {
		if p := t.table.Process(r); p.Exit.Evidence == process.Scanned && p.Exit.At == began && p.State == process.Ended {
			t.publish(Event{Kind: process.Gone, Time: began, Process: p, Chain: t.chain(r)})
		}
	}
}

// chain returns who stands above a process by creation. t.mu is held.
func (t *Tree) chain(r process.Ref) []process.Link {
	t.steps = t.table.AppendLineage(t.steps[:0], r)
	if len(t.steps) < 2 {
		return nil
	}
	chain := make([]process.Link, len(t.steps)-1)
	for i := range chain {
		chain[i] = process.Link{ID: t.steps[i+1].Process.ID, Evidence: t.steps[i].Process.Creator.Evidence}
	}
	return chain
}
