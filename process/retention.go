package process

import "time"

// Retention says how long ended processes that nothing needs are kept. A
// living process, and an ended one that stands above a living one, are always
// kept, so a table holds at most these and Count more.
type Retention struct {
	// Age is how long after its end a process is kept. One that stood above
	// a living process is kept until the last such one is forgotten.
	// Zero means DefaultAge, a negative age means not at all.
	Age time.Duration
	// Count is the most ended processes that are kept. Zero means
	// DefaultCount, a negative count means none.
	Count int
}

// The retention of a zero [Retention].
const (
	DefaultAge   = 10 * time.Minute
	DefaultCount = 16384
)

func (k Retention) withDefaults() Retention {
	if k.Age == 0 {
		k.Age = DefaultAge
	}
	if k.Count == 0 {
		k.Count = DefaultCount
	}
	return Retention{Age: max(k.Age, 0), Count: max(k.Count, 0)}
}

// idle is the processes that nothing needs and that do not live, in a list
// through their next and prev: about in the order in which they ended.
type idle struct {
	head, tail Ref
	n          int
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
	if n.parked || n.refs != 0 || n.state == Alive || n.state == Zombie {
		return
	}
	n.parked = true
	l := &t.idle
	l.n++
	switch {
	case l.head == 0:
		l.head, l.tail = r, r
	case n.end().At < t.at(l.head).end().At: // an ancestor, kept until now
		n.next, t.at(l.head).prev, l.head = l.head, r, r
	default:
		n.prev, t.at(l.tail).next, l.tail = l.tail, r, r
	}
}

// unpark takes the process out of those that nothing needs, if it is there.
func (t *Table) unpark(r Ref) {
	n := t.at(r)
	if !n.parked {
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
	n.next, n.prev, n.parked = 0, 0, false
	l.n--
}

// evict forgets of those that nothing needs what is too old, what is too many
// and what never was more than a name.
func (t *Table) evict() {
	for t.idle.head != 0 {
		r := t.idle.head
		if t.idle.n <= t.keep.Count && t.at(r).end().At+Instant(t.keep.Age) > t.now {
			return
		}
		t.forget(r)
	}
}

// Expire forgets what is too old now.
func (t *Table) Expire(now Instant) {
	t.now = max(t.now, now)
	t.evict()
}

// forget takes a process that nothing needs out of the table.
func (t *Table) forget(r Ref) {
	t.unpark(r)
	t.unplace(r)
	n := t.at(r)
	if n.state == Ended {
		t.graves.bury(n.id)
	}
	*t.counts.of(n.state)--
	t.counts.Evicted++
	needs := n.needs()
	*n = node{samePID: t.free}
	t.free = r
	t.used--
	for _, need := range needs {
		if need != 0 {
			t.release(need)
		}
	}
}

// Shrink gives back the memory of forgotten processes where they were more
// than half. It changes every Ref.
func (t *Table) Shrink() {
	if len(t.nodes) < 2*t.used+64 {
		return
	}
	moved := make([]Ref, len(t.nodes))
	nodes := make([]node, 1, t.used+t.used/4+1)
	for r := range t.nodes {
		if t.nodes[r].id.PID != 0 {
			moved[r] = Ref(len(nodes))
			nodes = append(nodes, t.nodes[r])
		}
	}
	byPID := make(map[int]Ref, len(t.byPID))
	for pid, r := range t.byPID {
		byPID[pid] = moved[r]
	}
	for i := range nodes {
		n := &nodes[i]
		for _, f := range []*Ref{&n.parent, &n.base, &n.first, &n.creator, &n.adopter, &n.samePID, &n.child, &n.next, &n.prev} {
			*f = moved[*f]
		}
	}
	t.nodes, t.byPID, t.free = nodes, byPID, 0
	t.idle.head, t.idle.tail = moved[t.idle.head], moved[t.idle.tail]
}
