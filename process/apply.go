package process

import "slices"

// Apply takes in one event. It keeps nothing of e itself.
func (t *Table) Apply(e *Event) {
	t.now = max(t.now, e.Time)
	if e.Kind == Loss {
		t.counts.Losses++
		t.lose(window{since: e.Since, until: e.Time})
		t.index.done()
		return
	}
	if !e.ID.Known() || e.ID.PID <= 0 || e.ID.PID > maxPID {
		return
	}
	var r Ref
	switch e.Kind {
	case Fork:
		r = t.meet(e)
		c := t.other(r, e.Creator, e.Time, true)
		if c != 0 {
			t.lives(c, e.Time)
		}
		t.setCreator(r, c)
		t.setParent(r, e, Observed)
		t.setFacts(r, e, Observed)
	case Seen:
		r = t.meet(e)
		t.setParent(r, e, Scanned)
		t.setFacts(r, e, Scanned)
	case Exec, Moved:
		r = t.meet(e)
		t.setFacts(r, e, Observed)
	case Exited:
		r = t.meet(e)
		end := t.mark(t.at(r))
		end.toldAt = max(end.toldAt, e.Time)
		if end.adopter == 0 {
			a := t.other(r, e.Adopter, e.Time, false)
			if a != 0 {
				t.at(a).setPair(adoption, uint8(Adopts))
			}
			t.point(&end.adopter, a)
		}
		end.better(Exit{Evidence: Observed, At: e.Time, Status: e.Status, Usage: e.Usage})
		t.settle(r, true)
	case Gone:
		r = t.node(e.ID, 0, false)
		end := t.mark(t.at(r))
		end.goneAt = max(end.goneAt, e.Time)
		t.settle(r, false)
	case Loss:
	}
	if r != 0 {
		t.tell(r)
	}
	t.evict()
	t.index.done()
}

// meet returns the process that the event is about, which held its PID then.
func (t *Table) meet(e *Event) Ref {
	r := t.node(e.ID, e.Time, e.Kind == Seen && e.Time >= t.now)
	n := t.at(r)
	n.flags |= met
	ended := e.Kind == Seen && (e.Zombie || e.Exiting)
	if ended {
		d := t.mark(n)
		d.better(Exit{Evidence: Scanned, At: e.Time})
		d.left = d.left || e.Zombie
	} else {
		t.lives(r, max(e.Time, n.start))
	}
	if e.Kernel {
		n.flags |= kernel
	}
	n.setPair(adoption, max(n.pair(adoption), uint8(e.Adoption)))
	t.settle(r, ended)
	return r
}

// lives takes in that the process was alive at the instant, and so the parent
// of its children (see Table.lasts). That it was somebody's parent does not say
// so: it may have ended, which an event told that was dropped.
func (t *Table) lives(r Ref, at Instant) {
	n := t.at(r)
	doubtful := t.loss != 0 && n.aliveAt <= t.loss && at > t.loss
	n.aliveAt = max(n.aliveAt, at)
	if doubtful {
		t.tellBelow(r)
	}
}

// other returns the process that an event about r names beside it, or none
// where it names none or one that the kernel could not have meant: nobody's
// creator, parent or adopter began after they did or is below them. (All three
// are older: a child is younger than its creator, a sibling made with
// CLONE_PARENT younger than their parent, and find_new_reaper only takes from
// those above the dead parent, or the init of its PID namespace.) Held says that
// it held its PID then.
func (t *Table) other(r Ref, id ID, now Instant, held bool) Ref {
	self := t.at(r).id()
	if !id.Known() || id.PID <= 0 || id.PID > maxPID || id.youngerThan(self) || id.Same(self) {
		return 0
	}
	o := t.node(id, now, held && now >= t.now)
	if !self.youngerThan(id) && t.below(r, o) {
		return 0
	}
	return o
}

