package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// targetHelp is what the help texts say of targets.
const targetHelp = `TARGET is one of
  PID        a process, or the process of a thread
  :PORT      the processes that listen on a TCP port or have bound a UDP port
  CONTAINER  the ID of a container, at least its first 12 digits, or its name
             where the runtime has no ID
  ID         an id as --output json writes it, such as 48213@17123.45~90122
  NAME       the name of a process; else the name of its program's file; else
             a part of its name; else a part of its command line`

var containerID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// matches are the processes that a target means.
type matches struct {
	processes []process.Process // the most relevant first
	how       string            // how they match, to go after "3 processes"
	note      string            // what else is to be said
	listens   map[int][]string  // by PID, for a port
	left      int               // how many more there are, see fewer
}

// finder looks for the processes that a target means.
type finder struct {
	a    *app
	tree *lineage.Tree
	self int

	byName bool // a target is a name, whatever it looks like
	read   []process.Process
}

func (f *finder) find(target string) (matches, error) {
	switch {
	case target == "":
		return matches{}, usagef("an empty TARGET: give a PID, a name, :PORT or a container ID")
	case f.byName:
		return f.name(target)
	case strings.HasPrefix(target, ":"):
		return f.port(target)
	case isDigits(target) && len(target) < 12:
		return f.pid(target)
	case strings.Contains(target, "@"):
		if id, err := process.ParseID(target); err == nil {
			return f.id(id)
		}
	case containerID.MatchString(target):
		if m, err := f.container(target); err != nil || len(m.processes) > 0 {
			return m, err
		}
	}
	return f.name(target)
}

func (f *finder) pid(target string) (matches, error) {
	p, err := processOf(f.tree, target)
	if err != nil {
		return matches{}, err
	}
	m := matches{processes: []process.Process{p}}
	if pid := strconv.Itoa(p.ID.PID); pid != strings.TrimLeft(target, "0") {
		m.note = target + " is a thread of process " + pid
	}
	return m, nil
}

func (f *finder) id(id process.ID) (matches, error) {
	p, err := f.tree.ProcessByID(id)
	if err != nil {
		return matches{}, explain("process "+id.String(), err)
	}
	return matches{processes: []process.Process{p}}, nil
}

// all returns every process there is, read once.
func (f *finder) all() ([]process.Process, error) {
	if f.read != nil {
		return f.read, nil
	}
	all, err := f.tree.Processes()
	if err := f.a.tolerate(err); err != nil {
		return nil, err
	}
	f.read = slices.DeleteFunc(all, func(p process.Process) bool { return p.State == process.Ended })
	return f.read, nil
}

// container finds the processes of the containers whose ID begins with prefix.
// There are none where there is no such container.
func (f *finder) container(prefix string) (matches, error) {
	all, err := f.all()
	if err != nil {
		return matches{}, err
	}
	return inContainer(all, prefix, func(id string) bool { return strings.HasPrefix(id, prefix) }), nil
}

func inContainer(all []process.Process, name string, is func(id string) bool) matches {
	d := newDescriber(nil)
	in := make(map[int]bool)
	for i := range all {
		if inContainerOf(d.whereabouts(all[i].Cgroup).identity, is) {
			in[all[i].ID.PID] = true
		}
	}
	// Those at the top are why the others run.
	var top []process.Process
	for _, p := range all {
		if in[p.ID.PID] && !in[p.Parent.ID.PID] {
			top = append(top, p)
		}
	}
	m := matches{processes: top, how: "at the top of container " + safe(name)}
	if rest := len(in) - len(top); rest > 0 {
		m.note = plural(rest, "more process", "more processes") + " of the container below: lineage tree " + safe(name)
	}
	return m
}

