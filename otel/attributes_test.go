package otel

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// whole returns a process of which everything is known.
func whole() lineage.ProcessInfo {
	start := process.Instant(17123450000000)
	id := func(pid int) process.ID {
		return process.ID{PID: pid, Start: start, Precision: process.ToTick, Inode: uint64(90000 + pid)}
	}
	return lineage.ProcessInfo{
		Process: process.Process{
			ID: id(1012), Name: "nginx", State: process.Ended,
			Parent:  process.Link{ID: id(990), Evidence: process.Scanned},
			Creator: process.Link{ID: id(991), Evidence: process.Observed},
			GroupID: 990, SessionID: 980, TTY: 34816,
			Cgroup: process.Cgroup{Membership: "0::/kubepods/pod1/abc\n", Group: "/kubepods/pod1/abc"},
			Exit:   process.Exit{Evidence: process.Observed, At: start, Status: syscall.WaitStatus(3 << 8)},
		},
		Details: process.Details{
			Exe: "/usr/sbin/nginx (deleted)", Args: []string{"nginx", "-g", "daemon off;"},
			UID: 33, EffectiveUID: 0, NamespacePIDs: []int{1012, 7}, PIDNamespace: 4026532180,
		},
		Ancestors: []process.ID{id(990), id(1)},
		Creators:  []process.ID{id(991), id(1)},
		Container: container.Membership{
			Identity: cgroup.Identity{Runtime: cgroup.Containerd, Container: "abc", Pod: "uid", Role: cgroup.RoleContainer},
			Container: container.Container{
				Runtime: cgroup.Containerd, ID: "abc", Name: "web", Image: "registry:5000/nginx:1.27@sha256:0123",
				Pod: container.Pod{UID: "uid", Name: "web-7d4f", Namespace: "default", Workload: "deployment/web"},
			},
		},
		Start: time.Date(2026, 11, 23, 16, 58, 23, 123456789, time.UTC),
		Exit:  time.Date(2026, 11, 23, 17, 58, 23, 123456789, time.FixedZone("", 3600)),
		User:  "root", BootID: "1b4e28ba-2fa1-11d2-883f-0016d3cca427", HostID: "fdbf79e8af94cb7f9e8df36789187052",
	}
}

// values returns the attributes by name, each of which must be there once and
// not empty.
func values(t *testing.T, attributes []attribute.KeyValue) map[string]any {
	t.Helper()
	byName := map[string]any{}
	for _, a := range attributes {
		if _, twice := byName[string(a.Key)]; twice || !a.Valid() || a.Value.String() == "" || a.Value.String() == "[]" {
			t.Errorf("%s = %q, empty or there twice", a.Key, a.Value.String())
		}
		byName[string(a.Key)] = a.Value.AsInterface()
	}
	return byName
}

func want(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		if list, ok := w.([]string); ok {
			if have, ok := g.([]string); ok && slices.Equal(have, list) {
				continue
			}
		} else if g == w {
			continue
		}
		t.Errorf("%s: %#v, want %#v", name, g, w)
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %#v, want none", name, g)
		}
	}
}

