package clickhouse

import (
	"cmp"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

type bootKey struct{ host, boot string }

// A boot is what the writer knows of one boot of a host.
type boot struct {
	bootKey
	name  string // of the host
	mark  process.Instant
	last  int64 // number of the last batch, zero for none
	clock store.Clock
	// stored says that the store may have had processes of it before.
	stored bool
	// nodes are processes by key, and byPID those of them of which the ID is known.
	nodes map[key]*node
	byPID map[int][]*node
	// needed is how many there were after some were forgotten last.
	needed int
	// containers are those that were told of on the day.
	containers map[string]store.Container
	day        int64
}

// A node is a process among those that the writer remembers.
type node struct {
	key key
	// id is the best that is known of the ID, zero for nothing.
	id process.ID
	// hour is that of its row.
	hour int64
	// version is that of its row, zero where it has none yet: then it is known as
	// the creator of others alone.
	version uint64
	// up is who created it, nil for nobody and where that is not known.
	up *node
	// top says that nobody has created it.
	top bool
	// old says that rows may name it as an ancestor that were written before, and
	// linked that a row of links goes on from it.
	old, linked bool
	// settled says that up is as links have it, whatever rows say.
	settled bool
}

// lives says that the process is not known to have ended.
func (n *node) lives() bool { return n.version != 0 && n.version&1 == 0 }

// rowVersion is the version of what a batch at the instant tells.
func rowVersion(asOf process.Instant, ended bool) uint64 {
	v := uint64(asOf) << 1
	if ended {
		v |= 1
	}
	return v
}

// find returns the node of the process, nil for none.
func (b *boot) find(id process.ID) *node {
	for _, n := range b.byPID[id.PID] {
		if n.id.Same(id) {
			return n
		}
	}
	return nil
}

// at returns the node with the key.
func (b *boot) at(k key) *node {
	n := b.nodes[k]
	if n == nil {
		n = &node{key: k}
		b.nodes[k] = n
	}
	return n
}

// know notes the ID of a node.
func (b *boot) know(n *node, id process.ID) {
	if n.id.IsZero() {
		b.byPID[id.PID] = append(b.byPID[id.PID], n)
	}
	n.id = id
}

// chain are the keys of those above the node, at most MaxAncestors, and how far that
// reaches. Last is the one that the last key stands for, the node itself for none.
func (n *node) chain() (keys []string, end int8, last *node) {
	last = n
	for last.up != nil && len(keys) < MaxAncestors {
		last = last.up
		keys = append(keys, string(last.key))
	}
	switch {
	case last.up != nil:
		return keys, reachCut, last
	case last.top:
		return keys, reachAll, last
	}
	return keys, reachUnknown, last
}

// How far ancestors reach.
const (
	reachUnknown int8 = iota
	reachAll
	reachCut
)

// above takes in what a row has of those above the node, as far as that is not known
// otherwise.
func (b *boot) above(n *node, keys []key, end int8) {
	for _, k := range keys {
		if n.up == nil && !n.settled {
			if up := b.at(k); !up.below(n) {
				n.up, up.old = up, true
			}
		}
		if n = n.up; n == nil || n.key != k {
			return
		}
	}
	if end == reachAll && n.up == nil {
		n.top = true
	}
}

// below reports whether the node is the other one or below it.
func (n *node) below(o *node) bool {
	for n != nil && n != o {
		n = n.up
	}
	return n != nil
}

// newDay forgets what is to be told again each day, so that it does not expire.
func (b *boot) newDay(wall time.Time) {
	day := wall.Unix() / (24 * 60 * 60)
	if day == b.day {
		return
	}
	b.day, b.containers = day, map[string]store.Container{}
	for _, n := range b.nodes {
		n.linked = false
	}
}

// shrink forgets processes that have ended and stand above none that lives, but for as
// many that started last. It does so when there are twice as many more than after the
// last time.
func (b *boot) shrink(keep int) {
	if len(b.nodes) <= b.needed+2*keep {
		return
	}
	needed := map[*node]bool{}
	var ended []*node
	for _, n := range b.nodes {
		if !n.lives() && !n.settled {
			if n.version != 0 {
				ended = append(ended, n)
			}
			continue
		}
		for ; n != nil && !needed[n]; n = n.up {
			needed[n] = true
		}
	}
	slices.SortFunc(ended, func(x, y *node) int { return cmp.Compare(y.key, x.key) })
	for _, n := range ended[:min(keep, len(ended))] {
		for ; n != nil && !needed[n]; n = n.up {
			needed[n] = true
		}
	}
	b.needed = len(needed)
	b.nodes, b.byPID = make(map[key]*node, len(needed)), map[int][]*node{}
	for n := range needed {
		b.nodes[n.key] = n
		if !n.id.IsZero() {
			b.byPID[n.id.PID] = append(b.byPID[n.id.PID], n)
		}
	}
}
