package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// A Difference is what two recordings, a and b, of the same command do not have
// in common.
type Difference struct {
	// A and B are what each took.
	A, B Total
	// Unlike says of what the two were not alike to begin with: "command",
	// "directory", "host", "kernel", "source", "processors".
	Unlike []string
	// Pairs are the processes that both have, those whose own time differs most
	// first.
	Pairs []Pair
	// New are the places in b of the processes that a has not, and Gone those in
	// a that b has not, in the order of their starts. TopNew and TopGone are
	// those of them whose creator is none of them: what came or went with all
	// that it made.
	New, Gone, TopNew, TopGone []int
	// Programs are what the processes of each program took, those whose own time
	// differs most first.
	Programs []ProgramPair
}

// A Total is what a recording took.
type Total struct {
	// Wall is for how long the command ran, and Time the sum of the times for
	// which the processes lived.
	Wall, Time time.Duration
	// Usage is the sum of what they used, but for MaxRSS, which is the most that
	// one of them had.
	Usage process.Usage
	// Processes is how many there were, Failed how many of them failed.
	Processes, Failed int
	// Working is how many were at work at once, as in a [Summary].
	Working Profile
}

// A Pair is a process of each recording that are taken for the same.
type Pair struct {
	A, B Cost
	// Likeness is why.
	Likeness Likeness
}

// Own is how much more time of its own the one in b had, and Time how much
// longer it lived. Below zero it was faster.
func (p *Pair) Own() time.Duration { return p.B.Own - p.A.Own }

// Time returns how much longer the one in b lived.
func (p *Pair) Time() time.Duration { return p.B.Time - p.A.Time }

// CPU returns how much longer the one in b ran, zero where that is not known of
// both.
func (p *Pair) CPU() time.Duration {
	if !p.A.Usage.Known || !p.B.Usage.Known {
		return 0
	}
	return p.B.CPU() - p.A.CPU()
}

// Likeness is why two processes are taken for the same.
type Likeness uint8

const (
	// Same processes ran the same command lines in the same place of the tree,
	// but for names of temporary files and the directory of the whole.
	Same Likeness = iota + 1
	// Moved processes ran the same command lines in another place.
	Moved
	// Altered processes have the same place, and are the only ones of their
	// program that are left there, with other arguments.
	Altered
)

var likenessNames = [...]string{"", "same", "moved", "altered"}

// String returns the name of the likeness in lower case.
func (l Likeness) String() string {
	if int(l) < len(likenessNames) {
		return likenessNames[l]
	}
	return ""
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (l Likeness) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// A ProgramPair is what the processes of a program took in each recording. One
// that did not run there has no processes.
type ProgramPair struct {
	Name string
	A, B Program
}

// Own is how much more time of their own they had in b.
func (p *ProgramPair) Own() time.Duration { return p.B.Own - p.A.Own }

// Compare returns what the recordings do not have in common. A process of the
// one is the same as one of the other if it has the same place in the tree and
// the same command lines; docs/recording.md has the rules. It takes n log n time
// for n processes.
func Compare(a, b *Recording) Difference {
	x, y := newTimeline(a), newTimeline(b)
	d := Difference{A: x.total(), B: y.total(), Unlike: unlike(&a.Header, &b.Header)}
	al := align(x, y)
	for i, k := range al.of {
		if k >= 0 {
			d.Pairs = append(d.Pairs, Pair{x.cost(i), y.cost(int(k)), al.why[i]})
		}
	}
	slices.SortStableFunc(d.Pairs, func(p, q Pair) int { return cmp.Compare(magnitude(q.Own()), magnitude(p.Own())) })
	d.Gone, d.TopGone = unpaired(a, al.of)
	d.New, d.TopNew = unpaired(b, al.in)
	d.Programs = pairPrograms(x.byProgram(x.path()), y.byProgram(y.path()))
	return d
}

// unpaired returns the processes that have no other, and those of them whose
// creator has one.
func unpaired(r *Recording, other []int32) (all, top []int) {
	for i, k := range other {
		if k >= 0 {
			continue
		}
		all = append(all, i)
		if c := r.Processes[i].Creator; c < 0 || other[c] >= 0 {
			top = append(top, i)
		}
	}
	return all, top
}

func magnitude(d time.Duration) time.Duration { return max(d, -d) }

func (t *timeline) total() Total {
	n := Total{Processes: len(t.spans)}
	if len(t.spans) > 0 {
		n.Wall = t.spans[0].time()
	}
	_, n.Working = t.profiles()
	for i := range t.r.Processes {
		p := &t.r.Processes[i]
		n.Time = add(n.Time, t.spans[i].time())
		accumulate(&n.Usage, p.Exit.Usage)
		if p.Failed() {
			n.Failed++
		}
	}
	return n
}

func unlike(a, b *Header) []string {
	var names []string
	for _, test := range []struct {
		name string
		same bool
	}{
		{"command", slices.Equal(a.Command, b.Command)},
		{"directory", a.Dir == b.Dir},
		{"host", a.Host == b.Host},
		{"kernel", a.Kernel == b.Kernel},
		{"source", a.Source == b.Source},
		{"processors", a.CPUs == b.CPUs},
	} {
		if !test.same {
			names = append(names, test.name)
		}
	}
	return names
}

func pairPrograms(a, b []Program) []ProgramPair {
	place := make(map[string]int, len(a))
	pairs := make([]ProgramPair, len(a), len(a)+len(b))
	for i, p := range a {
		place[p.Name] = i
		pairs[i] = ProgramPair{Name: p.Name, A: p, B: Program{Name: p.Name, Slowest: -1}}
	}
	for _, p := range b {
		if i, ok := place[p.Name]; ok {
			pairs[i].B = p
		} else {
			pairs = append(pairs, ProgramPair{Name: p.Name, A: Program{Name: p.Name, Slowest: -1}, B: p})
		}
	}
	slices.SortStableFunc(pairs, func(p, q ProgramPair) int {
		return cmp.Or(cmp.Compare(magnitude(q.Own()), magnitude(p.Own())), cmp.Compare(p.Name, q.Name))
	})
	return pairs
}
