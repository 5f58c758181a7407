package record

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/proclineage/lineage/process"
)

// A timeline is a recording with what follows from it for each process. By
// place, as Recording.Processes.
type timeline struct {
	r *Recording
	// until is the last moment that the recording tells of.
	until    process.Instant
	spans    []span
	programs []string
	made     children
	own      []time.Duration
}

// span is when a process lived.
type span struct {
	from, until process.Instant
	// observed says that the end is, and ended that it has ended at all.
	observed, ended bool
}

func (s span) time() time.Duration { return between(s.from, s.until) }

// between returns the time between two moments, which is none where the later
// one comes first, and what fits where there is more.
func between(a, b process.Instant) time.Duration {
	if b <= a {
		return 0
	}
	return time.Duration(min(uint64(b-a), math.MaxInt64))
}

// add adds times, up to what fits.
func add(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func newTimeline(r *Recording) *timeline {
	t := &timeline{r: r, until: r.last(), made: newChildren(r)}
	t.spans = make([]span, len(r.Processes))
	for i := range r.Processes {
		t.spans[i] = t.span(&r.Processes[i])
	}
	t.programs = r.programs()
	t.own = make([]time.Duration, len(r.Processes))
	for i := range t.own {
		t.own[i] = t.ownTime(i)
	}
	return t
}

// last returns the last moment that the recording tells of.
func (r *Recording) last() process.Instant {
	if r.Ended != 0 {
		return r.Ended
	}
	last := r.Header.BeganAt
	for i := range r.Processes {
		p := &r.Processes[i]
		last = max(last, p.Start, p.End)
		if n := len(p.Execs); n > 0 {
			last = max(last, p.Execs[n-1].At)
		}
	}
	return last
}

// span returns when the process lived: not before its creator, and where an end
// is not known to the last moment at which it may have lived.
func (t *timeline) span(p *Process) span {
	s := span{from: p.Start, until: p.End, ended: true}
	s.observed = p.End != 0 && p.Exit.Evidence == process.Observed
	if s.from == 0 && len(p.Execs) > 0 {
		s.from = p.Execs[0].At
	}
	switch {
	case p.Creator >= 0:
		s.from = max(s.from, t.spans[p.Creator].from)
	case s.from == 0:
		s.from = t.r.Header.BeganAt
	}
	if s.until == 0 {
		s.until = p.Exit.At
		if p.Exit.Evidence == process.Unknown || s.until == 0 {
			s.until, s.ended = t.until, false
		}
	}
	s.until = max(s.until, s.from)
	return s
}

// children are, for each process, those that it made, in order.
type children struct {
	first []int32 // by creator, where its children begin in list, and one more
	list  []int32
}

func newChildren(r *Recording) children {
	c := children{first: make([]int32, len(r.Processes)+2)}
	for i := range r.Processes {
		c.first[r.Processes[i].Creator+2]++ // those of nobody come first
	}
	for i := 1; i < len(c.first); i++ {
		c.first[i] += c.first[i-1]
	}
	c.list = make([]int32, len(r.Processes))
	next := slices.Clone(c.first)
	for i := range r.Processes {
		at := &next[r.Processes[i].Creator+1]
		c.list[*at] = int32(i)
		*at++
	}
	return c
}

// of returns those that process i made, and of -1 those whose creator is not in
// the recording.
func (c children) of(i int) []int32 { return c.list[c.first[i+1]:c.first[i+2]] }

// ownTime returns for how long the process lived while none that it made did.
func (t *timeline) ownTime(i int) time.Duration {
	s := t.spans[i]
	own, from := time.Duration(0), s.from
	made := t.made.of(i)
	byStart := func(a, b int32) int {
		switch x, y := t.spans[a].from, t.spans[b].from; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(made, byStart) {
		slices.SortStableFunc(made, byStart)
	}
	for _, c := range made {
		child := t.spans[c]
		if child.from >= s.until {
			break
		}
		own = add(own, between(from, child.from))
		from = max(from, child.until)
	}
	return add(own, between(from, s.until))
}

// programs returns for each process what it ran last: the path that was given to
// execve(2), or where that is not known the first argument or the name. A
// process that ran no program of its own has that of its creator when it began.
func (r *Recording) programs() []string {
	born := make([]string, len(r.Processes))
	last := make([]string, len(r.Processes))
	for i := range r.Processes {
		p := &r.Processes[i]
		if p.Creator >= 0 {
			born[i] = r.programAt(p.Creator, p.Start, born)
		}
		if born[i] == "" {
			born[i] = p.Name
		}
		last[i] = born[i]
		if n := len(p.Execs); n > 0 {
			last[i] = p.Execs[n-1].program(p.Name)
		}
	}
	return last
}

// programAt returns what the process ran then.
func (r *Recording) programAt(i int, at process.Instant, born []string) string {
	p := &r.Processes[i]
	n := sort.Search(len(p.Execs), func(k int) bool { return p.Execs[k].At > at })
	if n == 0 {
		return born[i]
	}
	return p.Execs[n-1].program(p.Name)
}

// program names the program, name where the exec does not tell.
func (e *Exec) program(name string) string {
	switch {
	case e.File != "":
		return e.File
	case len(e.Args) > 0 && e.Args[0] != "":
		return e.Args[0]
	}
	return name
}
