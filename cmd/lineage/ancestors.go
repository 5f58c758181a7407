package main

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/process"
	"github.com/spf13/cobra"
)

func newAncestors(a *app) *cobra.Command {
	var sameCgroup, creators bool
	c := &cobra.Command{
		Use:   "ancestors PID",
		Short: "The processes above one, nearest first",
		Long: `List the processes above PID, nearest first: its parent, the parent's parent
and so on. They are the parents of now: a process whose parent has ended was
adopted by another one.

PID may also be an id as --output json writes it (48213@17123.45~90122), which
never means another process that has got the PID since. The ID of a thread
stands for its process.

With --creators the list goes from each process to the one that made it, which
may have ended. Where that is not known, "?" marks the earliest known parent,
and others may stand in between.`,
		Example: `  lineage ancestors 48213
  lineage ancestors --same-cgroup 48213
  lineage ancestors --output ndjson 48213 | jq -r .name`,
		Args:              one("PID"),
		ValidArgsFunction: a.completePIDs,
		RunE: func(_ *cobra.Command, args []string) error {
			if sameCgroup && creators {
				return usagef("--same-cgroup and --creators are two questions: ask one of them")
			}
			t, err := a.open()
			if err != nil {
				return err
			}
			defer t.Close()
			p, err := processOf(t, args[0])
			if err != nil {
				return err
			}
			list := ancestry{a: a, tree: t, describer: a.describer(t), process: p}
			switch {
			case creators:
				err = list.byCreator()
			case sameCgroup:
				err = list.inSameCgroup()
			default:
				err = list.byParent()
			}
			if err != nil {
				return err
			}
			return list.write(creators)
		},
	}
	f := c.Flags()
	f.BoolVar(&sameCgroup, "same-cgroup", false, "only those in the same container group")
	f.BoolVar(&creators, "creators", false, "go from each process to the one that made it")
	return c
}

// questions are what lineage ancestors asks a [lineage.Tree], by ID alone: a
// PID may pass to another process between two questions.
type questions interface {
	ProcessByID(process.ID) (process.Process, error)
	AncestorsByID(process.ID) ([]process.Process, error)
	LineageByID(process.ID) ([]process.Step, error)
	Source() lineage.SourceInfo
}

// ancestry is the answer of lineage ancestors.
type ancestry struct {
	a         *app
	tree      questions
	describer *answer.Describer
	process   process.Process
	objects   []Object
	// topUnknown says that who made the last one is not known.
	topUnknown bool
	// told is the answer of a daemon, nil where none was asked.
	told *api.Answer
	from string // in text, where from it is
}

func (l *ancestry) byParent() error {
	above, err := l.tree.AncestorsByID(l.process.ID)
	if err := l.a.tolerate(err); err != nil {
		return explain("process "+strconv.Itoa(l.process.ID.PID), err)
	}
	l.describe(above)
	return nil
}

// inSameCgroup answers as the library's own question does, which has only PIDs.
func (l *ancestry) inSameCgroup() error {
	subject, err := l.tree.ProcessByID(l.process.ID)
	if err != nil {
		return explain("process "+strconv.Itoa(l.process.ID.PID), err)
	}
	above, err := l.tree.AncestorsByID(l.process.ID)
	if err := l.a.tolerate(err); err != nil {
		return explain("process "+strconv.Itoa(l.process.ID.PID), err)
	}
	same, err := sameGroup(&subject, above)
	if err := l.a.tolerate(err); err != nil {
		return err
	}
	l.describe(same)
	return nil
}

func (l *ancestry) describe(above []process.Process) {
	l.describer.Prepare(above)
	for i := range above {
		l.objects = append(l.objects, l.describer.Detailed(&above[i]))
	}
}

// sameGroup returns those above a process that have its container group. The
// error is an IncompleteError where it is not known of one of them.
func sameGroup(subject *process.Process, above []process.Process) (same []process.Process, err error) {
	for i := -1; i < len(above); i++ {
		p := subject
		if i >= 0 {
			p = &above[i]
		}
		switch known := p.Cgroup.Membership != ""; {
		case !known && err == nil:
			err = &lineage.IncompleteError{PID: p.ID.PID, Err: errNoCgroup}
		case known && i >= 0 && subject.Cgroup.Membership != "" && p.Cgroup.Group == subject.Cgroup.Group:
			same = append(same, *p)
		}
	}
	return same, err
}

// errNoCgroup is why it is not known whether two are in the same cgroup: in
// v1 hierarchies the kernel no longer shows that of a process that exits.
var errNoCgroup = errors.New("its cgroup is not known, since it was exiting when it was read")

