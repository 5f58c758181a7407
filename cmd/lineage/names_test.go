package main

import (
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/runtimes"
	"github.com/proclineage/lineage/process"
)

// aRuntime is names of one container, in a pod.
type aRuntime struct{ container.Container }

func webRuntime() aRuntime {
	return aRuntime{container.Container{
		Runtime: cgroup.Containerd, ID: hexID, Name: "nginx", Image: "nginx:1.27", State: container.StateRunning,
		Pod:    container.Pod{Name: "web-7d4f", Namespace: "default", Workload: "deployment/web"},
		Labels: map[string]string{"com.docker.compose.service": "front", "com.docker.compose.project": "shop"},
	}}
}

func (r aRuntime) ByID(id string) (container.Container, bool) { return r.Container, id == r.ID }
func (aRuntime) ByCgroup(string) (container.Container, string, bool) {
	return container.Container{}, "", false
}
func (r aRuntime) Await(enough func() bool) { enough() }
func described(p *process.Process, n answer.Names) Object {
	d := answer.NewDescriber(clock{}, n)
	return d.Process(p)
}
func inDocker(path string) *process.Process {
	return &process.Process{ID: process.ID{PID: 1012}, Name: "nginx", State: process.Alive, Cgroup: in(path)}
}
func ofPath(t *testing.T, path string, n answer.Names) (o Object, text string) {
	t.Helper()
	o = described(inDocker(path), n)
	return o, whyContainer(&o)
}

func TestNamedContainer(t *testing.T) {
	const path = "/docker/" + hexID
	for name, test := range map[string]struct {
		path string
		ask  answer.Names
		want string
	}{
		"named":      {path, webRuntime(), "nginx (pod default/web-7d4f, service shop/front, image nginx:1.27), docker " + hexID},
		"not asked":  {path, nil, hexID + " (docker)"},
		"not known":  {"/docker/" + strings.Repeat("ab", 32), webRuntime(), strings.Repeat("ab", 32) + " (docker, name not known)"},
		"its helper": {"/machine.slice/libpod-conmon-" + hexID + ".scope", webRuntime(), "nginx (pod default/web-7d4f, service shop/front, image nginx:1.27), podman " + hexID + ", beside it, as a helper of the runtime"},
	} {
		if _, text := ofPath(t, test.path, test.ask); text != test.want {
			t.Errorf("%s: %s, want %s", name, text, test.want)
		}
	}
	o, _ := ofPath(t, path+"/docker/"+strings.Repeat("ab", 32), webRuntime())
	if got, want := whyOuter(&o), "nginx (pod default/web-7d4f, service shop/front, image nginx:1.27)"; got != want {
		t.Errorf("around it: %s, want %s", got, want)
	}
	if c := o.Container.Outer[0]; *c.Name != "nginx" || *c.State != "running" || *c.Workload != "deployment/web" || *c.ComposeProject != "shop" {
		t.Errorf("%+v", c)
	}
}

func TestNamedGolden(t *testing.T) {
	objects := []Object{described(inDocker("/docker/"+hexID), webRuntime()), {PID: 1, Name: "systemd", State: "alive", ContainerGroup: new("/init.scope")}}
	golden(t, "ancestors_named.txt", 0, func(s *screen) { writeAncestors(s, objects, false, aZone) })
	golden(t, "tree_by_container_named.txt", 100, func(s *screen) {
		f := newForest(host())
		d := answer.NewDescriber(clock{}, webRuntime())
		d.Prepare(f.procs)
		flags := treeFlags{by: choice{value: "container"}, pids: true}
		v := &treeView{flags: flags, forest: f, describer: d, screen: s, inner: map[int32][]int{}}
		for i := range f.procs {
			if f.procs[i].ID.PID == 990 {
				v.inner[int32(i)] = []int{990, 1}
			}
		}
		v.write(f.groves("container", d))
	})
	golden(t, "why_named_80.txt", 80, func(s *screen) {
		o := nginx()
		o.Container = described(inDocker("/docker/"+hexID), webRuntime()).Container
		o.EnteredFrom = &Link{PID: 902, Name: "containerd-shim", State: "alive"}
		writeWhy(s, &o, "", procText, aNoon, aZone)
	})
}

func TestContainerByName(t *testing.T) {
	d := answer.NewDescriber(clock{}, webRuntime())
	d.Prepare(host())
	for _, name := range []string{"nginx", "web-7d4f", "default/web-7d4f", hexID} {
		if m := inContainer(host(), d, name, byNameOrID(name)); pidsOf(m.processes) != "990" {
			t.Errorf("%s: %s", name, pidsOf(m.processes))
		}
	}
	for _, name := range []string{"default", "web", "ngin", "nginx:1.27", ""} {
		if m := inContainer(host(), d, name, byNameOrID(name)); len(m.processes) > 0 {
			t.Errorf("%s: %s", name, pidsOf(m.processes))
		}
	}
}

func TestSockets(t *testing.T) {
	var s sockets
	for text, want := range map[string][]runtimes.Socket{
		"none":             nil,
		"docker:/a":        {{Kind: runtimes.Docker, Path: "/a"}},
		"cri:/a,podman:/b": {{Kind: runtimes.CRI, Path: "/a"}, {Kind: runtimes.Docker, Path: "/b"}},
	} {
		if err := s.Set(text); err != nil || !slices.Equal(s.find(), want) || s.String() != text {
			t.Errorf("%s: %v, %v", text, s.find(), err)
		}
	}
	for _, text := range []string{"", "docker", "/run/docker.sock", "docker:/a,", "auto,docker:/a"} {
		if err := s.Set(text); !errors.Is(err, runtimes.ErrSocket) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestHangingRuntime has a runtime that never answers name a container.
func TestHangingRuntime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hangs.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := runtimes.Open([]runtimes.Socket{{Kind: runtimes.Docker, Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	n := &watchedNames{container.Watch(container.NamesOptions{Runtimes: r})}
	defer n.Close()
	if o, text := ofPath(t, "/docker/"+hexID, n); o.Container.Name != nil || text != hexID+" (docker, name not known)" {
		t.Errorf("%s: %+v", text, o.Container)
	}
}
