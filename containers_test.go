package lineage_test

import (
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/runtimes"
	"github.com/proclineage/lineage/internal/containertest"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// spoken is what is spoken at the socket of a rig.
var spoken = map[containertest.Kind]runtimes.Kind{
	containertest.Docker:     runtimes.Docker,
	containertest.Podman:     runtimes.Docker,
	containertest.Containerd: runtimes.Containerd,
	containertest.CRI:        runtimes.CRI,
}

// A yard is a rig with a tree that has the names of its containers.
type yard struct {
	*testing.T
	rig   *containertest.Rig
	names *container.Names
	tree  *lineage.Tree
}

func newYard(t *testing.T, rig *containertest.Rig, source string) *yard {
	t.Helper()
	if source == "bpf" {
		linuxtest.Need(t, linuxtest.BPF)
	}
	var sockets []runtimes.Socket
	if kind, ok := spoken[rig.Kind]; ok {
		sockets = append(sockets, runtimes.Socket{Kind: kind, Path: rig.Socket()})
	}
	all, err := runtimes.Open(sockets)
	if err != nil {
		t.Fatal(err)
	}
	names := container.Watch(container.NamesOptions{Runtimes: all, Timeout: time.Minute})
	tree, err := lineage.NewTree(lineage.Options{Source: source, Containers: names})
	if err != nil {
		t.Fatal(errors.Join(err, names.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(tree.Close(), names.Close()); err != nil {
			t.Error(err)
		}
	})
	return &yard{T: t, rig: rig, names: names, tree: tree}
}

func (y *yard) process(pid int) process.Process {
	y.Helper()
	p, err := y.tree.Process(pid)
	if err != nil {
		y.Fatal(err)
	}
	return p
}

// where returns where a process belongs, once the runtimes have said all that
// they have to say of it.
func (y *yard) where(pid int) container.Membership {
	y.Helper()
	p := y.process(pid)
	y.tree.Container(&p) // has it be asked for
	if !y.names.Settle(y.Context()) {
		y.Fatal(y.Context().Err())
	}
	return y.tree.Container(&p)
}

// appear waits until a container that was just made has its name.
func (y *yard) appear(c *containertest.Container) {
	for y.where(c.PID).Container.ID != c.ID {
		runtime.Gosched()
	}
}

// check holds what is said of a process to be in the container.
func (y *yard) check(pid int, in *containertest.Container, image string) {
	y.Helper()
	m := y.where(pid)
	switch {
	case y.rig.Kind == containertest.Containerd && y.rig.Layout == containertest.LayoutUnified && linuxtest.Has(linuxtest.CgroupV1):
		// The container group is of a hierarchy that the runtime does not use,
		// and the ID tells of nothing.
		if m.Container.ID != "" && m.Container.ID != in.ID {
			y.Errorf("process %d: %+v", pid, m.Container)
		}
		return
	case spoken[y.rig.Kind] == "" && y.rig.Kind != containertest.Nspawn: // nobody knows of it but who called the runtime
		if m.Container.ID != "" {
			y.Errorf("process %d: %+v", pid, m.Container)
		}
		return
	case !m.In() || m.Identity.Container != in.ID:
		y.Errorf("process %d is in %q, %+v; want %q", pid, m.Identity.Container, m.Identity, in.ID)
	case y.rig.Kind != containertest.Nspawn && (m.Container.ID != in.ID || m.Container.Image != image || !y.isNamed(&m.Container, in)):
		y.Errorf("process %d is in %+v, want %s of the image %q", pid, m.Container, in.Name, image)
	}
}

func (y *yard) isNamed(c *container.Container, in *containertest.Container) bool {
	if y.rig.Kind == containertest.Containerd { // there the name is the ID
		return c.Name == "" && c.ID == in.Name
	}
	if y.rig.Kind == containertest.CRI && (c.Pod.Name != in.Pod.Name || c.Pod.Namespace != in.Pod.Namespace || c.Pod.UID != in.Pod.UID) {
		return false
	}
	return c.Name == in.Name
}

// entered holds whether a process came into its container from outside.
func (y *yard) entered(pid int, want bool) {
	y.Helper()
	y.where(pid)
	p := y.process(pid)
	if from, got := y.tree.Entrance(&p); got != want {
		y.Errorf("process %d entered from %v: %v, want %v", pid, from, got, want)
	}
}

func images(k containertest.Kind) string {
	if k == containertest.Podman { // which runs a folder
		return ""
	}
	return containertest.Image
}

// TestContainers has containers of every runtime, in every layout of cgroups that
// it can be in, with every source.
func TestContainers(t *testing.T) {
	for _, kind := range containertest.Kinds() {
		for _, layout := range []containertest.Layout{containertest.LayoutHost, containertest.LayoutLegacy, containertest.LayoutUnified} {
			if layout != containertest.LayoutHost && (testing.Short() || kind == containertest.Podman || kind == containertest.CRI) {
				continue // what it is called by is one of those below
			}
			t.Run(string(kind)+"/"+layout.String(), func(t *testing.T) {
				rig := containertest.StartWith(t, kind, containertest.Options{Layout: layout})
				var spec containertest.Spec
				if kind != containertest.Nspawn { // which has none
					spec.Labels = map[string]string{"of": "the test"}
				}
				web := rig.Run("web", spec)
				for _, source := range []string{"procfs", "bpf"} {
					t.Run(source, func(t *testing.T) { inContainer(newYard(t, rig, source), web) })
				}
			})
		}
	}
}

// inContainer has processes of a container be made in all the ways there are.
func inContainer(y *yard, web *containertest.Container) {
	image := images(y.rig.Kind)
	child := web.Fork()
	grandchild, orphan := child.Fork(), child.Orphan()
	entered := web.Exec()
	below := entered.Fork()
	child.Become("nginx")
	for _, pid := range []int{web.PID, child.PID, grandchild.PID, orphan.PID, entered.PID, below.PID} {
		y.check(pid, web, image)
	}
	if self := y.where(linuxtest.Start(y.T).PID); self.In() || self.Container.ID != "" {
		y.Errorf("the test is in %+v", self)
	}
	if spoken[y.rig.Kind] != "" {
		for _, p := range []*containertest.Process{web.Process, child, grandchild, orphan, below} {
			y.entered(p.PID, false)
		}
		m := y.where(entered.PID)
		y.entered(entered.PID, m.In())
	}
	y.inside(web, web.Process, child, orphan, entered)
	for _, p := range []*containertest.Process{below, entered, grandchild, orphan, child} {
		p.Kill()
	}
	web.Reap()
}

// inside finds processes by their PIDs in the container.
func (y *yard) inside(web *containertest.Container, processes ...*containertest.Process) {
	y.Helper()
	first := y.process(web.PID)
	d, err := y.tree.Details(first.ID)
	if err != nil {
		y.Fatal(err)
	}
	for _, p := range processes {
		got, err := y.tree.ProcessInNamespace(d.PIDNamespace, p.Inner)
		if err != nil || got.ID.PID != p.PID {
			y.Errorf("process %d inside is %v, %v; want %d", p.Inner, got.ID, err, p.PID)
		}
	}
}

// TestContainerInCustomCgroup has paths that do not tell of the container.
func TestContainerInCustomCgroup(t *testing.T) {
	for _, kind := range []containertest.Kind{containertest.Docker, containertest.Containerd} {
		t.Run(string(kind), func(t *testing.T) {
			rig := containertest.Start(t, kind)
			job := rig.Run("job", containertest.Spec{CgroupParent: "/actions_job/7"})
			y := newYard(t, rig, "procfs")
			y.check(job.PID, job, images(kind))
			y.check(job.Fork().PID, job, images(kind))
			y.check(job.Exec().PID, job, images(kind))
		})
	}
}

// TestContainerOnHostPIDs has a container in the PID namespace of the host.
func TestContainerOnHostPIDs(t *testing.T) {
	rig := containertest.Start(t, containertest.Docker)
	web := rig.Run("web", containertest.Spec{HostPID: true})
	y := newYard(t, rig, "bpf")
	child, entered := web.Fork(), web.Exec()
	for _, p := range []*containertest.Process{web.Process, child, entered} {
		y.check(p.PID, web, containertest.Image)
		y.entered(p.PID, p == entered)
	}
}

// TestContainerInContainer has one container run another one.
func TestContainerInContainer(t *testing.T) {
	rig := containertest.Start(t, containertest.Docker)
	outer := rig.Run("outer", containertest.Spec{Nests: true})
	inner := outer.Run("inner", containertest.Spec{})
	y := newYard(t, rig, "procfs")
	y.check(outer.PID, outer, containertest.Image)
	m := y.where(inner.PID)
	named := append([]container.Container{m.Container}, m.Outer...)
	if !slices.ContainsFunc(named, func(c container.Container) bool { return c.ID == outer.ID && c.Name == "outer" }) {
		y.Errorf("in %+v of %+v, want one of them to be outer", m.Identity, named)
	}
}

// TestContainerRemoved asks for processes while their containers are removed and
// others made. None may be told to be in another one.
func TestContainerRemoved(t *testing.T) {
	for _, kind := range []containertest.Kind{containertest.Docker, containertest.Containerd, containertest.Podman} {
		t.Run(string(kind), func(t *testing.T) {
			rig := containertest.Start(t, kind)
			y := newYard(t, rig, "bpf")
			for i := range 4 {
				web := rig.Run("web"+strconv.Itoa(i), containertest.Spec{})
				y.appear(web)
				y.check(web.PID, web, images(kind))
				p, child := y.process(web.PID), y.process(web.Fork().PID)
				removed := make(chan struct{})
				var asking sync.WaitGroup
				asking.Go(func() {
					for over := false; !over; {
						select {
						case <-removed:
							over = true
						default:
						}
						for _, id := range []process.ID{p.ID, child.ID} {
							now, err := y.tree.ProcessByID(id)
							if err != nil {
								if !errors.Is(err, lineage.ErrNotFound) && !errors.Is(err, lineage.ErrIncomplete) {
									y.Errorf("%v: %v", id, err)
								}
								continue
							}
							if m := y.tree.Container(&now); m.In() && m.Identity.Container != web.ID || m.Container.ID != "" && m.Container.ID != web.ID {
								y.Errorf("%v is in %+v, named %+v; want %s", id, m.Identity, m.Container, web.ID)
							}
						}
					}
				})
				web.Remove()
				close(removed)
				asking.Wait()
			}
		})
	}
}

// TestUnitIsNoContainer has the paths of systemd's units, of which none is a
// container's.
func TestUnitIsNoContainer(t *testing.T) {
	tree, err := lineage.NewTree(lineage.Options{Source: "procfs"})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	p := process.Process{Cgroup: process.Cgroup{Membership: "0::/system.slice/ssh.service\n", Group: "/system.slice/ssh.service"}}
	if m := tree.Container(&p); m.In() || m.Identity.Role != cgroup.RoleNone || m.Unit.Name != "ssh.service" {
		t.Errorf("%+v", m)
	}
	if from, ok := tree.Entrance(&p); ok {
		t.Errorf("it entered from %v", from)
	}
}