// byDaemon is byCreator by a daemon, which has seen who made whom. It reports whether
// there is one that knows.
func (l *ancestry) byDaemon() bool {
	ctx, stop := untilStopped()
	defer stop()
	c := l.a.daemonIfThere(ctx)
	if c == nil {
		return false
	}
	defer c.Close()
	x, err := c.Lineage(ctx, client.Subject{Process: l.process.ID.String()})
	if err != nil {
		return false
	}
	l.objects, l.told, l.from = x.Processes, &x.Answer, sourceText(c, &x.Answer)
	for i := range l.objects {
		if l.objects[i].Gap == nil {
			l.objects[i].Gap = new(false)
		}
	}
	l.topUnknown = !x.Complete
	return true
}

func (l *ancestry) byCreator() error {
	if l.byDaemon() {
		return nil
	}
	steps, err := l.tree.LineageByID(l.process.ID)
	if err := l.a.tolerate(err); err != nil {
		return explain("process "+strconv.Itoa(l.process.ID.PID), err)
	}
	var above []process.Process
	for i := 1; i < len(steps); i++ { // the first is the process itself
		above = append(above, steps[i].Process)
	}
	l.describe(above)
	for i := range l.objects {
		l.objects[i].Gap = &steps[i+1].Gap
	}
	if n := len(steps); n > 0 {
		l.topUnknown = steps[n-1].Process.Creator.Evidence == process.Unknown
	}
	return nil
}

func (l *ancestry) write(creators bool) error {
	info := l.tree.Source()
	source, from := sourceObject(info), sourceLine(info)
	if l.told != nil {
		source, from = l.told.Source, l.from
	}
	if l.a.output.value != "text" {
		return l.a.emitFrom("ancestors", source, l.objects)
	}
	s := l.a.screen()
	writeAncestors(s, l.objects, creators, time.Local)
	name := safe(l.process.Name) + " " + strconv.Itoa(l.process.ID.PID)
	if len(l.objects) == 0 {
		s.line(span{name + ": nothing is known to be above it", plain})
	}
	s.line()
	if creators && (l.topUnknown || slices.ContainsFunc(l.objects, func(o Object) bool { return o.Gap != nil && *o.Gap })) {
		s.sentence("?", "the earliest known parent of the one in the line before: "+source.Name+
			" cannot tell whether it made or adopted that one, and others that have ended may stand in between", dim)
	}
	s.sentence("source", from, dim)
	return nil
}

// writeAncestors writes the table, one line a process.
func writeAncestors(s *screen, objects []Object, creators bool, zone *time.Location) {
	if len(objects) == 0 {
		return
	}
	where := "CONTAINER GROUP"
	if slices.ContainsFunc(objects, func(o Object) bool { return o.Container != nil && o.Container.Shown != "" }) {
		where = "CONTAINER, OR CONTAINER GROUP"
	}
	head := []span{{"PID", dim}, {"NAME", dim}, {"USER", dim}, {"STARTED", dim}, {where, dim}}
	if creators {
		head = slices.Insert(head, 1, span{"LINK", dim})
	}
	rows := [][]span{head}
	for i := range objects {
		o := &objects[i]
		row := []span{
			{shownPID(o), plain},
			{shownName(o), bold},
			{shownUser(o), plain},
			{shownStart(o, zone), plain},
			{s.fitIDs(shownGroup(o), s.width), place},
		}
		if creators {
			link := span{"creator", plain}
			if o.Gap != nil && *o.Gap {
				link = span{"?", alarm}
			}
			row = slices.Insert(row, 1, link)
		}
		rows = append(rows, row)
	}
	s.table(map[int]bool{0: true}, rows...)
}

// shownName is the name of a process in text, with what is special about it.
func shownName(o *Object) string {
	name := safe(o.Name)
	switch {
	case name == "":
		name = "?"
	case o.Kernel:
		name = "[" + name + "]"
	}
	switch o.State {
	case "zombie":
		name += " <zombie>"
	case "ended":
		name += " " + dead
	}
	return name
}

func shownUser(o *Object) string {
	if o.User == nil {
		return "?"
	}
	return safe(*o.User)
}

// shownStart is when the process began, to the second.
func shownStart(o *Object, zone *time.Location) string {
	if start, ok := startOf(o); ok {
		return start.In(zone).Format(time.DateTime)
	}
	return "?"
}

func startOf(o *Object) (time.Time, bool) {
	if o.Start == nil {
		return time.Time{}, false
	}
	start, err := time.Parse(time.RFC3339Nano, *o.Start)
	return start, err == nil
}

// shownGroup is the container by name, where that is known, else the path of
// the container group.
func shownGroup(o *Object) string {
	switch {
	case o.Container != nil && o.Container.Shown != "" && o.Container.Serves == nil:
		return safe(o.Container.Shown)
	case o.ContainerGroup == nil:
		return "-"
	}
	return safe(*o.ContainerGroup)
}

// shownPID is the PID, and in brackets that in the innermost PID namespace.
func shownPID(o *Object) string {
	text := strconv.Itoa(o.PID)
	if n := len(o.NamespacePIDs); n > 1 {
		text += " (" + strconv.Itoa(o.NamespacePIDs[n-1]) + ")"
	}
	return text
}
