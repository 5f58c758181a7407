package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proclineage/lineage/process"
)

// aBuild is make -j2 of three files, of which one cannot be compiled, and a
// daemon that stays.
const aBuild = `
make  -     0 100 cpu=3 code=2 make -j2
sh1   make  5  40 cpu=1 sh -c cc
cc1   sh1   8  38 cpu=25 rss=4000 read=10 /usr/bin/cc -c a.c
sh2   make  6  30 cpu=1 code=1 sh -c cc
cc2   sh2   9  29 cpu=15 rss=9000 code=1 /usr/bin/cc -c b&c.c
d     cc2  10 120 cpu=2 daemon
cc3   make 32  90 cpu=50 rss=5000 /usr/bin/cc -c c.c
sub   make 92  96 signal=15
`

func TestSummary(t *testing.T) {
	r := made(aBuild)
	s := Summarize(r)
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"wall", s.Wall, 100 * time.Millisecond},
		{"whole", s.Whole, 120 * time.Millisecond},
		{"time", s.Time, (100 + 35 + 30 + 24 + 20 + 110 + 58 + 4) * time.Millisecond},
		{"CPU", s.CPUTime(), 97 * time.Millisecond},
		{"RSS", s.Usage.MaxRSS, uint64(9000)},
		{"counts", []int{s.Processes, s.Execs, s.Failed}, []int{8, 7, 4}},
		{"exit", s.Exit.Status.ExitStatus(), 2},
		{"alive", levels(s.Alive), "1×25 2×7 3×56 4×5 5×8 6×19"},
		{"peak", []any{s.Alive.Peak, s.Alive.PeakAt - began}, []any{6, process.Instant(10e6)}},
		{"working", levels(s.Working), "1×26 2×85 3×9"},
		{"slowest", ranking(r, s.Slowest), "d cc3 cc1 make sh1 sh2 sub cc2"},
		{"CPU", ranking(r, s.CPU), "cc3 cc1 cc2 make d sh1 sh2"},
		{"RSS", ranking(r, s.RSS), "cc2 cc3 cc1"},
		{"IO", ranking(r, s.IO), "cc1"},
		{"path", steps(r, s.Path), "make 0-6, sh2 6-9, cc2 9-29, sh2 29-30, make 30-32, cc3 32-90, make 90-92, sub 92-96, make 96-100"},
	} {
		if fmt.Sprint(test.got) != fmt.Sprint(test.want) {
			t.Errorf("%s is %v, want %v", test.what, test.got, test.want)
		}
	}
	var programs []string
	for _, p := range s.Programs {
		programs = append(programs, fmt.Sprintf("%s %d/%d %v %v %v %v %s", p.Name, p.Failed, p.Processes, p.Time, p.Own, p.CPU(), p.OnPath, r.Processes[p.Slowest].Name))
	}
	want := []string{
		"daemon 0/1 110ms 110ms 2ms 0s d",
		"/usr/bin/cc 1/3 108ms 89ms 90ms 78ms cc3",
		"make 2/2 104ms 15ms 3ms 18ms make",
		"sh 1/2 59ms 9ms 2ms 4ms sh1",
	}
	if !slices.Equal(programs, want) {
		t.Errorf("programs are\n%s\nwant\n%s", strings.Join(programs, "\n"), strings.Join(want, "\n"))
	}
	var failures []string
	for _, f := range s.Failures {
		failures = append(failures, fmt.Sprintf("%s %v %s", r.Processes[f.Process].Name, f.Origin, f.Command))
	}
	if want := []string{"make false make -j2", "sh2 false sh -c cc", "cc2 true /usr/bin/cc -c 'b&c.c'", "sub true "}; !slices.Equal(failures, want) {
		t.Errorf("failures are %q, want %q", failures, want)
	}
	if u := s.Unknown; u.NoUsage != 1 || u.Source != "bpf" {
		t.Errorf("unknown: %+v", u)
	}
}

