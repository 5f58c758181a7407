package record

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// A Level is for how long so many processes ran at once.
type Level struct {
	Processes int
	Time      time.Duration
}

// A Profile is how many processes ran at once.
type Profile struct {
	// Levels are for how long how many did, the fewest first, between the start
	// of the first and the end of the last.
	Levels []Level
	// Peak is how many did at most, from PeakAt on for the first time.
	Peak   int
	PeakAt process.Instant
}

// Average returns how many ran at once on average.
func (p *Profile) Average() float64 {
	var all, weighted float64
	for _, l := range p.Levels {
		all += float64(l.Time)
		weighted += float64(l.Time) * float64(l.Processes)
	}
	if all == 0 {
		return 0
	}
	return weighted / all
}

// change is the start or the end of a process.
type change struct {
	at      process.Instant
	process int32
	start   bool
}

// profiles returns how many processes lived at once, and how many of them while
// none that they made did.
func (t *timeline) profiles() (alive, working Profile) {
	changes := make([]change, 0, 2*len(t.spans))
	for i, s := range t.spans {
		if s.from < s.until {
			changes = append(changes, change{s.from, int32(i), true}, change{s.until, int32(i), false})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { // who ends makes room for who starts then
		if a.at != b.at {
			return cmp.Compare(a.at, b.at)
		}
		switch {
		case a.start == b.start:
			return cmp.Compare(a.process, b.process)
		case b.start:
			return -1
		}
		return 1
	})
	below := make([]int32, len(t.spans)) // how many live that it made
	lives := make([]bool, len(t.spans))
	a, w := profiler{}, profiler{}
	for _, c := range changes {
		a.pass(c.at)
		w.pass(c.at)
		step := 1
		if !c.start {
			step = -1
		}
		lives[c.process] = c.start
		a.now += step
		if below[c.process] == 0 {
			w.now += step
		}
		if by := t.r.Processes[c.process].Creator; by >= 0 {
			was := below[by] == 0
			below[by] += int32(step)
			if is := below[by] == 0; is != was && lives[by] {
				w.now -= step
			}
		}
	}
	return a.profile(), w.profile()
}

// profiler adds up for how long there were how many.
type profiler struct {
	now    int
	since  process.Instant
	times  map[int]time.Duration
	peak   int
	peakAt process.Instant
}

// pass takes in that there were as many as now until the moment.
func (p *profiler) pass(at process.Instant) {
	if p.times == nil {
		p.times = map[int]time.Duration{}
	} else if at > p.since {
		p.times[p.now] = add(p.times[p.now], between(p.since, at))
		if p.now > p.peak {
			p.peak, p.peakAt = p.now, p.since
		}
	}
	p.since = at
}

func (p *profiler) profile() Profile {
	result := Profile{Peak: p.peak, PeakAt: p.peakAt}
	for _, n := range slices.Sorted(maps.Keys(p.times)) {
		result.Levels = append(result.Levels, Level{n, p.times[n]})
	}
	return result
}
