package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/container/systemd"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/spf13/cobra"
)

func newWhy(a *app) *cobra.Command {
	var short, byName, all bool
	var within, at string
	var from fromFlags
	c := &cobra.Command{
		Use:   "why TARGET",
		Short: "Why a process is running",
		Long: `Say why a process is running: what it is, since when, for whom, in which
container or unit, and the chain of processes that it comes from.

` + targetHelp + `

The chain begins with the outermost process and follows the parents of now, and
where it is known that others made them, which have ended, those (` + dead + `). The
unit is that of the process's cgroup: systemd is the ancestor of nearly all
processes, which does not mean that it started them as a service.

With --at or --store TARGET is one process, by its PID or id, and a history says why
it ran: at that time, or as of the last that is known of its host.

With --container a PID is that in the PID namespace of the container, and any
other TARGET means what is in the container.

Where TARGET means more than one process, each has a line. Of more than 20, text
has the first 20 unless --all, --no-trunc or --short is given.`,
		Example: `  lineage why nginx
  lineage why :8080
  lineage why 48213 --short
  lineage why 8fbd0ec4a1db
  lineage why --container web 7
  lineage why 48213 --at 08:15
  lineage why 48213 --at 08:15 --store clickhouse://reader@fleet/lineage --host db1`,
		Args:              one("TARGET"),
		ValidArgsFunction: a.completeTargets,
		RunE: func(c *cobra.Command, args []string) error {
			if err := notEmpty(c, "container", "at", "store", "host"); err != nil {
				return err
			}
			past, err := from.past(at)
			if err != nil {
				return err
			}
			if past {
				if within != "" || byName || all {
					return usagef("--at and --store are about one process, by its PID or id: --container, --name and --all do not go with them")
				}
				return a.whyAt(&from, args[0], at, short)
			}
			t, err := a.open()
			if err != nil {
				return err
			}
			defer t.Close()
			f := newFinder(a, t)
			f.byName = byName
			if err := f.enter(within); err != nil {
				return err
			}
			m, err := f.find(args[0])
			if err != nil {
				return err
			}
			if a.output.value == "text" && !short && !all && !a.noTrunc {
				m.fewer()
			}
			objects, err := explainAll(a, t, m)
			if err != nil {
				return err
			}
			info := t.Source()
			asked := a.askMore(objects)
			from := sourceLine(info)
			if asked != "" {
				from = info.Name + ", and the daemon at " + safe(asked)
			}
			switch s := a.screen(); {
			case a.output.value != "text":
				if m.note != "" {
					a.warn("note: " + m.note)
				}
				source := sourceObject(info)
				source.Daemon = asked
				return a.emitFrom("why", source, objects)
			case short:
				for i := range objects {
					s.chain("", chainTexts(&objects[i]))
				}
			case len(objects) == 1:
				writeWhy(s, &objects[0], m.note, from, time.Now(), time.Local)
			default:
				writeMatches(s, objects, m, f.treeCommand(args[0]), from, time.Now())
			}
			return nil
		},
	}
	f := c.Flags()
	f.BoolVarP(&short, "short", "s", false, "the chain alone")
	f.BoolVar(&all, "all", false, "each of the processes that TARGET means, however many")
	f.StringVar(&within, "container", "", "look in the `CONTAINER` with that name, pod or beginning of an ID alone")
	must(c.RegisterFlagCompletionFunc("container", cobra.NoFileCompletions))
	f.StringVar(&at, "at", "", "what the PID TARGET was at `TIME`, by the history of the daemon: 10m (ago), 08:15, 2026-01-31T08:15:00Z")
	must(c.RegisterFlagCompletionFunc("at", cobra.NoFileCompletions))
	from.add(c)
	f.BoolVar(&byName, "name", false, "TARGET is a name, also if it looks like a PID, port or container")
	return c
}

// explainAll describes the matches with the chain of each. Those that end
// meanwhile are left out, unless all do.
func explainAll(a *app, t *lineage.Tree, m matches) ([]Object, error) {
	d := a.describer(t)
	d.Prepare(m.processes)
	var objects []Object
	var gone error
	for i := range m.processes {
		p := &m.processes[i]
		chain, whole, err := chainAbove(t, p)
		if err := a.tolerate(err); err != nil {
			gone = explain("process "+strconv.Itoa(p.ID.PID), err)
			continue
		}
		o := d.Detailed(p)
		o.EnteredFrom = entrance(t, p, o.NamespacePIDs)
		o.Listens = m.listens[p.ID.PID]
		o.Chain, o.ChainComplete = chain, &whole
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		return nil, gone
	}
	describeUnits(objects)
	return objects, nil
}

