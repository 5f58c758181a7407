package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// why writes all about what --why means.
func (v *recordView) why() error {
	places, err := findRecorded(v.rec, v.flags.why)
	if err != nil {
		return err
	}
	if v.filter.any() {
		var some []int
		for _, n := range places {
			if v.filter.tells(v.rec, n) {
				some = append(some, n)
			}
		}
		if places = some; len(places) == 0 {
			return notFoundf("no process of the recording is as was asked for")
		}
	}
	switch {
	case v.app.output.value != "text":
		return v.emitWhy(places)
	case len(places) == 1:
		v.whyOne(places[0])
	default:
		v.whyMany(places)
	}
	writeRecordSource(v.screen, v.rec)
	return nil
}

// above are the places of those that made a process, the outermost first, and it
// itself.
func (v *recordView) above(n int) []int {
	var list []int
	for at := int32(n); at != none; at = v.forest.parent[at] {
		list = append(list, int(at))
	}
	slices.Reverse(list)
	return list
}

// chain is the same as text.
func (v *recordView) chain(n int) []string {
	var links []string
	for _, at := range v.above(n) {
		p := &v.rec.Processes[at]
		if p.Creator < 0 && at != 0 {
			links = append(links, "…")
		}
		links = append(links, nameOrUnknown(p.Name)+" "+strconv.Itoa(p.ID.PID))
	}
	return links
}

func (v *recordView) whyOne(n int) {
	s, p := v.screen, &v.rec.Processes[n]
	s.line(span{nameOrUnknown(p.Name) + " " + strconv.Itoa(p.ID.PID), bold})
	switch x := programOf(v.rec, n); {
	case x == nil:
		s.sentence("command", "not known", dim)
	case len(p.Execs) == 0:
		s.field("command", span{"none of its own, that of its maker: " + argsText(x), plain})
	default:
		label := "command"
		for i := range slices.Backward(p.Execs) {
			s.field(label, span{argsText(&p.Execs[i]), plain})
			label = "ran before"
		}
		if x.File != "" {
			s.field("program", span{safe(x.File), plain})
		}
	}
	if p.LastUID() >= 0 {
		o := v.object(n)
		s.sentence("user", shownUser(&o.Object), plain)
	}
	s.sentence("started", v.rec.Header.When(p.Start).In(time.Local).Format(time.DateTime+".000")+", "+offset(v.rec, p.Start)+" after the beginning", plain)
	v.whyEnd(p)
	if p.Container != "" {
		s.sentence("container", s.fitIDs(safe(p.Container), 2+fieldWidth), place)
	}
	s.chain("chain", v.chain(n))
	if p.Creator >= 0 && p.CreatorEvidence != process.Observed {
		s.sentence("made by", "the one before it, which is "+p.CreatorEvidence.String()+" and was not observed", dim)
	}
	made := 0
	for i := range v.rec.Processes {
		if v.rec.Processes[i].Creator == n {
			made++
		}
	}
	if made > 0 {
		s.sentence("made", plural(made, "process", "processes")+", "+strconv.Itoa(v.below()[n])+" with those that they made", plain)
	}
}

// whyEnd says how a process ended, and what it used.
func (v *recordView) whyEnd(p *record.Process) {
	s := v.screen
	d, ok := timeOf(v.rec, p)
	after := ""
	if ok {
		after = " after " + brief(d)
	}
	switch {
	case p.Exit.Evidence == process.Unknown && v.rec.Ended == 0:
		s.sentence("ended", "not as far as the recording goes", plain)
	case p.Exit.Evidence == process.Unknown:
		s.sentence("ended", "not: it was still running when the recording ended"+after, alarm)
	case p.Failed():
		s.sentence("ended", statusText(p.Exit)+after, alarm)
	default:
		s.sentence("ended", statusText(p.Exit)+after, plain)
	}
	if u := &p.Exit.Usage; u.Known {
		parts := []string{"CPU " + brief(u.User+u.System) + " (" + brief(u.User) + " user, " + brief(u.System) + " system)"}
		if u.MaxRSS > 0 {
			parts = append(parts, "memory "+size(u.MaxRSS)+" at most")
		}
		if u.ReadBytes+u.WrittenBytes > 0 {
			parts = append(parts, size(u.ReadBytes)+" read, "+size(u.WrittenBytes)+" written")
		}
		s.sentence("used", strings.Join(parts, ", "), plain)
	}
}

// whyMany writes a line for each of several.
func (v *recordView) whyMany(places []int) {
	s := v.screen
	s.line(span{plural(len(places), "process", "processes"), bold})
	s.line()
	left := 0
	if !v.flags.all && !v.app.noTrunc && len(places) > mostMatches {
		left = len(places) - mostMatches
		places = places[:mostMatches]
	}
	rows := [][]span{{{"TIME", dim}, {"END", dim}, {"CHAIN", dim}}}
	for _, n := range places {
		p := &v.rec.Processes[n]
		last, end := "?", "running"
		if d, ok := timeOf(v.rec, p); ok {
			last = brief(d)
		}
		if p.Exit.Evidence != process.Unknown {
			end = endMark(p.Exit)
		}
		rows = append(rows, []span{{last, plain}, {end, plain}, {"", plain}})
	}
	used := 0
	for column := range 2 {
		widest := 0
		for _, row := range rows {
			widest = max(widest, columns(row[column].text))
		}
		used += widest + 2
	}
	for i, n := range places {
		rows[i+1][2].text = s.chainTail(v.chain(n), s.width-used)
	}
	s.table(map[int]bool{0: true}, rows...)
	if left > 0 {
		s.prose(nil, "and "+strconv.Itoa(left)+" more: --all lists them", dim)
	}
	s.line()
}
