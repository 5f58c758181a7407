package process

import "iter"

// better takes in an end that nothing can refute. Of two the better known one
// counts, and of two known as well the earlier one.
func (d *ending) better(x Exit) {
	if x.Evidence > d.exit.Evidence || x.Evidence == d.exit.Evidence && x.At < d.exit.At {
		d.exit = x
	}
}

// end returns how the process ended, as it is known now. That it was found
// gone counts only until it is found to hold its PID later: whoever found it
// gone could not see it.
func (t *Table) end(n *node) Exit {
	d := t.ending(n)
	if d.exit.Evidence < Scanned && d.missing(n) {
		return Exit{Evidence: Scanned, At: d.goneAt}
	}
	return d.exit
}

// missing reports whether n, whose ending d is, was found gone and not found to
// hold its PID since.
func (d *ending) missing(n *node) bool { return d.goneAt != 0 && d.goneAt >= n.heldAt }

// lifeState returns how far the process has got. It depends on what was told
// of the process, not on the order.
func (t *Table) lifeState(n *node) State {
	switch d := t.ending(n); {
	case n.is(reused), d.missing(n):
		return Ended
	case d.exit.Evidence == Observed && n.heldAt <= d.toldAt:
		return Ended
	case d.exit.Evidence >= Scanned && d.left:
		return Zombie
	case n.is(met):
		return Alive
	default:
		return Unseen
	}
}

// dying reports whether the process is alive and has ended: it is on the way
// from the one to the other.
func (t *Table) dying(n *node) bool {
	return n.state == Alive && t.ending(n).exit.Evidence >= Scanned
}

// Dying reports whether the process is Alive and yet its end is known. It may
// be a zombie by now, of which no event tells, and its children another one's.
func (t *Table) Dying(r Ref) bool { return t.dying(t.at(r)) }

// Orphan reports whether the process lives and its parent has ended, so that it
// has to be read again to know who that is: no event tells when the kernel gives
// the children of a process away, which is some time after its end, nor to whom.
// The Parent is the one that has ended where it was that after its end, and else
// inferred, or not known.
func (t *Table) Orphan(r Ref) bool {
	n := t.at(r)
	if n.state != Alive || n.parent == 0 {
		return false
	}
	_, ev := t.Parent(r)
	return ev <= Inferred || t.dying(t.at(n.parent))
}

// settle brings the state of a process in step with what was told of it, and
// with that its place among the children of its parent, who the parent of its
// own children is, and whether anything needs it. Adopted says that it became
// known when it ended, or who adopts from it.
func (t *Table) settle(r Ref, adopted bool) {
	n := t.at(r)
	s := t.lifeState(n)
	if s != n.state {
		*t.counts.of(n.state)--
		*t.counts.of(s)++
		t.unpark(r)
		n.state = s
		t.derive(r)
		t.tell(r)
		adopted = true
	}
	if adopted {
		for c := n.child; c != 0; {
			next := t.at(c).next
			t.derive(c)
			c = next
		}
	}
	t.park(r)
}

func (c *Counts) of(s State) *int {
	switch s {
	case Alive:
		return &c.Alive
	case Zombie:
		return &c.Zombie
	case Ended:
		return &c.Ended
	default:
		return &c.Unseen
	}
}

// node returns the process that id names, made if there is none yet. Held is
// when it is known to have held its PID, zero for not known; with still nothing
// later is known of anything: one that was forgotten then has its PID still.
func (t *Table) node(id ID, held Instant, still bool) Ref {
	r := t.ByID(id)
	still = still && (r == 0 || t.index.ref(id.PID) == r) // nobody has it since
	if r == 0 {
		r = Ref(t.nodes.take())
		n := t.at(r)
		n.setID(id)
		t.counts.Unseen++
		forgotten, same, another := t.graves.hold(id)
		if another || t.index.ref(id.PID) != 0 {
			t.counts.Reused++
		}
		if forgotten {
			still = still && same
			n.flags |= reused
			n.set(relic, !still)
			t.mark(n).better(Exit{Evidence: Inferred, At: t.now})
		}
	}
	n := t.at(r)
	if still && n.is(reused) {
		n.flags &^= reused // it was forgotten as one that had ended, and has its PID yet
		t.mark(n).better(Exit{Evidence: Scanned, At: held - 1})
	}
	n.setID(n.id().refine(id))
	n.heldAt = max(n.heldAt, held)
	t.place(r)
	t.settle(r, false)
	return r
}

