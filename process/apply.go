package process

import (
	"slices"
	"unique"
)

// Apply takes in one event. It keeps nothing of e itself.
func (t *Table) Apply(e *Event) {
	t.now = max(t.now, e.Time)
	if e.Kind == Loss {
		t.counts.Losses++
		t.lose(window{since: e.Since, until: e.Time})
		return
	}
	if !e.ID.Known() || e.ID.PID <= 0 {
		return
	}
	switch e.Kind {
	case Fork:
		r := t.meet(e)
		t.setCreator(r, t.other(r, e.Creator, e.Time, true))
		t.setParent(r, e, Observed)
		t.setFacts(r, e, Observed)
	case Seen:
		r := t.meet(e)
		t.setParent(r, e, Scanned)
		t.setFacts(r, e, Scanned)
	case Exec:
		t.setName(t.meet(e), e, Observed)
	case Moved:
		t.setCgroup(t.meet(e), e, Observed)
	case Exited:
		r := t.meet(e)
		if t.at(r).adopter == 0 {
			a := t.other(r, e.Adopter, e.Time, false)
			if a != 0 {
				t.at(a).adoption = Adopts
			}
			t.point(&t.at(r).adopter, a)
		}
		t.at(r).better(Exit{Evidence: Observed, At: e.Time, Status: e.Status})
		t.settle(r, true)
	case Gone:
		r := t.node(e.ID, 0)
		t.at(r).goneAt = max(t.at(r).goneAt, e.Time)
		t.settle(r, false)
	case Loss:
	}
	t.evict()
}

func (t *Table) at(r Ref) *node { return &t.nodes[r] }

// meet returns the process that the event is about, which held its PID then.
func (t *Table) meet(e *Event) Ref {
	r := t.node(e.ID, e.Time)
	n := t.at(r)
	n.met = true
	if e.Kind == Seen && e.Zombie {
		n.better(Exit{Evidence: Scanned, At: e.Time})
	} else {
		n.aliveAt = max(n.aliveAt, e.Time, n.id.Start)
	}
	n.kernel = n.kernel || e.Kernel
	n.adoption = max(n.adoption, e.Adoption)
	t.settle(r, false)
	return r
}

// other returns the process that an event about r names beside it, or none
// where it names none or one that the kernel could not have meant: nobody's
// creator, parent or adopter began after they did or is below them. (All three
// are older: a child is younger than its creator, a sibling made with
// CLONE_PARENT younger than their parent, and find_new_reaper only takes from
// those above the dead parent, or the init of its PID namespace.)
func (t *Table) other(r Ref, id ID, now Instant, alive bool) Ref {
	self := t.at(r).id
	if !id.Known() || id.PID <= 0 || id.youngerThan(self) || id.Same(self) {
		return 0
	}
	o := t.node(id, now)
	if alive {
		t.at(o).aliveAt = max(t.at(o).aliveAt, now)
	}
	if !self.youngerThan(id) && t.below(r, o) {
		return 0
	}
	return o
}

// below reports whether o is kept by r, directly or through others: an edge
// from o's side to r then closed a circle, and nothing would leave the table.
// Only what may have begun in one clock tick can run in a circle.
func (t *Table) below(r, o Ref) bool {
	var room [16]Ref
	up := append(room[:0], o)
	for i := 0; i < len(up); i++ {
		n := t.at(up[i])
		for _, p := range n.needs() {
			if p == r {
				return true
			}
			if p != 0 && !t.at(r).id.youngerThan(t.at(p).id) && !slices.Contains(up, p) {
				up = append(up, p)
			}
		}
	}
	return false
}

// needs returns the edges that keep others in the table.
func (n *node) needs() [4]Ref { return [...]Ref{n.base, n.first, n.creator, n.adopter} }

// point makes *f, an edge of a process, lead to r, which it keeps in the table.
func (t *Table) point(f *Ref, r Ref) {
	old := *f
	if old == r {
		return
	}
	*f = r
	if r != 0 {
		t.retain(r)
	}
	if old != 0 {
		t.release(old)
	}
}

func (t *Table) setCreator(r, creator Ref) {
	n := t.at(r)
	if creator == 0 {
		return
	}
	t.point(&n.creator, creator)
	t.point(&n.first, 0) // who created it need not be inferred
}

