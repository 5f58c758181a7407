package record

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// A Cost is what one process took.
type Cost struct {
	// Process is its place in Recording.Processes.
	Process int
	// Time is for how long it lived, and Own for how long while none of those
	// that it made lived: a shell that waits for a compiler has no time of its
	// own then.
	Time, Own time.Duration
	// Ended says that it has ended. Else Time is that up to the end of the
	// recording.
	Ended bool
	// Usage is what it used, itself and without those that it made.
	Usage process.Usage
}

// CPU is the time that it ran, zero where that is not known.
func (c *Cost) CPU() time.Duration { return add(c.Usage.User, c.Usage.System) }

// IO is how many bytes storage had to read and write for it.
func (c *Cost) IO() uint64 { return sum(c.Usage.ReadBytes, c.Usage.WrittenBytes) }

// sum adds sizes, up to what fits.
func sum(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

func (t *timeline) cost(i int) Cost {
	c := Cost{Process: i, Time: t.spans[i].time(), Own: t.own[i], Ended: t.spans[i].ended}
	if u := t.r.Processes[i].Exit.Usage; u.Known {
		c.Usage = u
	}
	return c
}

// A Program is what all the processes took that ran a program last.
type Program struct {
	// Name is the path as it was given to execve(2), or where that is not known
	// the first argument or the name of the process.
	Name string
	// Processes is how many ran it, Failed how many of them failed.
	Processes, Failed int
	// Time and Own are the sums of theirs, see [Cost]. OnPath is how much of the
	// critical path is theirs.
	Time, Own, OnPath time.Duration
	// Usage is the sum of what they used, but for MaxRSS, which is the most that
	// one of them had. It is known where that of one is.
	Usage process.Usage
	// Slowest is the place of the one with the most time of its own.
	Slowest int
}

// CPU is the time that they ran.
func (p *Program) CPU() time.Duration { return add(p.Usage.User, p.Usage.System) }

// take adds what one process took.
func (p *Program) take(c Cost, failed bool, slowest time.Duration) {
	if p.Processes == 0 || c.Own > slowest {
		p.Slowest = c.Process
	}
	p.Processes++
	if failed {
		p.Failed++
	}
	p.Time, p.Own = add(p.Time, c.Time), add(p.Own, c.Own)
	accumulate(&p.Usage, c.Usage)
}

// accumulate adds what one process used.
func accumulate(all *process.Usage, u process.Usage) {
	if !u.Known {
		return
	}
	all.Known = true
	all.User, all.System = add(all.User, u.User), add(all.System, u.System)
	all.MaxRSS = max(all.MaxRSS, u.MaxRSS)
	all.ReadBytes, all.WrittenBytes = sum(all.ReadBytes, u.ReadBytes), sum(all.WrittenBytes, u.WrittenBytes)
}

// byProgram returns what the programs took, the one with the most time of its
// own first.
func (t *timeline) byProgram(path []Step) []Program {
	place := map[string]int{}
	var all []Program
	for i, name := range t.programs {
		k, ok := place[name]
		if !ok {
			k = len(all)
			place[name] = k
			all = append(all, Program{Name: name})
		}
		all[k].take(t.cost(i), t.r.Processes[i].Failed(), t.own[all[k].Slowest])
	}
	for _, step := range path {
		p := &all[place[t.programs[step.Process]]]
		p.OnPath = add(p.OnPath, between(step.From, step.Until))
	}
	slices.SortStableFunc(all, func(a, b Program) int { return cmp.Or(cmp.Compare(b.Own, a.Own), cmp.Compare(a.Name, b.Name)) })
	return all
}

// Failed reports whether the process is known to have ended other than with
// exit(0).
func (p *Process) Failed() bool { return p.Exit.Evidence == process.Observed && p.Exit.Status != 0 }

// most keeps the processes of which a measure is greatest.
type most[M cmp.Ordered] struct {
	measure func(*Cost) M
	costs   []Cost // a heap, the least first
}

// worse orders by the measure, and of two with the same the later is worse.
func (m *most[M]) worse(a, b *Cost) bool {
	x, y := m.measure(a), m.measure(b)
	return x < y || x == y && a.Process > b.Process
}

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (m *most[M]) Len() int           { return len(m.costs) }
func (m *most[M]) Less(i, j int) bool { return m.worse(&m.costs[i], &m.costs[j]) }
func (m *most[M]) Swap(i, j int)      { m.costs[i], m.costs[j] = m.costs[j], m.costs[i] }
func (m *most[M]) Push(x any)         { m.costs = append(m.costs, x.(Cost)) }
func (m *most[M]) Pop() any {
	last := m.costs[len(m.costs)-1]
	m.costs = m.costs[:len(m.costs)-1]
	return last
}

// take takes in a process, and keeps so many. One with nothing of what is
// measured is left out.
func (m *most[M]) take(c Cost, keep int) {
	var none M
	if m.measure(&c) == none {
		return
	}
	if len(m.costs) < keep {
		heap.Push(m, c)
	} else if m.worse(&m.costs[0], &c) {
		m.costs[0] = c
		heap.Fix(m, 0)
	}
}

// sorted returns them, the greatest first.
func (m *most[M]) sorted() []Cost {
	slices.SortFunc(m.costs, func(a, b Cost) int {
		if m.worse(&a, &b) {
			return 1
		}
		return -1
	})
	return m.costs
}
