package process

// Shrink gives back the memory of forgotten processes where they were more
// than half. It changes every Ref.
func (t *Table) Shrink() {
	if int(t.nodes.end) < 2*t.Len()+slabChunk {
		return
	}
	old := t.store
	moved := make([]Ref, old.nodes.end)
	for r := range t.All() {
		moved[r] = r
	}
	t.store = newStore()
	for r := range moved {
		if moved[r] != 0 {
			moved[r] = Ref(t.nodes.take())
		}
	}
	for from, to := range moved {
		if to != 0 {
			t.move(&old, old.nodes.at(int32(from)), to, moved)
		}
	}
	t.idle.head, t.idle.tail = moved[t.idle.head], moved[t.idle.tail]
	t.index.shrink(moved)
	for r := range t.All() {
		t.tell(r) // the container groups have other numbers
	}
	t.index.done()
}

// move copies a node of the old store, with all that it leads to.
func (t *Table) move(old *store, from *node, to Ref, moved []Ref) {
	n := t.at(to)
	*n = *from
	for _, f := range [...]*Ref{&n.parent, &n.origin, &n.samePID, &n.child, &n.next, &n.prev} {
		*f = moved[*f]
	}
	if n.base > 0 {
		n.base = moved[n.base]
	}
	if n.ending != 0 {
		d := t.endings.take()
		*t.endings.at(d) = *old.endings.at(n.ending)
		t.endings.at(d).adopter = moved[t.endings.at(d).adopter]
		n.ending = d
	}
	for _, of := range []*int32{&n.membership, &n.birthplace} {
		if *of != 0 {
			m := *old.memberships.at(*of)
			*of = 0
			t.setMembership(of, m)
		}
	}
	carry(&t.names, &old.names, &n.name)
	carry(&t.commands, &old.commands, &n.command)
	carry(&t.owners, &old.owners, &n.owner)
	if n.levels != 0 {
		n.levels = t.levels.take(old.levels.at(n.levels))
	}
}

// carry makes a place in one pool that of the same fact in another.
func carry[F fact[F]](to, from *pool[F], place *int32) {
	if *place != 0 {
		*place, _ = to.take(*from.at(*place))
	}
}
