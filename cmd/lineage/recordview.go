package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// recordView shows the processes of a recording. A process is known by its place
// there.
type recordView struct {
	app    *app
	rec    *record.Recording
	flags  *showFlags
	filter *recordFilter
	forest *forest
	screen *screen
	branch []byte // what stands to the left of a process
	counts []int  // see below
	deeper int    // how many processes are deeper than --depth
	hits   int
}

func newRecordView(a *app, rec *record.Recording, flags *showFlags) (*recordView, error) {
	filter, err := newRecordFilter(flags)
	if err != nil {
		return nil, err
	}
	v := &recordView{app: a, rec: rec, flags: flags, filter: filter, screen: a.screen()}
	n := len(rec.Processes)
	v.forest = &forest{
		procs: make([]process.Process, n), parent: make([]int32, n), shown: make([]bool, n), hit: make([]bool, n),
	}
	for i := range rec.Processes {
		v.forest.procs[i] = processOfRecord(rec, i)
		v.forest.parent[i] = none
		if up := rec.Processes[i].Creator; up < i {
			v.forest.parent[i] = int32(up)
		}
		v.forest.shown[i] = true
	}
	if flags.under != "" {
		tops, err := findRecorded(rec, flags.under)
		if err != nil {
			return nil, err
		}
		v.keepUnder(tops)
	}
	if filter.any() {
		v.hits = v.forest.keepMatches(func(i int32) bool { return filter.tells(rec, int(i)) })
		if v.hits == 0 && flags.why == "" {
			return nil, notFoundf("no process of the recording is as was asked for")
		}
	}
	v.forest.link(func(_, _ int32) bool { return true })
	return v, nil
}

// keepUnder leaves the tops and what they made. A maker stands before what it has
// made.
func (v *recordView) keepUnder(tops []int) {
	under := make([]bool, len(v.rec.Processes))
	for _, n := range tops {
		under[n] = true
	}
	for i := range under {
		if up := v.forest.parent[i]; up != none && under[up] {
			under[i] = true
		}
		v.forest.shown[i] = under[i]
	}
}

// below returns how many are shown below each process. A maker stands before what
// it has made.
func (v *recordView) below() []int {
	if v.counts == nil {
		v.counts = make([]int, len(v.rec.Processes))
		for i, up := range slices.Backward(v.forest.parent) {
			if v.forest.shown[i] && up != none {
				v.counts[up] += 1 + v.counts[i]
			}
		}
	}
	return v.counts
}

// pidsShown is how many PIDs a line has at most.
const pidsShown = 3

// deepest is how many levels are drawn at most: a screen has no room for more.
const deepest = 500

// tree draws what is shown.
func (v *recordView) tree() {
	for _, r := range v.rows(v.forest.roots) {
		v.draw(r, 0, "", "")
	}
}

// recordLooks is how a process that made none looks.
type recordLooks struct {
	text, end string
	hit       bool
}

// rows puts those that look the same in one row, at the place of the oldest.
func (v *recordView) rows(list []int32) []row {
	rows := make([]row, 0, len(list))
	seen := map[recordLooks]int{}
	for _, i := range list {
		if v.flags.all || v.forest.first[i] != none {
			rows = append(rows, row{at: i})
			continue
		}
		key := recordLooks{v.text(int(i)), v.ending(int(i)), v.forest.hit[i]}
		if at, ok := seen[key]; ok {
			rows[at].twins = append(rows[at].twins, i)
			continue
		}
		seen[key] = len(rows)
		rows = append(rows, row{at: i})
	}
	return rows
}

// text is what is shown of what a process was.
func (v *recordView) text(n int) string {
	if v.flags.noArgs {
		return nameOrUnknown(v.rec.Processes[n].Name)
	}
	return commandOf(v.rec, n)
}

// ending says how a process ended, if not with status 0.
func (v *recordView) ending(n int) string {
	p := &v.rec.Processes[n]
	switch {
	case p.Exit.Evidence == process.Unknown && v.rec.Ended == 0:
		return "not ended, as far as the recording goes"
	case p.Exit.Evidence == process.Unknown:
		return "still running"
	case p.Exit.Evidence == process.Observed && p.Exit.Status == 0:
		return ""
	default:
		return dead + " " + endMark(p.Exit)
	}
}

func (v *recordView) draw(r row, depth int, corner, below string) {
	var list []int32
	for c := v.forest.first[r.at]; c != none; c = v.forest.next[c] {
		list = append(list, c)
	}
	hidden := 0
	if levels := min(cmp.Or(v.flags.depth, deepest), deepest); depth+1 >= levels && len(list) > 0 {
		hidden = v.below()[r.at]
		v.deeper += hidden
	}
	v.drawLine(r, corner, hidden)
	if hidden > 0 {
		return
	}
	outer := len(v.branch)
	v.branch = append(v.branch, below...)
	rows := v.rows(list)
	for n, child := range rows {
		if n < len(rows)-1 {
			v.draw(child, depth+1, "├─ ", "│  ")
		} else {
			v.draw(child, depth+1, "└─ ", "   ")
		}
	}
	v.branch = v.branch[:outer]
}

