package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A pathRow is one line of testdata/paths*.tsv.
type pathRow struct {
	at                            string // file and line
	path, runtime, container, pod string
	role                          Role
}

func pathRows(t testing.TB) []pathRow {
	t.Helper()
	files, err := filepath.Glob("testdata/paths*.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []pathRow
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		known := func(s string) string {
			if s == "-" {
				return ""
			}
			return s
		}
		s := bufio.NewScanner(f)
		for n := 1; s.Scan(); n++ {
			if line := s.Text(); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			cols := strings.Split(s.Text(), "\t")
			if len(cols) != 5 {
				t.Fatalf("%s:%d: %d columns, want 5", name, n, len(cols))
			}
			row := pathRow{
				at:        filepath.Base(name) + ":" + strconv.Itoa(n),
				path:      cols[0],
				runtime:   known(cols[1]),
				container: known(cols[2]),
				pod:       known(cols[3]),
			}
			if err := row.role.UnmarshalText([]byte(cols[4])); err != nil {
				t.Fatalf("%s:%d: %v", name, n, err)
			}
			rows = append(rows, row)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func TestIdentifyPaths(t *testing.T) {
	for _, row := range pathRows(t) {
		id := Identify(row.path)
		if string(id.Runtime) != row.runtime || id.Container != row.container || id.Pod != row.pod || id.Role != row.role {
			t.Errorf("%s: Identify(%q):\n got %q %q %q %v\nwant %q %q %q %v", row.at, row.path,
				id.Runtime, id.Container, id.Pod, id.Role,
				row.runtime, row.container, row.pod, row.role)
		}
	}
}

const (
	idA    = "8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9"
	idB    = "3d0a4e5f6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70"
	idC    = "c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6"
	podUID = "05e102bf-8744-4942-a241-9b6f07983a53"
)

func TestIdentify(t *testing.T) {
	tests := []struct {
		path string
		want Identity
	}{
		{"/system.slice/ssh.service", Identity{}},
		{
			"/docker/" + idA + "/system.slice/ssh.service",
			Identity{Runtime: Docker, Container: idA, Role: RoleContainer, Inside: "/system.slice/ssh.service"},
		},
		{
			"/machine.slice/libpod-" + idA + ".scope/container/init.scope",
			Identity{Runtime: Podman, Container: idA, Role: RoleContainer, Inside: "/init.scope"},
		},
		{
			"/machine.slice/libpod-" + idA + ".scope/container",
			Identity{Runtime: Podman, Container: idA, Role: RoleContainer},
		},
		{
			// The container's own cgroups may have any names.
			"/machine.slice/libpod-" + idA + ".scope/container/conmon",
			Identity{Runtime: Podman, Container: idA, Role: RoleContainer, Inside: "/conmon"},
		},
		{
			"/system.slice/docker-" + idA + ".scope/container/container/ns",
			Identity{Runtime: Docker, Container: idA, Role: RoleContainer, Inside: "/container/ns"},
		},
		{
			"/lxc/101/ns/system.slice/cron.service",
			Identity{Runtime: LXC, Container: "101", Role: RoleContainer, Inside: "/system.slice/cron.service"},
		},
		{
			"/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/init.scope",
			Identity{Runtime: Nspawn, Container: "my-box", Role: RoleContainer, Inside: "/init.scope"},
		},
		{
			"/kubepods/burstable/pod" + podUID + "/crio-conmon-" + idA,
			Identity{Runtime: CRIO, Pod: podUID, Role: RoleHelper, Beside: idA},
		},
		{
			"/libpod_parent/libpod-" + idA + "/conmon",
			Identity{Runtime: Podman, Role: RoleHelper, Beside: idA},
		},
		{
			"/lxc.monitor.mail",
			Identity{Runtime: LXC, Role: RoleHelper, Beside: "mail"},
		},
		{
			"/kubepods/pod" + podUID + "/" + idA + "/docker/" + idB,
			Identity{Runtime: Docker, Container: idB, Pod: podUID, Role: RoleContainer, Outer: []Identity{
				{Container: idA, Pod: podUID, Role: RoleContainer, Inside: "/docker/" + idB},
			}},
		},
		{
			"/docker/" + idA + "/docker/" + idB + "/docker/" + idC + "/x",
			Identity{Runtime: Docker, Container: idC, Role: RoleContainer, Inside: "/x", Outer: []Identity{
				{Runtime: Docker, Container: idB, Role: RoleContainer, Inside: "/docker/" + idC + "/x"},
				{Runtime: Docker, Container: idA, Role: RoleContainer, Inside: "/docker/" + idB + "/docker/" + idC + "/x"},
			}},
		},
		{
			// A node of kind: the pod is in the node, not the node in the pod.
			"/docker/" + idA + "/kubelet/kubepods/pod" + podUID + "/" + idB,
			Identity{Container: idB, Pod: podUID, Role: RoleContainer, Outer: []Identity{
				{Runtime: Docker, Container: idA, Role: RoleContainer, Inside: "/kubelet/kubepods/pod" + podUID + "/" + idB},
			}},
		},
		{
			"/lxc.payload.a/lxc.monitor.b",
			Identity{Runtime: LXC, Role: RoleHelper, Beside: "b", Outer: []Identity{
				{Runtime: LXC, Container: "a", Role: RoleContainer, Inside: "/lxc.monitor.b"},
			}},
		},
		{
			// One container that was given a cgroup in its cgroup.
			"/system.slice/docker-" + idA + ".scope/" + idA,
			Identity{Runtime: Docker, Container: idA, Role: RoleContainer},
		},
	}
	for _, tt := range tests {
		if got := Identify(tt.path); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Identify(%q):\n got %+v\nwant %+v", tt.path, got, tt.want)
		}
	}
}

// TestIdentifyInside holds what makes Inside useful: the units of a systemd in
// a container.
func TestIdentifyInside(t *testing.T) {
	const path = "/system.slice/docker-" + idA + ".scope/system.slice/ssh.service"
	if got := UnitOf(path).Name; got != "docker-"+idA+".scope" {
		t.Errorf("the host's unit: %q", got)
	}
	if got := UnitOf(Identify(path).Inside).Name; got != "ssh.service" {
		t.Errorf("the container's unit: %q", got)
	}
}

func TestIdentifyAllocations(t *testing.T) {
	for _, row := range pathRows(t) {
		id := Identify(row.path)
		want := 0.0
		if strings.Contains(row.path, `\x`) && id.Role != RoleNone {
			want++ // the unescaped name
		}
		if id.Pod != "" && !strings.Contains(row.path, id.Pod) {
			want++ // the dashes of the pod's UID
		}
		if len(id.Outer) > 0 {
			want += 2 // at most, for up to two
		}
		if n := testing.AllocsPerRun(10, func() { Identify(row.path) }); n > want {
			t.Errorf("%s: Identify(%q): %v allocations, want at most %v", row.at, row.path, n, want)
		}
	}
}

// TestIdentifyLong holds that the time is linear in the path's length: it takes
// tens of milliseconds for each path, with the square it would take minutes.
func TestIdentifyLong(t *testing.T) {
	for _, elem := range []string{
		"/docker/" + idA + "/docker/" + idB, "/lxc/a/lxc/b", "/a", "/..", "/a.slice", `/machine-\x2d\x2d.scope/payload`,
		"/pod" + podUID, ":", "-", "_", "/garden/good", "/kubepods-pod-pod",
	} {
		path := strings.Repeat(elem, 1<<20/len(elem))
		start := time.Now()
		Identify(path)
		UnitOf(path)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("1 MiB of %q took %v", elem, took)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	for _, row := range pathRows(f) {
		f.Add(row.path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		id := Identify(path)
		within := unescape(path)
		pods := strings.ReplaceAll(path, "_", "-")
		if len(id.Outer) > 0 && id.Role == RoleNone {
			t.Errorf("containers, but none: %+v", id)
		}
		for i, id := range append([]Identity{id}, id.Outer...) {
			if i > 0 && id.Outer != nil {
				t.Errorf("an outer container has Outer: %+v", id)
			}
			if !strings.Contains(path, id.Container) && !strings.Contains(within, id.Container) {
				t.Errorf("container %q is not in the path", id.Container)
			}
			if !strings.Contains(path, id.Beside) && !strings.Contains(within, id.Beside) {
				t.Errorf("container %q is not in the path", id.Beside)
			}
			if !strings.Contains(path, id.Pod) && !strings.Contains(pods, id.Pod) {
				t.Errorf("pod %q is not in the path", id.Pod)
			}
			if !strings.HasSuffix(path, id.Inside) {
				t.Errorf("inside %q is not how the path ends", id.Inside)
			}
			switch id.Role {
			case RoleNone:
				if id.Runtime != "" || id.Container != "" || id.Beside != "" || id.Inside != "" {
					t.Errorf("no role: %+v", id)
				}
			case RoleContainer, RoleSandbox:
				if id.Container == "" || id.Beside != "" {
					t.Errorf("a container without an ID: %+v", id)
				}
			case RoleHelper:
				if id.Container != "" {
					t.Errorf("a helper in a container: %+v", id)
				}
			}
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	for _, bb := range []struct{ name, path string }{
		{"service", "/system.slice/ssh.service"},
		{"application", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope"},
		{"docker", "/system.slice/docker-" + idA + ".scope"},
		{"pod", "/kubepods/burstable/pod" + podUID + "/" + idA},
		{"pod-systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod05e102bf_8744_4942_a241_9b6f07983a53.slice/cri-containerd-" + idA + ".scope"},
		{"nested", "/docker/" + idA + "/kubelet/kubepods/burstable/pod" + podUID + "/" + idB},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Identify(bb.path)
			}
		})
	}
}

func ExampleIdentify() {
	id := Identify("/kubepods/besteffort/pod05e102bf-8744-4942-a241-9b6f07983a53/" +
		"8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9")
	fmt.Println(id.Role)
	fmt.Println(id.Container[:12])
	fmt.Println(id.Pod)
	// Output:
	// container
	// 8fbd0ec4a1db
	// 05e102bf-8744-4942-a241-9b6f07983a53
}
