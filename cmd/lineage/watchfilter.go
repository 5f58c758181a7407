package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
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
	container string             // the beginning of an ID
	match     *regexp.Regexp
}

// tells reports whether the event is to be told. Losses always are.
func (f *eventFilter) tells(e *lineage.Event, d *describer) bool {
	switch {
	case e.Kind == process.Loss:
		return true
	case !slices.Contains(f.kinds, e.Kind),
		f.failed && e.Kind == process.Exited && !failed(e.Process.Exit),
		f.under != nil && !f.isUnder(e),
		f.container != "" && !inContainerOf(d.whereabouts(e.Process.Cgroup).identity, f.isContainer):
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

func (f *eventFilter) isContainer(id string) bool { return strings.HasPrefix(id, f.container) }

// inContainerOf reports whether a process that is where w says is in a
// container with such an ID, or in one within that.
func inContainerOf(w cgroup.Identity, is func(id string) bool) bool {
	if w.Role != cgroup.RoleContainer && w.Role != cgroup.RoleSandbox {
		return false
	}
	return slices.ContainsFunc(append([]cgroup.Identity{w}, w.Outer...), func(c cgroup.Identity) bool {
		return c.Container != "" && is(c.Container)
	})
}

func (f *eventFilter) matches(p *process.Process) bool {
	return f.match.MatchString(p.Name) || f.match.MatchString(p.Exec.File) || f.match.MatchString(strings.Join(p.Exec.Args, " "))
}
