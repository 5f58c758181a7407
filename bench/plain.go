package main

// plainPeer is the bare walk that answers of lineage from memory are held to:
// what a good engineer would write first, with nothing to keep in step and
// nothing to check. One look-up by PID, then from parent to parent by pointer,
// comparing groups by number. It is wrong as soon as anything changes, and not
// safe beside a writer. A look-up for each step, or a comparison of paths,
// would be as plain and slower; a slice in the place of the map would be
// faster by the one look-up, and know no PID that is not dense.
type plainPeer struct {
	byPID map[int]*plainNode
}

type plainNode struct {
	pid    int
	group  int
	parent *plainNode // nil for none
}

// newPlainPeer returns one that knows these processes.
func newPlainPeer(all []row) *plainPeer {
	p := &plainPeer{byPID: make(map[int]*plainNode, len(all))}
	groups := make(map[string]int)
	for _, r := range all {
		g, ok := groups[r.group]
		if !ok {
			g = len(groups)
			groups[r.group] = g
		}
		p.byPID[r.pid] = &plainNode{pid: r.pid, group: g}
	}
	for _, r := range all {
		p.byPID[r.pid].parent = p.byPID[r.ppid]
	}
	return p
}

func (p *plainPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	n := p.byPID[pid]
	for up := n.parent; up != nil; up = up.parent {
		if up.group == n.group {
			dst = append(dst, up.pid)
		}
	}
	return dst, nil
}
