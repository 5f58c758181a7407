package record

import (
	"slices"

	"github.com/proclineage/lineage/process"
)

// A Step of the critical path is a time in which the command went on because one
// process did. The steps follow each other without a gap, from the start of the
// command to its end.
type Step struct {
	// Process is its place in Recording.Processes.
	Process     int
	From, Until process.Instant
	// Uncertain says that the step ends with the end of the process, and that
	// this was not observed.
	Uncertain bool
}

// path returns the critical path, as docs/recording.md defines it: back from the
// end of the command, at each moment to that process of those which the one on
// the path had made whose end was the last one before.
func (t *timeline) path() []Step {
	if len(t.spans) == 0 {
		return nil
	}
	w := pathWalk{timeline: t, left: make([]int32, len(t.spans)), ready: make([]bool, len(t.spans))}
	var steps []Step
	at, now := 0, t.spans[0].until
	step := func(from process.Instant) {
		if from < now {
			s := t.spans[at]
			steps = append(steps, Step{Process: at, From: from, Until: now, Uncertain: now == s.until && !s.observed})
		}
		now = from
	}
	for {
		if c := w.lastEnded(at, now); c >= 0 {
			step(t.spans[c].until)
			at = c
			continue
		}
		step(t.spans[at].from)
		if at == 0 {
			break
		}
		at = t.r.Processes[at].Creator // only those below the command are ever on it
	}
	slices.Reverse(steps)
	return steps
}

// pathWalk finds the way back. Time only goes back in it, so it looks at each
// process once.
type pathWalk struct {
	*timeline
	ready []bool  // those made are sorted by their ends
	left  []int32 // and so many of them may be on the path yet
}

// lastEnded returns the process that i made and that ended last until now, or -1.
func (w *pathWalk) lastEnded(i int, now process.Instant) int {
	made := w.made.of(i)
	if !w.ready[i] {
		w.ready[i], w.left[i] = true, int32(len(made))
		slices.SortStableFunc(made, func(a, b int32) int {
			switch x, y := w.spans[a].until, w.spans[b].until; {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
	}
	for w.left[i] > 0 {
		w.left[i]--
		if s := w.spans[made[w.left[i]]]; s.ended && s.until <= now {
			return int(made[w.left[i]])
		}
	}
	return -1
}
