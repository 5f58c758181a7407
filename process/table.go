package process

import (
	"iter"
	"unique"
)

// A Ref is the place of a process in a [Table], valid until the next call
// that changes the table. The zero Ref is none.
type Ref int32

// A Table holds what a stream of events says of the processes of one boot.
//
// What it says depends on which events it was given, not on their order nor
// on how often it got each: an exit may come before its fork, a child before
// its parent. Every exception is marked in the answer as a gap or as unknown.
//
// A Table is not safe for concurrent use; calls that do not change it may run
// side by side.
type Table struct {
	nodes  []node // nodes[0] is none
	free   Ref    // the first free node, linked by samePID
	used   int
	byPID  map[int]Ref // the youngest process that had the PID
	loss   Instant     // facts of this instant or before may be outdated
	keep   Retention
	ended  queue
	counts Counts
}

// Counts is how much a [Table] holds and what it has seen since it was made.
type Counts struct {
	// Alive, Zombie, Ended and Unseen count processes by their state.
	Alive, Zombie, Ended, Unseen int
	// Evictable counts those of the ended that no other process needs.
	Evictable int
	// Reused counts the PIDs that were seen to pass to another process.
	Reused uint64
	// Evicted counts the ended processes that were forgotten.
	Evicted uint64
	// Losses counts the events of kind Loss.
	Losses uint64
}

// node is a process in the table. Edges are places in Table.nodes, so that a
// dead process is kept by those that need it (refs) and by nothing else.
type node struct {
	id ID

	parent  Ref // who is its parent now, derived from base and from exits
	base    Ref // the parent by the latest event that tells one
	first   Ref // the parent by the earliest Seen
	creator Ref
	adopter Ref // who adopted its children
	samePID Ref // the next older process with the same PID
	refs    int32

	child, next, prev Ref // children that are not Ended: a list through the siblings

	basePID int32 // base, where only its PID is known

	// When the fact beside it was last known to hold; zero for never.
	baseAt, firstAt, nameAt, cgroupAt, idsAt, aliveAt Instant

	name, membership, group unique.Handle[string]

	groupID, sessionID, tty int32

	exit     Exit
	baseEv   Evidence
	nameEv   Evidence
	parentEv Evidence
	adoption Adoption
	state    State
	kernel   bool
	rootless bool // it had no parent when it was first read
	queued   bool // it is in Table.ended
}

// NewTable returns an empty table that forgets ended processes as keep says.
func NewTable(keep Retention) *Table {
	return &Table{nodes: make([]node, 1), byPID: map[int]Ref{}, keep: keep.withDefaults()}
}

// Len returns the number of processes in the table.
func (t *Table) Len() int { return t.used }

// Counts returns how much the table holds.
func (t *Table) Counts() Counts {
	c := t.counts
	c.Evictable = t.ended.n
	return c
}

// ByPID returns the process that holds the PID, alive or zombie, or else the
// one that held it last.
func (t *Table) ByPID(pid int) Ref { return t.byPID[pid] }

// ByID returns the process that id names, or none.
func (t *Table) ByID(id ID) Ref {
	for r := t.byPID[id.PID]; r != 0; r = t.nodes[r].samePID {
		if t.nodes[r].id.Same(id) {
			return r
		}
	}
	return 0
}

// ID returns the identity of the process.
func (t *Table) ID(r Ref) ID { return t.nodes[r].id }

// EndUnseen takes every process that was last known alive before the instant
// as gone: what is left when all that were alive then have been read.
func (t *Table) EndUnseen(since Instant) {
	for r := range t.nodes {
		if n := &t.nodes[r]; (n.state == Alive || n.state == Zombie) && n.aliveAt < since {
			t.end(Ref(r), Exit{Evidence: Scanned, At: since}, Ended)
		}
	}
	t.evict(since)
}

// State returns the state of the process.
func (t *Table) State(r Ref) State { return t.nodes[r].state }

// Cgroup returns the membership of the process.
func (t *Table) Cgroup(r Ref) Cgroup {
	n := &t.nodes[r]
	if n.cgroupAt == 0 {
		return Cgroup{}
	}
	return Cgroup{Membership: n.membership.Value(), Group: n.group.Value()}
}

