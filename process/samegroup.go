package process

// word is what the index says of a process: its PID, the PID of its parent,
// zero for none, and the number of its container group, zero where not all of
// this is certain. The container group "" has a number too.
func (t *Table) word(r Ref) uint64 {
	n := t.at(r)
	word := uint64(n.pid) << (pidBits + groupBits)
	if n.state != Alive || t.dying(n) || n.membership == 0 || t.loss != 0 && n.cgroupAt <= t.loss {
		return word
	}
	p, ev := t.Parent(r)
	if ev <= Inferred || n.base < 0 {
		return word
	}
	parent := int32(0)
	if p != 0 {
		if parent = t.at(p).pid; t.index.ref(int(parent)) != p {
			return word
		}
	}
	group := t.memberships.at(n.membership).group
	if group > maxGroup {
		return word
	}
	return word | uint64(parent)<<groupBits | uint64(group)
}

// tell brings the index in step with what is known of the process.
func (t *Table) tell(r Ref) { t.index.tell(r, t.word(r)) }

// tellBelow does so for its children.
func (t *Table) tellBelow(r Ref) {
	for c := t.at(r).child; c != 0; c = t.at(c).next {
		t.tell(c)
	}
}

// AppendSameGroup appends to dst the PIDs of the ancestors of the process that
// holds the PID, by current parent and nearest first, whose container group
// has the path that its own has. It itself is not among them. Processes whose
// memberships have no container group are taken to be in the same.
//
// It reports false, and returns dst as it was, where the table does not know
// for certain: where no living process that events were about holds the PID,
// where the chain has a gap, an orphan (see [Table.Orphan]) or an ancestor of
// which only the PID is known, where a membership in it is not known, and where
// a [Loss] has made any of it doubtful that was not told again since.
//
// Unlike all else, it may be called at any time and from any number of
// goroutines, also while another one changes the table: the answer is one that
// the table gave at an instant of the call. It may report false in vain then,
// and does not when nothing changes. It takes no lock, writes nothing that is
// shared, and allocates nothing where dst has room.
func (t *Table) AppendSameGroup(dst []int, pid int) ([]int, bool) {
	if pid <= 0 || pid > maxPID {
		return dst, false
	}
	for range tries {
		seq := t.index.seq.Load()
		if seq&1 != 0 {
			continue // Apply is under way
		}
		pids, ok := t.index.appendSameGroup(dst, int32(pid), seq)
		if t.index.seq.Load() != seq {
			continue
		}
		if !ok {
			return dst, false
		}
		return pids, true
	}
	return dst, false
}

// tries is how often a walk is begun again because the table has changed: one
// that is for nothing costs as much as the caller's lock.
const tries = 16

// recheck is after how many steps a walk looks whether the table has changed,
// since what changes under it may run in a circle.
const recheck = 64

// appendSameGroup walks up the index. What it returns holds if seq has not
// changed.
func (x *index) appendSameGroup(dst []int, pid int32, seq uint64) ([]int, bool) {
	p := x.places.Load()
	w := p.words[p.find(pid)].Load()
	group := w & maxGroup
	if group == 0 {
		return dst, false
	}
	for step := 1; ; step++ {
		parent := int32(w >> groupBits & maxPID)
		if parent == 0 {
			return dst, true
		}
		w = p.words[p.find(parent)].Load()
		switch w & maxGroup {
		case group:
			dst = append(dst, int(parent))
		case 0:
			return dst, false
		}
		if step%recheck == 0 && x.seq.Load() != seq {
			return dst, false
		}
	}
}
