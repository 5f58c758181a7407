package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
)

// line writes an event as text: when, what, the PID, who, and what there is to
// say of such an event.
func (w *watcher) line(e *lineage.Event) {
	at := span{w.clock(e.Time), dim}
	if e.Kind == process.Loss {
		text := "what happened until now is not told: events were dropped, here or in the kernel"
		if e.Since != 0 {
			text = "what happened since " + w.clock(e.Since) + " is not told: events were dropped, here or in the kernel"
		}
		w.screen.line(at, span{"  loss  ", alarm}, span{text, alarm})
		return
	}
	p := &e.Process
	head := []span{at, {"  " + pad(e.Kind.String(), 4), w.style(e)}, {fmt.Sprintf("  %7d  ", p.ID.PID), plain}}
	name := processName(p)
	detail := ""
	switch e.Kind {
	case process.Fork:
		detail = w.made(e)
	case process.Exec:
		args, cut := w.args(p)
		if detail = shownCommand(args, cut); len(args) > 0 && calledBy(args[0], p.Name) {
			name = "" // the arguments begin with it
		}
	case process.Exited:
		detail = exitText(p)
		if len(p.Exec.Args) > 0 && !slices.Contains(w.filter.kinds, process.Exec) {
			detail += "  " + shownCommand(p.Exec.Args, p.Exec.ArgsCut)
		}
	case process.Moved:
		detail = "to " + w.place(p.Cgroup)
		if changed := movedLines(e.From.Membership, p.Cgroup.Membership); changed != "" && p.Cgroup.Group == e.From.Group {
			detail = "to " + safe(changed) // in a hierarchy that is not the container's
		}
	case process.Seen:
		detail = join("found after events were lost", w.made(e))
	case process.Gone:
		detail = "found to have ended"
	case process.Loss:
	}
	if name != "" {
		width := nameWidth
		if w.screen.width > 0 {
			width = min(width, w.screen.width/10)
		}
		head = append(head, span{pad(name, width) + "  ", bold})
	}
	chain := ""
	if w.chain {
		chain = w.chainText(e)
	}
	w.screen.between(head, span{detail, plain}, span{chain, dim})
}

// nameWidth is what a name takes (TASK_COMM_LEN less one).
const nameWidth = 15

// clock is the time of day, to the millisecond.
func (w *watcher) clock(i process.Instant) string {
	return w.describer.Time(i).In(w.zone).Format("15:04:05.000")
}

func (w *watcher) style(e *lineage.Event) style {
	switch {
	case e.Kind == process.Fork:
		return dim
	case e.Kind == process.Exited && failed(e.Process.Exit), e.Kind == process.Gone:
		return alarm
	default:
		return plain
	}
}

// made says who made the process, and whose child it is if that is another one.
func (w *watcher) made(e *lineage.Event) string {
	creator, parent := e.Process.Creator, e.Process.Parent
	switch {
	case creator.Evidence == process.Unknown && parent.Evidence == process.Unknown:
		return "by ?"
	case creator.Evidence == process.Unknown:
		return "child of " + w.who(e, parent)
	}
	var parts []string
	if !w.chain { // which begins with it
		parts = append(parts, "by "+w.who(e, creator))
	}
	if e.Kind == process.Fork && parent.Evidence != process.Unknown && parent.ID != creator.ID {
		parts = append(parts, "child of "+w.who(e, parent))
	}
	return strings.Join(parts, ", ")
}

func (w *watcher) who(e *lineage.Event, l process.Link) string {
	if l.ID.PID == 0 {
		return "one outside of this PID namespace"
	}
	link := w.kin.link(e, l)
	return linkText(&link)
}

// shownCommand is a command line that may not be whole.
func shownCommand(args []string, cut bool) string {
	text := commandLine(args)
	if cut {
		text += " …"
	}
	return text
}

// calledBy reports whether the first argument names the program as the kernel
// does, so that both need not be shown.
func calledBy(arg, name string) bool {
	base := filepath.Base(strings.TrimPrefix(arg, "-")) // as login shells have it
	return name != "" && base[:min(len(base), nameWidth)] == name
}

// exitText says how a process ended, and what it had used.
func exitText(p *process.Process) string {
	text := statusText(p.Exit)
	if d, ok := answer.Lived(p); ok {
		text += " after " + brief(d)
	}
	if u := p.Exit.Usage; u.Known {
		text += ", CPU " + brief(u.User+u.System)
		if u.MaxRSS > 0 {
			text += ", peak " + size(u.MaxRSS)
		}
	}
	return text
}

// place is the container, or else the cgroup, that a process is in.
func (w *watcher) place(c process.Cgroup) string {
	if c.Membership == "" {
		return "a cgroup that is not known"
	}
	m := w.describer.Whereabouts(c)
	if o := answer.ContainerOf(&m); o != nil && o.ID != nil {
		return "container " + w.screen.fitIDs(cmp.Or(safe(o.Shown), safe(*o.ID)), w.screen.width)
	}
	return safe(c.Group)
}

// movedLines is in which hierarchies a process is elsewhere now, and where:
// "cpu:/jobs". It is empty where not known.
func movedLines(from, to string) string {
	if from == "" {
		return ""
	}
	before := strings.Split(from, "\n")
	var changed []string
	for line := range strings.SplitSeq(to, "\n") {
		if _, rest, ok := strings.Cut(line, ":"); ok && !slices.Contains(before, line) {
			changed = append(changed, strings.TrimPrefix(rest, ":"))
		}
	}
	return strings.Join(changed, ", ")
}

// chainText is who stands above by creation, nearest first.
func (w *watcher) chainText(e *lineage.Event) string {
	links, whole := w.kin.creators(e)
	var b strings.Builder
	for _, l := range links {
		if l.Gap {
			b.WriteString(" ← ?")
		}
		b.WriteString(" ← " + linkText(&l))
	}
	if !whole {
		b.WriteString(" ← ?")
	}
	return " " + b.String()
}

// between writes a line whose end is shown too where there is not room for all
// of it: the middle gives way, but for two thirds of what is left.
func (s *screen) between(head []span, middle, end span) {
	head = s.shown(head)
	middle.text, end.text = s.text(middle.text), s.text(end.text)
	if middle.text == "" {
		end.text = strings.TrimLeft(end.text, " ")
	}
	if room := s.width - measure(head); s.width > 0 && end.text != "" {
		more := s.text("…")
		if left := max(room*2/3, room-columns(end.text)); columns(middle.text) > left {
			middle.text = cut(middle.text, left-columns(more)) + more
		}
	}
	s.line(append(head, middle, end)...)
}
