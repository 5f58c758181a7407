package process

import "unique"

// Apply takes in one event. It keeps nothing of e itself.
func (t *Table) Apply(e *Event) {
	if e.Kind == Loss {
		t.counts.Losses++
		t.loss = max(t.loss, e.Time)
		return
	}
	if !e.ID.Known() {
		return
	}
	r := t.node(e.ID, e.Time)
	switch e.Kind {
	case Fork:
		creator := t.other(r, e.Creator, e.Time) // may move the nodes
		t.setRef(&t.at(r).creator, creator)
		t.setAlive(r, e)
		t.setParent(r, e, Observed)
		t.setFacts(r, e, Observed)
	case Seen:
		t.setAlive(r, e)
		t.setParent(r, e, Scanned)
		t.setFacts(r, e, Scanned)
		if e.Zombie {
			t.end(r, Exit{Evidence: Scanned, At: e.Time}, Zombie)
		}
	case Exec:
		t.setAlive(r, e)
		t.setName(r, e, Observed)
	case Moved:
		t.setAlive(r, e)
		t.setCgroup(r, e)
	case Exited:
		if a := t.other(r, e.Adopter, e.Time); a != 0 {
			t.at(a).adoption = max(t.at(a).adoption, Adopts)
			t.setRef(&t.at(r).adopter, a)
		}
		t.end(r, Exit{Evidence: Observed, At: e.Time, Status: e.Status}, Ended)
	case Gone:
		t.end(r, Exit{Evidence: Scanned, At: e.Time}, Ended)
	}
	t.evict(e.Time)
}

func (t *Table) at(r Ref) *node { return &t.nodes[r] }

// node returns the process that id names, made if there is none yet.
func (t *Table) node(id ID, now Instant) Ref {
	if r := t.ByID(id); r != 0 {
		t.at(r).id = t.at(r).id.refine(id)
		return r
	}
	r := t.alloc()
	*t.at(r) = node{id: id}
	t.counts.Unseen++

	// Those that had the PID stand youngest first.
	link := Ref(0)
	above := Ref(0)
	for link = t.byPID[id.PID]; link != 0; link = t.at(link).samePID {
		if !t.before(t.at(r), now, t.at(link)) {
			break
		}
		above = link
	}
	t.at(r).samePID = link
	if above == 0 {
		t.byPID[id.PID] = r
	} else {
		t.at(above).samePID = r
		t.end(r, Exit{Evidence: Inferred, At: t.at(above).id.Start}, Ended)
	}
	if link != 0 {
		t.end(link, Exit{Evidence: Inferred, At: id.Start}, Ended)
	}
	if link != 0 || above != 0 {
		t.counts.Reused++
	}
	return r
}

// before reports whether n, first heard of now, had its PID before m had it.
func (t *Table) before(n *node, now Instant, m *node) bool {
	if n.id.youngerThan(m.id) {
		return false
	}
	if m.id.youngerThan(n.id) {
		return true
	}
	return now < m.aliveAt
}

// other returns the process that an event about r names beside it, or none
// where it names none or one that the kernel could not have meant: nobody's
// parent, creator or adopter began after they did.
func (t *Table) other(r Ref, id ID, now Instant) Ref {
	if !id.Known() || id.youngerThan(t.at(r).id) || id.Same(t.at(r).id) {
		return 0
	}
	return t.node(id, now)
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

// setRef points *f at the process at r, which keeps that one in the table.
func (t *Table) setRef(f *Ref, r Ref) {
	old := *f
	if old == r || r == 0 {
		return
	}
	*f = r
	t.at(r).refs++
	if old != 0 {
		t.release(old)
	}
}

// setAlive takes in that the process was alive at e.Time.
func (t *Table) setAlive(r Ref, e *Event) {
	n := t.at(r)
	n.aliveAt = max(n.aliveAt, e.Time)
	n.kernel = n.kernel || e.Kernel
	n.adoption = max(n.adoption, e.Adoption)
	switch {
	case n.exit.Evidence == Unknown:
		t.setState(n, Alive)
	case n.exit.Evidence == Scanned && n.exit.At < e.Time && n.state == Ended:
		n.exit = Exit{} // whoever found it gone could not see it
		t.setState(n, Alive)
	}
}

// setParent takes in who is the parent at e.Time.
func (t *Table) setParent(r Ref, e *Event, ev Evidence) {
	n := t.at(r)
	earliest := ev == Scanned && (n.firstAt == 0 || e.Time < n.firstAt)
	latest := e.Time > n.baseAt
	if !earliest && !latest {
		return
	}
	p := t.other(r, e.Parent, e.Time)
	n = t.at(r) // other may have moved the nodes
	if earliest {
		n.firstAt, n.rootless = e.Time, e.NoParent
		if old := n.first; old != p {
			n.first = 0
			t.setRef(&n.first, p)
			if old != 0 {
				t.release(old)
			}
		}
	}
	if latest {
		n.baseAt, n.baseEv, n.basePID = e.Time, ev, 0
		if p == 0 && !e.NoParent {
			n.basePID = int32(e.Parent.PID)
			if n.basePID == 0 {
				n.baseEv = Unknown
			}
		}
		if old := n.base; old != p {
			n.base = 0
			t.setRef(&n.base, p)
			if old != 0 {
				t.release(old)
			}
		}
		t.derive(r)
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
		if t.at(p).adopter == 0 {
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
	n.parent = p
	if p != 0 {
		t.at(p).refs++
		n.next = t.at(p).child
		if n.next != 0 {
			t.at(n.next).prev = r
		}
		t.at(p).child = r
	}
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
	t.setCgroup(r, e)
	if n := t.at(r); e.Time > n.idsAt {
		n.idsAt = e.Time
		n.groupID, n.sessionID, n.tty = int32(e.GroupID), int32(e.SessionID), int32(e.TTY)
	}
}

func (t *Table) setName(r Ref, e *Event, ev Evidence) {
	if n := t.at(r); e.Time > n.nameAt {
		n.name, n.nameAt, n.nameEv = unique.Make(e.Name), e.Time, ev
	}
}

func (t *Table) setCgroup(r Ref, e *Event) {
	n := t.at(r)
	if e.Cgroup.Membership == "" || e.Time <= n.cgroupAt {
		return
	}
	n.cgroupAt = e.Time
	n.membership, n.group = unique.Make(e.Cgroup.Membership), unique.Make(e.Cgroup.Group)
}

// end takes in that the process has ended. Of two tellings the better one
// counts, and of two as good the earlier one.
func (t *Table) end(r Ref, x Exit, s State) {
	n := t.at(r)
	if x.Evidence == Scanned && s == Ended && n.aliveAt > x.At {
		return // read alive since
	}
	t.setState(n, max(n.state, s))
	old := n.exit
	if x.Evidence > old.Evidence || x.Evidence == old.Evidence && x.At < old.At {
		n.exit = x
	}
	if n.state == Ended {
		t.unlink(r)
	}
	for c := n.child; c != 0; {
		next := t.at(c).next
		t.derive(c)
		c = next
	}
	t.enqueue(r)
}

func (t *Table) setState(n *node, s State) {
	*t.counts.of(n.state)--
	n.state = s
	*t.counts.of(s)++
}

func (c *Counts) of(s State) *int {
	return [...]*int{Unseen: &c.Unseen, Alive: &c.Alive, Zombie: &c.Zombie, Ended: &c.Ended}[s]
}
