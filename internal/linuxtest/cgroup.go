package linuxtest

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
)

// A Cgroup is a cgroup made for a test, below the one that the test is in.
type Cgroup struct {
	// Path is its path as it stands in /proc/PID/cgroup.
	Path string
	// Dir is the directory that stands for it.
	Dir string
	// Controllers are the controllers of its hierarchy, empty for the
	// unified one (cgroup v2).
	Controllers []string

	parent string // the directory above
}

// NewCgroup makes a cgroup in the hierarchy that the container group of the
// test is taken from. When the test ends, what is left in it is moved back. It
// needs [Cgroups].
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	hs, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	h, err := forContainers(hs)
	if err != nil {
		t.Fatal(err)
	}
	return h.forTest(t)
}

// NewUnifiedCgroup makes a cgroup in the unified hierarchy. It returns nil
// where that is not mounted. It needs [Cgroups].
func NewUnifiedCgroup(t testing.TB) *Cgroup {
	t.Helper()
	hs, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if len(h.controllers) == 0 {
			return h.forTest(t)
		}
	}
	return nil
}

func (h hierarchy) forTest(t testing.TB) *Cgroup {
	t.Helper()
	g, err := h.make()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.remove(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// A hierarchy is a mounted one, at the cgroup that the test binary is in.
type hierarchy struct {
	controllers []string
	path        string // in /proc/self/cgroup
	dir         string
}

// hierarchies returns those that the test binary's own cgroup can be found in.
func hierarchies() ([]hierarchy, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	own := map[string]string{} // from controllers to path
	for line := range strings.Lines(string(membership)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("/proc/self/cgroup: %q", line)
		}
		own[f[1]] = f[2]
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = mounts.Close() }()
	var hs []hierarchy
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// 36 35 98:0 ROOT MOUNTPOINT rw,noatime shared:1 - TYPE SOURCE rw,OPTIONS
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) < 5 || len(t) < 3 {
			continue
		}
		for controllers, path := range own {
			if !bound(controllers, t[0], t[2]) {
				continue
			}
			if rel, err := filepath.Rel(h[3], path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
				hs = append(hs, hierarchy{split(controllers), path, filepath.Join(h[4], rel)})
			}
		}
	}
	return hs, nil
}

func split(controllers string) []string {
	return slices.DeleteFunc(strings.Split(controllers, ","), func(c string) bool { return c == "" })
}

// bound reports whether a mount of the type and with the options is that of
// the hierarchy with the controllers.
func bound(controllers, fstype, options string) bool {
	if controllers == "" {
		return fstype == "cgroup2"
	}
	if fstype != "cgroup" {
		return false
	}
	for c := range strings.SplitSeq(controllers, ",") {
		if !slices.Contains(strings.Split(options, ","), c) {
			return false
		}
	}
	return true
}

// forContainers returns the hierarchy that the container group is taken from:
// the one in which a move changes what [cgroup.Group] says.
func forContainers(hs []hierarchy) (hierarchy, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return hierarchy{}, err
	}
	lines := slices.Collect(strings.Lines(string(membership)))
	for i, line := range lines {
		moved := slices.Clone(lines)
		moved[i] = strings.TrimSuffix(line, "\n") + "/moved\n"
		if group, _ := cgroup.Group(strings.Join(moved, "")); !strings.HasSuffix(group, "/moved") {
			continue
		}
		f := strings.SplitN(line, ":", 3)
		for _, h := range hs {
			if slices.Equal(h.controllers, split(f[1])) {
				return h, nil
			}
		}
	}
	return hierarchy{}, errors.New("no cgroup hierarchy is mounted where the test's own container group can be seen")
}

func (h hierarchy) make() (*Cgroup, error) {
	name := "lineage-test-" + rand.Text()
	g := &Cgroup{
		Path:        filepath.Join(h.path, name),
		Dir:         filepath.Join(h.dir, name),
		Controllers: h.controllers,
		parent:      h.dir,
	}
	if err := os.Mkdir(g.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a cgroup: %w", err)
	}
	return g, nil
}

// Unified reports whether the cgroup is in the unified hierarchy.
func (g *Cgroup) Unified() bool { return len(g.Controllers) == 0 }

// add moves a process in.
func (g *Cgroup) add(pid int) error { return move(g.Dir, pid) }

func move(dir string, pid int) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// remove moves out what is left in the cgroup and removes it. A zombie does
// not hold a cgroup, nor can it be moved.
func (g *Cgroup) remove() error {
	for {
		err := os.Remove(g.Dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("removing a cgroup: %w", err)
		}
		text, err := os.ReadFile(filepath.Join(g.Dir, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("removing a cgroup: %w", err)
		}
		for f := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				return fmt.Errorf("removing a cgroup: %w", err)
			}
			if err := move(g.parent, pid); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("removing a cgroup: %w", err)
			}
		}
	}
}
