package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage/record"
)

func newDiff(a *app) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "What differs between two recordings",
		Long: `Compare two recordings of the same command: what is new in B, what is gone, what
ends otherwise, and what took more or less time of its own.

A process of the one is the same as one of the other if it has the same place in
the tree and the same command lines, but for the names of temporary files. The time
of its own is that in which none of those that it made lived. A and B may be what
lineage record has left of a command that goes on, or - for stdin.

Text has the first ` + strconv.Itoa(diffShown) + ` of each kind unless --all or --no-trunc is given.`,
		Example: `  lineage diff yesterday.lineage today.lineage
  lineage diff a.lineage b.lineage -o json | jq -r '.new[].command_line'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("two recordings are asked for, not %d", len(args))
			}
			if args[0] == "-" && args[1] == "-" {
				return usagef("stdin cannot be both")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var recs [2]*record.Recording
			for i, name := range args {
				rec, err := a.readRecording(name)
				if err != nil {
					return err
				}
				recs[i] = rec
			}
			d := record.Compare(recs[0], recs[1])
			if a.output.value != "text" {
				x := newDiffObject(recs, &d)
				x.Complete, x.Note = len(a.gaps) == 0, gapText(a.gaps)
				return a.encode(x, a.indent())
			}
			v := diffView{screen: a.screen(), recs: recs, diff: &d, most: diffShown}
			if all || a.noTrunc {
				v.most = len(d.Pairs) + len(d.New) + len(d.Gone) + len(d.Programs)
			}
			v.write()
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all that differs")
	return c
}

// diffShown is how many of each kind text has.
const diffShown = 8

// diffView writes what differs between two recordings.
type diffView struct {
	screen *screen
	recs   [2]*record.Recording
	diff   *record.Difference
	most   int

	differs bool // there is anything to tell
}

func (v *diffView) write() {
	s, d := v.screen, v.diff
	s.line(span{record.Shell(v.recs[1].Header.Command), bold})
	if len(d.Unlike) > 0 {
		s.sentence("note", "not the same in both: "+strings.Join(d.Unlike, ", "), alarm)
	}
	s.sentence("time", v.change(d.A.Wall, d.B.Wall), plain)
	if d.A.Usage.Known && d.B.Usage.Known {
		s.sentence("CPU", v.change(d.A.Usage.User+d.A.Usage.System, d.B.Usage.User+d.B.Usage.System), plain)
		s.sentence("memory", size(d.A.Usage.MaxRSS)+" → "+size(d.B.Usage.MaxRSS)+" at most in one process", plain)
	}
	s.sentence("at work", trimmed(d.A.Working.Average())+" → "+trimmed(d.B.Working.Average())+" on average, "+
		strconv.Itoa(d.A.Working.Peak)+" → "+strconv.Itoa(d.B.Working.Peak)+" at most", plain)
	s.sentence("processes", strconv.Itoa(d.A.Processes)+" → "+strconv.Itoa(d.B.Processes)+": "+v.kinds(), plain)
	s.sentence("failed", strconv.Itoa(d.A.Failed)+" → "+strconv.Itoa(d.B.Failed), plain)
	v.places("new", v.recs[1], d.New, d.TopNew)
	v.places("gone", v.recs[0], d.Gone, d.TopGone)
	v.endings()
	v.altered()
	v.pairs("slower", func(p *record.Pair) bool { return p.Own() > 0 })
	v.pairs("faster", func(p *record.Pair) bool { return p.Own() < 0 })
	if !v.differs {
		s.sentence("differs", "nothing: the same processes, ends and, to "+brief(leastChange)+" or a tenth, times", plain)
	}
	s.line()
	for i, rec := range v.recs {
		if rec.Ended == 0 || len(rec.Losses) > 0 || len(rec.Header.Limits) > 0 {
			s.sentence([]string{"in A", "in B"}[i], "", plain)
			writeRecordSource(s, rec)
		}
	}
}

// kinds says how many processes are the same, and how many are not.
func (v *diffView) kinds() string {
	var n [record.Altered + 1]int
	for i := range v.diff.Pairs {
		n[v.diff.Pairs[i].Likeness]++
	}
	parts := []string{strconv.Itoa(n[record.Same]) + " the same"}
	for _, part := range []struct {
		n    int
		what string
	}{{n[record.Moved], "in another place"}, {n[record.Altered], "with other arguments"}, {len(v.diff.New), "new"}, {len(v.diff.Gone), "gone"}} {
		if part.n > 0 {
			parts = append(parts, strconv.Itoa(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

// change says how a time is another one.
func (v *diffView) change(a, b time.Duration) string {
	return brief(a) + " → " + brief(b) + " (" + moreText(a, b) + ")"
}

// moreText says how much more or less a time is.
func moreText(a, b time.Duration) string {
	sign, d := "+", b-a
	if d < 0 {
		sign, d = "-", -d
	}
	text := sign + brief(d)
	if a > 0 {
		if share := percent(d, a); share != "" {
			text += ", " + sign + share
		}
	}
	return text
}

// section writes a title and up to so many lines below it.
func (v *diffView) section(title string, count int, line func(i int)) {
	if count == 0 {
		return
	}
	v.differs = true
	v.screen.line()
	v.screen.line(span{"  " + title, dim})
	for i := range min(count, v.most) {
		line(i)
	}
	if more := count - v.most; more > 0 {
		v.screen.prose([]span{{"  ", plain}}, "and "+strconv.Itoa(more)+" more: --all lists them", dim)
	}
}

// places writes the processes that only one recording has: those that came or
// went with all that they made.
func (v *diffView) places(title string, rec *record.Recording, all, top []int) {
	if len(top) < len(all) {
		title += ", with " + strconv.Itoa(len(all)-len(top)) + " that these made"
	}
	v.section(title, len(top), func(i int) {
		mark := "+ "
		if strings.HasPrefix(title, "gone") {
			mark = "- "
		}
		text := ""
		if d, ok := timeOf(rec, &rec.Processes[top[i]]); ok {
			text = "  " + brief(d)
		}
		v.item(mark, commandOf(rec, top[i]), text, plain)
	})
}

// item writes a line whose end is shown too.
func (v *diffView) item(mark, text, end string, st style) {
	v.screen.line(v.screen.fitted([]span{{"  " + mark, dim}}, span{text, st}, []span{{end, dim}})...)
}

// endings writes the processes that end otherwise.
func (v *diffView) endings() {
	var list []*record.Pair
	for i := range v.diff.Pairs {
		p := &v.diff.Pairs[i]
		a, b := v.sides(p)
		if (a.Failed() || b.Failed()) && endMark(a.Exit) != endMark(b.Exit) {
			list = append(list, p)
		}
	}
	v.section("ends otherwise", len(list), func(i int) {
		a, b := v.sides(list[i])
		st := plain
		if b.Failed() {
			st = alarm
		}
		v.item("", commandOf(v.recs[1], list[i].B.Process), "  "+statusText(a.Exit)+" → "+statusText(b.Exit), st)
	})
}

func (v *diffView) sides(p *record.Pair) (a, b *record.Process) {
	return &v.recs[0].Processes[p.A.Process], &v.recs[1].Processes[p.B.Process]
}

// altered writes the processes that ran the same program with other arguments.
func (v *diffView) altered() {
	var list []*record.Pair
	for i := range v.diff.Pairs {
		if v.diff.Pairs[i].Likeness == record.Altered {
			list = append(list, &v.diff.Pairs[i])
		}
	}
	v.section("with other arguments", len(list), func(i int) {
		v.item("- ", commandOf(v.recs[0], list[i].A.Process), "", plain)
		v.item("+ ", commandOf(v.recs[1], list[i].B.Process), "", plain)
	})
}

// leastChange is what a time of its own has to differ by to be told: less is what
// the same command differs by from one run to the next.
const leastChange = 10 * time.Millisecond

// pairs writes the processes whose own time differs by enough, those by most
// first.
func (v *diffView) pairs(title string, is func(*record.Pair) bool) {
	var list []*record.Pair
	for i := range v.diff.Pairs {
		p := &v.diff.Pairs[i]
		if d := p.Own().Abs(); is(p) && d >= leastChange && d*10 >= p.A.Own {
			list = append(list, p)
		}
	}
	v.section(title+", by the time of their own", len(list), func(i int) {
		p := list[i]
		v.item("", commandOf(v.recs[1], p.B.Process), "  "+v.change(p.A.Own, p.B.Own), plain)
	})
}

// DiffObject is what differs between two recordings, in JSON.
type DiffObject struct {
	Schema  string          `json:"schema"`
	Command string          `json:"command"`
	A       RecordingObject `json:"a"`
	B       RecordingObject `json:"b"`
	TotalA  TotalObject     `json:"total_a"`
	TotalB  TotalObject     `json:"total_b"`
	Unlike  []string        `json:"unlike"`
	// Complete is false where one of them lacks anything; Note says what.
	Complete bool   `json:"complete"`
	Note     string `json:"note,omitempty"`

	New      []CameObject        `json:"new"`
	Gone     []CameObject        `json:"gone"`
	Pairs    []PairObject        `json:"pairs"`
	Programs []ProgramPairObject `json:"programs"`
}

// TotalObject is what a recording took.
type TotalObject struct {
	WallSeconds    float64 `json:"wall_seconds"`
	ProcessSeconds float64 `json:"process_seconds"`
	Processes      int     `json:"processes"`
	Failed         int     `json:"failed"`
	WorkingAverage float64 `json:"working_average"`
	WorkingPeak    int     `json:"working_peak"`
	UsageObject
}

// CameObject is a process that one recording alone has.
type CameObject struct {
	Which
	// Top says that its creator is in both.
	Top bool `json:"top"`
}

// PairObject is a process that both recordings have.
type PairObject struct {
	Likeness   string     `json:"likeness"`
	A          CostObject `json:"a"`
	B          CostObject `json:"b"`
	OwnSeconds float64    `json:"own_seconds_more"`
}

// ProgramPairObject is what the processes of a program took in each.
type ProgramPairObject struct {
	Name       string  `json:"name"`
	ProcessesA int     `json:"processes_a"`
	ProcessesB int     `json:"processes_b"`
	OwnA       float64 `json:"own_seconds_a"`
	OwnB       float64 `json:"own_seconds_b"`
}

func newDiffObject(recs [2]*record.Recording, d *record.Difference) DiffObject {
	a, b := newRecordObjects(recs[0]), newRecordObjects(recs[1])
	x := DiffObject{
		Schema: schema, Command: "diff", A: a.recording(), B: b.recording(),
		TotalA: totalObject(d.A), TotalB: totalObject(d.B), Unlike: append([]string{}, d.Unlike...),
		New: cameObjects(b, d.New, d.TopNew), Gone: cameObjects(a, d.Gone, d.TopGone),
		Pairs: []PairObject{}, Programs: []ProgramPairObject{},
	}
	for i := range d.Pairs {
		p := &d.Pairs[i]
		x.Pairs = append(x.Pairs, PairObject{
			Likeness: p.Likeness.String(), A: a.costs([]record.Cost{p.A})[0], B: b.costs([]record.Cost{p.B})[0],
			OwnSeconds: p.Own().Seconds(),
		})
	}
	for i := range d.Programs {
		p := &d.Programs[i]
		x.Programs = append(x.Programs, ProgramPairObject{p.Name, p.A.Processes, p.B.Processes, p.A.Own.Seconds(), p.B.Own.Seconds()})
	}
	return x
}

func totalObject(t record.Total) TotalObject {
	return TotalObject{
		WallSeconds: t.Wall.Seconds(), ProcessSeconds: t.Time.Seconds(), Processes: t.Processes, Failed: t.Failed,
		WorkingAverage: t.Working.Average(), WorkingPeak: t.Working.Peak,
		UsageObject: usageObject(t.Usage),
	}
}

func cameObjects(o *recordObjects, all, top []int) []CameObject {
	isTop := make(map[int]bool, len(top))
	for _, n := range top {
		isTop[n] = true
	}
	list := []CameObject{}
	for _, n := range all {
		list = append(list, CameObject{o.which(n), isTop[n]})
	}
	return list
}
