package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// How much of each kind one screen has.
const (
	programsShown = 6
	failuresShown = 5
	pathShown     = 4
	stepsShown    = 3
)

// showSummary sums up a recording.
func (a *app) showSummary(rec *record.Recording) error {
	if a.output.value != "text" {
		x := newSummaryObject(rec)
		x.Complete, x.Note = len(a.gaps) == 0, gapText(a.gaps)
		return a.encode(x, a.indent())
	}
	writeSummary(a.screen(), rec)
	return nil
}

// writeSummary sums up a recording on one screen.
func writeSummary(s *screen, rec *record.Recording) {
	sum := record.Summarize(rec)
	s.line(span{record.Shell(rec.Header.Command), bold})
	writeWhole(s, rec, &sum)
	writePrograms(s, &sum)
	writeCritical(s, rec, &sum)
	writeFailures(s, rec, &sum)
	s.line()
	writeUnknown(s, &sum)
	s.sentence("source", safe(rec.Header.Source), dim)
	label := "cannot tell"
	for _, l := range rec.Header.Limits {
		s.sentence(label, safe(l), dim)
		label = ""
	}
	writeRecordGaps(s, rec)
}

// writeWhole writes what all the processes took together.
func writeWhole(s *screen, rec *record.Recording, sum *record.Summary) {
	switch {
	case sum.Exit.Evidence == process.Unknown:
		s.sentence("ended", "not, as far as the recording goes: "+brief(sum.Wall), alarm)
	case failed(sum.Exit):
		s.sentence("ended", statusText(sum.Exit)+" after "+brief(sum.Wall), alarm)
	default:
		s.sentence("ended", statusText(sum.Exit)+" after "+brief(sum.Wall), plain)
	}
	if sum.Whole > sum.Wall {
		s.sentence("afterwards", brief(sum.Whole-sum.Wall)+" more until the last of those that it left behind, or of the recording", plain)
	}
	s.sentence("processes", fmt.Sprintf("%d, which ran %s, %d failed, %s of process time",
		sum.Processes, plural(sum.Execs, "program", "programs"), sum.Failed, brief(sum.Time)), plain)
	if u := &sum.Usage; u.Known {
		text := brief(sum.CPUTime()) + " (" + brief(u.User) + " user, " + brief(u.System) + " system)"
		if sum.Whole > 0 {
			text += fmt.Sprintf(", %s of %s on average", trimmed(float64(sum.CPUTime())/float64(sum.Whole)), plural(rec.Header.CPUs, "processor", "processors"))
		}
		s.sentence("CPU", text, plain)
		if len(sum.CPU) > 0 {
			writeMost(s, "most CPU", rec, sum.CPU[0].Process, brief(sum.CPU[0].CPU()))
		}
		if len(sum.RSS) > 0 {
			writeMost(s, "most memory", rec, sum.RSS[0].Process, size(sum.RSS[0].Usage.MaxRSS))
		}
		s.sentence("I/O", size(u.ReadBytes)+" read, "+size(u.WrittenBytes)+" written", plain)
		if len(sum.IO) > 0 {
			writeMost(s, "most I/O", rec, sum.IO[0].Process, size(sum.IO[0].IO()))
		}
	}
	if len(sum.Slowest) > 0 {
		writeMost(s, "slowest", rec, sum.Slowest[0].Process, brief(sum.Slowest[0].Own))
	}
	s.sentence("at work", workText(&sum.Working)+"; at most "+strconv.Itoa(sum.Alive.Peak)+" there at once", plain)
}

// writeMost writes which process took most of something.
func writeMost(s *screen, label string, rec *record.Recording, n int, took string) {
	p := &rec.Processes[n]
	text := " by " + nameOrUnknown(p.Name) + " " + strconv.Itoa(p.ID.PID)
	if len(p.Execs) > 0 {
		text += ": "
	}
	line := ""
	if len(p.Execs) > 0 {
		line = s.commandLine(commandOf(rec, n))
	}
	s.field(label, span{took, plain}, span{text, plain}, span{line, dim})
}

