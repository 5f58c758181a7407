package words

import (
	"iter"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// Changes returns the instants at which the number of processes changes, in
// order, each once, with the number from then on. It needs 16 bytes for each
// process.
func (s Span) Changes(r *record.Recording) iter.Seq2[process.Instant, int] {
	begins := make([]process.Instant, 0, len(r.Processes))
	ends := make([]process.Instant, 0, len(r.Processes))
	for i := range r.Processes {
		begin, end, open := s.Life(&r.Processes[i])
		begins = append(begins, begin)
		if !open {
			ends = append(ends, end)
		}
	}
	slices.Sort(begins)
	slices.Sort(ends)
	return func(yield func(process.Instant, int) bool) {
		running := 0
		for begins, ends := begins, ends; len(begins)+len(ends) > 0; {
			var at process.Instant
			switch {
			case len(begins) == 0:
				at = ends[0]
			case len(ends) == 0:
				at = begins[0]
			default:
				at = min(begins[0], ends[0])
			}
			for len(begins) > 0 && begins[0] == at {
				begins = begins[1:]
				running++
			}
			for len(ends) > 0 && ends[0] == at {
				ends = ends[1:]
				running--
			}
			if !yield(at, running) {
				return
			}
		}
	}
}
