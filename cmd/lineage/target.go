package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// targetHelp is what the help texts say of targets.
const targetHelp = `TARGET is one of
  PID        a process, or the process of a thread
  :PORT      the processes that listen on a TCP port or have bound a UDP port
  CONTAINER  the name of a container or of its pod, or its ID, at least the first
             12 digits of it
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
	named  *answer.Describer // see describer
	within string            // the container that is looked in, empty for the host
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

// enter has targets mean what is in a container, unless there is no name.
func (f *finder) enter(name string) error {
	if name == "" {
		return nil
	}
	all, err := f.all()
	if err != nil {
		return err
	}
	d := f.described()
	for _, is := range []containerTest{byNameOrID(name), byIDPrefix(name)} {
		ids := map[string]bool{}
		inside := slices.DeleteFunc(slices.Clone(all), func(p process.Process) bool {
			m := d.Whereabouts(p.Cgroup)
			return !inContainerOf(&m, func(id string, c *container.Container) bool {
				ok := is(id, c) && !c.Sandbox // which runs nothing
				if ok {
					ids[id] = true
				}
				return ok
			})
		})
		switch {
		case len(ids) > 1:
			return usagef("--container %s means more than one: %s", quoted(name), strings.Join(slices.Sorted(maps.Keys(ids)), ", "))
		case len(ids) == 1:
			f.within, f.read = name, inside
			return nil
		}
	}
	return notFoundf("no process is in a container with the name or ID %s", quoted(name))
}

// inner finds the process that has a PID in the container's own PID namespace.
func (f *finder) inner(target string) (matches, error) {
	pid, err := parsePID(target)
	if err != nil {
		return matches{}, err
	}
	var found []process.Process
	if namespace := f.namespace(); namespace != 0 {
		p, err := f.tree.ProcessInNamespace(namespace, pid)
		if err := f.a.tolerate(err); err != nil && !errors.Is(err, lineage.ErrNotFound) {
			return matches{}, explain("process "+target+" in the container", err)
		} else if err == nil && slices.ContainsFunc(f.read, func(q process.Process) bool { return q.ID.Same(p.ID) }) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return matches{}, notFoundf("no process in container %s has PID %d there", quoted(f.within), pid)
	}
	return matches{processes: found, how: "with PID " + target + " in container " + safe(f.within)}, nil
}

// namespace returns the PID namespace of the container that is looked in: that
// of the outermost of its processes, zero where it may not be read.
func (f *finder) namespace() (namespace uint64) {
	least := 0
	for i := range f.read {
		d, err := f.tree.Details(f.read[i].ID)
		if n := len(d.NamespacePIDs); err == nil && d.PIDNamespace != 0 && (least == 0 || n < least) {
			least, namespace = n, d.PIDNamespace
		}
	}
	return namespace
}

func (f *finder) pid(target string) (matches, error) {
	if f.within != "" {
		return f.inner(target)
	}
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
	return inContainer(all, f.describer(all), prefix, byIDPrefix(prefix)), nil
}

// describer returns one that knows the names of the containers of all.
func (f *finder) describer(all []process.Process) *answer.Describer {
	if f.named == nil {
		f.named = f.a.describer(f.tree)
		f.named.Prepare(all)
	}
	return f.named
}

// described is describer once the names of all containers are known.
func (f *finder) described() *answer.Describer {
	d := f.a.describer(f.tree)
	if f.a.names != nil {
		if err := f.a.names.load(); err != nil {
			f.a.gaps = append(f.a.gaps, &lineage.IncompleteError{Err: err})
		}
	}
	d.Settle()
	f.named = d
	return d
}

func inContainer(all []process.Process, d *answer.Describer, name string, is containerTest) matches {
	in := make(map[int]bool)
	for i := range all {
		if m := d.Whereabouts(all[i].Cgroup); inContainerOf(&m, is) {
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
		if i == 1 {
			if m := inContainer(all, f.described(), name, byNameOrID(name)); len(m.processes) > 0 {
				return m, nil
			}
		}
	}
	return matches{}, notFoundf("no process has %s in its name or command line, and no container has that name or ID", quoted(name))
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
