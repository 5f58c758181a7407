package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/spf13/cobra"
)

func newWhy(a *app) *cobra.Command {
	var short, byName bool
	c := &cobra.Command{
		Use:   "why TARGET",
		Short: "Why a process is running",
		Long: `Say why a process is running: what it is, since when, for whom, in which
container or unit, and the chain of processes that it comes from.

` + targetHelp + `

The chain begins with the outermost process and follows the parents of now. The
unit is that of the process's cgroup: systemd is the ancestor of nearly all
processes, which does not mean that it started them as a service.`,
		Example: `  lineage why nginx
  lineage why :8080
  lineage why 48213 --short
  lineage why 8fbd0ec4a1db`,
		Args:              one("TARGET"),
		ValidArgsFunction: a.completeTargets,
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.open()
			if err != nil {
				return err
			}
			defer t.Close()
			f := newFinder(a, t)
			f.byName = byName
			m, err := f.find(args[0])
			if err != nil {
				return err
			}
			objects, err := explainAll(a, t, m)
			if err != nil {
				return err
			}
			info := t.Source()
			switch s := a.screen(); {
			case a.output.value != "text":
				if m.note != "" {
					a.warn("note: " + m.note)
				}
				return a.emit("why", info, objects)
			case short:
				for i := range objects {
					s.chain("", objects[i].chain())
				}
			case len(objects) == 1:
				writeWhy(s, &objects[0], m.note, sourceLine(info), time.Now(), time.Local)
			default:
				writeMatches(s, objects, m, sourceLine(info), time.Now())
			}
			return nil
		},
	}
	f := c.Flags()
	f.BoolVarP(&short, "short", "s", false, "the chain alone")
	f.BoolVar(&byName, "name", false, "TARGET is a name, also if it looks like a PID, port or container")
	return c
}

// explainAll describes the matches with the chain of each. Those that end
// meanwhile are left out, unless all do.
func explainAll(a *app, t *lineage.Tree, m matches) ([]Object, error) {
	d := newDescriber(t)
	var objects []Object
	var gone error
	for i := range m.processes {
		p := &m.processes[i]
		above, err := t.AncestorsByID(p.ID)
		whole := err == nil
		if err := a.tolerate(err); err != nil {
			gone = explain("process "+strconv.Itoa(p.ID.PID), err)
			continue
		}
		o := d.detailed(p)
		o.Listens = m.listens[p.ID.PID]
		for _, q := range slices.Backward(above) {
			o.Chain = append(o.Chain, linkOf(&q))
		}
		o.Chain = append(o.Chain, linkOf(p))
		o.ChainComplete = &whole
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		return nil, gone
	}
	return objects, nil
}

func linkOf(p *process.Process) Link {
	return Link{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name}
}

// chain returns the links of the chain as text, the outermost first, with
// "…" before it where more would follow.
func (o *Object) chain() []string {
	var links []string
	if o.ChainComplete != nil && !*o.ChainComplete {
		links = append(links, "…")
	}
	for _, l := range o.Chain {
		links = append(links, nameOrUnknown(l.Name)+" "+strconv.Itoa(l.PID))
	}
	return links
}

func nameOrUnknown(name string) string {
	if name == "" {
		return "?"
	}
	return safe(name)
}

const arrow = " → "

// chain writes a chain, broken before its arrows where the screen ends.
func (s *screen) chain(label string, links []string) {
	start := 0
	if label != "" {
		start = 2 + fieldWidth
	}
	first, line, room := true, "", s.width-start
	flush := func() {
		switch {
		case label == "" && first:
			s.line(span{line, plain})
		case label == "":
			s.line(span{"  " + line, plain})
		case first:
			s.field(label, span{line, plain})
		default:
			s.field("", span{line, plain})
		}
		first = false
	}
	for i, link := range links {
		if i > 0 {
			if s.width > 0 && columns(line)+columns(arrow+link) > room {
				flush()
				line = strings.TrimPrefix(arrow, " ") + link
				room = s.width - max(start, 2)
				continue
			}
			line += arrow
		}
		line += link
	}
	flush()
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
		s.field("state", span{"zombie: it has ended, and its parent has not yet asked how", alarm})
	case o.State == "ended":
		s.field("state", span{"ended", alarm})
	case o.Kernel:
		s.field("state", span{"a thread of the kernel", plain})
	}
	if len(o.Args) > 0 {
		s.field("command", span{commandLine(o.Args), plain})
	}
	switch {
	case o.Exe != nil:
		s.field("program", span{safe(*o.Exe), plain})
	case o.Missing != "" && o.State == "alive":
		s.field("program", span{"not known: " + o.Missing, dim})
	}
	s.field("user", span{whyUser(o), plain})
	if start, ok := startOf(o); ok {
		s.field("started", span{start.In(zone).Format(time.DateTime), plain}, span{" (" + since(now.Sub(start)) + " ago)", dim})
	} else {
		s.field("started", span{"not known", dim})
	}
	if text := whyContainer(o); text != "" {
		s.field("container", span{s.fitIDs(text, 2+fieldWidth), place})
	}
	if text := whyUnit(o); text != "" {
		s.field("unit", span{s.fitIDs(text, 2+fieldWidth), place})
	}
	if o.Container == nil && o.Unit == nil && o.ContainerGroup != nil {
		s.field("cgroup", span{safe(*o.ContainerGroup), plain}, span{" (no container, no unit)", dim})
	}
	if text := whySession(o); text != "" {
		s.field("session", span{text, plain})
	}
	if len(o.Listens) > 0 {
		s.field("listens", span{strings.Join(o.Listens, ", "), plain})
	}
	s.chain("chain", o.chain())
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
	var text string
	switch {
	case c.ID != nil:
		text = safe(*c.ID)
	case c.Serves != nil:
		text = safe(*c.Serves)
	case c.Role == nil:
		text = "none"
	default:
		text = "not named"
	}
	var about []string
	if c.Runtime != nil {
		about = append(about, *c.Runtime)
	}
	if c.Role != nil && *c.Role == "helper" {
		about = append(about, "beside it, as a helper of the runtime")
	}
	if c.Pod != nil {
		about = append(about, "pod "+safe(*c.Pod))
	}
	if n := len(o.NamespacePIDs); n > 1 {
		about = append(about, fmt.Sprintf("PID %d in there", o.NamespacePIDs[n-1]))
	}
	if len(about) > 0 {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	return text
}

func whyUnit(o *Object) string {
	if o.Unit == nil {
		return ""
	}
	text := safe(*o.Unit)
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

// writeMatches writes several processes, a line each.
func writeMatches(s *screen, objects []Object, m matches, source string, now time.Time) {
	s.line(span{plural(len(objects), "process", "processes") + " " + m.how, bold})
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
		rows[i+1][3].text = chainTail(objects[i].chain(), s.width-used, s.width > 0)
	}
	s.table(map[int]bool{0: true, 2: true}, rows...)
	s.line()
	if m.note != "" {
		s.sentence("note", m.note, plain)
	}
	s.sentence("source", source, dim)
}

// chainTail returns as much of the end of a chain as fits.
func chainTail(links []string, room int, limited bool) string {
	text := strings.Join(links, arrow)
	for len(links) > 1 && limited && columns(text) > room {
		links = links[1:]
		text = "…" + arrow + strings.Join(links, arrow)
	}
	return text
}