func TestSummarySaysWhatIsNotKnown(t *testing.T) {
	r := made(`
make  -    0 100 cpu=1 make
a     make 10 -  a
b     make 20 50 end=scanned b
c     a    30 60 evidence=inferred cpu=1 c
d     -    40 60 cpu=1 d
`)
	r.Ended = 0
	r.Header.Limits = []string{"no usage"}
	r.Losses = []Loss{{0, began + 5}, {began + 10, began + 30}}
	r.Processes[4].Execs[0].ArgsCut = true
	r.Processes[3].ID.Precision = process.ToTick
	s := Summarize(r)
	want := Unknown{Source: "bpf", Limits: r.Header.Limits, Losses: 2, Lost: 25, Open: true, Running: 1, EndUnseen: 1, NoUsage: 1, NoCreator: 1, GuessedCreator: 1, Coarse: 1, CutArgs: 1}
	if fmt.Sprint(s.Unknown) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", s.Unknown, want)
	}
	// It runs to the end of what is known, and is not waited for.
	if c := s.Slowest[0]; c.Process != 1 || c.Ended || c.Time != 90*time.Millisecond {
		t.Errorf("slowest is %+v", c)
	}
	if got := steps(r, s.Path); got != "make 0-20, b 20-50?, make 50-100" {
		t.Errorf("path is %s", got)
	}
}

func TestSummaryOfNothing(t *testing.T) {
	s := Summarize(&Recording{})
	if s.Wall != 0 || s.Path != nil || s.Alive.Average() != 0 {
		t.Errorf("%+v", s)
	}
	s = Summarize(made("true - 5 5 true"))
	if s.Processes != 1 || s.Wall != 0 || len(s.Path) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestCriticalPath(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"alone", "a - 0 9", "a 0-9"},
		{"one after the other", "m - 0 9\na m 1 3\nb m 4 8", "m 0-1, a 1-3, m 3-4, b 4-8, m 8-9"},
		{"the longer of two", "m - 0 9\na m 1 3\nb m 1 8", "m 0-1, b 1-8, m 8-9"},
		{"the one that made room", "m - 0 9\na m 1 3\nb m 1 4\nc m 3 8", "m 0-1, a 1-3, c 3-8, m 8-9"},
		{"nobody waits for what outlives it", "m - 0 9\na m 1 12\nb m 2 5", "m 0-2, b 2-5, m 5-9"},
		{"through what its creator did not wait for", "m - 0 9\ns m 1 5\na s 2 7\nb s 2 4", "m 0-1, s 1-2, b 2-4, s 4-5, m 5-9"},
		{"begun and ended at once", "m - 0 9\na m 4 4\nb m 4 4", "m 0-4, m 4-9"},
		{"two that follow without a gap", "m - 0 9\na m 0 4\nb m 4 9", "a 0-4, b 4-9"},
	} {
		r := made(test.text)
		got := steps(r, Summarize(r).Path)
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// trees draws recordings with times of a few nanoseconds, so that many begin and
// end at once.
func trees() *rapid.Generator[*Recording] {
	return rapid.Custom(func(t *rapid.T) *Recording {
		r := &Recording{Header: Header{BeganAt: 1}, Ended: 60}
		start := 1
		for i := range rapid.IntRange(1, 25).Draw(t, "processes") {
			start += rapid.IntRange(0, 4).Draw(t, "later")
			p := Process{Creator: -1, Start: process.Instant(start), Name: string(rune('a' + i%3))}
			if i > 0 {
				p.Creator = rapid.IntRange(0, i-1).Draw(t, "creator")
			}
			if rapid.IntRange(0, 9).Draw(t, "ends") > 0 {
				p.End = process.Instant(start + rapid.IntRange(0, 30).Draw(t, "time"))
				p.Exit = process.Exit{Evidence: process.Observed, At: p.End}
			}
			r.Processes = append(r.Processes, p)
		}
		return r
	})
}

// lives reports whether the process lived in the nanosecond that begins then.
func (p *Process) lives(r *Recording, at process.Instant) bool {
	end := p.End
	if end == 0 {
		end = max(r.Ended, p.Start)
	}
	return p.Start <= at && at < end
}

func TestSummaryAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := trees().Draw(t, "recording")
		s := Summarize(r)
		alive, working := map[int]time.Duration{}, map[int]time.Duration{}
		own := make([]time.Duration, len(r.Processes))
		peak := 0
		first, last := r.Processes[0].Start, process.Instant(0)
		for at := first; at < 300; at++ {
			a, w := 0, 0
			for i := range r.Processes {
				if !r.Processes[i].lives(r, at) {
					continue
				}
				last = max(last, at)
				a++
				waits := slices.ContainsFunc(r.Processes, func(c Process) bool { return c.Creator == i && c.lives(r, at) })
				if !waits {
					w++
					own[i]++
				}
			}
			peak = max(peak, a)
			alive[a]++
			working[w]++
		}
		for _, p := range []struct {
			profile Profile
			want    map[int]time.Duration
		}{{s.Alive, alive}, {s.Working, working}} {
			for _, l := range p.profile.Levels {
				if l.Processes > 0 && p.want[l.Processes] != l.Time {
					t.Fatalf("%d at once for %d, want %d", l.Processes, l.Time, p.want[l.Processes])
				}
				delete(p.want, l.Processes)
			}
			delete(p.want, 0)
			if len(p.want) > 0 {
				t.Fatalf("not told: %v", p.want)
			}
		}
		if s.Alive.Peak != peak {
			t.Fatalf("peak is %d, want %d", s.Alive.Peak, peak)
		}
		for _, c := range s.Slowest {
			if c.Own != own[c.Process] {
				t.Fatalf("%d has %d of its own, want %d", c.Process, c.Own, own[c.Process])
			}
		}
		checkPath(t, r, s.Path)
	})
}

