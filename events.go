package lineage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

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
	// Adopter is, of an Exited, who was to have the children that were left when
	// it was told, zero where that is not known. The kernel gives them away a
	// little later: until a child is read, its parent is inferred.
	Adopter process.ID
	// From is, of a Moved, the cgroups that the process was in before, empty
	// where that is not known.
	From process.Cgroup
	// Chain is the process's creator, the creator of that one and so on, as
	// [Tree.Lineage] has them, as they are right after. A Link with an Unknown
	// evidence is a gap: the earliest known parent of the one before it, and
	// not known to be its creator. With ChainCut there are more above. The
	// slice is shared with other events and must not be changed.
	Chain    []process.Ancestor
	ChainCut bool
}

// maxChain is the most that Event.Chain has.
const maxChain = 128

// Events returns a channel of everything that happens to processes from the
// call on, in the order in which it happened, a parent's fork before its
// child's. It needs a live source, without which it fails with
// [ErrUnsupported], and a [Tree.Run]: what Run takes in every 10 ms is sent.
//
// What waits for a reader takes at most 16 MiB, which is room for some 23,000
// events; the chains and commands that events have in common count once. A
// reader that falls behind by more gets a Loss instead of what comes after until
// it has caught up, and slows nobody else.
//
// When ctx ends, what has happened by then is still sent, to who goes on reading,
// and then the channel is closed. It is also closed with the tree, and when no live
// source is left.
func (t *Tree) Events(ctx context.Context) (<-chan Event, error) {
	if t.closed.Load() {
		return nil, ErrClosed
	}
	if t.live.Load() == nil {
		return nil, fmt.Errorf("source %s tells of nothing that happens: %w", t.Source().Name, ErrUnsupported)
	}
	t.drain() // what happened before the call
	ctx, cancel := context.WithCancel(ctx)
	s := &subscriber{cancel: cancel, more: make(chan struct{}, 1), out: make(chan Event)}
	t.mu.Lock()
	if t.closed.Load() { // since it was looked at
		t.mu.Unlock()
		cancel()
		return nil, ErrClosed
	}
	if t.live.Load() == nil { // as well
		s.over = true
		s.wake()
	}
	t.subscribers = append(t.subscribers, s)
	t.telling.Add(1)
	t.subscribed.Store(int32(len(t.subscribers)))
	t.mu.Unlock()
	go func() {
		held := s.send(ctx)
		t.drain() // what has happened by then
		t.mu.Lock()
		t.subscribers = slices.DeleteFunc(t.subscribers, func(o *subscriber) bool { return o == s })
		t.subscribed.Store(int32(len(t.subscribers)))
		if len(t.subscribers) == 0 {
			t.chains = chains{}
		}
		t.mu.Unlock()
		t.telling.Done()
		cancel()
		s.sendRest(held)
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
	queue eventQueue
	last  process.Instant // the Time of the last event in queue, or sent
	lost  process.Instant // the Time of the last that had no room, zero for none
	over  bool            // nothing comes any more
}

// push hands an event to the reader, or notes that it had no room.
func (s *subscriber) push(e *Event) {
	s.mu.Lock()
	if s.lost == 0 && s.queue.add(e) {
		s.last = e.Time
	} else {
		s.lost = max(s.lost, e.Time)
	}
	s.mu.Unlock()
	s.wake()
}

// lose notes that events until the instant were lost.
func (s *subscriber) lose(until process.Instant) {
	s.mu.Lock()
	s.lost = max(s.lost, until)
	s.mu.Unlock()
	s.wake()
}

func (s *subscriber) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// next returns what is to be sent next, nil where nothing is yet.
func (s *subscriber) next() (e *Event, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e = s.queue.pop(); e == nil && s.lost != 0 {
		e = &Event{Kind: process.Loss, Since: s.last, Time: s.lost}
		s.last, s.lost = s.lost, 0
	}
	return e, s.over
}

// send sends what is pushed until ctx ends or nothing comes any more. It returns
// what it was about to send then.
func (s *subscriber) send(ctx context.Context) (held *Event) {
	for {
		e, over := s.next()
		switch {
		case e != nil:
			select {
			case <-ctx.Done():
				return e
			case s.out <- *e:
			}
		case over:
			return nil
		default:
			select {
			case <-ctx.Done():
				return nil
			case <-s.more:
			}
		}
	}
}

// abandoned is how long a reader may take for one event, after its context has
// ended, before it is taken for one that reads no more.
const abandoned = time.Second

// sendRest sends e, where there is such, and what is left once nothing is pushed any
// more.
func (s *subscriber) sendRest(e *Event) {
	if e == nil {
		e, _ = s.next()
	}
	for ; e != nil; e, _ = s.next() {
		select {
		case s.out <- *e:
		case <-time.After(abandoned):
			return
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
	if len(t.subscribers) == 0 || e.Kind == process.Seen {
		t.table.Apply(e)
		return
	}
	if e.Kind == process.Loss {
		t.table.Apply(e)
		if !e.Renamed { // else what was dropped is nothing
			t.publish(&Event{Kind: e.Kind, Time: e.Time, Since: e.Since})
		}
		return
	}
	event := &Event{Kind: e.Kind, Time: e.Time, Adopter: e.Adopter}
	event.Process.ID = e.ID
	if r := t.table.ByID(e.ID); r != 0 {
		t.describe(event, r)
	}
	before := event.Process
	t.table.Apply(e)
	if r := t.table.ByID(e.ID); r != 0 {
		t.describe(event, r)
	} else { // with a short retention what has ended is forgotten at once
		event.Process.State = process.Ended
		event.Process.Exit = process.Exit{Evidence: process.Scanned, At: e.Time}
		if e.Kind == process.Exited {
			event.Process.Exit = process.Exit{Evidence: process.Observed, At: e.Time, Status: e.Status, Usage: e.Usage}
		}
	}
	switch e.Kind {
	case process.Exited, process.Gone:
		if before.State == process.Ended || before.Exit.Evidence == process.Observed {
			return // no news
		}
	case process.Moved:
		if was := before.Cgroup; before.Evidence != process.Unknown && !t.reread[e.ID] {
			if was.Membership != "" && was.Membership == event.Process.Cgroup.Membership {
				return // to where it was, or run by another thread there
			}
			event.From = was
		}
	case process.Fork, process.Exec, process.Seen, process.Loss:
	}
	t.publish(event)
}

// describe writes into e what is known of the process. t.mu is held.
func (t *Tree) describe(e *Event, r process.Ref) {
	e.Process = t.table.Process(r)
	chain, cut := t.table.AppendChain(t.chain[:0], r, maxChain)
	t.chain = chain
	e.Chain, e.ChainCut = t.chains.share(chain), cut
}

// chains is those that events had last, by the PID of their first.
type chains [64][]process.Ancestor

// share returns a copy of the chain, the same one where an event has an equal
// one: the children of one process have.
func (c *chains) share(chain []process.Ancestor) []process.Ancestor {
	if len(chain) == 0 {
		return nil
	}
	last := &c[uint(chain[0].ID.PID)%uint(len(c))]
	if !slices.Equal(*last, chain) {
		*last = slices.Clone(chain)
	}
	return *last
}

// publish hands an event to all readers, or keeps it until a scan has told what
// it has found. t.mu is held.
func (t *Tree) publish(e *Event) {
	switch {
	case !t.keeping:
		t.send(e)
	case t.keptLost != 0 || !t.kept.add(e):
		t.keptLost = max(t.keptLost, e.Time)
	}
}

func (t *Tree) send(e *Event) {
	for _, s := range t.subscribers {
		s.push(e)
	}
}

// applyRead takes what a scan has read into memory. Where a process is in other
// cgroups than was known, they may be those that it moves to by an event that is
// yet to come. t.mu is held.
func (t *Tree) applyRead(e *process.Event) {
	if len(t.subscribers) == 0 {
		t.table.Apply(e)
		return
	}
	before := t.table.Cgroup(t.table.ByID(e.ID)).Membership
	t.table.Apply(e)
	if before != "" && before != t.table.Cgroup(t.table.ByID(e.ID)).Membership {
		if t.reread == nil {
			t.reread = make(map[process.ID]bool)
		}
		t.reread[e.ID] = true
	}
}

// publishBatch is how many events are handed over before others may have the
// lock.
const publishBatch = 256

// publishFound hands to the readers what a scan has found: that the processes
// in found are there and that others are not. What happens meanwhile is kept.
func (t *Tree) publishFound(found []process.ID, began process.Instant) {
	if t.subscribed.Load() == 0 {
		return
	}
	told := make(map[process.ID]bool) // to have been born
	var gone []process.ID
	t.mu.RLock()
	for e := range t.kept.all() {
		if e.Kind == process.Fork {
			told[e.Process.ID] = true
		}
	}
	for r := range t.table.All() {
		if t.table.State(r) != process.Ended {
			continue
		}
		if p := t.table.Process(r); p.Exit.Evidence == process.Scanned && p.Exit.At == began {
			gone = append(gone, p.ID)
		}
	}
	t.mu.RUnlock()
	found = slices.DeleteFunc(found, func(id process.ID) bool { return told[id] })
	slices.SortFunc(found, func(a, b process.ID) int { // parents before their children
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.PID, b.PID))
	})
	for _, news := range []struct {
		kind process.Kind
		ids  []process.ID
	}{{process.Seen, found}, {process.Gone, gone}} {
		for batch := range slices.Chunk(news.ids, publishBatch) {
			t.mu.Lock()
			for _, id := range batch {
				if r := t.table.ByID(id); r != 0 {
					e := &Event{Kind: news.kind, Time: began}
					t.describe(e, r)
					t.send(e)
				}
			}
			t.mu.Unlock()
		}
	}
}

// release hands over what publish has kept and ends the keeping.
func (t *Tree) release() {
	for more := true; more; {
		t.mu.Lock()
		for range publishBatch {
			e := t.kept.pop()
			if more = e != nil; !more {
				break
			}
			t.send(e)
		}
		if !more {
			t.keeping, t.reread = false, nil
			if t.keptLost != 0 {
				for _, s := range t.subscribers {
					s.lose(t.keptLost)
				}
				t.keptLost = 0
			}
		}
		t.mu.Unlock()
	}
}
