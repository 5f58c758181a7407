package main

import (
	"github.com/proclineage/lineage/answer"
	"slices"
	"strconv"

	"github.com/proclineage/lineage/cgroup"
	"github.com/spf13/cobra"
)

func newCgroup(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cgroup PATH… | PID…",
		Short: "How the path of a cgroup is read",
		Long: `Say how lineage reads the path of a cgroup: which container and pod, and which
unit of systemd its processes belong to. It shows why a container was or was not
recognised.

PATH is a path as it stands in /proc/PID/cgroup. Only the text counts: there
need be no such cgroup. For a PID, the paths of the process are read, and the one
that is its container group is marked.

With --output json or ndjson it writes one object a line for each argument:
path, runtime, container, pod, role and more, null where there is none.`,
		Example: `  lineage cgroup 48213
  lineage cgroup /system.slice/docker-8fbd….scope
  lineage cgroup -o json $(cut -d: -f3 /proc/48213/cgroup)`,
		Args:              atLeastOne("PATH or PID"),
		ValidArgsFunction: a.completePIDs,
		RunE: func(_ *cobra.Command, args []string) error {
			var objects []PathObject
			for _, arg := range args {
				o, err := a.readPath(arg)
				if err != nil {
					return err
				}
				objects = append(objects, o)
			}
			s := a.screen()
			for i := range objects {
				if a.output.value != "text" {
					if err := a.encode(objects[i], ""); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					s.line()
				}
				writePath(s, &objects[i])
			}
			return nil
		},
	}
}

// readPath reads an argument of lineage cgroup.
func (a *app) readPath(arg string) (PathObject, error) {
	switch {
	case arg == "":
		return PathObject{}, usagef("an empty path: the root cgroup is /")
	case !isDigits(arg):
		if arg[0] != '/' {
			return PathObject{}, usagef("%q is neither a PID nor a path: paths begin with /", arg)
		}
		return pathObject(arg, cgroup.Identify(arg), cgroup.UnitOf(arg)), nil
	}
	t, err := a.open()
	if err != nil {
		return PathObject{}, err
	}
	defer t.Close()
	p, err := processOf(t, arg)
	if err != nil {
		return PathObject{}, err
	}
	m := t.Container(&p)
	o := pathObject(p.Cgroup.Group, m.Identity, m.Unit)
	o.PID = &p.ID.PID
	for line, err := range cgroup.Lines(p.Cgroup.Membership) {
		if err == nil {
			o.Lines = append(o.Lines, GroupLine{Line: line.String()})
		}
	}
	if i := groupLine(o.Lines, p.Cgroup.Group); i >= 0 {
		o.Lines[i].ContainerGroup = true
	}
	return o, nil
}

// groupLine returns which of the lines has the container group, by the rule of
// [cgroup.Group], -1 for none. Another line may have the same path.
func groupLine(lines []GroupLine, group string) int {
	if len(lines) == 1 {
		return 0
	}
	return slices.IndexFunc(lines, func(l GroupLine) bool {
		path, ok := cgroup.Group(l.Line + "\n1:none:/\n") // the line alone would always be it
		return ok && group == path
	})
}

func pathObject(path string, i cgroup.Identity, u cgroup.Unit) PathObject {
	o := PathObject{
		Schema:       schema,
		Path:         path,
		Runtime:      optional(string(i.Runtime)),
		Container:    optional(i.Container),
		Pod:          optional(i.Pod),
		Role:         optional(answer.RoleName(i.Role)),
		Serves:       optional(i.Beside),
		Inside:       optional(i.Inside),
		Unit:         optional(u.Name),
		Slice:        optional(u.Slice),
		UserUnit:     optional(u.UserUnit),
		LoginSession: optional(u.Session),
	}
	if u.OwnerUID >= 0 {
		o.OwnerUID = &u.OwnerUID
	}
	return o
}

func writePath(s *screen, o *PathObject) {
	if o.PID != nil {
		s.line(span{"process " + strconv.Itoa(*o.PID), bold})
		for _, l := range o.Lines {
			if l.ContainerGroup {
				s.field("cgroup", span{safe(l.Line), plain}, span{"  ← container group", place})
			} else {
				s.field("cgroup", span{safe(l.Line), dim})
			}
		}
	} else {
		s.line(span{safe(o.Path), bold})
	}
	role := o.Role
	if role == nil {
		role = new("none: its processes are the host's")
		if o.Pod != nil {
			role = new("none")
		}
	}
	fields := []struct {
		label string
		value *string
	}{
		{"role", role}, {"runtime", o.Runtime}, {"container", o.Container}, {"serves", o.Serves},
		{"pod", o.Pod}, {"inside", o.Inside}, {"unit", o.Unit}, {"user unit", o.UserUnit},
		{"slice", o.Slice}, {"session", o.LoginSession},
	}
	for _, f := range fields {
		switch {
		case f.label == "role":
			s.sentence(f.label, safe(*f.value), plain)
		case f.value != nil:
			s.field(f.label, span{safe(*f.value), plain})
		case (f.label == "container" || f.label == "runtime") && o.Role != nil:
			s.sentence(f.label, "not known from the path", dim)
		}
	}
	if o.OwnerUID != nil {
		s.field("user", span{strconv.Itoa(*o.OwnerUID), plain})
	}
}
