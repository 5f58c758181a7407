package ship

import (
	"slices"

	"github.com/proclineage/lineage/process"
)

// mostTold is of how many processes a shipper remembers that it has sent them, and
// of as many more for a while.
const mostTold = 1 << 17

// An idSet has the IDs of processes of one boot. Where it may not have all, it has
// those that were put into it or asked for last: when the young ones are the most
// that they may be, they become the old ones, which are forgotten.
type idSet struct {
	boot       string
	young, old map[int][]process.ID // by PID
	n, most    int                  // of the young, zero for no limit
}

func newIDSet(boot string, most int) *idSet {
	return &idSet{boot: boot, young: map[int][]process.ID{}, most: most}
}

func (s *idSet) put(id process.ID) {
	if slices.ContainsFunc(s.young[id.PID], id.Same) {
		return
	}
	if s.most > 0 && s.n == s.most {
		s.young, s.old, s.n = map[int][]process.ID{}, s.young, 0
	}
	s.young[id.PID] = append(s.young[id.PID], id)
	s.n++
}

func (s *idSet) has(id process.ID) bool {
	if slices.ContainsFunc(s.young[id.PID], id.Same) {
		return true
	}
	is := slices.ContainsFunc(s.old[id.PID], id.Same)
	if is {
		s.put(id)
	}
	return is
}