// chainAbove returns the process and those above it, the outermost first, and
// whether there are no others further up: the parents of now, or where some that
// have ended are known to stand between them, who made it and so on. Only a tree
// that was told of the ends knows such.
func chainAbove(t *lineage.Tree, p *process.Process) (chain []Link, whole bool, err error) {
	above, err := t.AncestorsByID(p.ID)
	for _, q := range slices.Backward(above) {
		chain = append(chain, linkOf(&q))
	}
	chain, whole = append(chain, linkOf(p)), err == nil
	if slices.Contains(t.Source().Limits, source.CreatorsUnseen) {
		return chain, whole, err
	}
	steps, stepsErr := t.LineageByID(p.ID)
	ended := func(s process.Step) bool { return s.Process.State == process.Ended }
	if len(steps) < 2 || !slices.ContainsFunc(steps[1:], ended) {
		return chain, whole, err
	}
	chain = nil
	for _, s := range slices.Backward(steps) {
		link := linkOf(&s.Process)
		link.Gap = s.Gap
		chain = append(chain, link)
	}
	top := steps[len(steps)-1].Process.Creator
	return chain, stepsErr == nil && top.Evidence != process.Unknown && top.ID.IsZero(), stepsErr
}

// describeUnits asks systemd, but not for long, what the units are.
func describeUnits(objects []Object) {
	if !slices.ContainsFunc(objects, func(o Object) bool { return o.Unit != nil }) {
		return
	}
	units := systemd.Open(systemd.Options{})
	defer func() { _ = units.Close() }() // it only reads
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	for range 2 { // the first time it has to be asked
		for i := range objects {
			if o := &objects[i]; o.Unit != nil {
				text, _ := units.Description(*o.Unit)
				o.UnitDescription = optional(text)
			}
		}
		units.Settle(ctx)
	}
}

// entrance is who brought the process into its container, nil where nobody did
// or that is not known.
func entrance(t *lineage.Tree, p *process.Process, namespacePIDs []int) *Link {
	q := *p
	q.NamespacePIDs = namespacePIDs
	from, entered := t.Entrance(&q)
	if !entered {
		return nil
	}
	link := Link{PID: from.ID.PID, ID: from.ID.String(), State: process.Unseen.String()}
	if maker, err := t.ProcessByID(from.ID); err == nil {
		link = linkOf(&maker)
	}
	return &link
}

// writeWhy writes all about one process on one screen.
func writeWhy(s *screen, o *Object, note, source string, now time.Time, zone *time.Location) {
	head := []span{{shownName(o) + " " + strconv.Itoa(o.PID), bold}}
	s.line(head...)
	if note != "" {
		s.sentence("note", note, alarm)
	}
	switch {
	case o.State == "zombie":
		s.sentence("state", "zombie: it has ended, and its parent has not yet asked how", alarm)
	case o.State == "ended":
		s.sentence("state", "ended", alarm)
	case o.Kernel:
		s.sentence("state", "a thread of the kernel", plain)
	}
	if len(o.Args) > 0 {
		s.field("command", span{commandLine(o.Args), plain})
	}
	switch {
	case o.Exe != nil:
		s.field("program", span{safe(*o.Exe), plain})
	case o.Missing != "" && o.State == "alive":
		s.sentence("program", "not known: "+o.Missing, dim)
	}
	s.sentence("user", whyUser(o), plain)
	if start, ok := startOf(o); ok {
		s.sentence("started", start.In(zone).Format(time.DateTime)+" ("+since(now.Sub(start))+" ago)", plain)
	} else {
		s.sentence("started", "not known", dim)
	}
	if text := whyContainer(o); text != "" {
		s.sentence("container", s.fitIDs(text, 2+fieldWidth), place)
	}
	if text := whyOuter(o); text != "" {
		s.sentence("which is in", s.fitIDs(text, 2+fieldWidth), place)
	}
	if o.EnteredFrom != nil {
		s.sentence("entered", "from outside the container, by "+linkText(o.EnteredFrom), plain)
	}
	if text := whyUnit(o); text != "" {
		s.sentence("unit", s.fitIDs(text, 2+fieldWidth), place)
	}
	if o.Container == nil && o.Unit == nil && o.ContainerGroup != nil {
		s.sentence("cgroup", safe(*o.ContainerGroup)+" (no container, no unit)", plain)
	}
	if text := whySession(o); text != "" {
		s.sentence("session", text, plain)
	}
	if len(o.Listens) > 0 {
		s.sentence("listens", strings.Join(o.Listens, ", "), plain)
	}
	s.chain("chain", chainTexts(o))
	if text := whyCreator(o); text != "" {
		s.sentence("started by", text, plain)
	}
	s.sentence("source", source, dim)
}

func whyUser(o *Object) string {
	if o.User == nil {
		return "not known"
	}
	text := shownUser(o)
	if id := strconv.Itoa(*o.UID); id != text {
		text += " (" + id + ")"
	}
	if *o.RUID != *o.UID {
		text += fmt.Sprintf(", acting for user %d", *o.RUID)
	}
	return text
}

