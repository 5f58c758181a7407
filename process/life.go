package process

// better takes in an end that nothing can refute. Of two the better known one
// counts, and of two known as well the earlier one.
func (n *node) better(x Exit) {
	if x.Evidence > n.exit.Evidence || x.Evidence == n.exit.Evidence && x.At < n.exit.At {
		n.exit = x
	}
}

// end returns how the process ended, as it is known now. That it was found
// gone counts only until it is found to hold its PID later: whoever found it
// gone could not see it.
func (n *node) end() Exit {
	if n.exit.Evidence < Scanned && n.missing() {
		return Exit{Evidence: Scanned, At: n.goneAt}
	}
	return n.exit
}

func (n *node) missing() bool { return n.goneAt != 0 && n.goneAt >= n.heldAt }

// lifeState returns how far the process has got. It depends on what was told
// of the process, not on the order.
func (n *node) lifeState() State {
	switch {
	case n.exit.Evidence == Observed, n.reused, n.missing():
		return Ended
	case n.exit.Evidence == Scanned:
		return Zombie
	case n.met:
		return Alive
	default:
		return Unseen
	}
}

// settle brings the state of a process in step with what was told of it, and
// with that its place among the children of its parent, who the parent of its
// own children is, and whether anything needs it. Adopted says that it became
// known who adopts from it.
func (t *Table) settle(r Ref, adopted bool) {
	n := t.at(r)
	s := n.lifeState()
	if s != n.state {
		*t.counts.of(n.state)--
		*t.counts.of(s)++
		t.unpark(r)
		n.state = s
		t.derive(r)
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
	return [...]*int{Unseen: &c.Unseen, Alive: &c.Alive, Zombie: &c.Zombie, Ended: &c.Ended}[s]
}

// node returns the process that id names, made if there is none yet. Held is
// when it is known to have held its PID, zero for not known.
func (t *Table) node(id ID, held Instant) Ref {
	r := t.ByID(id)
	if r == 0 {
		r = t.alloc()
		*t.at(r) = node{id: id}
		t.counts.Unseen++
		if t.byPID[id.PID] != 0 || t.graves.younger(id) {
			t.counts.Reused++
		}
		if t.graves.hold(id) {
			t.at(r).reused, t.at(r).relic = true, true
			t.at(r).better(Exit{Evidence: Inferred, At: t.now})
		}
	}
	n := t.at(r)
	n.id, n.heldAt = n.id.refine(id), max(n.heldAt, held)
	t.place(r)
	t.settle(r, false)
	return r
}

// place puts the process where it belongs among those that had its PID,
// youngest first, and takes all but the youngest as ended.
func (t *Table) place(r Ref) {
	n := t.at(r)
	head := t.byPID[n.id.PID]
	if head == r && n.samePID == 0 {
		return
	}
	if head != 0 {
		t.unplace(r)
	}
	above, below := Ref(0), t.byPID[n.id.PID]
	for below != 0 && n.before(t.at(below)) {
		above, below = below, t.at(below).samePID
	}
	n.samePID = below
	if above == 0 {
		t.byPID[n.id.PID] = r
	} else {
		t.at(above).samePID = r
		t.outlive(r, above)
	}
	if below != 0 && t.at(below).before(n) {
		t.outlive(below, r)
	}
}

// unplace takes the process out of those that had its PID, where it is there.
func (t *Table) unplace(r Ref) {
	n := t.at(r)
	pid := n.id.PID
	if t.byPID[pid] == r {
		if n.samePID == 0 {
			delete(t.byPID, pid)
		} else {
			t.byPID[pid] = n.samePID
		}
		return
	}
	for at := t.byPID[pid]; at != 0; at = t.at(at).samePID {
		if t.at(at).samePID == r {
			t.at(at).samePID = n.samePID
			return
		}
	}
}

// before reports whether n certainly had its PID before m had the same one: by
// the start, or where that does not tell by when each of them held it.
func (n *node) before(m *node) bool {
	if n.id.youngerThan(m.id) {
		return false
	}
	return m.id.youngerThan(n.id) || n.heldAt < m.heldAt
}

// outlive takes in that the process ended before young got its PID.
func (t *Table) outlive(r, young Ref) {
	n := t.at(r)
	n.reused = true
	n.better(Exit{Evidence: Inferred, At: t.at(young).id.begun(t.now)})
	t.settle(r, false)
}

func (t *Table) alloc() Ref {
	t.used++
	if r := t.free; r != 0 {
		t.free = t.at(r).samePID
		return r
	}
	t.nodes = append(t.nodes, node{})
	return Ref(len(t.nodes) - 1)
}

// EndUnseen takes every process that was last known to hold its PID before the
// instant as gone: what is left when all that were alive then have been read.
func (t *Table) EndUnseen(since Instant) {
	t.now = max(t.now, since)
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.id.PID != 0 && n.state != Ended && n.heldAt < since {
			n.goneAt = since
			t.settle(Ref(i), false)
		}
	}
	t.evict()
}
