package process

import "time"

// Retention says how long ended processes that nothing needs are kept. A
// living process, and an ended one that stands above a living one, are always
// kept, so a table holds at most these and Count more.
type Retention struct {
	// Age is how long after its end a process is forgotten, at the latest.
	// Zero means DefaultAge, a negative age means at once.
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

// queue is the ended processes that nothing needs, longest ended first.
type queue struct {
	refs []Ref // a ring
	head int
	n    int
}

func (q *queue) push(r Ref) {
	if q.n == len(q.refs) {
		grown := make([]Ref, max(64, 2*q.n))
		for i := range q.n {
			grown[i] = q.refs[(q.head+i)%len(q.refs)]
		}
		q.refs, q.head = grown, 0
	}
	q.refs[(q.head+q.n)%len(q.refs)] = r
	q.n++
}

func (q *queue) pop() Ref {
	r := q.refs[q.head]
	q.head = (q.head + 1) % len(q.refs)
	q.n--
	return r
}

// release takes back one ref.
func (t *Table) release(r Ref) {
	t.at(r).refs--
	t.enqueue(r)
}

// enqueue lets the process be forgotten if it has ended and nothing needs it.
func (t *Table) enqueue(r Ref) {
	if n := t.at(r); n.state != Alive && n.refs == 0 && !n.queued {
		n.queued = true
		t.ended.push(r)
	}
}

// evict forgets the ended processes that are too many or too old.
func (t *Table) evict(now Instant) {
	for t.ended.n > 0 {
		r := t.ended.refs[t.ended.head]
		n := t.at(r)
		needed := n.state == Alive || n.state == Zombie || n.refs > 0
		old := n.exit.At+Instant(t.keep.Age) <= now
		if !needed && !old && t.ended.n <= t.keep.Count {
			return
		}
		t.ended.pop()
		n.queued = false
		if !needed {
			t.forget(r)
		}
	}
}

// Expire forgets what is too old now.
func (t *Table) Expire(now Instant) { t.evict(now) }

// forget takes a process that nothing refers to out of the table.
func (t *Table) forget(r Ref) {
	n := t.at(r)
	if first := t.byPID[n.id.PID]; first == r {
		if n.samePID == 0 {
			delete(t.byPID, n.id.PID)
		} else {
			t.byPID[n.id.PID] = n.samePID
		}
	} else {
		for ; t.at(first).samePID != r; first = t.at(first).samePID {
		}
		t.at(first).samePID = n.samePID
	}
	*t.counts.of(n.state)--
	t.counts.Evicted++
	needs := [...]Ref{n.base, n.first, n.creator, n.adopter}
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
	var ended queue
	for t.ended.n > 0 {
		ended.push(moved[t.ended.pop()])
	}
	t.nodes, t.byPID, t.ended, t.free = nodes, byPID, ended, 0
}
