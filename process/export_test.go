package process

import "fmt"

// Check returns what is wrong inside the table: counts, lists or edges that do
// not agree, or a process that is kept though nothing needs it.
func (t *Table) Check() error {
	refs := make([]int32, len(t.nodes))
	free := make([]bool, len(t.nodes))
	nfree := 0
	for r := t.free; r != 0; r = t.nodes[r].samePID {
		if free[r] || t.nodes[r] != (node{samePID: t.nodes[r].samePID}) {
			return fmt.Errorf("free node %d is linked twice or in use", r)
		}
		free[r] = true
		nfree++
	}
	if nfree+t.used != len(t.nodes)-1 {
		return fmt.Errorf("%d free and %d used of %d nodes", nfree, t.used, len(t.nodes)-1)
	}
	var counts Counts
	parked, siblings, listed := 0, 0, 0
	for i := 1; i < len(t.nodes); i++ {
		r, n := Ref(i), &t.nodes[i]
		if free[r] {
			continue
		}
		for _, f := range append([]Ref{n.parent}, func() []Ref { a := n.needs(); return a[:] }()...) {
			if free[f] {
				return fmt.Errorf("%v points at a free node", n.id)
			}
			refs[f]++
		}
		*counts.of(n.state)++
		if n.state != n.lifeState() {
			return fmt.Errorf("%v is %v, but what was told says %v", n.id, n.state, n.lifeState())
		}
		if n.parked {
			parked++
		}
		if n.parent != 0 {
			siblings++
		}
		prev := Ref(0)
		for c := n.child; c != 0; c = t.nodes[c].next {
			if m := &t.nodes[c]; m.parent != r || m.prev != prev || m.state == Ended {
				return fmt.Errorf("%v is wrong in the children of %v", m.id, n.id)
			}
			prev = c
			if listed++; listed > t.used {
				return fmt.Errorf("the children of %v run in a circle", n.id)
			}
		}
		was, ev := n.parent, n.parentEv
		if t.derive(r); n.parent != was || n.parentEv != ev {
			return fmt.Errorf("the parent of %v is not what was told", n.id)
		}
		if n.creator != 0 && n.first != 0 {
			return fmt.Errorf("%v keeps a first parent beside its creator", n.id)
		}
	}
	if siblings != listed {
		return fmt.Errorf("%d have a parent, %d are in the lists", siblings, listed)
	}
	for i := 1; i < len(t.nodes); i++ {
		n := &t.nodes[i]
		if free[i] {
			continue
		}
		if refs[i] != n.refs {
			return fmt.Errorf("%v has %d refs, should have %d", n.id, n.refs, refs[i])
		}
		if idle := n.refs == 0 && n.state != Alive && n.state != Zombie; idle != n.parked {
			return fmt.Errorf("%v %v with %d refs: parked %v", n.id, n.state, n.refs, n.parked)
		}
	}
	counts.Reused, counts.Evicted, counts.Losses = t.counts.Reused, t.counts.Evicted, t.counts.Losses
	if counts != t.counts {
		return fmt.Errorf("counts are %+v, should be %+v", t.counts, counts)
	}
	if err := t.checkIdle(parked); err != nil {
		return err
	}
	if err := t.checkPIDs(); err != nil {
		return err
	}
	return t.checkKept()
}

func (t *Table) checkIdle(parked int) error {
	prev, n := Ref(0), 0
	for r := t.idle.head; r != 0 && n <= t.used; r = t.nodes[r].next {
		if !t.nodes[r].parked || t.nodes[r].prev != prev {
			return fmt.Errorf("%v is wrong in the idle list", t.nodes[r].id)
		}
		prev = r
		n++
	}
	if n != parked || n != t.idle.n || prev != t.idle.tail || n > t.keep.Count {
		return fmt.Errorf("%d parked, %d idle of at most %d, %d counted", parked, n, t.keep.Count, t.idle.n)
	}
	return nil
}

func (t *Table) checkPIDs() error {
	n := 0
	for pid, r := range t.byPID {
		if r == 0 {
			return fmt.Errorf("PID %d leads nowhere", pid)
		}
		for ; r != 0; r = t.nodes[r].samePID {
			m := &t.nodes[r]
			if m.id.PID != pid {
				return fmt.Errorf("%v is among those with PID %d", m.id, pid)
			}
			if m.samePID != 0 && m.before(&t.nodes[m.samePID]) {
				return fmt.Errorf("%v is before %v", m.id, t.nodes[m.samePID].id)
			}
			if n++; n > t.used {
				return fmt.Errorf("those with PID %d run in a circle", pid)
			}
		}
	}
	if n != t.used {
		return fmt.Errorf("%d have a PID of %d", n, t.used)
	}
	return nil
}

// checkKept finds what is kept though neither a living process nor one that
// may be forgotten leads to it: a circle.
func (t *Table) checkKept() error {
	kept := make([]bool, len(t.nodes))
	var todo []Ref
	for i := range t.nodes {
		if n := &t.nodes[i]; n.id.PID != 0 && (n.state == Alive || n.state == Zombie || n.parked) {
			kept[i] = true
			todo = append(todo, Ref(i))
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		n := &t.nodes[todo[0]]
		for _, p := range append([]Ref{n.parent}, func() []Ref { a := n.needs(); return a[:] }()...) {
			if p != 0 && !kept[p] {
				kept[p] = true
				todo = append(todo, p)
			}
		}
	}
	for i := range t.nodes {
		if n := &t.nodes[i]; n.id.PID != 0 && !kept[i] {
			return fmt.Errorf("nothing needs %v, yet it is kept", n.id)
		}
	}
	return nil
}
