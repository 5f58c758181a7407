package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/source/procfs"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "What lineage can and cannot know on this host",
		Long: `Look at what lineage depends on: the kernel, the capabilities of the user, the
PID namespace, how procfs is mounted, which cgroups there are and which container
runtimes answer. Try each source
of knowledge, the best first, and say which is taken, what each needs at the
least and cannot tell, and what would help where one does not work.

It ends with status 1 where none works, or with --source where that one does not.`,
		Example: `  lineage doctor
  sudo lineage doctor
  lineage doctor --proc /host/proc -o json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			r := examine(a.proc, a.source.value)
			r.Checks = append(r.Checks, a.checkRuntimes()...)
			switch a.output.value {
			case "json":
				if err := a.encode(r, "  "); err != nil {
					return err
				}
			case "ndjson":
				for _, c := range r.Checks {
					c.Schema = schema
					if err := a.encode(c, ""); err != nil {
						return err
					}
				}
			default:
				writeDoctor(a.screen(), r)
			}
			if !r.Usable {
				return errors.New(noSource(a.source.value))
			}
			return nil
		},
	}
}

// Report is what lineage doctor writes.
type Report struct {
	Schema  string `json:"schema"`
	Command string `json:"command"`
	Usable  bool   `json:"usable"`
	// Source is the one that is taken where what happens is to be told, nil
	// where none works that does so.
	Source *string `json:"source"`
	Checks []Check `json:"checks"`
}

// Check is one thing that lineage doctor looked at.
type Check struct {
	Schema string `json:"schema,omitempty"`
	Name   string `json:"name"`
	// Status is ok; limited, where an answer may have less in it; or
	// missing, where there is none.
	Status string `json:"status"`
	Detail string `json:"detail"`
	// CannotTell is, of a source, what it cannot tell.
	CannotTell []string `json:"cannot_tell,omitempty"`
	// Needs is, of a source, what it takes at the least.
	Needs string `json:"needs,omitempty"`
	// BufferBytes is the size of what lies between the kernel and a source.
	BufferBytes int    `json:"buffer_bytes,omitempty"`
	Remedy      string `json:"remedy,omitempty"`
}

const (
	statusOK      = "ok"
	statusLimited = "limited"
	statusMissing = "missing"
)

// noSource says that a source does not work, or none.
func noSource(asked string) string {
	if asked == "auto" {
		return "no source of knowledge works on this host"
	}
	return "source " + asked + " does not work on this host"
}

// examine looks at the host, of which a source or any is asked for.
func examine(proc, asked string) Report {
	r := Report{Schema: schema, Command: "doctor"}
	add := func(c Check) { r.Checks = append(r.Checks, c) }

	s, err := procfs.Open(procfs.Options{Path: proc})
	add(Check{Name: "kernel", Status: statusOK, Detail: "Linux " + linux.Release()})
	if err == nil {
		defer func() { _ = s.Close() }()
		for _, c := range checkFeatures(s.Features()) {
			add(c)
		}
	}
	add(checkUser(proc))
	add(checkPIDNamespace(proc))
	if err == nil {
		add(checkMount(proc, s.Hides(), tryAll(proc)))
		add(checkCgroups(proc))
		trials := trySources(proc, s)
		best := bestSource(trials, asked)
		r.Source = optional(best)
		for i := range trials {
			t := &trials[i]
			r.Usable = r.Usable || t.err == nil && (asked == "auto" || asked == t.name)
			add(t.check(best, asked))
		}
	} else {
		add(Check{Name: "source procfs", Status: statusMissing, Detail: oneLine(err.Error()), Remedy: openRemedy(err)})
	}
	return r
}

// tryAll asks for all processes, and returns the error of the answer.
func tryAll(proc string) error {
	t, err := lineage.NewTree(lineage.Options{ProcPath: proc, Source: procfs.Name})
	if err != nil {
		return err
	}
	_, err = t.Processes()
	return errors.Join(err, t.Close())
}

func openRemedy(err error) string {
	if errors.Is(err, procfs.ErrForeignNamespace) {
		return "mount the procfs of this PID namespace and name it by --proc, or run in the PID namespace of that one"
	}
	return "mount procfs (mount -t proc proc /proc), or name by --proc where it is"
}

// checkFeatures tells of what the source found to work, whatever the release
// of the kernel says.
func checkFeatures(has procfs.Features) []Check {
	one := func(name string, works bool, since, what, without string) Check {
		if works {
			return Check{Name: name, Status: statusOK, Detail: what}
		}
		return Check{
			Name: name, Status: statusLimited, Detail: "not there: " + without,
			Remedy: "Linux " + since + " or later, and a seccomp profile that allows it",
		}
	}
	return []Check{
		one("pidfd", has.PIDFD, "5.3",
			"works: a process is held fast while it is read",
			"what is read of a process is checked by its start instead"),
		one("pidfs", has.PIDFS, "6.9",
			"works: a PID reused within 10 ms is told apart",
			"a PID reused within 10 ms can go unnoticed"),
		one("pidfd info", has.GetInfo, "6.13",
			"works: a parent is read in one call",
			"a parent is read from /proc, which takes ten times as long"),
	}
}

func checkUser(proc string) Check {
	uid := os.Geteuid()
	name := answer.NewDescriber(nil, nil).User(uid)
	if id := strconv.Itoa(uid); id != name {
		name += " (" + id + ")"
	}
	has, err := linux.EffectiveCapabilities()
	if err != nil {
		return Check{Name: "user", Status: statusLimited, Detail: name + ", capabilities not known: " + err.Error()}
	}
	namespace, err := os.Readlink(filepath.Join(proc, "self/ns/user"))
	if err != nil {
		return Check{Name: "user", Status: statusLimited, Detail: name + ", user namespace not known: " + oneLine(err.Error())}
	}
	return userCheck(name, has, namespace)
}

// userCheck tells what a user with the capabilities may read. They count for
// the processes of the user namespace that they are held in, and those below
// (ns_capable in the kernel).
func userCheck(name string, has linux.Capabilities, namespace string) Check {
	var missing []string
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, {unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}} {
		if !has.Has(c.number) {
			missing = append(missing, c.name)
		}
	}
	const less = ": programs and sockets of other users' processes may not be read"
	c := Check{Name: "user", Status: statusLimited, Remedy: "run as root (sudo); all else works without"}
	switch {
	case len(missing) > 0:
		c.Detail = name + ", without " + strings.Join(missing, " and ") + less
	case namespace != linux.FirstUserNamespace:
		c.Detail = name + ", in a user namespace, outside of which its capabilities do not count" + less
		c.Remedy = "run as root (sudo) outside of the user namespace; all else works without"
	default:
		return Check{Name: "user", Status: statusOK, Detail: name + ", may read other users' processes"}
	}
	return c
}

func checkPIDNamespace(proc string) Check {
	c := Check{Name: "pid namespace", Status: statusOK}
	link, err := os.Readlink(filepath.Join(proc, "self/ns/pid"))
	switch {
	case err != nil:
		c.Status, c.Detail = statusLimited, "not known: "+oneLine(err.Error())
	case link == linux.FirstPIDNamespace:
		c.Detail = "the host's: every process is seen"
	default:
		c.Status = statusLimited
		c.Detail = "not the host's: only the processes in it are seen, and PIDs are those in it"
		c.Remedy = "docker run --pid=host, hostPID: true in Kubernetes, or run outside of the container"
	}
	return c
}

// checkMount tells whether procfs hides processes: it is mounted so, or the
// answer of [lineage.Tree.Processes] came with an error that says so.
func checkMount(proc, hides string, answer error) Check {
	c := Check{Name: "proc", Status: statusOK, Detail: proc + ", shows this PID namespace"}
	switch {
	case hides != "":
		c.Detail = proc + ", mounted with " + hides + ": processes of other users are not seen"
	case answer != nil:
		c.Detail = proc + ", does not show all processes: " + oneLine(answer.Error())
	default:
		return c
	}
	c.Status = statusLimited
	c.Remedy = "run as root (sudo), in the group that the option gid names, or mount -o remount,hidepid=0 " + proc
	return c
}

func checkCgroups(proc string) Check {
	c := Check{Name: "cgroups", Status: statusOK}
	text, err := os.ReadFile(filepath.Join(proc, "self/cgroup"))
	if err != nil {
		c.Status, c.Detail = statusLimited, "not known, so no containers and no units: "+oneLine(err.Error())
		c.Remedy = "a kernel with CONFIG_CGROUPS"
		return c
	}
	c.Detail = cgroupMode(string(text))
	if link, err := os.Readlink(filepath.Join(proc, "self/ns/cgroup")); err == nil && link != linux.FirstCgroupNamespace {
		c.Status = statusLimited
		c.Detail += ", in a cgroup namespace: paths begin at its root, and containers outside may not be recognised"
		c.Remedy = "docker run --cgroupns=host, or run outside of the container"
	}
	return c
}

// cgroupMode tells by the membership of any process which hierarchies there
// are.
func cgroupMode(membership string) string {
	v1, v2 := 0, false
	for line, err := range cgroup.Lines(membership) {
		switch {
		case err != nil:
		case line.Unified():
			v2 = true
		default:
			v1++
		}
	}
	switch {
	case v1 == 0 && v2:
		return "v2"
	case v2:
		return fmt.Sprintf("hybrid: v2 beside %s", plural(v1, "hierarchy of v1", "hierarchies of v1"))
	case v1 > 0:
		return fmt.Sprintf("v1: %s", plural(v1, "hierarchy", "hierarchies"))
	default:
		return "none"
	}
}

func writeDoctor(s *screen, r Report) {
	var remedies []Check
	for _, c := range r.Checks {
		st := plain
		if c.Status != statusOK {
			st = alarm
		}
		s.prose(
			[]span{{pad(c.Name, 14), dim}, {"  ", plain}, {pad(c.Status, 8), st}, {" ", plain}},
			c.Detail, plain,
		)
		about := func(label, text string) {
			s.prose([]span{{pad("", 14+2+8+1), plain}, {label + " ", dim}}, text, plain)
		}
		for _, l := range c.CannotTell {
			about("cannot tell", l)
		}
		if c.Needs != "" {
			about("needs", c.Needs)
		}
		if c.BufferBytes != 0 {
			about("buffer", size(uint64(c.BufferBytes)))
		}
		if c.Remedy != "" {
			remedies = append(remedies, c)
		}
	}
	if len(remedies) == 0 {
		return
	}
	s.line()
	s.line(span{"What would help", bold})
	for _, c := range remedies {
		s.prose([]span{{pad(c.Name, 14), dim}, {"  ", plain}}, c.Remedy, plain)
	}
}