// Parent returns the parent of the process and how it is known. With no Ref
// and an Evidence other than Unknown, it has none in this PID namespace, or
// one of which only the PID is known, which [Table.Process] tells.
func (t *Table) Parent(r Ref) (Ref, Evidence) {
	n := &t.nodes[r]
	if n.state == Ended {
		return t.lastParent(n)
	}
	if n.parentEv == Unknown || n.baseAt <= t.loss {
		return 0, Unknown
	}
	return n.parent, n.parentEv
}

// Children returns the living and zombie children of the process, in no
// particular order. The table must not change under the iteration.
func (t *Table) Children(r Ref) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for c := t.nodes[r].child; c != 0; c = t.nodes[c].next {
			if t.nodes[c].parentEv != Unknown && !yield(c) {
				return
			}
		}
	}
}

// All returns every process in the table, in no particular order. The table
// must not change under the iteration.
func (t *Table) All() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for r := range t.nodes {
			if t.nodes[r].id.PID != 0 && !yield(Ref(r)) {
				return
			}
		}
	}
}

// Process returns what is known of the process.
func (t *Table) Process(r Ref) Process {
	n := &t.nodes[r]
	p := Process{
		ID:        n.id,
		State:     n.state,
		Kernel:    n.kernel,
		Creator:   t.creator(n),
		GroupID:   int(n.groupID),
		SessionID: int(n.sessionID),
		TTY:       int(n.tty),
		Cgroup:    t.Cgroup(r),
		Exit:      n.exit,
		Evidence:  n.nameEv,
		AsOf:      n.aliveAt,
	}
	if n.nameAt != 0 {
		p.Name = n.name.Value()
	}
	parent, ev := t.Parent(r)
	p.Parent.Evidence = ev
	switch {
	case ev == Unknown:
	case parent != 0:
		p.Parent.ID = t.nodes[parent].id
	case n.basePID != 0:
		p.Parent.ID.PID = int(n.basePID)
	}
	if n.state != Ended && n.aliveAt <= t.loss {
		p.Evidence = Unknown
	}
	return p
}

// creator returns the link of the process to its creator: observed at its
// fork or else inferred by the rule that only three adopt the children of a
// dead process (find_new_reaper in the kernel's exit.c): another thread of its
// own, a subreaper, the init of the PID namespace. So the earliest known
// parent is the creator where it never was one of the last two. It is not
// where the creator passed CLONE_PARENT, which nothing shows later.
func (t *Table) creator(n *node) Link {
	if n.creator != 0 {
		return Link{ID: t.nodes[n.creator].id, Evidence: Observed}
	}
	if n.first != 0 && t.nodes[n.first].adoption == AdoptsNone && t.nodes[n.first].id.PID != 1 {
		return Link{ID: t.nodes[n.first].id, Evidence: Inferred}
	}
	if n.rootless {
		return Link{Evidence: Scanned} // it never had a parent in this PID namespace
	}
	return Link{}
}

// AppendLineage appends the process and those above it by creation, the ended
// ones among them, up to the first whose creator is not known at all.
func (t *Table) AppendLineage(dst []Step, r Ref) []Step {
	gap := false
	for range t.used { // no chain is longer, also if what was read runs in a circle
		dst = append(dst, Step{Process: t.Process(r), Gap: gap})
		n := &t.nodes[r]
		up := n.creator
		gap = false
		if up == 0 {
			up = n.first
			gap = t.creator(n).Evidence == Unknown
		}
		if up == 0 {
			break
		}
		r = up
	}
	return dst
}

// lastParent returns the parent that an ended process had when it ended.
func (t *Table) lastParent(n *node) (Ref, Evidence) {
	p, ev := n.base, n.baseEv
	for range t.used { // no chain of adoption is longer
		if p == 0 {
			break
		}
		d := &t.nodes[p].exit
		if d.Evidence != Observed || n.exit.Evidence != Observed || d.At > n.exit.At {
			break
		}
		if p = t.nodes[p].adopter; p == 0 {
			return 0, Unknown
		}
	}
	if n.exit.Evidence != Observed {
		ev = min(ev, Scanned)
	}
	if n.baseAt <= t.loss {
		ev = min(ev, Scanned)
	}
	return p, ev
}
