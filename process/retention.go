package process

import (
	"time"
	"unsafe"
)

// Retention says how long ended processes that nothing needs are kept. A
// living process, and an ended one that stands above a living one, are always
// kept, so a table holds at most these and Count more, of Bytes.
type Retention struct {
	// Age is how long after its end a process is kept. One that stood above
	// a living process is kept until the last such one is forgotten.
	// Zero means DefaultAge, a negative age means not at all.
	Age time.Duration
	// Count is the most ended processes that are kept. Zero means
	// DefaultCount, a negative count means none.
	Count int
	// Bytes is the most memory that the ended processes may take, counted as
	// if no two of them shared their path and arguments. Zero means
	// DefaultBytes, a negative number means none.
	Bytes int
}

// The retention of a zero [Retention].
const (
	DefaultAge   = 10 * time.Minute
	DefaultCount = 16384
	DefaultBytes = 16 << 20
)

func (k Retention) withDefaults() Retention {
	if k.Age == 0 {
		k.Age = DefaultAge
	}
	if k.Count == 0 {
		k.Count = DefaultCount
	}
	if k.Bytes == 0 {
		k.Bytes = DefaultBytes
	}
	return Retention{Age: max(k.Age, 0), Count: max(k.Count, 0), Bytes: max(k.Bytes, 0)}
}

// cost returns how much memory the process takes at most, as if it shared none
// of it but its name, its membership and its owner.
func (t *Table) cost(n *node) int {
	bytes := nodeBytes
	if n.command != 0 {
		bytes += t.commands.at(n.command).bytes()
	}
	if n.levels != 0 {
		bytes += levelsBytes(t.levels.at(n.levels))
	}
	return bytes
}

// nodeBytes is what each process that has ended takes.
const nodeBytes = int(unsafe.Sizeof(node{}) + unsafe.Sizeof(ending{}) + indexBytes)

// idle is the processes that nothing needs and that do not live, in a list
// through their next and prev: about in the order in which they ended.
type idle struct {
	head, tail Ref
	n          int
	bytes      int
}

// retain takes in that an edge needs the process.
func (t *Table) retain(r Ref) {
	t.at(r).refs++
	t.unpark(r)
}

// release takes back one retain.
func (t *Table) release(r Ref) {
	t.at(r).refs--
	t.park(r)
}

// park lets the process be forgotten if it does not live and nothing needs it.
// The next and prev of such a one are free: it is nobody's child.
func (t *Table) park(r Ref) {
	n := t.at(r)
	if n.is(parked) || n.refs != 0 || n.state == Alive || n.state == Zombie {
		return
	}
	n.flags |= parked
	l := &t.idle
	l.n++
	l.bytes += t.cost(n)
	switch {
	case l.head == 0:
		l.head, l.tail = r, r
	case t.end(n).At < t.end(t.at(l.head)).At: // an ancestor, kept until now
		n.next, t.at(l.head).prev, l.head = l.head, r, r
	default:
		n.prev, t.at(l.tail).next, l.tail = l.tail, r, r
	}
}

// unpark takes the process out of those that nothing needs, if it is there.
func (t *Table) unpark(r Ref) {
	n := t.at(r)
	if !n.is(parked) {
		return
	}
	l := &t.idle
	if n.prev != 0 {
		t.at(n.prev).next = n.next
	} else {
		l.head = n.next
	}
	if n.next != 0 {
		t.at(n.next).prev = n.prev
	} else {
		l.tail = n.prev
	}
	n.next, n.prev = 0, 0
	n.flags &^= parked
	l.n--
	l.bytes -= t.cost(n)
}

// evict forgets of those that nothing needs what is too old, what is too many,
// what takes too much memory and what never was more than a name.
func (t *Table) evict() {
	for t.idle.head != 0 {
		r := t.idle.head
		if t.idle.n <= t.keep.Count && t.idle.bytes <= t.keep.Bytes && t.end(t.at(r)).At+Instant(t.keep.Age) > t.now {
			return
		}
		t.forget(r)
	}
}

// Expire forgets what is too old now.
func (t *Table) Expire(now Instant) {
	t.now = max(t.now, now)
	t.evict()
	t.index.done()
}

// forget takes a process that nothing needs out of the table.
func (t *Table) forget(r Ref) {
	t.unpark(r)
	t.unplace(r)
	n := t.at(r)
	t.tellHolder(n.pid)
	if n.state == Ended {
		t.graves.bury(n.id())
	}
	*t.counts.of(n.state)--
	t.counts.Evicted++
	needs := t.needs(n)
	t.names.give(n.name)
	t.memberships.give(n.membership)
	t.memberships.give(n.birthplace)
	t.commands.give(n.command)
	t.owners.give(n.owner)
	t.levels.give(n.levels)
	if n.ending != 0 {
		t.endings.give(n.ending)
	}
	t.nodes.give(int32(r))
	for _, need := range needs {
		if need != 0 {
			t.release(need)
		}
	}
}