// checkPath compares the path with one that is found by trying all.
func checkPath(t *rapid.T, r *Recording, path []Step) {
	end := func(i int) process.Instant {
		if r.Processes[i].End != 0 {
			return r.Processes[i].End
		}
		return max(r.Ended, r.Processes[i].Start)
	}
	var want []Step
	at, now := 0, end(0)
	been := map[int]bool{0: true}
	step := func(from process.Instant) {
		if from < now {
			want = append(want, Step{Process: at, From: from, Until: now})
		}
		now = from
	}
	for {
		last := -1
		for i := range r.Processes {
			if r.Processes[i].Creator == at && r.Processes[i].End != 0 && end(i) <= now && !been[i] && (last < 0 || end(i) >= end(last)) {
				last = i
			}
		}
		if last >= 0 {
			step(end(last))
			at, been[last] = last, true
			continue
		}
		step(r.Processes[at].Start)
		if at == 0 {
			break
		}
		at = r.Processes[at].Creator
	}
	slices.Reverse(want)
	now = r.Processes[0].Start
	if len(path) != len(want) {
		t.Fatalf("path is %v, want %v", path, want)
	}
	for i, s := range path {
		if s.Uncertain = false; s != want[i] {
			t.Fatalf("step %d is %v, want %v", i, s, want[i])
		}
		if s.From != now {
			t.Fatalf("a gap before %v", s)
		}
		now = s.Until
	}
	if now != end(0) && end(0) > r.Processes[0].Start {
		t.Fatalf("the path ends at %d, want %d", now, end(0))
	}
}

// Whatever is in a file can be summed up.
func TestSummaryOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, other := recordings().Draw(t, "recording"), recordings().Draw(t, "another")
		s := Summarize(r)
		if s.Wall < 0 || s.Time < 0 || s.CPUTime() < 0 || s.Unknown.Lost < 0 {
			t.Fatalf("%+v", s)
		}
		Compare(r, other)
	})
}

func TestPrograms(t *testing.T) {
	r := made("m - 0 9 make\na m 1 8\nb a 2 7")
	r.Processes[0].Execs = []Exec{{At: began + 1.5e6, File: "/bin/sh"}, {At: began + 3e6, Args: []string{"perl", "x"}}}
	r.Processes = append(r.Processes, Process{Creator: 0, Start: began + 2e6, Name: "c"}, Process{Creator: 0, Start: began + 3e6, Name: "d"}, Process{Creator: -1, Name: "e"})
	if got, want := r.programs(), []string{"perl", "m", "m", "/bin/sh", "perl", "e"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShell(t *testing.T) {
	for want, args := range map[string][]string{
		``:                         nil,
		`''`:                       {""},
		`cc -O2 -DX=1 a.c`:         {"cc", "-O2", "-DX=1", "a.c"},
		`'A=b' c`:                  {"A=b", "c"},
		`sh -c 'echo "$x" > y'`:    {"sh", "-c", `echo "$x" > y`},
		`'it'\''s' '\'`:            {"it's", `\`},
		`echo $'a\nb\tc\'d\\'`:     {"echo", "a\nb\tc'd\\"},
		`echo $'\0331\377'`:        {"echo", "\x1b1\xff"},
		`echo äöü $'\342\200\256'`: {"echo", "äöü", "\u202e"},
	} {
		if got := Shell(args); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func BenchmarkSummarize(b *testing.B) {
	r := build(50_000)
	b.ReportAllocs()
	for b.Loop() {
		Summarize(r)
	}
}
