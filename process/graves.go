package process

// minGraves is the least that a table remembers of those it forgot.
const minGraves = 1024

// graves remembers for a while which process was forgotten last of each PID,
// so that what comes late about it, or about one before it, is not taken for
// news of a living process.
type graves struct {
	recent, old map[int]ID
	size        int // how many recent holds before they are old
}

// bury notes that an ended process was forgotten.
func (g *graves) bury(id ID) {
	if last, ok := g.recent[id.PID]; ok && last.youngerThan(id) {
		return
	}
	if len(g.recent) >= g.size {
		g.old, g.recent = g.recent, nil
	}
	if g.recent == nil {
		g.recent = make(map[int]ID)
	}
	g.recent[id.PID] = id
}

// hold reports whether the process is certainly one that was forgotten, or
// older than one with its PID.
func (g *graves) hold(id ID) bool {
	for _, m := range [...]map[int]ID{g.recent, g.old} {
		last, ok := m[id.PID]
		if ok && (last.youngerThan(id) || last.Same(id) && last.exactly(id)) {
			return true
		}
	}
	return false
}

// younger reports whether the process got the PID of one that was forgotten.
func (g *graves) younger(id ID) bool {
	for _, m := range [...]map[int]ID{g.recent, g.old} {
		if last, ok := m[id.PID]; ok && !last.Same(id) && !last.youngerThan(id) {
			return true
		}
	}
	return false
}

// exactly reports whether Same leaves no doubt.
func (id ID) exactly(other ID) bool {
	return id.Inode != 0 && other.Inode != 0 || id.Precision == Exact && other.Precision == Exact
}