// place puts the process where it belongs among those that had its PID,
// youngest first, and takes all but the youngest as ended.
func (t *Table) place(r Ref) {
	n := t.at(r)
	head := t.index.ref(int(n.pid))
	if head == r && (n.samePID == 0 || !n.before(t.at(n.samePID))) {
		if n.samePID != 0 && t.at(n.samePID).before(n) {
			t.outlive(n.samePID, r)
		}
		return
	}
	if head != 0 {
		t.unplace(r)
	}
	above, below := Ref(0), t.index.ref(int(n.pid))
	for below != 0 && n.before(t.at(below)) {
		above, below = below, t.at(below).samePID
	}
	n.samePID = below
	if above == 0 {
		t.index.set(n.pid, r)
	} else {
		t.at(above).samePID = r
		t.outlive(r, above)
	}
	if below != 0 && t.at(below).before(n) {
		t.outlive(below, r)
	}
	if head != 0 {
		t.tellBelow(head)
	}
	t.tellHolder(n.pid)
}

// tellHolder brings the index in step with who had the PID last.
func (t *Table) tellHolder(pid int32) {
	if r := t.index.ref(int(pid)); r != 0 {
		t.tell(r)
		t.tellBelow(r)
	}
}

// unplace takes the process out of those that had its PID, where it is there.
func (t *Table) unplace(r Ref) {
	n := t.at(r)
	above := t.index.ref(int(n.pid))
	if above == r {
		if n.samePID == 0 {
			t.index.remove(n.pid)
		} else {
			t.index.set(n.pid, n.samePID)
		}
		return
	}
	for ; above != 0; above = t.at(above).samePID {
		if t.at(above).samePID == r {
			t.at(above).samePID = n.samePID
			return
		}
	}
}

// before reports whether n certainly had its PID before m had the same one: by
// the start, or where that does not tell by when each of them held it.
func (n *node) before(m *node) bool {
	if n.id().youngerThan(m.id()) {
		return false
	}
	return m.id().youngerThan(n.id()) || n.heldAt < m.heldAt
}

// outlive takes in that the process ended before young got its PID.
func (t *Table) outlive(r, young Ref) {
	n := t.at(r)
	n.flags |= reused
	t.mark(n).better(Exit{Evidence: Inferred, At: t.at(young).id().begun(t.now)})
	t.settle(r, false)
}

// EndUnseen takes every process that was last known to hold its PID before the
// instant as gone: what is left when all that held one then have been read, the
// zombies among them, and all that has happened since was told. What was told
// of a process at or after the instant holds on.
func (t *Table) EndUnseen(since Instant) {
	t.now = max(t.now, since)
	for r := range t.All() {
		n := t.at(r)
		if n.heldAt < since && (n.state != Ended || t.unreaped(n)) {
			end := t.mark(n)
			end.goneAt = max(end.goneAt, since)
			t.settle(r, false)
		}
	}
	t.evict()
	t.index.done()
}

// Unreaped returns the processes that have ended and may hold their PIDs
// still: the zombies, those that are on the way to be one, and those whose end
// was observed and who were neither found gone since nor followed by another
// one with the same PID. It walks the table, which must not change under the
// iteration.
func (t *Table) Unreaped() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for r := range t.All() {
			if n := t.at(r); t.unreaped(n) && !yield(r) {
				return
			}
		}
	}
}

func (t *Table) unreaped(n *node) bool {
	d := t.ending(n)
	return d.exit.Evidence >= Scanned && !n.is(reused) && !d.missing(n)
}
