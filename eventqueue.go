package lineage

import (
	"iter"
	"slices"
	"unsafe"

	"github.com/proclineage/lineage/process"
)

// queueBytes is the most memory that the events of one queue take. Queues share
// their events, so that many readers take little more than one.
const queueBytes = 16 << 20

// An eventQueue is events that wait. The zero eventQueue is empty.
type eventQueue struct {
	waiting []waiting
	head    int // those before it are gone
	bytes   int

	// What the events had last that they share: it counts once. What was gone
	// meanwhile with the event that it was counted with is not counted, which
	// is no more than this.
	chains     [16]*process.Ancestor // the first of each
	hand       int
	command    *string // the first argument
	membership string
}

// waiting is an event with what it takes.
type waiting struct {
	*Event
	bytes int
}

// roomKept is how many events an empty queue keeps the room for.
const roomKept = 1 << 10

// add puts an event at the end, and reports whether there is room for it.
func (q *eventQueue) add(e *Event) bool {
	if q.bytes >= queueBytes {
		return false
	}
	n := q.cost(e)
	q.bytes += n
	q.waiting = append(q.waiting, waiting{e, n})
	return true
}

// pop takes out the event at the head, nil where there is none.
func (q *eventQueue) pop() *Event {
	if q.head == len(q.waiting) {
		return nil
	}
	w := q.waiting[q.head]
	q.waiting[q.head] = waiting{}
	q.head++
	q.bytes -= w.bytes
	switch {
	case q.head == len(q.waiting):
		room := q.waiting[:0]
		if cap(room) > roomKept {
			room = nil
		}
		*q = eventQueue{waiting: room}
	case q.head >= roomKept && q.head >= len(q.waiting)/2:
		q.waiting = slices.Delete(q.waiting, 0, q.head)
		q.head = 0
	}
	return w.Event
}

// all returns the events that wait.
func (q *eventQueue) all() iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		for _, w := range q.waiting[q.head:] {
			if !yield(w.Event) {
				return
			}
		}
	}
}

// cost returns how much memory an event takes beside what it shares with those
// before it.
func (q *eventQueue) cost(e *Event) int {
	n := int(unsafe.Sizeof(Event{}) + unsafe.Sizeof(waiting{}))
	if len(e.Chain) > 0 && !slices.Contains(q.chains[:], &e.Chain[0]) {
		n += cap(e.Chain) * int(unsafe.Sizeof(process.Ancestor{}))
		q.chains[q.hand] = &e.Chain[0]
		q.hand = (q.hand + 1) % len(q.chains)
	}
	p := &e.Process
	if args := p.Exec.Args; len(args) > 0 && &args[0] != q.command {
		q.command = &args[0]
		n += len(p.Exec.File)
		for _, arg := range args {
			n += len(arg) + int(unsafe.Sizeof(arg))
		}
	}
	for _, c := range []*process.Cgroup{&p.Birthplace, &p.Cgroup, &e.From} {
		if c.Membership != q.membership {
			q.membership = c.Membership
			n += len(c.Membership) + len(c.Group)
		}
	}
	return n + len(p.NamespacePIDs)*int(unsafe.Sizeof(0))
}
