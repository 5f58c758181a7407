package record

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/proclineage/lineage/process"
)

// pairs returns the pairs as the names of both and why, in the order of a.
func pairs(a, b *Recording, d Difference) string {
	all := slices.Clone(d.Pairs)
	slices.SortFunc(all, func(p, q Pair) int { return p.A.Process - q.A.Process })
	var texts []string
	for _, p := range all {
		text := a.Processes[p.A.Process].Name + "=" + b.Processes[p.B.Process].Name
		if p.Likeness != Same {
			text += " " + p.Likeness.String()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestCompare(t *testing.T) {
	for _, test := range []struct{ name, a, b, pairs, gone, topGone, fresh, topFresh string }{
		{
			"in another order",
			"m - 0 9 make\na m 1 2 cc a.c\nb m 2 3 cc b.c", "M - 0 9 make\nB m 1 2 cc b.c\nA m 2 3 cc a.c",
			"m=M, a=A, b=B", "", "", "", "",
		},
		{
			"new and gone, with what they made",
			"m - 0 9 make\na m 1 2 cc a.c\na1 a 1 2 cc1 a.c\nr m 3 4 rm x", "M - 0 9 make\nN M 1 2 ld\nN1 N 1 2 plugin\nR M 3 4 rm x",
			"m=M, r=R", "a a1", "a", "N N1", "N",
		},
		{
			"temporary files are called as they come",
			"m - 0 9 make\nc m 1 2 cc1 a.c -o /tmp/ccX1.s\ns m 2 3 as /tmp/ccX1.s -o a.o\nd m 1 2 cc1 b.c -o /tmp/ccX2.s", "M - 0 9 make\nC M 1 2 cc1 a.c -o /tmp/ccQ9.s\nD M 1 2 cc1 b.c -o /tmp/ccQ7.s\nS M 2 3 as /tmp/ccQ9.s -o a.o",
			"m=M, c=C, s=S, d=D", "", "", "", "",
		},
		{
			"of the same command line the one that made the same",
			"m - 0 9 make\ns m 1 2 sh -c z\nx s 1 2 a\nt m 1 2 sh -c z\ny t 1 2 b", "M - 0 9 make\nT M 1 2 sh -c z\nY T 1 2 b\nS M 1 2 sh -c z\nX S 1 2 a",
			"m=M, s=S, x=X, t=T, y=Y", "", "", "", "",
		},
		{
			"moved, with what it made",
			"m - 0 9 make\ns m 1 5 sh -c all\nc s 2 3 cc a.c\nc1 c 2 3 cc1 a.c", "M - 0 9 make\nC M 2 3 cc a.c\nC1 C 2 3 cc1 a.c",
			"m=M, c=C moved, c1=C1", "s", "s", "", "",
		},
		{
			"other arguments",
			"m - 0 9 make\nc m 2 3 cc -O2 a.c\nc1 c 2 3 cc1 -O2 a.c", "M - 0 9 make\nC M 2 3 cc -O3 a.c\nC1 C 2 3 cc1 -O3 a.c",
			"m=M, c=C altered, c1=C1 altered", "", "", "", "",
		},
		{
			"other arguments, and more than one that it could be",
			"m - 0 9 make\nc m 2 3 cc -O2 a.c", "M - 0 9 make\nC M 2 3 cc -O3 a.c\nD M 2 3 cc -O3 b.c",
			"m=M", "c", "c", "C D", "C D",
		},
		{
			"those without a program of their own",
			"m - 0 9 sh\na m 2 3\nb m 3 4\nx b 3 4 ls", "M - 0 9 sh\nA M 2 3\nX A 2 3 ls",
			"m=M, b=A, x=X", "a", "a", "", "",
		},
		{
			"another command",
			"m - 0 9 make", "M - 0 9 ninja\nA - 1 2 late",
			"m=M altered", "", "", "A", "A",
		},
	} {
		a, b := made(test.a), made(strings.ReplaceAll(test.b, " m ", " M "))
		d := Compare(a, b)
		got := []string{pairs(a, b, d), names(a, d.Gone), names(a, d.TopGone), names(b, d.New), names(b, d.TopNew)}
		if want := []string{test.pairs, test.gone, test.topGone, test.fresh, test.topFresh}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}

func TestCompareMeasures(t *testing.T) {
	a := made("m - 0 50 cpu=5 make\na m 10 20 cpu=9 cc a.c\nb m 20 40 cpu=18 cc b.c\nr m 40 41 rm x")
	b := made("m - 0 60 cpu=5 make\na m 10 15 cpu=4 cc a.c\nb m 20 55 code=1 cpu=30 cc b.c\nl m 55 57 ld")
	b.Header.Dir, b.Header.CPUs = "/elsewhere", 8
	d := Compare(a, b)
	if d.A.Wall != 50e6 || d.B.Wall != 60e6 || d.A.Processes != 4 || d.B.Failed != 1 || d.B.Usage.User != 39e6 || d.A.Time != (50+10+20+1)*1e6 {
		t.Errorf("totals are %+v and %+v", d.A, d.B)
	}
	if !slices.Equal(d.Unlike, []string{"directory", "processors"}) {
		t.Errorf("unlike in %q", d.Unlike)
	}
	var got []string
	for _, p := range d.Pairs {
		got = append(got, fmt.Sprint(a.Processes[p.A.Process].Name, " ", p.Own(), " ", p.Time(), " ", p.CPU()))
	}
	if want := []string{"b 15ms 15ms 12ms", "a -5ms -5ms -5ms", "m -1ms 10ms 0s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = nil
	for _, p := range d.Programs {
		got = append(got, fmt.Sprint(p.Name, " ", p.Own(), " ", p.A.Processes, " ", p.B.Processes))
	}
	if want := []string{"cc 10ms 2 2", "ld 2ms 0 1", "make -1ms 1 1", "rm -1ms 1 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSettled(t *testing.T) {
	for s, want := range map[string]string{
		"a.c":                                  "a.c",
		"/tmp/ccAb12.s":                        "/tmp/*.s",
		"-fresolution=/tmp/ccX.res,/tmp/d/e.o": "-fresolution=/tmp/*.res,/tmp/*/e.o",
		"/tmp/":                                "/tmp/*",
		"-I/src/p/include":                     "-I./include",
		"/var/tmp/x":                           "/var/tmp/*",
	} {
		if got := settled(s, "/src/p"); got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

// shuffled returns the recording with the processes in another order in which
// creators still come before what they made, and others' IDs.
func shuffled(r *Recording, random *rand.Rand) *Recording {
	keys := make([]float64, len(r.Processes))
	from := make([]int, len(keys))
	for i := range keys {
		from[i] = i
		keys[i] = random.Float64()
		if c := r.Processes[i].Creator; c >= 0 {
			keys[i] += keys[c]
		} else if i == 0 {
			keys[i] = -1
		}
	}
	slices.SortFunc(from, func(a, b int) int {
		if keys[a] < keys[b] {
			return -1
		}
		return 1
	})
	to := make([]int, len(keys))
	other := &Recording{Header: r.Header, Ended: r.Ended}
	for place, old := range from {
		to[old] = place
		p := r.Processes[old]
		p.ID = process.ID{PID: 7000 + place}
		if p.Creator >= 0 {
			p.Creator = to[p.Creator]
		}
		other.Processes = append(other.Processes, p)
	}
	return other
}

func TestCompareWithItselfInAnotherOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := trees().Draw(t, "recording")
		for i := range r.Processes {
			p := &r.Processes[i]
			p.Execs = []Exec{{At: p.Start, File: p.Name, Args: []string{p.Name, rapid.SampledFrom([]string{"x", "/tmp/a.c", "/tmp/b.c"}).Draw(t, "arg")}}}
		}
		other := shuffled(r, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		d := Compare(r, other)
		if len(d.Pairs) != len(r.Processes) || len(d.New)+len(d.Gone) > 0 {
			t.Fatalf("%d pairs of %d, new %v, gone %v", len(d.Pairs), len(r.Processes), d.New, d.Gone)
		}
		for _, p := range d.Pairs {
			a, b := &r.Processes[p.A.Process], &other.Processes[p.B.Process]
			if p.Likeness != Same || a.Name != b.Name || !slices.Equal(a.Execs[0].Args, b.Execs[0].Args) {
				t.Fatalf("%+v and %+v: %v", a, b, p.Likeness)
			}
		}
	})
}

// Each process is in one pair, or new, or gone.
func TestCompareCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *Recording {
			r := trees().Draw(t, label)
			for i := range r.Processes {
				if p := &r.Processes[i]; rapid.Bool().Draw(t, "runs") {
					p.Execs = []Exec{{At: p.Start, File: rapid.SampledFrom([]string{"sh", "cc", "ld"}).Draw(t, "file"), Args: []string{rapid.SampledFrom([]string{"x", "/tmp/a.c", "/tmp/b.c"}).Draw(t, "arg")}}}
				}
			}
			return r
		}
		a, b := draw("a"), draw("b")
		d := Compare(a, b)
		inA, inB := slices.Clone(d.Gone), slices.Clone(d.New)
		for _, p := range d.Pairs {
			inA, inB = append(inA, p.A.Process), append(inB, p.B.Process)
		}
		slices.Sort(inA)
		slices.Sort(inB)
		for i, place := range inA {
			if i != place {
				t.Fatalf("of a there are %v", inA)
			}
		}
		for i, place := range inB {
			if i != place {
				t.Fatalf("of b there are %v", inB)
			}
		}
		if len(inA) != len(a.Processes) || len(inB) != len(b.Processes) {
			t.Fatalf("%d and %d", len(inA), len(inB))
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	x := build(50_000)
	y := shuffled(x, rand.New(rand.NewPCG(1, 2)))
	b.ReportAllocs()
	for b.Loop() {
		if d := Compare(x, y); len(d.Pairs) != 50_000 {
			b.Fatalf("%d pairs", len(d.Pairs))
		}
	}
}

// All alike below one creator, which is the most that can be compared with each
// other.
func BenchmarkCompareAlike(b *testing.B) {
	r := build(1)
	for range 50_000 {
		r.Processes = append(r.Processes, Process{Execs: []Exec{{File: "/bin/true", Args: []string{"true"}}}})
	}
	for b.Loop() {
		Compare(r, r)
	}
}
