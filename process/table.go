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
// its parent. What is not known is marked in the answer as a gap or as unknown.
// This holds for as long as a process is in the table. Of one that was
// forgotten only the ID is remembered, and for a while (as many as Retention
// counts, at least a thousand), so that late news of it finds it ended.
//
// Two processes of one PID and one clock tick, of which no source told the
// exact start or the inode, are one to the table.
//
// A Table is not safe for concurrent use; calls that do not change it may run
// side by side.
type Table struct {
	nodes  []node // nodes[0] is none
	free   Ref    // the first free node, linked by samePID
	used   int
	byPID  map[int]Ref // the youngest process that had the PID
	now    Instant     // the greatest that was told
	loss   Instant     // the end of the last of losses
	losses []window
	keep   Retention
	idle   idle
	graves graves
	counts Counts
}

// Counts is how much a [Table] holds and what it has seen since it was made.
type Counts struct {
	// Alive, Zombie, Ended and Unseen count processes by their state.
	Alive, Zombie, Ended, Unseen int
	// Evictable counts those of the ended and unseen that nothing needs.
	Evictable int
	// Reused counts the PIDs that were seen to pass to another process.
	Reused uint64
	// Evicted counts the processes that were forgotten.
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

	child Ref // the first child that has not ended
	// The siblings that have not ended, or in one that nothing needs its
	// neighbours in Table.idle.
	next, prev Ref

	basePID int32 // base, where only its PID is known

	// When the fact of this name was told; zero for never.
	baseAt, firstAt, nameAt, cgroupAt, idsAt Instant

	baseSince Instant // since when base is known to have been the parent, until baseAt

	aliveAt Instant // when it was last known to be alive
	heldAt  Instant // when it was last known to hold its PID
	goneAt  Instant // when it was last found gone

	name, membership, group unique.Handle[string]

	groupID, sessionID, tty int32

	exit     Exit // what nothing can refute: not what follows from goneAt
	baseEv   Evidence
	nameEv   Evidence
	cgroupEv Evidence
	parentEv Evidence
	adoption Adoption
	state    State // what lifeState says
	kernel   bool
	born     bool // first and rootless are of its fork
	rootless bool // its earliest known parent is none
	met      bool // an event was about it
	reused   bool // another one had its PID after it, or it was forgotten as ended
	relic    bool // it was forgotten once, and so may be what came last about it
	parked   bool // it is in Table.idle
}

// NewTable returns an empty table that forgets ended processes as keep says.
func NewTable(keep Retention) *Table {
	keep = keep.withDefaults()
	return &Table{
		nodes:  make([]node, 1),
		byPID:  map[int]Ref{},
		keep:   keep,
		graves: graves{size: max(keep.Count, minGraves)},
	}
}

// Len returns the number of processes in the table.
func (t *Table) Len() int { return t.used }

// Counts returns how much the table holds.
func (t *Table) Counts() Counts {
	c := t.counts
	c.Evictable = t.idle.n
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
	if n.parentEv == Unknown || t.lost(n, n.baseAt) && !t.lasts(n) {
		return 0, Unknown
	}
	return n.parent, n.parentEv
}

// Children returns the processes whose Parent is the given one and that have
// not ended, in no particular order. The table must not change under the
// iteration.
func (t *Table) Children(r Ref) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for c := t.nodes[r].child; c != 0; c = t.nodes[c].next {
			if _, ev := t.Parent(c); ev != Unknown && !yield(c) {
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
		Exit:      n.end(),
		Evidence:  t.evidence(n),
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
	if p.Exit.Evidence == Observed {
		p.AsOf = p.Exit.At
	}
	return p
}

// evidence returns how name, state and cgroup are known: as the least of them.
func (t *Table) evidence(n *node) Evidence {
	ev := n.nameEv
	if n.cgroupAt != 0 {
		ev = min(ev, n.cgroupEv)
		if t.lost(n, n.cgroupAt) {
			return Unknown
		}
	}
	if n.relic || t.lost(n, n.nameAt) || n.state != Ended && t.lost(n, n.heldAt) {
		return Unknown
	}
	return ev
}
