package runtimes

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/proclineage/lineage/container"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Socket{
		"docker:/run/docker.sock":             {Docker, "/run/docker.sock"},
		"docker:unix:///run/docker.sock":      {Docker, "/run/docker.sock"},
		"podman:/run/podman/podman.sock":      {Docker, "/run/podman/podman.sock"},
		"cri:/run/crio/crio.sock":             {CRI, "/run/crio/crio.sock"},
		"containerd:/run/a b/containerd.sock": {Containerd, "/run/a b/containerd.sock"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "docker", "docker:", "docker:run/docker.sock", "/run/docker.sock", "tcp://127.0.0.1:2375", "docker:tcp://1.2.3.4", "unix:///run/docker.sock", "DOCKER:/x"} {
		if got, err := Parse(text); !errors.Is(err, ErrSocket) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	listen := func(path string) Socket {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return Socket{Path: path}
	}
	of := func(k Kind, s Socket) Socket { s.Kind = k; return s }
	if found := Find(root); len(found) != 0 {
		t.Errorf("in an empty folder: %v", found)
	}
	user, c, d := listen("run/user/1000/podman/podman.sock"), listen("run/containerd/containerd.sock"), listen("run/docker.sock")
	if err := os.MkdirAll(filepath.Join(root, "run/crio/crio.sock"), 0o700); err != nil { // no socket
		t.Fatal(err)
	}
	want := []Socket{of(CRI, c), of(Docker, d), of(Containerd, c), of(Docker, user)}
	if found := Find(root); !slices.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
	all, err := Open(want)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all {
		if r.Socket() != want[i].Path {
			t.Errorf("%s at the place of %s", r.Socket(), want[i])
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := Open([]Socket{{Docker, path}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := all[0].(*owned).look(t.Context())
	if err != nil || p.owner != os.Geteuid() || !p.near {
		t.Errorf("%+v, %v; want owner %d, in this PID namespace", p, err, os.Geteuid())
	}
	c := container.Container{PID: 7}
	(&peer{owner: 1000}).told(&c)
	if c.PID != 0 || c.Owner != 1000 {
		t.Errorf("of a runtime in another PID namespace: %+v", c)
	}
	for path, want := range map[string]int{
		"/run/user/1000/docker.sock": 1000, "/run/user/1000/podman/podman.sock": 1000, "/host/run/user/7/x": 7,
		"/run/docker.sock": -1, "/run/user/x/docker.sock": -1, "/run/user": -1,
	} {
		uid, ok := userOf(path)
		if ok != (want >= 0) || ok && uid != want {
			t.Errorf("%s: %d, %v", path, uid, ok)
		}
	}
}