// workText says how many processes were at work at once, and for how much of the
// time how many: 1, 2 or 3, 4 to 7 and so on.
func workText(p *record.Profile) string {
	type part struct {
		from, to int
		time     time.Duration
	}
	var parts []part
	var all time.Duration
	for _, l := range p.Levels {
		all += l.Time
		from, to := 0, 0
		for l.Processes > to {
			from, to = to+1, 2*to+1
		}
		if n := len(parts); n > 0 && parts[n-1].to == to {
			parts[n-1].time += l.Time
			continue
		}
		parts = append(parts, part{from, to, l.Time})
	}
	text := trimmed(p.Average()) + " on average, " + strconv.Itoa(p.Peak) + " at most"
	var list []string
	for _, x := range parts {
		name := strconv.Itoa(x.from)
		if to := min(x.to, p.Peak); to > x.from {
			name += "-" + strconv.Itoa(to)
		}
		if share := percent(x.time, all); share != "" {
			list = append(list, name+" for "+share)
		}
	}
	if len(list) > 1 {
		text += " (" + strings.Join(list, ", ") + ")"
	}
	return text
}

// percent is a share in percent, empty where it is too small to tell.
func percent(part, all time.Duration) string {
	if all <= 0 || part*200 < all {
		return ""
	}
	return strconv.Itoa(int(float64(part)/float64(all)*100+0.5)) + " %"
}

// pathText says which programs have the critical path.
func pathText(sum *record.Summary) string {
	var all time.Duration
	took := map[string]time.Duration{}
	for i := range sum.Programs {
		p := &sum.Programs[i]
		all += p.OnPath
		took[baseName(p.Name)] += p.OnPath
	}
	names := slices.SortedFunc(maps.Keys(took), func(a, b string) int { return cmp.Or(cmp.Compare(took[b], took[a]), cmp.Compare(a, b)) })
	var list []string
	for _, name := range names[:min(len(names), pathShown)] {
		if share := percent(took[name], all); share != "" {
			list = append(list, name+" "+share)
		}
	}
	return strings.Join(list, ", ")
}

// writeCritical writes what was longest on the critical path.
func writeCritical(s *screen, rec *record.Recording, sum *record.Summary) {
	text := pathText(sum)
	if len(rec.Processes) < 2 || text == "" {
		return
	}
	took := map[int]time.Duration{}
	for _, step := range sum.Path {
		took[step.Process] += time.Duration(step.Until - step.From)
	}
	longest := slices.SortedFunc(maps.Keys(took), func(a, b int) int {
		return cmp.Or(cmp.Compare(took[b], took[a]), cmp.Compare(a, b))
	})
	s.line()
	s.prose([]span{{"  ", plain}}, "on the critical path, which it was as slow as: "+text, dim)
	var rows [][]span
	for _, n := range longest[:min(len(longest), stepsShown)] {
		rows = append(rows, []span{{"  " + brief(took[n]), plain}, {s.commandLine(commandOf(rec, n)), plain}})
	}
	s.table(map[int]bool{0: true}, rows...)
}

// baseName is the last part of the path of a program.
func baseName(path string) string { return programName(path[strings.LastIndexByte(path, '/')+1:]) }

// programName is the name of a program as it is shown.
func programName(name string) string {
	if name == "" {
		return "(not known)"
	}
	return safe(name)
}

