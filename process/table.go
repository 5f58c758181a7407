package process

// A Ref is the place of a process in a [Table], valid until the next call
// that changes the table. The zero Ref is none.
type Ref int32

// A Table holds what a stream of events says of the processes of one boot.
//
// What it says depends on which events it was given, not on their order nor
// on how often it got each: an exit may come before its fork, a child before
// its parent. What is not known is marked in the answer as a gap or as unknown.
// This holds for as long as a process is in the table. Of one that was
// forgotten only the ID is remembered, and for a while (about as many as it
// keeps, at least a thousand), so that late news of it finds it ended.
//
// Two processes of one PID and one clock tick, of which no source told the
// exact start or the inode, are one to the table.
//
// A Table is not safe for concurrent use, but for [Table.AppendSameGroup];
// calls that do not change it may run side by side.
type Table struct {
	store
	index  index
	now    Instant // the greatest that was told
	loss   Instant // the end of the last of losses
	losses []window
	keep   Retention
	idle   idle
	graves graves
	counts Counts
}

// store is where a table has its processes and what they share.
type store struct {
	nodes       slab[node]
	endings     slab[ending]
	names       pool[text]
	groups      pool[text] // the paths of the container groups of memberships
	memberships pool[membership]
	commands    pool[command]
	owners      pool[Owner]
	levels      levels
}

func newStore() store {
	return store{
		nodes:       slab[node]{chunks: []*[slabChunk]node{{}}}, // with place zero, of none
		names:       newPool[text](),
		groups:      newPool[text](),
		memberships: newPool[membership](),
		commands:    newPool[command](),
		owners:      newPool[Owner](),
	}
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

// NewTable returns an empty table that forgets ended processes as keep says.
func NewTable(keep Retention) *Table {
	keep = keep.withDefaults()
	t := &Table{
		store:  newStore(),
		keep:   keep,
		graves: graves{size: max(min(keep.Count, keep.Bytes/nodeBytes), minGraves)},
	}
	t.index.places.Store(newPlaces(minPlaces))
	return t
}

// Len returns the number of processes in the table.
func (t *Table) Len() int { return t.nodes.used() }

// Counts returns how much the table holds.
func (t *Table) Counts() Counts {
	c := t.counts
	c.Evictable = t.idle.n
	return c
}

// ByPID returns the process that holds the PID, alive or zombie, or else the
// one that held it last.
func (t *Table) ByPID(pid int) Ref { return t.index.ref(pid) }

// ByID returns the process that id names, or none.
func (t *Table) ByID(id ID) Ref {
	for r := t.index.ref(id.PID); r != 0; r = t.at(r).samePID {
		if t.at(r).id().Same(id) {
			return r
		}
	}
	return 0
}

// ID returns the identity of the process.
func (t *Table) ID(r Ref) ID { return t.at(r).id() }

// State returns the state of the process.
func (t *Table) State(r Ref) State { return t.at(r).state }

// Cgroup returns the membership of the process.
func (t *Table) Cgroup(r Ref) Cgroup {
	n := t.at(r)
	if n.membership == 0 {
		return Cgroup{}
	}
	return t.memberships.at(n.membership).Cgroup
}

// Parent returns the parent of the process and how it is known, which of an
// [Table.Orphan] is not certain. With no Ref and an Evidence other than Unknown,
// it has none in this PID namespace, or one of which only the PID is known,
// which [Table.Process] tells.
func (t *Table) Parent(r Ref) (Ref, Evidence) {
	n := t.at(r)
	if n.state == Ended {
		return t.lastParent(n)
	}
	if n.evidence(parentEv) == Unknown || !t.lasts(n) {
		return 0, Unknown
	}
	return n.parent, n.evidence(parentEv)
}

// Process returns what is known of the process.
func (t *Table) Process(r Ref) (p Process) {
	t.fill(&p, r)
	return p
}

// fill writes what is known of the process into p, which is empty.
func (t *Table) fill(p *Process, r Ref) {
	n := t.at(r)
	p.ID = n.id()
	p.State = n.state
	p.Kernel = n.is(kernel)
	p.Creator = t.creator(n)
	p.GroupID, p.SessionID, p.TTY = int(n.groupID), int(n.sessionID), int(n.tty)
	p.Cgroup = t.Cgroup(r)
	p.Evidence = t.evidence(n)
	p.AsOf = n.aliveAt
	if n.name != 0 {
		p.Name = string(*t.names.at(n.name))
	}
	if n.birthplace != 0 {
		p.Birthplace = t.memberships.at(n.birthplace).Cgroup
	}
	if n.command != 0 {
		c := t.commands.at(n.command)
		p.Exec = Command{File: c.file, Args: c.args, ArgsCut: c.cut, At: n.commandAt}
	}
	if n.owner != 0 {
		p.Owner = *t.owners.at(n.owner)
	}
	if n.levels != 0 {
		p.NamespacePIDs = t.levels.at(n.levels)
	}
	parent, ev := t.Parent(r)
	p.Parent.Evidence = ev
	switch {
	case ev == Unknown:
	case parent != 0:
		p.Parent.ID = t.at(parent).id()
	case n.base < 0:
		p.Parent.ID.PID = int(n.basePID())
	}
	if n.ending != 0 {
		p.Exit = t.end(n)
		if p.Exit.Evidence == Observed {
			p.AsOf = p.Exit.At
		}
	}
}

// evidence returns how name, state and cgroup are known: as the least of them.
func (t *Table) evidence(n *node) Evidence {
	ev := n.evidence(nameEv)
	if n.cgroupAt != 0 {
		ev = min(ev, n.evidence(cgroupEv))
		if t.lost(n, n.cgroupAt) {
			return Unknown
		}
	}
	if n.is(relic) || t.lost(n, n.nameAt) || n.state != Ended && t.lost(n, n.heldAt) {
		return Unknown
	}
	return ev
}
