package containertest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/internal/containertest"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// start starts a rig, after which nothing must be left.
func start(t *testing.T, k containertest.Kind, l containertest.Layout) *containertest.Rig {
	t.Helper()
	var rig *containertest.Rig
	t.Cleanup(func() { // after the rig's own
		if rig != nil {
			dir, group, keeper := rig.Own()
			nothingIsLeft(t, dir, group, keeper)
		}
	})
	rig = containertest.StartWith(t, k, containertest.Options{Layout: l})
	return rig
}

// nothingIsLeft looks for whatever has to do with the folder or the cgroup.
func nothingIsLeft(t *testing.T, dir, group string, keeper int) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", dir, err)
	}
	if mounts := read(t, "/proc/self/mountinfo"); strings.Contains(mounts, dir) {
		t.Errorf("mounts in %s are left:\n%s", dir, mounts)
	}
	err := filepath.WalkDir("/sys/fs/cgroup", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(name, group) {
			t.Errorf("left: %s", name)
		}
		return nil // others come and go
	})
	if err != nil {
		t.Error(err)
	}
	for _, pid := range pids(t) {
		s, err := linuxtest.ReadStat(pid)
		if err != nil || s.State == 'Z' {
			continue
		}
		line, _ := os.ReadFile(proc(pid, "cmdline"))
		groups, _ := os.ReadFile(proc(pid, "cgroup"))
		if pid == keeper || strings.Contains(string(line), dir) || strings.Contains(string(groups), group) {
			t.Errorf("left: %+v, %q", s, line)
		}
	}
}

func pids(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func stat(t *testing.T, p *containertest.Process) linuxtest.Stat {
	t.Helper()
	s, err := linuxtest.ReadStat(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gone reports whether a process has ended.
func gone(p *containertest.Process) bool {
	s, err := linuxtest.ReadStat(p.PID)
	return err != nil || s.State == 'Z'
}

// innermost returns the PID of a process in its own PID namespace, and how many
// namespaces it has one in.
func innermost(t *testing.T, pid int) (inner, levels int) {
	t.Helper()
	_, after, _ := strings.Cut(read(t, proc(pid, "status")), "\nNSpid:")
	line, _, _ := strings.Cut(after, "\n")
	ids := strings.Fields(line)
	inner, err := strconv.Atoi(ids[len(ids)-1])
	if err != nil {
		t.Fatal(err)
	}
	return inner, len(ids)
}

func sameCgroups(t *testing.T, c *containertest.Container, p *containertest.Process) {
	t.Helper()
	if want, got := read(t, proc(c.PID, "cgroup")), read(t, proc(p.PID, "cgroup")); got != want {
		t.Errorf("cgroups of %d:\n%swant those of the init, %d:\n%s", p.PID, got, c.PID, want)
	}
}

func TestKinds(t *testing.T) {
	for _, k := range containertest.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			rig := start(t, k, containertest.LayoutHost)
			if socket := rig.Socket(); socket != "" {
				if st, err := os.Stat(socket); err != nil || st.Mode().Type() != fs.ModeSocket {
					t.Errorf("no socket: %v, %v", st, err)
				}
			}
			c := rig.Run("web", containertest.Spec{})
			members(t, c)
			entered(t, c)
			e := c.Exec()
			c.Remove()
			for _, p := range []*containertest.Process{c.Process, e} {
				if !gone(p) {
					t.Errorf("there after the container was removed: %+v", stat(t, p))
				}
			}
			if other := rig.Run("other", containertest.Spec{}); other.ID == c.ID || other.Cgroup == c.Cgroup {
				t.Errorf("another container is the same one: %+v", other)
			}
		})
	}
}

// members checks what the processes of a container do.
func members(t *testing.T, c *containertest.Container) {
	t.Helper()
	if inner, levels := innermost(t, c.PID); c.Inner != 1 || inner != 1 || levels < 2 {
		t.Errorf("its init is %d there, of %d namespaces, and says %d", inner, levels, c.Inner)
	}
	if !strings.Contains(read(t, proc(c.PID, "cgroup")), ":"+c.Cgroup+"\n") || !strings.Contains(c.Cgroup, c.ID) {
		t.Errorf("%s is in cgroup %q, and in:\n%s", c.ID, c.Cgroup, read(t, proc(c.PID, "cgroup")))
	}
	child := c.Fork()
	if s := stat(t, child); s.PPID != c.PID || s.Name != "sh" {
		t.Errorf("a child of %d is %+v", c.PID, s)
	}
	orphan := child.Orphan()
	if s := stat(t, orphan); s.PPID != c.PID {
		t.Errorf("an orphan in the container of %d is %+v", c.PID, s)
	}
	grandchild := child.Fork()
	child.Become("nginx: master")
	if s := stat(t, child); s.Name != "nginx: master" || s.PPID != c.PID {
		t.Errorf("after exec: %+v", s)
	}
	if s := stat(t, grandchild); s.PPID != child.PID {
		t.Errorf("a child of %d is %+v", child.PID, s)
	}
	sameCgroups(t, c, child)
	sameCgroups(t, c, orphan)
	child.Exit(3)
	if s := stat(t, child); s.State != 'Z' {
		t.Errorf("after exit: %+v", s)
	}
	if s := stat(t, grandchild); s.PPID != c.PID {
		t.Errorf("adopted by another one than %d: %+v", c.PID, s)
	}
	orphan.Kill()
	c.Reap()
	for _, p := range []*containertest.Process{child, orphan} {
		if _, err := linuxtest.ReadStat(p.PID); err == nil {
			t.Errorf("there after it was reaped: %+v", stat(t, p))
		}
	}
}

