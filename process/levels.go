package process

import "slices"

// levels holds the PIDs that processes have in the PID namespaces, where that
// is more than one. What is handed out is not used again. Most have two PIDs.
type levels struct {
	two  slab[*[2]int]
	more slab[[]int] // at places below zero
}

func (l *levels) take(pids []int) (place int32) {
	if len(pids) == 2 {
		place = l.two.take()
		*l.two.at(place) = &[2]int{pids[0], pids[1]}
		return place
	}
	place = l.more.take()
	*l.more.at(place) = slices.Clone(pids)
	return -place
}

func (l *levels) at(place int32) []int {
	if place < 0 {
		return *l.more.at(-place)
	}
	return (*l.two.at(place))[:]
}

// give takes a place back, or nothing where it is none.
func (l *levels) give(place int32) {
	switch {
	case place < 0:
		l.more.give(-place)
	case place > 0:
		l.two.give(place)
	}
}

// levelsBytes is how much memory the PIDs take at most.
func levelsBytes(pids []int) int { return 24 + 8*len(pids) }