// writePrograms writes what the programs took, those that took most first.
func writePrograms(s *screen, sum *record.Summary) {
	if len(sum.Programs) < 2 {
		return
	}
	s.line()
	rows := [][]span{{{"  TIMES", dim}, {"FAILED", dim}, {"OWN TIME", dim}, {"CPU", dim}, {"PEAK", dim}, {"I/O", dim}, {"PROGRAM", dim}}}
	for i := range sum.Programs[:min(len(sum.Programs), programsShown)] {
		p := &sum.Programs[i]
		cpu, peak, io, fails := "?", "?", "?", span{"", plain}
		if p.Usage.Known {
			cpu, io = brief(p.CPU()), size(p.Usage.ReadBytes+p.Usage.WrittenBytes)
			if p.Usage.MaxRSS > 0 {
				peak = size(p.Usage.MaxRSS)
			}
		}
		if p.Failed > 0 {
			fails = span{strconv.Itoa(p.Failed), alarm}
		}
		rows = append(rows, []span{{strconv.Itoa(p.Processes), plain}, fails, {brief(p.Own), plain}, {cpu, plain}, {peak, plain}, {io, plain}, {s.commandLine(programName(p.Name)), plain}})
	}
	s.table(map[int]bool{0: true, 1: true, 2: true, 3: true, 4: true, 5: true}, rows...)
	if more := len(sum.Programs) - programsShown; more > 0 {
		s.prose([]span{{"  ", plain}}, "and "+plural(more, "other program", "other programs"), dim)
	}
}

// ranks is how much each failure has to tell: one that failed by itself more than
// one that was told of another, one with a command line more than a subshell, and
// most the one because of which all that made it failed.
func ranks(rec *record.Recording, failures []record.Failure) map[int]int {
	passed := make([]bool, len(rec.Processes)) // it failed, and all that made it
	for i := range rec.Processes {
		p := &rec.Processes[i]
		passed[i] = p.Failed() && (p.Creator < 0 || passed[p.Creator])
	}
	list := make(map[int]int, len(failures))
	for _, f := range failures {
		if f.Origin {
			list[f.Process] += 4
		}
		if f.Command != "" {
			list[f.Process] += 2
		}
		if passed[f.Process] {
			list[f.Process]++
		}
	}
	return list
}

// writeFailures writes which processes failed, those by themselves first.
func writeFailures(s *screen, rec *record.Recording, sum *record.Summary) {
	if len(sum.Failures) == 0 {
		return
	}
	failures := slices.Clone(sum.Failures)
	rank := ranks(rec, failures)
	slices.SortStableFunc(failures, func(a, b record.Failure) int { return cmp.Compare(rank[b.Process], rank[a.Process]) })
	origins := 0
	for _, f := range failures {
		if f.Origin {
			origins++
		}
	}
	s.line()
	s.prose([]span{{"  ", plain}}, "failed by themselves, and not because of others that they made:", dim)
	shown := 0
	for _, f := range failures[:min(origins, failuresShown)] {
		s.writeFailure(rec, f)
		shown++
	}
	if more := sum.Failed - shown; more > 0 {
		s.prose([]span{{"  ", plain}}, "and "+plural(more, "other", "others")+": lineage show FILE --failed", dim)
	}
}

// writeFailure writes a line that can be copied and given to a shell, and is not
// cut for that. How it failed is a comment there.
func (s *screen) writeFailure(rec *record.Recording, f record.Failure) {
	p := &rec.Processes[f.Process]
	text, note := f.Command, statusText(p.Exit)
	switch {
	case text == "":
		why := ", whose arguments are not known: "
		if len(p.Execs) == 0 {
			why = ", which ran no program of its own: "
		}
		note = nameOrUnknown(p.Name) + " " + strconv.Itoa(p.ID.PID) + why + note
	case f.Cut:
		note = "and more arguments: " + note
	}
	whole := screen{w: s.w, color: s.color, ascii: s.ascii}
	whole.line(span{"  " + text, alarm}, span{"  # " + note, dim})
}

// writeUnknown says what is not known of a recording, beside the limits of its
// source.
func writeUnknown(s *screen, sum *record.Summary) {
	u := &sum.Unknown
	var parts []string
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+text)
		}
	}
	add(u.Running, "still running")
	add(u.EndUnseen, "whose end was not observed")
	add(u.NoUsage, "that did not tell what they used")
	add(u.NoCreator, "made by who is not known")
	add(u.GuessedCreator, "made by who is inferred")
	add(u.Coarse, "whose start is known to 10 ms or less well")
	add(u.CutArgs, "whose arguments are not known to the end")
	if len(parts) > 0 {
		s.sentence("not known", strings.Join(parts, ", "), alarm)
	}
}
