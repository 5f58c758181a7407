package main

import (
	"slices"

	"github.com/proclineage/lineage/process"
)

// forest is which processes are shown, and which below which. A process is
// known by its place in procs.
type forest struct {
	procs  []process.Process // the oldest first
	parent []int32           // the place of the parent, none where it has none here
	shown  []bool
	hit    []bool // matches, where there is something to match

	roots []int32
	first []int32 // the oldest shown child
	next  []int32 // the next younger shown sibling
}

const none = int32(-1)

// newForest puts each process below its parent. All are shown.
func newForest(procs []process.Process) *forest {
	procs = oldestFirst(procs)
	f := &forest{
		procs:  procs,
		parent: make([]int32, len(procs)),
		shown:  make([]bool, len(procs)),
		hit:    make([]bool, len(procs)),
	}
	byPID := make(map[int]int32, len(procs)) // the youngest
	older := make([]int32, len(procs))       // the next older one that had the PID
	for i := range procs {
		pid := procs[i].ID.PID
		older[i] = none
		if o, ok := byPID[pid]; ok {
			older[i] = o
		}
		byPID[pid] = int32(i)
	}
	for i := range procs {
		f.shown[i] = true
		f.parent[i] = none
		link := procs[i].Parent
		up, ok := byPID[link.ID.PID]
		if link.Evidence == process.Unknown || !ok {
			continue
		}
		for up != none && !mayBe(link.ID, procs[up].ID, procs[i].ID) {
			up = older[up]
		}
		if up != int32(i) {
			f.parent[i] = up
		}
	}
	f.breakCircles()
	return f
}

// oldestFirst returns the processes in the order of their starts. A process is
// too large to be moved more than once.
func oldestFirst(procs []process.Process) []process.Process {
	order := make([]*process.Process, len(procs))
	for i := range procs {
		order[i] = &procs[i]
	}
	slices.SortFunc(order, byStart)
	sorted := make([]process.Process, len(procs))
	for i, p := range order {
		sorted[i] = *p
	}
	return sorted
}

// mayBe reports whether the link of the child is to that process. No parent is
// younger than its child.
func mayBe(link, parent, child process.ID) bool {
	if link.Known() {
		return link.Same(parent)
	}
	return parent.Start <= child.Start
}

// breakCircles makes a root of one process of each circle. There is none in
// the kernel; PIDs that were read one after the other can make one.
func (f *forest) breakCircles() {
	state := make([]uint8, len(f.procs)) // 1: on the way up, 2: known to end
	for i := range f.procs {
		for at := int32(i); at != none && state[at] != 2; at = f.parent[at] {
			if state[at] == 1 {
				f.parent[at] = none
				break
			}
			state[at] = 1
		}
		for at := int32(i); at != none && state[at] == 1; at = f.parent[at] {
			state[at] = 2
		}
	}
}

// hide takes processes out; those below them become roots.
func (f *forest) hide(hidden func(*process.Process) bool) (count int) {
	for i := range f.procs {
		if f.shown[i] && hidden(&f.procs[i]) {
			f.shown[i] = false
			count++
		}
	}
	return count
}

// keepBelow leaves only the given processes and all below them, and returns
// how many of the given there are.
func (f *forest) keepBelow(tops []process.ID) (count int) {
	const below, notBelow = 1, 2
	state := make([]uint8, len(f.procs))
	byPID := make(map[int]process.ID, len(tops)) // they lived at one time
	for _, id := range tops {
		byPID[id.PID] = id
	}
	for i := range f.procs {
		if id := f.procs[i].ID; byPID[id.PID].Same(id) {
			state[i] = below
			count++
		}
	}
	var find func(i int32) uint8
	find = func(i int32) uint8 {
		switch {
		case i == none:
			return notBelow
		case state[i] == 0:
			state[i] = find(f.parent[i])
		}
		return state[i]
	}
	for i := range f.procs {
		f.shown[i] = f.shown[i] && find(int32(i)) == below
	}
	return count
}

// keepMatches leaves what matches and what is above it, and returns how many
// match.
func (f *forest) keepMatches(match func(i int32) bool) (count int) {
	keep := make([]bool, len(f.procs))
	for i := range f.procs {
		if !f.shown[i] || !match(int32(i)) {
			continue
		}
		f.hit[i] = true
		count++
		for at := int32(i); at != none && f.shown[at] && !keep[at]; at = f.parent[at] {
			keep[at] = true
		}
	}
	f.shown = keep
	return count
}

// link makes the lists of roots and children of what is shown. Within says
// whether two may hang together.
func (f *forest) link(within func(child, parent int32) bool) {
	f.roots = f.roots[:0]
	f.first, f.next = make([]int32, len(f.procs)), make([]int32, len(f.procs))
	for i := range f.first {
		f.first[i], f.next[i] = none, none
	}
	for i := int32(len(f.procs)) - 1; i >= 0; i-- {
		if !f.shown[i] {
			continue
		}
		up := f.parent[i]
		if up == none || !f.shown[up] || !within(i, up) {
			f.roots = append(f.roots, i)
			continue
		}
		f.next[i] = f.first[up]
		f.first[up] = i
	}
	slices.Reverse(f.roots)
}

// ended returns how many of those shown have ended.
func (f *forest) ended() (count int) {
	for i := range f.procs {
		if f.shown[i] && f.procs[i].State == process.Ended {
			count++
		}
	}
	return count
}

// below returns how many processes are shown below one.
func (f *forest) below(i int32) int {
	n := 0
	for c := f.first[i]; c != none; c = f.next[c] {
		n += 1 + f.below(c)
	}
	return n
}
