package process

// lasts reports whether the parent of a living process is still the one that
// was told of last, whatever was dropped: a process keeps its parent for as long
// as that one lives, and stays without one where it had none. A parent whose end
// may have been dropped may be on the way from that to leaving its children, also
// where it was told of as the parent since.
func (t *Table) lasts(n *node) bool {
	switch {
	case t.loss == 0:
		return true
	case n.parent == 0:
		return n.basePID() == 0 || n.baseAt > t.loss
	case n.parent != n.base && n.heldAt <= t.loss:
		return false // it may have ended before it was adopted
	case t.at(n.parent).pid == 1:
		return true // whose end is that of all others
	case t.dying(t.at(n.parent)):
		return n.baseAt > t.loss // which holds for an orphan
	}
	return t.at(n.parent).aliveAt > t.loss
}

// lastParent returns the parent that an ended process had when it ended. One
// that ended after its parent, and was not read between the two, was that one's
// to the last or had been adopted: the latter is inferred.
func (t *Table) lastParent(n *node) (Ref, Evidence) {
	// It ended after lo and not after hi.
	end := t.end(n)
	lo, hi, ev := n.aliveAt, end.At, min(n.evidence(baseEv), Scanned)
	if end.Evidence == Observed {
		lo, ev = end.At-1, n.evidence(baseEv)
	}
	p := max(n.base, 0)
	if n.baseAt == 0 || n.baseSince > lo {
		return 0, Unknown // the parent of a zombie, whose own parent may have ended
	}
	if n.base < 0 && t.lost(n, n.baseAt) {
		return 0, Unknown
	}
	for range t.Len() { // no chain of adoption is longer
		if p == 0 {
			return 0, ev
		}
		parent := t.at(p)
		ended, adopter := t.end(parent), t.ending(parent).adopter
		switch {
		case ended.Evidence == Observed && ended.At > hi, parent.aliveAt >= hi:
			return p, ev
		case ended.Evidence == Unknown && !t.lostBetween(parent.aliveAt, hi):
			return p, ev
		case ended.Evidence != Observed || ended.At > lo || adopter == 0:
			return 0, Unknown
		}
		p, ev = adopter, min(ev, Inferred)
	}
	return 0, Unknown
}

// creator returns the link of the process to its creator: observed at its
// fork, or else inferred. The parent that it was born with is the creator.
// So is the earliest parent that was read, where that one never was a
// subreaper or the init of its PID namespace: only these two and the dead
// parent's own process adopt (find_new_reaper in the kernel's exit.c). What is
// inferred is wrong where the creator passed CLONE_PARENT, and where the
// parent was a subreaper only when nobody looked.
func (t *Table) creator(n *node) Link {
	if n.origin != 0 {
		o := t.at(n.origin)
		switch {
		case n.is(created):
			return Link{ID: o.id(), Evidence: Observed}
		case n.is(born) || Adoption(o.pair(adoption)) == AdoptsNone && o.pid != 1:
			return Link{ID: o.id(), Evidence: Inferred}
		}
	}
	switch {
	case !n.is(rootless):
		return Link{}
	case n.pid == 1:
		return Link{Evidence: Scanned} // who makes a namespace is not in it
	default:
		// Who is born outside is not adopted inside.
		return Link{Evidence: Inferred}
	}
}

// AppendChain appends those above the process by creation, as AppendLineage
// has them but of at most as many, and reports whether there are more.
func (t *Table) AppendChain(dst []Ancestor, r Ref, most int) (chain []Ancestor, cut bool) {
	for range min(most, t.Len()) {
		n := t.at(r)
		if n.origin == 0 {
			return dst, false
		}
		a := Ancestor{Link: t.creator(n)}
		r = n.origin
		a.ID, a.State = t.at(r).id(), t.at(r).state
		if name := t.at(r).name; name != 0 {
			a.Name = string(*t.names.at(name))
		}
		dst = append(dst, a)
	}
	return dst, t.at(r).origin != 0
}

// AppendLineage appends the process and those above it by creation, the ended
// ones among them, up to the first whose creator is not known at all.
func (t *Table) AppendLineage(dst []Step, r Ref) []Step {
	gap := false
	for range t.Len() { // no chain is longer
		dst = append(dst, Step{Gap: gap})
		t.fill(&dst[len(dst)-1].Process, r)
		n := t.at(r)
		if r = n.origin; r == 0 {
			break
		}
		gap = !n.is(created) && t.creator(n).Evidence == Unknown
	}
	return dst
}