func TestAttributes(t *testing.T) {
	want(t, values(t, Options{CommandArgs: true}.Attributes(whole())), map[string]any{
		"process.pid":                  int64(1012),
		"process.parent_pid":           int64(990),
		"process.vpid":                 int64(7),
		"process.group_leader.pid":     int64(990),
		"process.session_leader.pid":   int64(980),
		"process.interactive":          true,
		"process.creation.time":        "2026-11-23T16:58:23.12Z",
		"process.linux.cgroup":         "0::/kubepods/pod1/abc",
		"process.title":                "nginx",
		"process.executable.path":      "/usr/sbin/nginx (deleted)",
		"process.executable.name":      "nginx",
		"process.command":              "nginx",
		"process.args_count":           int64(3),
		"process.command_args":         []string{"nginx", "-g", "daemon off;"},
		"process.user.id":              int64(0),
		"process.real_user.id":         int64(33),
		"process.owner":                "root",
		"process.user.name":            "root",
		"process.exit.time":            "2026-11-23T16:58:23.123456789Z",
		"process.exit.code":            int64(3),
		"container.id":                 "abc",
		"container.runtime.name":       "containerd",
		"container.image.name":         "registry:5000/nginx",
		"container.image.tags":         []string{"1.27"},
		"container.image.repo_digests": []string{"registry:5000/nginx@sha256:0123"},
		"k8s.pod.uid":                  "uid",
		"k8s.pod.name":                 "web-7d4f",
		"k8s.namespace.name":           "default",
		"k8s.deployment.name":          "web",
		"k8s.container.name":           "web",
		"host.id":                      "fdbf79e8af94cb7f9e8df36789187052",
		"lineage.process.id":           "1012@17123.45~91012",
		"lineage.parent.id":            "990@17123.45~90990",
		"lineage.creator.id":           "991@17123.45~90991",
		"lineage.ancestors":            []string{"990@17123.45~90990", "1@17123.45~90001"},
		"lineage.creators":             []string{"991@17123.45~90991", "1@17123.45~90001"},
		"lineage.boot_id":              "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
		"lineage.pidns":                int64(4026532180),
	})
	for _, a := range Attributes(whole()) {
		if a.Key == "process.command_args" || a.Key == "process.command_line" {
			t.Errorf("%s, which may have passwords in it, without being asked for", a.Key)
		}
	}
	if got := Attributes(lineage.ProcessInfo{}); len(got) != 0 {
		t.Errorf("of nothing that is known: %v", got)
	}
}

// The names and the types are those of the conventions, in the text of the
// package that has them.
func TestConventions(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "go.opentelemetry.io/otel/semconv/v1.43.0").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "attribute_group.go")
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	kind := regexp.MustCompile(`(?m)^Type: (\S+)`)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		call, ok := spec.Values[0].(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		name, ok := call.Args[0].(*ast.BasicLit)
		if m := kind.FindStringSubmatch(spec.Doc.Text()); ok && m != nil {
			text, _ := strconv.Unquote(name.Value)
			types[text] = m[1]
		}
		return true
	})
	infos := []lineage.ProcessInfo{whole(), whole(), whole()}
	infos[1].Process.State = process.Zombie
	infos[1].Container.Container.Pod.Workload = "statefulset/db"
	infos[1].Container.Container.Image = "sha256:" + strings.Repeat("0", 64)
	infos[2].Container.Identity.Runtime, infos[2].Container.Container.Runtime = cgroup.Docker, cgroup.Docker
	infos[2].Container.Container.Pod, infos[2].Container.Identity.Pod = container.Pod{}, ""
	checked := 0
	for _, info := range infos {
		for _, a := range (Options{CommandArgs: true}).Attributes(info) {
			if strings.HasPrefix(string(a.Key), "lineage.") {
				if types[string(a.Key)] != "" {
					t.Errorf("the conventions have %s", a.Key)
				}
				continue
			}
			checked++
			typed := map[attribute.Type]string{
				attribute.INT64: "int", attribute.STRING: "string", attribute.BOOL: "boolean", attribute.STRINGSLICE: "string[]",
			}[a.Value.Type()]
			if convention := types[string(a.Key)]; convention != typed && (convention != "Enum" || typed != "string") {
				t.Errorf("%s is a %s, the conventions say %q", a.Key, typed, convention)
			}
		}
	}
	if checked < 60 {
		t.Errorf("%d attributes of the conventions", checked)
	}
}