// entered checks what a runtime's exec makes.
func entered(t *testing.T, c *containertest.Container) {
	t.Helper()
	e := c.Exec()
	sameCgroups(t, c, e)
	if got, want := stat(t, e).PPID, c.PID; got == want {
		t.Errorf("its parent is the init, %d", want)
	}
	if inner, _ := innermost(t, e.PID); inner != e.Inner || inner == 1 {
		t.Errorf("PID %d there, and says %d", inner, e.Inner)
	}
	if child := e.Fork(); stat(t, child).PPID != e.PID {
		t.Errorf("its child is %+v", stat(t, child))
	}
	program := c.Exec("/bin/sleep", "1000")
	if s := stat(t, program); s.Name != "sleep" {
		t.Errorf("started sleep: %+v", s)
	}
	sameCgroups(t, c, program)
}

func TestLayouts(t *testing.T) {
	for _, k := range containertest.Kinds() {
		for _, l := range []containertest.Layout{containertest.LayoutLegacy, containertest.LayoutUnified} {
			t.Run(string(k)+"/"+l.String(), func(t *testing.T) {
				t.Parallel()
				rig := start(t, k, l)
				c := rig.Run("web", containertest.Spec{})
				for line, err := range cgroup.Lines(read(t, proc(c.PID, "cgroup"))) {
					if err != nil {
						t.Fatal(err)
					}
					_, group, _ := rig.Own()
					there := strings.HasPrefix(line.Path, "/"+group)
					switch {
					case l == containertest.LayoutUnified && line.Unified(), l == containertest.LayoutLegacy && line.Has("cpu"):
						if !there {
							t.Errorf("not in a cgroup of the rig's: %v", line)
						}
					case l == containertest.LayoutLegacy && line.Unified(), line.Has("cpu"):
						if there {
							t.Errorf("in a cgroup of the rig's: %v", line)
						}
					}
				}
				sameCgroups(t, c, c.Exec())
			})
		}
	}
}

func TestSpec(t *testing.T) {
	for _, k := range containertest.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			rig := start(t, k, containertest.LayoutHost)
			spec := containertest.Spec{CgroupParent: "/actions_job/x", HostPID: true}
			if k != containertest.Nspawn {
				spec.Labels = map[string]string{"a": "b c"}
			}
			if k == containertest.CRI {
				spec.Pod = container.Pod{Name: "web-7d4f", Namespace: "shop"}
			}
			c := rig.Run("web", spec)
			if !strings.Contains(c.Cgroup, "/actions_job/x/") {
				t.Errorf("its cgroup is %q", c.Cgroup)
			}
			if inner, _ := innermost(t, c.PID); inner != c.PID || c.Inner != c.PID {
				t.Errorf("PID %d is %d inside, and says %d", c.PID, inner, c.Inner)
			}
			sameCgroups(t, c, c.Fork())
			e := c.Exec()
			sameCgroups(t, c, e)
			if e.Inner != e.PID {
				t.Errorf("PID %d says %d", e.PID, e.Inner)
			}
			if k == containertest.CRI && (c.Pod.String() != "shop/web-7d4f" || c.Pod.UID == "" || c.Sandbox == "") {
				t.Errorf("its pod is %+v, in %q", c.Pod, c.Sandbox)
			}
		})
	}
}

func TestNested(t *testing.T) {
	for _, k := range []containertest.Kind{
		containertest.Runc, containertest.Crun, containertest.Podman, containertest.Containerd, containertest.Docker,
	} {
		for _, l := range []containertest.Layout{containertest.LayoutHost, containertest.LayoutUnified} {
			t.Run(string(k)+"/"+l.String(), func(t *testing.T) {
				t.Parallel()
				outer := start(t, k, l).Run("outer", containertest.Spec{Nests: true})
				inner := outer.Run("inner", containertest.Spec{})
				if !strings.HasPrefix(inner.Cgroup, outer.Cgroup+"/") {
					t.Errorf("in cgroup %q, not below %q", inner.Cgroup, outer.Cgroup)
				}
				_, below := innermost(t, outer.PID)
				if one, levels := innermost(t, inner.PID); one != 1 || levels != below+1 {
					t.Errorf("its init is %d there, of %d namespaces", one, levels)
				}
				members(t, inner)
				entered(t, inner)
			})
		}
	}
}