func whyContainer(o *Object) string {
	c := o.Container
	if c == nil {
		return ""
	}
	id := "not named"
	switch {
	case c.ID != nil:
		id = safe(*c.ID)
	case c.Serves != nil:
		id = safe(*c.Serves)
	case c.Role == nil:
		id = "none"
	}
	var about []string
	if c.Runtime != nil {
		about = append(about, safe(*c.Runtime))
	}
	text := id
	if c.Shown != "" {
		text = safe(c.Shown)
		if len(about) > 0 {
			id = about[0] + " " + id
		}
		about = []string{id}
	}
	if c.Role != nil && *c.Role == "helper" {
		about = append(about, "beside it, as a helper of the runtime")
	}
	if c.Pod != nil && c.PodName == nil {
		about = append(about, "pod "+safe(*c.Pod))
	}
	if n := len(o.NamespacePIDs); n > 1 {
		about = append(about, fmt.Sprintf("PID %d in there", o.NamespacePIDs[n-1]))
	}
	if c.Nameless {
		about = append(about, "name not known")
	}
	switch list := strings.Join(about, ", "); {
	case list == "":
	case c.Shown != "":
		text += ", " + list
	default:
		text += " (" + list + ")"
	}
	return text
}

// whyOuter are the containers around that of the process, the nearest first.
func whyOuter(o *Object) string {
	if o.Container == nil {
		return ""
	}
	var list []string
	for i := range o.Container.Outer {
		c := &o.Container.Outer[i]
		switch {
		case c.Shown != "":
			list = append(list, safe(c.Shown))
		case c.ID != nil:
			list = append(list, safe(*c.ID))
		}
	}
	return strings.Join(list, ", in ")
}

func whyUnit(o *Object) string {
	if o.Unit == nil {
		return ""
	}
	text := safe(*o.Unit)
	if o.UnitDescription != nil && *o.UnitDescription != *o.Unit {
		text += " (" + safe(*o.UnitDescription) + ")"
	}
	if o.UserUnit != nil {
		text += ", " + safe(*o.UserUnit) + " of the user"
	}
	if o.LoginSession != nil {
		text += ", login session " + safe(*o.LoginSession)
	}
	return text
}

func whySession(o *Object) string {
	if o.SID == nil {
		return ""
	}
	text := strconv.Itoa(*o.SID)
	if *o.SID == o.PID {
		text += ", which it leads"
	}
	if o.PGID != nil && *o.PGID != *o.SID {
		text += fmt.Sprintf(", process group %d", *o.PGID)
	}
	if o.TTY != nil {
		return text + ", terminal " + *o.TTY
	}
	return text + ", no terminal"
}

// whyCreator says who started the process where that is more, or less, than
// what the chain shows.
func whyCreator(o *Object) string {
	parent := ""
	if n := len(o.Chain); n > 1 {
		parent = nameOrUnknown(o.Chain[n-2].Name) + " " + strconv.Itoa(o.Chain[n-2].PID)
	}
	switch {
	case o.Kernel:
		return "" // threads of the kernel are made by kthreadd
	case o.CreatorPID != nil && o.PPID != nil && *o.CreatorPID == *o.PPID:
		return ""
	case o.CreatorPID != nil && *o.CreatorPID > 0:
		return fmt.Sprintf("%d (%s)", *o.CreatorPID, o.CreatorEvidence)
	case o.CreatorPID == nil && parent != "":
		return "not known: " + parent + " made it or adopted it"
	default:
		return ""
	}
}

// mostMatches is how many processes are written where there are more.
const mostMatches = 20

// fewer leaves the most relevant that fill a screen.
func (m *matches) fewer() {
	if m.left = len(m.processes) - mostMatches; m.left > 0 {
		m.processes = m.processes[:mostMatches]
		return
	}
	m.left = 0
}

// treeCommand returns the command that draws what a target means.
func (f *finder) treeCommand(target string) string {
	command := []string{"lineage", "tree"}
	switch {
	case f.byName:
		command = append(command, "--match")
	case strings.HasPrefix(target, "-"):
		command = append(command, "--")
	}
	return commandLine(append(command, target))
}

// writeMatches writes several processes, a line each, and how to have the rest
// of them drawn.
func writeMatches(s *screen, objects []Object, m matches, draw, source string, now time.Time) {
	s.line(span{plural(len(objects)+m.left, "process", "processes") + " " + m.how, bold})
	s.line()
	rows := [][]span{{{"PID", dim}, {"USER", dim}, {"AGE", dim}, {"CHAIN", dim}}}
	for i := range objects {
		o := &objects[i]
		age := "?"
		if start, ok := startOf(o); ok {
			age = since(now.Sub(start))
		}
		rows = append(rows, []span{{strconv.Itoa(o.PID), plain}, {shownUser(o), plain}, {age, plain}, {"", plain}})
	}
	// The end of a chain says more than its beginning.
	used := 0
	for column := range 3 {
		widest := 0
		for _, row := range rows {
			widest = max(widest, columns(row[column].text))
		}
		used += widest + 2
	}
	for i := range objects {
		rows[i+1][3].text = s.chainTail(chainTexts(&objects[i]), s.width-used)
	}
	s.table(map[int]bool{0: true, 2: true}, rows...)
	if m.left > 0 {
		s.prose(nil, fmt.Sprintf("and %d more: --all lists them, %s draws them", m.left, draw), dim)
	}
	s.line()
	if m.note != "" {
		s.sentence("note", m.note, plain)
	}
	s.sentence("source", source, dim)
}
