package chrome

import (
	"container/heap"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/words"
)

// A floor gives each process the lane that it is drawn in, a thread of the
// trace. Slices of a thread have to lie one in another or apart. So a process
// goes on top of its creator where it ended before that one and nothing else is
// there, and else into the first lane that is empty: a build without -j is one
// lane, drawn as a profiler draws calls, and one with -j8 is about eight.
//
// It needs some bytes for each lane and for each process that is on one: no more
// than ran at the same time.
type floor struct {
	span  words.Span
	r     *record.Recording
	lanes []lane
	busy  byEnd // lanes by the end of what is at their bottom
	empty byNumber
	where map[int]int // the lanes of the processes that are on one
	now   process.Instant
}

// A lane holds the processes that are on it, each within the one before it.
type lane struct{ stack []placed }

type placed struct {
	process int
	end     process.Instant
}

// place returns the lane of the process, and its begin and end there. Processes
// come in the order of their starts. One whose start is known to the tick only
// may seem to come too late, and is then drawn as late as it came; any other one
// that does gets a lane that nothing was in.
func (f *floor) place(i int) (tid int, begin, end process.Instant) {
	p := &f.r.Processes[i]
	begin, end, _ = f.span.Life(p)
	if p.ID.Precision != process.Exact {
		begin = max(begin, f.now)
		end = max(begin, end)
	}
	return f.lane(p.Creator, i, begin, end), begin, end
}

// lane returns the lane of a process with this creator, begin and end.
func (f *floor) lane(creator, i int, begin, end process.Instant) int {
	for len(f.busy) > 0 && f.busy[0].end <= begin {
		l := heap.Pop(&f.busy).(laneEnd).lane
		f.clear(l, begin)
		heap.Push(&f.empty, l)
	}
	early := begin < f.now
	f.now = max(f.now, begin)
	if l, ok := f.where[creator]; ok && creator < i && !early {
		f.clear(l, begin)
		stack := f.lanes[l].stack
		// Before its creator, not with it: in the decimals of a viewer two ends
		// that are the same may not be.
		if n := len(stack); n > 0 && stack[n-1].process == creator && end < stack[n-1].end {
			f.put(l, i, end)
			return l
		}
	}
	l := len(f.lanes)
	if len(f.empty) > 0 && !early {
		l = heap.Pop(&f.empty).(int)
	} else {
		f.lanes = append(f.lanes, lane{})
	}
	f.put(l, i, end)
	heap.Push(&f.busy, laneEnd{end, l})
	return l
}

func (f *floor) put(l, i int, end process.Instant) {
	f.lanes[l].stack = append(f.lanes[l].stack, placed{i, end})
	f.where[i] = l
}

// clear takes away what has ended from the top of the lane.
func (f *floor) clear(l int, now process.Instant) {
	stack := f.lanes[l].stack
	for n := len(stack); n > 0 && stack[n-1].end <= now; n-- {
		delete(f.where, stack[n-1].process)
		stack = stack[:n-1]
	}
	f.lanes[l].stack = stack
}

type laneEnd struct {
	end  process.Instant
	lane int
}

type byEnd []laneEnd

func (h byEnd) Len() int           { return len(h) }
func (h byEnd) Less(i, j int) bool { return h[i].end < h[j].end }
func (h byEnd) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(x any)        { *h = append(*h, x.(laneEnd)) }
func (h *byEnd) Pop() any          { return pop(h) }

type byNumber []int

func (h byNumber) Len() int           { return len(h) }
func (h byNumber) Less(i, j int) bool { return h[i] < h[j] }
func (h byNumber) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byNumber) Push(x any)        { *h = append(*h, x.(int)) }
func (h *byNumber) Pop() any          { return pop(h) }

func pop[S ~[]E, E any](s *S) E {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
