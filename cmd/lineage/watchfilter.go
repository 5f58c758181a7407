package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// kinds is the value of a flag that takes a list of kinds of events.
type kinds []process.Kind

// allKinds are those that may be asked for. Losses are always told.
var allKinds = kinds{process.Fork, process.Exec, process.Exited, process.Moved, process.Seen, process.Gone}

// usualKinds are those that are told unless others are asked for.
var usualKinds = kinds{process.Fork, process.Exec, process.Exited}

func (k *kinds) Type() string { return "LIST" }
func (k *kinds) String() string {
	var names []string
	for _, kind := range *k {
		names = append(names, kind.String())
	}
	return strings.Join(names, ",")
}

// Set implements [pflag.Value].
func (k *kinds) Set(list string) error {
	var set kinds
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(allKinds, func(kind process.Kind) bool { return kind.String() == name })
		switch {
		case name == "all":
			set = append(set, allKinds...)
		case i < 0:
			return errChoice
		default:
			set = append(set, allKinds[i])
		}
	}
	*k = set
	return nil
}

func (k *kinds) list() string {
	return "all, or some of " + strings.ReplaceAll(allKinds.String(), ",", ", ") + " with commas between"
}

// eventFilter says which events are told. What is zero does not count.
type eventFilter struct {
	kinds     kinds
	failed    bool
	under     map[int]process.ID // by PID
	container string             // its name, or the beginning of its ID
	waited    map[string]bool    // the containers whose names were waited for, by ID
	match     *regexp.Regexp
}

// tells reports whether the event is to be told. Losses always are.
func (f *eventFilter) tells(e *lineage.Event, d *answer.Describer) bool {
	switch {
	case e.Kind == process.Loss:
		return true
	case !slices.Contains(f.kinds, e.Kind),
		f.failed && e.Kind == process.Exited && !failed(e.Process.Exit),
		f.under != nil && !f.isUnder(e),
		f.container != "" && !f.isInside(e, d):
		return false
	}
	return f.match == nil || f.matches(&e.Process)
}

// isUnder reports whether the process is one of those asked for or comes from
// one, as far as is known.
func (f *eventFilter) isUnder(e *lineage.Event) bool {
	if f.under[e.Process.ID.PID].Same(e.Process.ID) {
		return true
	}
	return slices.ContainsFunc(e.Chain, func(a process.Ancestor) bool { return f.under[a.ID.PID].Same(a.ID) })
}

// mostWaited is how many containers are remembered for that.
const mostWaited = 4096

// isInside reports whether the process is in the container asked for.
func (f *eventFilter) isInside(e *lineage.Event, d *answer.Describer) bool {
	m := d.Whereabouts(e.Process.Cgroup)
	if m.In() && m.Container.ID == "" && d.Named() && !f.waited[m.Identity.Container] {
		if f.waited == nil || len(f.waited) >= mostWaited {
			f.waited = map[string]bool{}
		}
		f.waited[m.Identity.Container] = true // once for each that is new
		m = d.AwaitName(e.Process.Cgroup)
	}
	return inContainerOf(&m, byNameOrID(f.container)) || inContainerOf(&m, byIDPrefix(f.container))
}

// A containerTest reports whether a container with the ID is meant. What is known
// of it by name is zero where that is not known.
type containerTest func(id string, c *container.Container) bool

func byIDPrefix(prefix string) containerTest {
	return func(id string, _ *container.Container) bool { return strings.HasPrefix(id, prefix) }
}

func byNameOrID(name string) containerTest {
	return func(id string, c *container.Container) bool {
		return id == name || c.Name == name || c.Pod.Name == name || c.Pod.Name != "" && c.Pod.String() == name
	}
}

// inContainerOf reports whether a process that is where m says is in such a
// container, or in one within that.
func inContainerOf(m *container.Membership, is containerTest) bool {
	if !m.In() {
		return false
	}
	if id := m.Identity.Container; id != "" && is(id, &m.Container) {
		return true
	}
	for i := range m.Identity.Outer {
		var c container.Container
		if i < len(m.Outer) {
			c = m.Outer[i]
		}
		if id := m.Identity.Outer[i].Container; id != "" && is(id, &c) {
			return true
		}
	}
	return false
}

func (f *eventFilter) matches(p *process.Process) bool {
	return f.match.MatchString(p.Name) || f.match.MatchString(p.Exec.File) || f.match.MatchString(strings.Join(p.Exec.Args, " "))
}
