package process

// After returns the process that stands after r in the table, in no particular
// order, or none after the last one. After none comes the first. It lets a
// caller go round the table a few processes at a time while it changes.
func (t *Table) After(r Ref) Ref {
	for r++; int(r) < len(t.nodes); r++ {
		if t.nodes[r].id.PID != 0 {
			return r
		}
	}
	return 0
}
