package process

import "iter"

// All returns every process in the table, in no particular order. The table
// must not change under the iteration.
func (t *Table) All() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for r := t.After(0); r != 0; r = t.After(r) {
			if !yield(r) {
				return
			}
		}
	}
}

// After returns the process that stands after r in the table, in no particular
// order, or none after the last one. After none comes the first. It lets a
// caller go round the table a few processes at a time while it changes.
func (t *Table) After(r Ref) Ref {
	for r++; int32(r) < t.nodes.end; r++ {
		if t.at(r).pid != 0 {
			return r
		}
	}
	return 0
}

// Children returns the processes whose Parent is the given one and that have
// not ended, in no particular order. The table must not change under the
// iteration.
func (t *Table) Children(r Ref) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for c := t.at(r).child; c != 0; c = t.at(c).next {
			if _, ev := t.Parent(c); ev != Unknown && !yield(c) {
				return
			}
		}
	}
}