func (v *recordView) drawLine(r row, corner string, hidden int) {
	n := int(r.at)
	p := &v.rec.Processes[n]
	name := plain
	switch {
	case v.forest.hit[r.at]:
		name = bold
	case v.filter.any():
		name = dim
	}
	if corner != "" && p.Creator >= 0 && p.CreatorEvidence == process.Unknown {
		corner += "? "
	}
	head := []span{{string(v.branch) + corner, dim}}
	if v.flags.pids {
		head = append(head, span{strconv.Itoa(p.ID.PID) + " ", dim})
		for _, i := range r.twins[:min(len(r.twins), pidsShown-1)] {
			head = append(head, span{strconv.Itoa(v.rec.Processes[i].ID.PID) + " ", dim})
		}
		if len(r.twins) >= pidsShown {
			head = append(head, span{"… ", dim})
		}
	}
	var tail []span
	if len(r.twins) > 0 {
		tail = append(tail, span{" ×" + strconv.Itoa(len(r.twins)+1), bold})
	}
	if text := v.ending(n); text != "" {
		tail = append(tail, span{"  " + text, alarm})
	}
	if text := v.times(r); text != "" {
		tail = append(tail, span{"  " + text, dim})
	}
	if hidden > 0 {
		tail = append(tail, span{fmt.Sprintf("  (+%d below)", hidden), dim})
	}
	v.screen.line(v.screen.fitted(head, span{v.text(n), name}, tail)...)
}

// times is how long the processes of a row were there.
func (v *recordView) times(r row) string {
	var sum time.Duration
	for _, i := range append([]int32{r.at}, r.twins...) {
		d, ok := timeOf(v.rec, &v.rec.Processes[i])
		if !ok {
			return ""
		}
		sum += d
	}
	return brief(sum)
}

// places are the processes that are shown and were asked for, in the order of the
// flags.
func (v *recordView) places() []int {
	var places []int
	for i := range v.rec.Processes {
		if v.forest.shown[i] && (!v.filter.any() || v.forest.hit[i]) {
			places = append(places, i)
		}
	}
	bySize(v.rec, places, v.flags.sort.value)
	return places
}

// list writes a line for each process.
func (v *recordView) list() {
	rows := [][]span{{{"TIME", dim}, {"CPU", dim}, {"PEAK", dim}, {"I/O", dim}, {"END", dim}, {"PID", dim}, {"COMMAND", dim}}}
	for _, n := range v.places() {
		p := &v.rec.Processes[n]
		u := &p.Exit.Usage
		last, cpu, peak, io := "?", "?", "?", "?"
		if d, ok := timeOf(v.rec, p); ok {
			last = brief(d)
		}
		if u.Known {
			cpu, io = brief(u.User+u.System), size(u.ReadBytes+u.WrittenBytes)
			if u.MaxRSS > 0 {
				peak = size(u.MaxRSS)
			}
		}
		end, st := "running", plain
		if p.Exit.Evidence != process.Unknown {
			end = endMark(p.Exit)
		}
		if p.Failed() {
			st = alarm
		}
		rows = append(rows, []span{
			{last, plain}, {cpu, plain}, {peak, plain}, {io, plain}, {end, st}, {strconv.Itoa(p.ID.PID), dim}, {v.screen.commandLine(v.text(n)), plain},
		})
	}
	v.screen.table(map[int]bool{0: true, 1: true, 2: true, 3: true, 5: true}, rows...)
}

// foot says what was shown and what was not.
func (v *recordView) foot() {
	shown := 0
	for _, is := range v.forest.shown {
		if is {
			shown++
		}
	}
	if v.filter.any() && v.flags.sort.value != "none" { // what is above them is not listed
		shown = v.hits
	}
	text := plural(shown-v.deeper, "process", "processes")
	if v.filter.any() && v.flags.sort.value == "none" {
		text += ", " + strconv.Itoa(v.hits) + " of them matching"
	}
	if rest := len(v.rec.Processes) - shown; rest > 0 {
		text += ", " + strconv.Itoa(rest) + " not shown"
	}
	if v.deeper > 0 {
		limit := "--depth"
		if v.flags.depth == 0 || v.flags.depth > deepest {
			limit = strconv.Itoa(deepest) + " levels: -o json has them"
		}
		text += ", " + strconv.Itoa(v.deeper) + " more deeper than " + limit
	}
	v.screen.line()
	v.screen.sentence("shown", text, dim)
	writeRecordSource(v.screen, v.rec)
}

// writeRecordSource says what a recording was made with, and what it lacks.
func writeRecordSource(s *screen, rec *record.Recording) {
	h := &rec.Header
	text := h.Source
	var topics []string
	for _, l := range h.Limits {
		topic, _, _ := strings.Cut(l, ":")
		topics = append(topics, safe(topic))
	}
	if len(topics) > 0 {
		text += "; cannot tell: " + strings.Join(topics, ", ")
	}
	s.sentence("source", safe(text), dim)
	writeRecordGaps(s, rec)
}

// writeRecordGaps says what a recording lacks that its source could have told.
func writeRecordGaps(s *screen, rec *record.Recording) {
	if len(rec.Losses) > 0 {
		s.sentence("lost", lossText(rec), alarm)
	}
	if rec.Ended == 0 {
		s.sentence("cut short", "the recording has no end: it goes on, or lineage was ended or had no room to write", alarm)
	}
}

// lossText says when events were lost.
func lossText(rec *record.Recording) string {
	const most = 3
	var times []string
	for _, l := range rec.Losses[:min(len(rec.Losses), most)] {
		since, until := l.Since, l.Until
		if since == 0 {
			since = rec.Header.BeganAt
		}
		times = append(times, fmt.Sprintf("from %s to %s", offset(rec, since), offset(rec, until)))
	}
	if more := len(rec.Losses) - most; more > 0 {
		times = append(times, fmt.Sprintf("%d times more", more))
	}
	return "processes, or what became of them, may be missing: events were lost " + strings.Join(times, ", ")
}

// offset is a moment since the beginning of the recording.
func offset(rec *record.Recording, at process.Instant) string {
	if at < rec.Header.BeganAt {
		return "0 s"
	}
	return brief(time.Duration(at - rec.Header.BeganAt))
}
