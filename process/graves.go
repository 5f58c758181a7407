package process

// minGraves is the least that a table remembers of those it forgot.
const minGraves = 1024

// graves remembers who was forgotten last, so that what comes late about such
// a process, or about one before it, is not taken for news of a living one.
type graves struct {
	size    int // how many are remembered
	all     []grave
	next    int     // the place of the next one in all, which forgets who is there
	buckets []int32 // by PID, the place after that of the one buried last
}

type grave struct {
	start     Instant
	inode     uint64
	pid       int32
	below     int32 // the next one in the bucket
	precision Precision
}

func (g *grave) id() ID {
	return ID{PID: int(g.pid), Start: g.start, Inode: g.inode, Precision: g.precision}
}

func (g *graves) bucket(pid int32) *int32 { return &g.buckets[int(pid)&(len(g.buckets)-1)] }

// bury notes that an ended process was forgotten.
func (g *graves) bury(id ID) {
	if len(g.all) < g.size {
		if len(g.all) == len(g.buckets) {
			g.grow()
		}
		g.all = append(g.all, grave{})
	} else {
		at := g.bucket(g.all[g.next].pid)
		for *at != int32(g.next)+1 {
			at = &g.all[*at-1].below
		}
		*at = g.all[g.next].below
	}
	at := g.bucket(int32(id.PID))
	g.all[g.next] = grave{id.Start, id.Inode, int32(id.PID), *at, id.Precision}
	*at = int32(g.next) + 1
	g.next = (g.next + 1) % g.size
}

func (g *graves) grow() {
	g.buckets = make([]int32, max(2*len(g.buckets), 16))
	for i := range g.all {
		at := g.bucket(g.all[i].pid)
		g.all[i].below, *at = *at, int32(i)+1
	}
}

// hold reports whether the process is certainly one that was forgotten, or
// older than one with its PID, which is not the same, and otherwise whether one
// that was forgotten had its PID before it.
func (g *graves) hold(id ID) (held, same, after bool) {
	if g.buckets == nil {
		return false, false, false
	}
	for at := *g.bucket(int32(id.PID)); at != 0; at = g.all[at-1].below {
		if g.all[at-1].pid != int32(id.PID) {
			continue
		}
		last := g.all[at-1].id()
		alike, younger := last.Same(id), last.youngerThan(id)
		if younger || alike && last.exactly(id) {
			return true, !younger, after
		}
		after = after || !alike
	}
	return false, false, after
}

// exactly reports whether Same leaves no doubt.
func (id ID) exactly(other ID) bool {
	return id.Inode != 0 && other.Inode != 0 || id.Precision == Exact && other.Precision == Exact
}