// never is later than all instants.
const never = ^Instant(0)

// setParent takes in who is the parent at e.Time.
func (t *Table) setParent(r Ref, e *Event, ev Evidence) {
	if e.Parent.PID <= 0 && !e.NoParent {
		return // it does not tell
	}
	p := t.other(r, e.Parent, e.Time, true)
	n := t.at(r) // other may have moved the nodes
	born := ev == Observed
	earlier := n.firstAt == 0 || e.Time < n.firstAt
	if born && !n.born || born == n.born && earlier {
		n.firstAt, n.born, n.rootless = e.Time, born, e.NoParent
		if n.creator == 0 {
			t.point(&n.first, p)
		}
	}
	basePID := int32(0)
	if p == 0 && !e.NoParent {
		basePID, ev = int32(e.Parent.PID), min(ev, Scanned) // nobody can tell when it has ended
	}
	since := e.Time
	if e.Kind == Seen && e.Zombie {
		since = never // adopted since its end, maybe
	}
	switch same := n.baseAt != 0 && n.base == p && n.basePID == basePID; {
	case same && e.Time <= n.baseAt:
		n.baseSince = min(n.baseSince, since) // no process gets an earlier parent back
	case e.Time > n.baseAt:
		if !same {
			n.baseSince = never
		}
		n.baseSince = min(n.baseSince, since)
		n.baseAt, n.baseEv, n.basePID = e.Time, ev, basePID
		t.point(&n.base, p)
		t.derive(r)
	}
	if p != 0 {
		t.park(p) // if nothing needed it
	}
}

// derive finds the present parent of a process: the base, or where that has
// ended, who adopted from it, and so on. A process whose parent has ended and
// nobody knows who adopted stays in the list of the ended one, as a gap.
func (t *Table) derive(r Ref) {
	n := t.at(r)
	if n.state == Ended {
		t.unlink(r)
		return
	}
	p, ev := n.base, n.baseEv
	for range t.used { // no chain of adoption is longer
		if p == 0 || t.at(p).state < Zombie {
			break
		}
		if t.at(p).adopter == 0 || n.state == Zombie { // which may be gone as well
			ev = Unknown
			break
		}
		p = t.at(p).adopter
	}
	n.parentEv = ev
	if p == n.parent {
		return
	}
	t.unlink(r)
	if p == 0 {
		return
	}
	t.retain(p)
	n.parent, n.next = p, t.at(p).child
	if n.next != 0 {
		t.at(n.next).prev = r
	}
	t.at(p).child = r
}

// unlink takes the process out of the children of its parent.
func (t *Table) unlink(r Ref) {
	n := t.at(r)
	p := n.parent
	if p == 0 {
		return
	}
	if n.prev != 0 {
		t.at(n.prev).next = n.next
	} else {
		t.at(p).child = n.next
	}
	if n.next != 0 {
		t.at(n.next).prev = n.prev
	}
	n.parent, n.next, n.prev = 0, 0, 0
	t.release(p)
}

// setFacts takes in what a fork passes on and what a reading finds.
func (t *Table) setFacts(r Ref, e *Event, ev Evidence) {
	t.setName(r, e, ev)
	t.setCgroup(r, e, ev)
	n := t.at(r)
	if e.Time > n.idsAt && (e.GroupID != 0 || e.SessionID != 0 || e.TTY != 0) {
		n.idsAt = e.Time
		n.groupID, n.sessionID, n.tty = int32(e.GroupID), int32(e.SessionID), int32(e.TTY)
	}
}

func (t *Table) setName(r Ref, e *Event, ev Evidence) {
	if n := t.at(r); e.Name != "" && e.Time > n.nameAt {
		n.name, n.nameAt, n.nameEv = unique.Make(e.Name), e.Time, ev
	}
}

func (t *Table) setCgroup(r Ref, e *Event, ev Evidence) {
	if n := t.at(r); e.Cgroup.Membership != "" && e.Time > n.cgroupAt {
		n.cgroupAt, n.cgroupEv = e.Time, ev
		n.membership, n.group = unique.Make(e.Cgroup.Membership), unique.Make(e.Cgroup.Group)
	}
}
