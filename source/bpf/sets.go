package bpf

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/process"
)

// A hierarchy is a line of /proc/PID/cgroup without the path.
type hierarchy struct {
	id     int32
	prefix string   // "4:memory:"
	root   []string // of the reader's cgroup namespace, names from the top
}

// parseHierarchies reads the text of /proc/self/cgroup.
func parseHierarchies(text string) ([]hierarchy, error) {
	var all []hierarchy
	for line := range strings.Lines(text) {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("%q is no line of a membership", line)
		}
		id, err := strconv.ParseInt(f[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no line of a membership", line)
		}
		all = append(all, hierarchy{id: int32(id), prefix: f[0] + ":" + f[1] + ":"})
	}
	return all, nil
}

// maxSets is how many sets are kept. When there are more, the programs tell
// those again that are in use.
const maxSets = 8192

// sets is what the numbers mean by which the programs tell memberships.
type sets struct {
	hierarchies []hierarchy
	recent, old map[uint64]process.Cgroup
	partial     map[uint64]*partial
}

// partial is a set of which not all lines have come.
type partial struct {
	lines int
	paths map[int32][]string // by hierarchy, names from the top
}

// maxPartial is how many sets may be told at a time, by one processor each. Of
// those that a loss has cut short, nothing more will come.
const maxPartial = 1024

func newSets(hierarchies []hierarchy) *sets {
	return &sets{hierarchies: hierarchies, recent: map[uint64]process.Cgroup{}, partial: map[uint64]*partial{}}
}

// cgroup returns the membership that the number stands for, the zero Cgroup
// where it is not known.
func (s *sets) cgroup(set uint64) process.Cgroup {
	if set == 0 {
		return process.Cgroup{}
	}
	c, ok := s.recent[set]
	if !ok {
		c = s.old[set]
	}
	return c
}

// full reports whether the sets have to be told again, after which those told
// before are forgotten with the next ones.
func (s *sets) full() bool {
	if len(s.recent) < maxSets {
		return false
	}
	s.old, s.recent = s.recent, make(map[uint64]process.Cgroup)
	return true
}

// line takes in a LINE record.
func (s *sets) line(b []byte) error {
	if len(b) < lineSize || uint64(len(b)) < lineSize+uint64(native.Uint32(b[lineLength:])) {
		return errRecord
	}
	set, lines := native.Uint64(b[16:]), int(native.Uint32(b[32:]))
	path := b[lineSize : lineSize+int(native.Uint32(b[lineLength:]))]
	p := s.partial[set]
	if p == nil {
		if len(s.partial) >= maxPartial {
			clear(s.partial)
		}
		p = &partial{lines: lines, paths: make(map[int32][]string)}
		s.partial[set] = p
	}
	p.paths[int32(native.Uint32(b[40:]))] = splitPath(path)
	if len(p.paths) == p.lines {
		delete(s.partial, set)
		s.recent[set] = s.membership(p.paths)
	}
	return nil
}

// splitPath returns the names in a LINE record, from the top.
func splitPath(b []byte) []string {
	names := make([]string, 0, bytes.Count(b, []byte{0}))
	for len(b) > 0 {
		b = bytes.TrimSuffix(b, []byte{0})
		i := bytes.LastIndexByte(b, 0)
		names = append(names, string(b[i+1:]))
		b = b[:i+1]
	}
	return names
}

// membership returns the text of /proc/PID/cgroup, or nothing where it would
// have a line that is not known.
func (s *sets) membership(paths map[int32][]string) process.Cgroup {
	var b strings.Builder
	for _, h := range s.hierarchies {
		path, ok := paths[h.id]
		if !ok {
			return process.Cgroup{}
		}
		b.WriteString(h.prefix)
		writePath(&b, h.root, path)
		b.WriteByte('\n')
	}
	c := process.Cgroup{Membership: b.String()}
	c.Group, _ = cgroup.Group(c.Membership)
	return c
}

// writePath writes the path of a cgroup as seen from another one, as
// kernfs_path_from_node does.
func writePath(b *strings.Builder, from, to []string) {
	common := 0
	for common < len(from) && common < len(to) && from[common] == to[common] {
		common++
	}
	if len(from) == common && len(to) == common {
		b.WriteByte('/')
	}
	for range from[common:] {
		b.WriteString("/..")
	}
	for _, name := range to[common:] {
		b.WriteByte('/')
		b.WriteString(name)
	}
}