// A real process: what the kernel says of the test itself.
func TestRealProcess(t *testing.T) {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	info, err := tree.Info(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got := values(t, Options{CommandArgs: true}.Attributes(info))
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	cgroups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	sid, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &ns); err != nil {
		t.Fatal(err)
	}
	led := func(pid int) any { // by a process of this PID namespace, or there is no attribute
		if pid == 0 {
			return nil
		}
		return int64(pid)
	}
	for name, w := range map[string]any{
		"process.pid":                int64(os.Getpid()),
		"process.parent_pid":         int64(os.Getppid()),
		"process.vpid":               int64(os.Getpid()),
		"process.group_leader.pid":   led(unix.Getpgrp()),
		"process.session_leader.pid": led(sid),
		"process.executable.path":    exe,
		"process.executable.name":    filepath.Base(exe),
		"process.command":            os.Args[0],
		"process.command_args":       os.Args,
		"process.args_count":         int64(len(os.Args)),
		"process.user.id":            int64(os.Geteuid()),
		"process.real_user.id":       int64(os.Getuid()),
		"process.linux.cgroup":       strings.TrimSuffix(string(cgroups), "\n"),
		"lineage.process.id":         info.Process.ID.String(),
		"lineage.parent.id":          info.Process.Parent.ID.String(),
		"lineage.pidns":              int64(ns.Ino),
	} {
		want(t, map[string]any{name: got[name]}, map[string]any{name: w})
	}
	ancestors, _ := got["lineage.ancestors"].([]string)
	if len(ancestors) == 0 || ancestors[0] != got["lineage.parent.id"] {
		t.Errorf("ancestors %v, want %v first", ancestors, got["lineage.parent.id"])
	}
	started, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["process.creation.time"]))
	if err != nil || time.Since(started) < 0 || time.Since(started) > time.Hour {
		t.Errorf("started at %v, %v", started, err)
	}
}

