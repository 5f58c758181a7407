package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
)

// Cgroups are those that containers of Docker have: cgroups of their own, named
// by their IDs, in the hierarchy that the container group is taken from.
type cgroups struct {
	// Home is the folder of the cgroup that the bench is in.
	Home string
	// Above is the folder that they are made in.
	Above string
	// IDs are their names, 64 hex digits each.
	IDs []string

	madeAbove bool
	made      int
}

// newCgroups says where the cgroups of the containers with the IDs are to be. It
// fails where none can be made.
func newCgroups(ids []string) (*cgroups, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	line, err := containerLine(string(text))
	if err != nil {
		return nil, err
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = mounts.Close() }()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// 36 35 98:0 ROOT MOUNTPOINT rw,noatime shared:1 - TYPE SOURCE rw,OPTIONS
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) < 5 || len(t) < 3 || !mounted(line, t[0], t[2]) {
			continue
		}
		if rel, err := filepath.Rel(h[3], line.Path); err == nil && filepath.IsLocal(rel) {
			g := &cgroups{Home: filepath.Join(h[4], rel), Above: filepath.Join(h[4], "docker"), IDs: ids}
			return g, g.try()
		}
	}
	return nil, errors.New("the hierarchy of the container group is not mounted")
}

// containerLine returns the line of the membership that the container group is
// taken from: the one in which another path is another group.
func containerLine(membership string) (cgroup.Line, error) {
	lines := slices.Collect(strings.Lines(membership))
	for i, text := range lines {
		moved := slices.Clone(lines)
		moved[i] = strings.TrimSuffix(text, "\n") + "/moved\n"
		if group, ok := cgroup.Group(strings.Join(moved, "")); !ok || !strings.HasSuffix(group, "/moved") {
			continue
		}
		for line, err := range cgroup.Lines(text) {
			return line, err
		}
	}
	return cgroup.Line{}, errors.New("the bench has no container group")
}

// mounted reports whether a mount of the type and with the options is that of
// the line's hierarchy.
func mounted(line cgroup.Line, fstype, options string) bool {
	if line.Unified() {
		return fstype == "cgroup2"
	}
	has := strings.Split(options, ",")
	for c := range strings.SplitSeq(line.Controllers, ",") {
		if !slices.Contains(has, c) {
			return false
		}
	}
	return fstype == "cgroup"
}

// try makes one and removes it.
func (g *cgroups) try() error {
	one := cgroups{Home: g.Home, Above: g.Above, IDs: g.IDs[:1]}
	return errors.Join(one.make(0), one.remove())
}

// make makes the cgroup with the number, the first one first.
func (g *cgroups) make(n int) error {
	if n == 0 {
		err := os.Mkdir(g.Above, 0o755)
		g.madeAbove = err == nil
		if err != nil && !errors.Is(err, fs.ErrExist) { // it may be that of a Docker
			return fmt.Errorf("a cgroup: %w", err)
		}
	}
	if err := os.Mkdir(g.dir(n), 0o755); err != nil {
		return fmt.Errorf("a cgroup: %w", err)
	}
	g.made = n + 1
	return nil
}

func (g *cgroups) dir(n int) string { return filepath.Join(g.Above, g.IDs[n]) }

// enter moves this process into the cgroup with the number, where all that it
// makes from then on is born, and home for a negative one.
func (g *cgroups) enter(n int) error {
	dir := g.Home
	if n >= 0 {
		dir = g.dir(n)
	}
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	if err != nil {
		return fmt.Errorf("entering a cgroup: %w", err)
	}
	return nil
}

// remove removes those that were made, once nobody is in them.
func (g *cgroups) remove() error {
	var all []error
	for n := range g.made {
		all = append(all, removeCgroup(g.dir(n)))
	}
	g.made = 0
	if g.madeAbove {
		g.madeAbove = false
		// A Docker that was started meanwhile keeps it.
		if err := removeCgroup(g.Above); !errors.Is(err, unix.EBUSY) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// removeCgroup waits for those who have ended to be out of it, which comes after
// they can be reaped (cgroup_task_dead). Nothing tells of that on cgroup v1.
func removeCgroup(dir string) error {
	const tries = 100
	for try := 1; ; try++ {
		err := os.Remove(dir)
		if err == nil {
			return nil
		}
		if try == tries || !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("removing a cgroup: %w", err)
		}
		<-time.After(time.Millisecond)
	}
}
