package main

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/proclineage/lineage/answer"
)

// grove is a part of the forest under a heading: a container, a unit, a
// session, or the rest.
type grove struct {
	key   string // empty for the rest
	title string
	about string
	roots []int32
	size  int
}

// groves divides the forest. Processes hang together only within a grove.
func (f *forest) groves(by string, d *answer.Describer) []grove {
	if by == "none" {
		f.link(func(_, _ int32) bool { return true })
		return []grove{{roots: f.roots}}
	}
	index := map[string]int{}
	var list []grove
	member := make([]int, len(f.procs))
	for i := range f.procs {
		if !f.shown[i] {
			continue
		}
		g := f.groveOf(by, int32(i), d)
		at, ok := index[g.key]
		if !ok {
			at = len(list)
			index[g.key] = at
			list = append(list, g)
		}
		member[i] = at
		list[at].size++
	}
	f.link(func(child, parent int32) bool { return member[child] == member[parent] })
	for _, r := range f.roots {
		list[member[r]].roots = append(list[member[r]].roots, r)
	}
	// In the order of their oldest processes, the rest last.
	slices.SortStableFunc(list, func(a, b grove) int {
		switch {
		case a.key == "" && b.key != "":
			return 1
		case a.key != "" && b.key == "":
			return -1
		}
		return 0
	})
	return list
}

func (f *forest) groveOf(by string, i int32, d *answer.Describer) grove {
	p := &f.procs[i]
	m := d.Whereabouts(p.Cgroup)
	switch by {
	case "container":
		if m.In() {
			id := &m.Identity
			g := grove{key: id.Container, title: "container " + safe(id.Container), about: safe(string(id.Runtime))}
			switch c := &m.Container; {
			case c.ID != "":
				g.title = "container " + safe(c.String())
				g.about = join(safe(string(cmp.Or(id.Runtime, c.Runtime))), safe(c.ShortID()))
			case id.Pod != "":
				g.about = join(g.about, "pod "+safe(id.Pod))
			}
			if m.Container.ID == "" && d.Named() {
				g.about = join(g.about, "name not known")
			}
			return g
		}
		return grove{title: "host", about: "in no container"}
	case "unit":
		if u := m.Unit; u.Name != "" {
			g := grove{key: u.Name, title: "unit " + safe(u.Name)}
			if u.UserUnit != "" {
				g.key, g.title = u.Name+" "+u.UserUnit, "unit "+safe(u.UserUnit)
				g.about = "of the user in " + safe(u.Name)
			}
			return g
		}
		return grove{title: "no unit"}
	default:
		if p.SessionID != 0 {
			g := grove{key: strconv.Itoa(p.SessionID), title: "session " + strconv.Itoa(p.SessionID)}
			g.about = "no terminal"
			if name := answer.TerminalName(p.TTY); name != "" {
				g.about = "terminal " + name
			}
			if p.ID.PID == p.SessionID { // the leader is the oldest
				g.about = join(processName(p), g.about)
			}
			return g
		}
		return grove{title: "no session"}
	}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + ", " + b
}
