package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A node is one process of a tree to be drawn.
type node struct {
	store.Process
	state   process.State
	matched bool
	up      int  // the place of the one that it is drawn under, -1 for none
	gap     bool // that one is not known to be the one asked for
}

// beside is the key of another process of its host and boot.
func (n *node) beside(id process.ID) store.Key {
	return store.Key{Host: n.Host, Boot: n.Boot, ID: id}
}

// A grove is what is to be drawn: trees, of all that there are.
type grove struct {
	nodes    []node
	places   map[holder][]int
	byParent bool
}

// A holder is a PID of a boot, which several processes may have had.
type holder struct {
	host, boot string
	pid        int
}

// mostAtOnce is how many processes the history is asked for at a time.
const mostAtOnce = 5000

func newGrove(byParent bool) *grove { return &grove{places: map[holder][]int{}, byParent: byParent} }

// add adds a process that is not there yet.
func (g *grove) add(p *store.Process, state process.State, matched bool) {
	h := holder{p.Host, p.Boot, p.ID.PID}
	g.places[h] = append(g.places[h], len(g.nodes))
	g.nodes = append(g.nodes, node{Process: *p, state: state, matched: matched, up: -1})
}

// place returns where the process is, -1 where it is not.
func (g *grove) place(k store.Key) int {
	for _, n := range g.places[holder{k.Host, k.Boot, k.ID.PID}] {
		if g.nodes[n].ID.Same(k.ID) {
			return n
		}
	}
	return -1
}

// link is the edge that a process is drawn under, and whether it is another than was
// asked for.
func (g *grove) link(p *store.Process) (l process.Link, gap bool) {
	if g.byParent {
		return p.Parent, p.Parent.Evidence == process.Unknown
	}
	if p.Creator.Evidence != process.Unknown {
		return p.Creator, false
	}
	none := p.Parent.Evidence != process.Unknown && p.Parent.ID.PID == 0
	return p.Parent, !none
}

// climb adds those above the processes, level by level and no more than most, as look
// finds them: it yields those of the keys that are to be had.
func (g *grove) climb(most int, look func(keys []store.Key, yield func(*store.Process, process.State)) error) error {
	asked := map[store.Key]bool{}
	for from, to := 0, len(g.nodes); from < to; from, to = to, len(g.nodes) {
		var keys []store.Key
		for n := from; n < to && len(keys) < most; n++ {
			p := &g.nodes[n]
			l, _ := g.link(&p.Process)
			if key := p.beside(l.ID); l.ID.Known() && !asked[key] && g.place(key) < 0 {
				asked[key] = true
				keys = append(keys, key)
			}
		}
		for part := range slices.Chunk(keys, mostAtOnce) {
			if err := look(part, func(p *store.Process, state process.State) {
				if g.place(p.Key) < 0 { // else it is there by another ID
					g.add(p, state, false)
					most--
				}
			}); err != nil {
				return err
			}
		}
		for n := from; n < to; n++ {
			g.hang(n)
		}
	}
	return nil
}

// hang sets what a process is drawn under, of those that are there.
func (g *grove) hang(n int) {
	p := &g.nodes[n]
	l, gap := g.link(&p.Process)
	if l.ID.Known() {
		p.up = g.place(p.beside(l.ID))
		p.gap = gap || p.up < 0
		return
	}
	p.gap = gap || l.Evidence == process.Unknown || l.ID.PID != 0
}

// prune drops what neither matched nor is above one that did.
func (g *grove) prune() (keep []bool) {
	keep = make([]bool, len(g.nodes))
	for n := range g.nodes {
		if !g.nodes[n].matched {
			continue
		}
		for at := n; at >= 0 && !keep[at]; at = g.nodes[at].up {
			keep[at] = true
		}
	}
	return keep
}

// order returns the places of those kept, each after the one that it is drawn under,
// and siblings by start; and how deep each is.
func (g *grove) order(ctx context.Context, keep []bool) (places, depths []int, err error) {
	below := make([][]int, len(g.nodes))
	var roots []int
	for n := range g.nodes {
		switch up := g.nodes[n].up; {
		case !keep[n]:
		case up >= 0 && keep[up]:
			below[up] = append(below[up], n)
		default:
			roots = append(roots, n)
		}
	}
	seen := make([]bool, len(g.nodes))
	var todo []descendant
	grow := func(list []int, depth int) {
		slices.SortFunc(list, func(a, b int) int { return older(&g.nodes[a], &g.nodes[b]) })
		for _, n := range slices.Backward(list) {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, descendant{n, depth})
			}
		}
	}
	walk := func() {
		for len(todo) > 0 {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			places, depths = append(places, next.place), append(depths, next.depth)
			grow(below[next.place], next.depth+1)
		}
	}
	grow(roots, 0)
	walk()
	for n := range g.nodes { // a ring, which only damage can make
		if keep[n] && !seen[n] {
			g.nodes[n].up, g.nodes[n].gap = -1, true
			grow([]int{n}, 0)
			walk()
		}
	}
	return places, depths, ctx.Err()
}

func older(a, b *node) int {
	return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID.Start, b.ID.Start), cmp.Compare(a.ID.PID, b.ID.PID))
}
