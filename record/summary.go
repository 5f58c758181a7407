package record

import (
	"time"

	"github.com/proclineage/lineage/process"
)

const (
	// mostRanked is how many processes are in each ranking of a summary.
	mostRanked = 50
	// mostFailures is how many failures are in a summary.
	mostFailures = 10_000
)

// A Summary is what there is to tell of a recording. What it does not know, its
// Unknown says.
type Summary struct {
	// Wall is for how long the command ran, Whole for how long it or one of
	// those that descend from it did.
	Wall, Whole time.Duration
	// Time is the sum of the times for which the processes lived.
	Time time.Duration
	// Usage is the sum of what they used, but for MaxRSS, which is the most that
	// one of them had.
	Usage process.Usage
	// Processes is how many there were, Execs how many times one ran another
	// program, Failed how many failed.
	Processes, Execs, Failed int
	// Exit is how the command itself ended.
	Exit process.Exit
	// Alive is how many processes lived at once, Working how many of them while
	// none that they had made did: those that did not wait for another one, as
	// far as that can be told. With make -j8 that is about 8.
	Alive, Working Profile
	// Slowest are the processes with the most time of their own, CPU, RSS and IO
	// those that used most of each, at most 50, the greatest first.
	Slowest, CPU, RSS, IO []Cost
	// Programs are what all the processes took that ran a program, the one with
	// the most time of its own first.
	Programs []Program
	// Failures are the processes that failed, the first 10,000 in the order of
	// their starts.
	Failures []Failure
	// Path is the critical path.
	Path    []Step
	Unknown Unknown
}

// CPUTime is the time that the processes ran.
func (s *Summary) CPUTime() time.Duration { return add(s.Usage.User, s.Usage.System) }

// A Failure is a process that ended other than with exit(0).
type Failure struct {
	// Process is its place in Recording.Processes.
	Process int
	// Origin says that none of those that it made failed: it failed by itself,
	// and was not told of the failure of another one.
	Origin bool
	// Command is what it ran last, to be given to a shell. It is empty where the
	// process ran no program of its own, or its arguments are not known. With
	// Cut it is not all of it.
	Command string
	Cut     bool
}

// Unknown is what a recording does not tell.
type Unknown struct {
	// Source is what it was made with, and Limits what that cannot tell.
	Source string
	Limits []string
	// Losses is how often events were dropped, Lost for how long in all. A loss
	// of which it is not known since when is taken to go back to the beginning.
	Losses int
	Lost   time.Duration
	// Open says that the recording has no end: it was cut short, or goes on.
	Open bool
	// Running is how many processes had not ended, EndUnseen how many had, but
	// were not observed to, so that when and how is not known.
	Running, EndUnseen int
	// NoUsage is how many of those that have ended did not tell what they used.
	NoUsage int
	// NoCreator is of how many it is not known who made them, and GuessedCreator
	// of how many not for sure.
	NoCreator, GuessedCreator int
	// Coarse is of how many the start is known to a clock tick only, or not at
	// all.
	Coarse int
	// CutArgs is of how many not all arguments are known.
	CutArgs int
}

// Summarize returns what there is to tell of the recording. It takes
// n log n time for n processes.
func Summarize(r *Recording) Summary {
	t := newTimeline(r)
	s := Summary{Processes: len(r.Processes)}
	slowest := most[time.Duration]{measure: func(c *Cost) time.Duration { return c.Own }}
	cpu := most[time.Duration]{measure: (*Cost).CPU}
	rss := most[uint64]{measure: func(c *Cost) uint64 { return c.Usage.MaxRSS }}
	io := most[uint64]{measure: (*Cost).IO}
	var until process.Instant
	for i := range r.Processes {
		c := t.cost(i)
		s.Time = add(s.Time, c.Time)
		accumulate(&s.Usage, c.Usage)
		s.Execs += len(r.Processes[i].Execs)
		until = max(until, t.spans[i].until)
		slowest.take(c, mostRanked)
		cpu.take(c, mostRanked)
		rss.take(c, mostRanked)
		io.take(c, mostRanked)
	}
	if len(t.spans) > 0 {
		s.Wall, s.Whole = t.spans[0].time(), between(t.spans[0].from, until)
		s.Exit = r.Processes[0].Exit
	}
	s.Slowest, s.CPU, s.RSS, s.IO = slowest.sorted(), cpu.sorted(), rss.sorted(), io.sorted()
	s.Alive, s.Working = t.profiles()
	s.Failures, s.Failed = t.failures()
	s.Path = t.path()
	s.Programs = t.byProgram(s.Path)
	s.Unknown = t.unknown()
	return s
}

// failures returns the processes that failed, and how many there are in all.
func (t *timeline) failures() (failures []Failure, n int) {
	told := make([]bool, len(t.spans)) // one that it made failed
	for i := range t.r.Processes {
		p := &t.r.Processes[i]
		if !p.Failed() {
			continue
		}
		n++
		if p.Creator >= 0 {
			told[p.Creator] = true
		}
		if len(failures) < mostFailures {
			failures = append(failures, Failure{Process: i})
		}
	}
	for k := range failures {
		f := &failures[k]
		f.Origin = !told[f.Process]
		if execs := t.r.Processes[f.Process].Execs; len(execs) > 0 {
			e := &execs[len(execs)-1]
			f.Command, f.Cut = Shell(e.Args), e.ArgsCut
		}
	}
	return failures, n
}

func (t *timeline) unknown() Unknown {
	r := t.r
	u := Unknown{Source: r.Header.Source, Limits: r.Header.Limits, Losses: len(r.Losses), Open: r.Ended == 0}
	for _, l := range r.Losses {
		if l.Since == 0 {
			l.Since = r.Header.BeganAt
		}
		u.Lost = add(u.Lost, between(l.Since, l.Until))
	}
	for i := range r.Processes {
		p := &r.Processes[i]
		switch {
		case !t.spans[i].ended:
			u.Running++
		case !t.spans[i].observed:
			u.EndUnseen++
			fallthrough
		default:
			if !p.Exit.Usage.Known {
				u.NoUsage++
			}
		}
		switch {
		case i == 0 || p.CreatorEvidence == process.Observed && p.Creator >= 0:
		case p.Creator < 0 || p.CreatorEvidence == process.Unknown:
			u.NoCreator++
		default:
			u.GuessedCreator++
		}
		if p.ID.Precision != process.Exact && p.Start == p.ID.Start {
			u.Coarse++
		}
		for k := range p.Execs {
			if p.Execs[k].ArgsCut {
				u.CutArgs++
				break
			}
		}
	}
	return u
}
