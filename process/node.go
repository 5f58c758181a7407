package process

// node is a process in the table. Edges are places in Table.nodes, so that a
// dead process is kept by those that need it (refs) and by nothing else. It
// has no pointers, and its size is what a living process costs.
type node struct {
	// An ID, see node.id.
	start Instant
	inode uint64

	// When the fact of this name was told; zero for never.
	baseAt, firstAt, nameAt, cgroupAt, idsAt, commandAt, ownerAt Instant

	baseSince Instant // since when base is known to have been the parent, until baseAt

	aliveAt Instant // when it was last known to be alive
	heldAt  Instant // when it was last known to hold its PID

	parent Ref // who is its parent now, derived from base and from ends
	// base is the parent by the latest event that tells one, or less than
	// zero where only its PID is known.
	base    Ref
	origin  Ref // its creator with the flag created, else the parent by the earliest Seen
	samePID Ref // the next older process with the same PID
	refs    int32

	child Ref // the first child that has not ended
	// The siblings that have not ended, or in one that nothing needs its
	// neighbours in Table.idle.
	next, prev Ref

	pid, groupID, sessionID, tty int32

	// Places in the pools and in Table.endings; zero for none.
	name, membership, birthplace, command, owner, levels, ending int32

	pairs uint16 // see pair
	state State  // what lifeState says
	flags flags
}

// A pair is the place of two bits in node.pairs: of an [Evidence], of the
// [Precision] of the start and of the [Adoption].
type pair uint8

const (
	baseEv pair = 2 * iota
	nameEv
	cgroupEv
	parentEv
	precision
	adoption
)

func (n *node) pair(p pair) uint8        { return uint8(n.pairs >> p & 3) }
func (n *node) evidence(p pair) Evidence { return Evidence(n.pair(p)) }
func (n *node) setPair(p pair, v uint8)  { n.pairs = n.pairs&^(3<<p) | uint16(v)<<p }

type flags uint8

const (
	kernel   flags = 1 << iota // a thread of the kernel
	created                    // origin is its creator
	born                       // origin and rootless are of its fork
	rootless                   // its earliest known parent is none
	met                        // an event was about it
	reused                     // another one had its PID after it, or it was forgotten as ended
	relic                      // it was forgotten once, and so may be what came last about it
	parked                     // it is in Table.idle
)

func (n *node) is(f flags) bool { return n.flags&f != 0 }

// set sets or clears flags.
func (n *node) set(f flags, on bool) {
	n.flags &^= f
	if on {
		n.flags |= f
	}
}

// ending is what is known of the end of a process. Those that live have none.
type ending struct {
	exit    Exit    // what nothing can refute: not what follows from goneAt
	toldAt  Instant // when an event last told of it
	goneAt  Instant // when it was last found gone
	adopter Ref     // who was to adopt its children when it ended
	left    bool    // it was found a zombie, and so without children
}

func (n *node) id() ID {
	return ID{PID: int(n.pid), Start: n.start, Inode: n.inode, Precision: Precision(n.pair(precision))}
}

func (n *node) setID(id ID) {
	n.pid, n.start, n.inode = int32(id.PID), id.Start, id.Inode
	n.setPair(precision, uint8(id.Precision))
}

// basePID is the PID of the base of which nothing else is known, or zero.
func (n *node) basePID() int32 { return -int32(min(n.base, 0)) }

func (t *Table) at(r Ref) *node { return t.nodes.at(int32(r)) }

// ending returns what is known of the end of the process: not to be changed.
func (t *Table) ending(n *node) *ending {
	if n.ending == 0 {
		return &noEnding
	}
	return t.endings.at(n.ending)
}

var noEnding ending

// mark returns what is known of the end of the process, to be changed.
func (t *Table) mark(n *node) *ending {
	if n.ending == 0 {
		n.ending = t.endings.take()
	}
	return t.endings.at(n.ending)
}

// needs returns the edges that keep others in the table, zero for none.
func (t *Table) needs(n *node) [3]Ref {
	return [...]Ref{max(n.base, 0), n.origin, t.ending(n).adopter}
}