// name finds processes by name, from the strictest rule to the widest.
func (f *finder) name(name string) (matches, error) {
	all, err := f.all()
	if err != nil {
		return matches{}, err
	}
	details := map[int]process.Details{}
	read := func(p *process.Process) process.Details {
		x, ok := details[p.ID.PID]
		if !ok {
			x, _ = f.tree.Details(p.ID) // who may not be read does not match
			details[p.ID.PID] = x
		}
		return x
	}
	rules := []struct {
		how   string
		match func(*process.Process) bool
	}{
		{"named " + quoted(name), func(p *process.Process) bool { return p.Name == name }},
		{"of the program " + quoted(name), func(p *process.Process) bool {
			x := read(p)
			return len(x.Args) > 0 && filepath.Base(x.Args[0]) == name ||
				x.Exe != "" && filepath.Base(strings.TrimSuffix(x.Exe, " (deleted)")) == name
		}},
		{"with " + quoted(name) + " in the name", func(p *process.Process) bool { return strings.Contains(p.Name, name) }},
		{"with " + quoted(name) + " in the command line", func(p *process.Process) bool {
			return strings.Contains(strings.Join(read(p).Args, " "), name)
		}},
	}
	asker := f.askers()
	for i, rule := range rules {
		var found, own []process.Process
		for j := range all {
			switch p := &all[j]; {
			case !rule.match(p):
			case p.ID.PID == f.self || i == len(rules)-1 && asker[p.ID.PID]:
				own = append(own, *p)
			default:
				found = append(found, *p)
			}
		}
		if len(found) == 0 && i < len(rules)-1 {
			found = own // unless it is the only one, never itself
		}
		if len(found) > 0 {
			return matches{processes: topFirst(found), how: rule.how}, nil
		}
		if i == 0 {
			if m := inContainer(all, name, func(id string) bool { return id == name }); len(m.processes) > 0 {
				return m, nil
			}
		}
	}
	return matches{}, notFoundf("no process has %s in its name or command line, and no container has that ID", quoted(name))
}

// askers are the processes that run this command: a shell, sudo. What they
// have in their command line is the question.
func (f *finder) askers() map[int]bool {
	pids := map[int]bool{f.self: true}
	above, _ := f.tree.Ancestors(f.self) // the more the better
	for i := range above {
		pids[above[i].ID.PID] = true
	}
	return pids
}

// port finds the processes that hold a socket bound to a port.
func (f *finder) port(target string) (matches, error) {
	port, err := strconv.ParseUint(target[1:], 10, 16)
	if err != nil || port == 0 {
		return matches{}, usagef("%q is not a port: it may be :1 to :65535", target)
	}
	all, err := f.all()
	if err != nil {
		return matches{}, err
	}
	pids := make([]int, len(all))
	for i := range all {
		pids[i] = all[i].ID.PID
	}
	found, err := listeners(f.a.proc, pids, uint16(port))
	if err != nil {
		return matches{}, err
	}
	m := matches{how: "on port " + target, listens: found.holders}
	for i := range all {
		if len(found.holders[all[i].ID.PID]) > 0 {
			m.processes = append(m.processes, all[i])
		}
	}
	m.processes = topFirst(m.processes)
	switch {
	case len(m.processes) > 0:
		if len(found.unheld) > 0 {
			f.a.gaps = append(f.a.gaps, permissionf("who else holds %s may not be read: run as root (sudo)", strings.Join(found.unheld, ", ")))
		}
		return m, nil
	case len(found.unheld) > 0 && found.denied:
		return matches{}, permissionf("%s is bound, but whose it is may not be read: run as root (sudo)", strings.Join(found.unheld, ", "))
	case len(found.unheld) > 0:
		return matches{}, notFoundf("%s is bound, but no process that can be seen holds it: the kernel or another PID namespace does", strings.Join(found.unheld, ", "))
	default:
		return matches{}, notFoundf("nothing listens on port %s", target[1:])
	}
}

// topFirst puts the processes first whose parent is not among them, which are
// why the others run, and the older before the younger.
func topFirst(list []process.Process) []process.Process {
	among := make(map[int]bool, len(list))
	for i := range list {
		among[list[i].ID.PID] = true
	}
	slices.SortStableFunc(list, func(p, q process.Process) int {
		if a, b := among[p.Parent.ID.PID], among[q.Parent.ID.PID]; a != b {
			if a {
				return 1
			}
			return -1
		}
		return byStart(&p, &q)
	})
	return list
}

// byStart orders processes by their age, the oldest first.
func byStart(p, q *process.Process) int {
	switch {
	case p.ID.Start < q.ID.Start:
		return -1
	case p.ID.Start > q.ID.Start:
		return 1
	default:
		return p.ID.PID - q.ID.PID
	}
}

func quoted(s string) string { return `"` + safe(s) + `"` }

func newFinder(a *app, t *lineage.Tree) *finder {
	return &finder{a: a, tree: t, self: os.Getpid()}
}
