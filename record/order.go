package record

import (
	"slices"

	"github.com/proclineage/lineage/process"
)

// sort brings the processes into the order of their starts, a creator before
// what it made. A source that reads late may have told of them in another one.
func (r *Recording) sort() {
	// A start may be known to the tick only, and so be before the creator's.
	keys := make([]process.Instant, len(r.Processes))
	sorted := true
	for i := range r.Processes {
		p := &r.Processes[i]
		keys[i] = p.Start
		if p.Start == 0 && i > 0 {
			keys[i] = keys[i-1] // as far as anyone knows
		}
		if p.Creator >= 0 {
			keys[i] = max(keys[i], keys[p.Creator])
		}
		if i > 0 {
			keys[i] = max(keys[i], keys[0]) // the command itself stays first
			sorted = sorted && keys[i] >= keys[i-1]
		}
	}
	if sorted {
		return
	}
	from := make([]int, len(keys)) // by the new place, the old one
	for i := range from {
		from[i] = i
	}
	slices.SortStableFunc(from, func(a, b int) int {
		switch {
		case keys[a] < keys[b]:
			return -1
		case keys[a] > keys[b]:
			return 1
		}
		return 0
	})
	to := make([]int, len(keys))
	processes := make([]Process, len(keys))
	for place, old := range from {
		to[old], processes[place] = place, r.Processes[old]
	}
	for i := range processes {
		if c := processes[i].Creator; c >= 0 {
			processes[i].Creator = to[c]
		}
	}
	r.Processes = processes
}