// below reports whether o is kept by r, directly or through others: an edge
// from o's side to r then closed a circle, and nothing would leave the table.
// Only what may have begun in one clock tick can run in a circle.
func (t *Table) below(r, o Ref) bool {
	self := t.at(r).id()
	var room [16]Ref
	up := append(room[:0], o)
	for i := 0; i < len(up); i++ {
		for _, p := range t.needs(t.at(up[i])) {
			if p == r {
				return true
			}
			if p != 0 && !self.youngerThan(t.at(p).id()) && !slices.Contains(up, p) {
				up = append(up, p)
			}
		}
	}
	return false
}

// point makes *f, an edge of a process, lead to r, which it keeps in the table.
// An edge of less than zero is none, either way.
func (t *Table) point(f *Ref, r Ref) {
	old := *f
	if old == r {
		return
	}
	*f = r
	if r > 0 {
		t.retain(r)
	}
	if old > 0 {
		t.release(old)
	}
}

func (t *Table) setCreator(r, creator Ref) {
	if creator == 0 {
		return
	}
	n := t.at(r)
	n.flags |= created
	t.point(&n.origin, creator) // which need not be inferred any more
}

// never is later than all instants.
const never = ^Instant(0)

// setParent takes in who is the parent at e.Time.
func (t *Table) setParent(r Ref, e *Event, ev Evidence) {
	if e.Parent.PID <= 0 && !e.NoParent {
		return // it does not tell
	}
	p := t.other(r, e.Parent, e.Time, true)
	n := t.at(r)
	forked := ev == Observed
	earlier := n.firstAt == 0 || e.Time < n.firstAt
	if forked && !n.is(born) || forked == n.is(born) && earlier {
		n.firstAt = e.Time
		n.set(born, forked)
		n.set(rootless, e.NoParent)
		if !n.is(created) {
			t.point(&n.origin, p)
		}
	}
	base := p
	if p == 0 && !e.NoParent {
		base, ev = -Ref(e.Parent.PID), min(ev, Scanned) // nobody can tell when it has ended
	}
	since := e.Time
	if e.Kind == Seen && (e.Zombie || e.Exiting) {
		since = never // adopted since its end, maybe
	}
	switch same := n.baseAt != 0 && n.base == base; {
	case same && e.Time <= n.baseAt:
		n.baseSince = min(n.baseSince, since) // no process gets an earlier parent back
	case e.Time > n.baseAt:
		if !same {
			n.baseSince = never
		}
		n.baseSince = min(n.baseSince, since)
		n.baseAt = e.Time
		n.setPair(baseEv, uint8(ev))
		t.point(&n.base, base)
		t.derive(r)
	}
	if p != 0 {
		t.park(p) // if nothing needed it
	}
}

// derive finds the present parent of a process: the base, or where that has
// ended, who was to adopt from it, and so on, which is inferred. One that is
// dying stays the parent where it was that after its end. A process whose
// parent has ended and nobody knows who adopts stays in the list of the ended
// one, as a gap.
func (t *Table) derive(r Ref) {
	n := t.at(r)
	if n.state == Ended {
		t.unlink(r)
		return
	}
	p, ev := max(n.base, 0), n.evidence(baseEv)
	for range t.Len() { // no chain of adoption is longer
		if p == 0 {
			break
		}
		parent := t.at(p)
		end := t.ending(parent)
		if parent.state < Zombie && !t.dying(parent) {
			break
		}
		if p == n.base && parent.state < Zombie && n.baseAt > end.exit.At {
			ev = min(ev, Scanned)
			break
		}
		if end.adopter == 0 || n.state == Zombie { // which may be gone as well
			ev = Unknown
			break
		}
		p, ev = end.adopter, Inferred
	}
	if p == n.parent && ev == n.evidence(parentEv) {
		return
	}
	n.setPair(parentEv, uint8(ev))
	if p != n.parent {
		t.link(r, p)
	}
	t.tell(r)
}

// link makes the process a child of p, or of nobody.
func (t *Table) link(r, p Ref) {
	t.unlink(r)
	if p == 0 {
		return
	}
	n := t.at(r)
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