func TestWhatIsNotKnown(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*lineage.ProcessInfo)
		none   string // names, with spaces between
		some   map[string]any
	}{
		"a parent that is a gap": {func(i *lineage.ProcessInfo) {
			i.Process.Parent.Evidence = process.Unknown
		}, "process.parent_pid lineage.parent.id", nil},
		"a parent that is only a PID": {func(i *lineage.ProcessInfo) {
			i.Process.Parent.ID = process.ID{PID: 990}
		}, "lineage.parent.id", map[string]any{"process.parent_pid": int64(990)}},
		"no parent in this namespace": {func(i *lineage.ProcessInfo) {
			i.Process.Parent.ID, i.Ancestors = process.ID{}, nil
		}, "process.parent_pid lineage.parent.id lineage.ancestors", nil},
		"a creator that is not known": {func(i *lineage.ProcessInfo) {
			i.Process.Creator, i.Creators = process.Link{}, nil
		}, "lineage.creator.id lineage.creators", nil},
		"ended by a signal": {func(i *lineage.ProcessInfo) {
			i.Process.Exit.Status = syscall.WaitStatus(9)
		}, "process.exit.code", map[string]any{"process.exit.time": "2026-11-23T16:58:23.123456789Z"}},
		"ended unobserved": {func(i *lineage.ProcessInfo) {
			i.Process.Exit.Evidence = process.Scanned
		}, "process.exit.code process.exit.time", nil},
		"details that were not read": {func(i *lineage.ProcessInfo) {
			i.Details = process.Details{}
		}, "process.user.id process.real_user.id process.vpid process.command process.args_count lineage.pidns process.executable.name", nil},
		"only watched": {func(i *lineage.ProcessInfo) {
			i.Details = process.Details{}
			i.Process.Owner = process.Owner{Known: true}
			i.Process.NamespacePIDs = []int{1012, 8, 9}
			i.Process.Exec.Args = []string{"sh", "-c"}
		}, "", map[string]any{"process.user.id": int64(0), "process.vpid": int64(9), "process.args_count": int64(2)}},
		"arguments that were cut": {func(i *lineage.ProcessInfo) {
			i.Details = process.Details{}
			i.Process.Exec = process.Command{Args: []string{"sh", "-c"}, ArgsCut: true}
		}, "process.args_count process.command_args", map[string]any{"process.command": "sh"}},
		"one argument that was cut": {func(i *lineage.ProcessInfo) {
			i.Details = process.Details{}
			i.Process.Exec = process.Command{Args: []string{"s"}, ArgsCut: true}
		}, "process.args_count process.command_args process.command", nil},
		"bytes that are no text": {func(i *lineage.ProcessInfo) {
			i.Process.Name, i.Details.Args = "a\xffb", []string{"\xfe", "c\xc3"}
		}, "", map[string]any{
			"process.title": "a\uFFFDb", "process.command": "\uFFFD", "process.command_args": []string{"\uFFFD", "c\uFFFD"},
		}},
		"no session of this namespace": {func(i *lineage.ProcessInfo) {
			i.Process.SessionID, i.Process.GroupID = 0, 0
		}, "process.interactive process.session_leader.pid process.group_leader.pid", nil},
		"no terminal": {func(i *lineage.ProcessInfo) {
			i.Process.TTY = 0
		}, "", map[string]any{"process.interactive": false}},
		"a zombie": {func(i *lineage.ProcessInfo) {
			i.Process.State = process.Zombie
		}, "", map[string]any{"process.state": "defunct"}},
		"a process of the host": {func(i *lineage.ProcessInfo) {
			i.Container = container.Membership{}
		}, "container.id container.runtime.name container.image.name k8s.pod.uid k8s.pod.name k8s.namespace.name", nil},
		"a shim": {func(i *lineage.ProcessInfo) {
			i.Container.Identity.Role, i.Container.Identity.Beside = cgroup.RoleHelper, "abc"
		}, "container.id container.runtime.name container.image.name k8s.pod.uid k8s.container.name", nil},
		"a container without a name": {func(i *lineage.ProcessInfo) {
			i.Container.Container = container.Container{}
		}, "container.name container.image.name k8s.pod.name k8s.namespace.name k8s.container.name",
			map[string]any{"container.id": "abc", "container.runtime.name": "containerd", "k8s.pod.uid": "uid"}},
		"a pod of Podman": {func(i *lineage.ProcessInfo) {
			i.Container.Identity.Runtime, i.Container.Container.Runtime = cgroup.Podman, cgroup.Podman
			i.Container.Container.Pod = container.Pod{UID: "uid", Name: "pod"}
		}, "k8s.pod.uid k8s.pod.name k8s.container.name", map[string]any{"container.name": "web"}},
		"an image by its ID": {func(i *lineage.ProcessInfo) {
			i.Container.Container.Image = "sha256:" + strings.Repeat("a", 64)
		}, "container.image.name container.image.tags", map[string]any{"container.image.id": "sha256:" + strings.Repeat("a", 64)}},
		"an image without a tag": {func(i *lineage.ProcessInfo) {
			i.Container.Container.Image = "registry:5000/nginx"
		}, "container.image.id container.image.tags container.image.repo_digests", map[string]any{"container.image.name": "registry:5000/nginx"}},
		"a strange image": {func(i *lineage.ProcessInfo) {
			i.Container.Container.Image = "@:"
		}, "container.image.id container.image.name container.image.tags container.image.repo_digests", nil},
		"a workload of an unknown kind": {func(i *lineage.ProcessInfo) {
			i.Container.Container.Pod.Workload = "rollout/web"
		}, "k8s.deployment.name", nil},
	} {
		t.Run(name, func(t *testing.T) {
			info := whole()
			test.change(&info)
			got := values(t, Options{CommandArgs: true}.Attributes(info))
			for name := range strings.FieldsSeq(test.none) {
				if v, there := got[name]; there {
					t.Errorf("%s: %v, want none", name, v)
				}
			}
			for name, w := range test.some {
				want(t, map[string]any{name: got[name]}, map[string]any{name: w})
			}
		})
	}
}
