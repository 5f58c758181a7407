// Package runtimes finds the sockets of the container runtimes of a host.
package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/containerd"
	"github.com/proclineage/lineage/container/cri"
	"github.com/proclineage/lineage/container/docker"
)

// A Kind is what is spoken at a socket.
type Kind string

// The kinds.
const (
	CRI        Kind = "cri"        // containerd's plugin, CRI-O, cri-dockerd
	Containerd Kind = "containerd" // its own API
	Docker     Kind = "docker"     // also Podman's
)

// kinds are all of them.
var kinds = []Kind{CRI, Containerd, Docker}

// A Socket is where a runtime may listen.
type Socket struct {
	Kind Kind
	Path string
}

// String returns the socket as [Parse] reads it.
func (s Socket) String() string { return string(s.Kind) + ":" + s.Path }

// ErrSocket says that a text names no socket.
var ErrSocket = errors.New("not KIND:PATH, where KIND is cri, containerd or docker and PATH begins with /")

// Parse reads "KIND:PATH", such as "docker:/run/docker.sock". The path may begin
// with "unix://", and the kind "podman" stands for docker.
func Parse(text string) (Socket, error) {
	kind, path, _ := strings.Cut(text, ":")
	if kind == "podman" {
		kind = string(Docker)
	}
	path = strings.TrimPrefix(path, "unix://")
	if !slices.Contains(kinds, Kind(kind)) || !filepath.IsAbs(path) {
		return Socket{}, fmt.Errorf("%q: %w", text, ErrSocket)
	}
	return Socket{Kind(kind), path}, nil
}

// usual is where runtimes listen unless they are told otherwise. Those that know
// more of a container come first.
var usual = []Socket{
	{CRI, "/run/crio/crio.sock"},
	{CRI, "/run/k3s/containerd/containerd.sock"},
	{CRI, "/run/containerd/containerd.sock"},
	{Docker, "/run/docker.sock"},
	{Docker, "/run/podman/podman.sock"},
	{Containerd, "/run/k3s/containerd/containerd.sock"},
	{Containerd, "/run/containerd/containerd.sock"},
	{Docker, "/run/user/*/docker.sock"},
	{Docker, "/run/user/*/podman/podman.sock"},
}

// Find returns the sockets at the usual paths, those of users (rootless
// runtimes) among them, below root: "/" for this host's own.
func Find(root string) []Socket {
	var found []Socket
	for _, u := range usual {
		paths, err := filepath.Glob(filepath.Join(root, u.Path))
		if err != nil {
			continue // of a root with a bracket in its name
		}
		for _, path := range paths {
			// A link would lead root to where a user wants.
			if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
				found = append(found, Socket{u.Kind, path})
			}
		}
	}
	return found
}

// Open returns the runtimes at the sockets, in their order. Nothing is asked
// yet, and there need be nobody yet who listens.
func Open(sockets []Socket) ([]container.Runtime, error) {
	all := make([]container.Runtime, 0, len(sockets))
	for _, s := range sockets {
		r, err := open(s, sockets)
		if err != nil {
			for _, r := range all {
				err = errors.Join(err, r.Close())
			}
			return nil, err
		}
		all = append(all, &owned{r})
	}
	return all, nil
}

// open opens one. Of what containerd has, those who asked it for that know more.
func open(s Socket, all []Socket) (container.Runtime, error) {
	switch s.Kind {
	case CRI:
		return cri.Open(s.Path), nil
	case Containerd:
		var o containerd.Options
		if slices.Contains(all, Socket{CRI, s.Path}) {
			o.Except = append(o.Except, "k8s.io")
		}
		if slices.ContainsFunc(all, func(s Socket) bool { return s.Kind == Docker }) {
			o.Except = append(o.Except, "moby")
		}
		return containerd.Open(s.Path, o), nil
	case Docker:
		var name cgroup.Runtime
		if filepath.Base(s.Path) == "podman.sock" {
			name = cgroup.Podman
		}
		return docker.Open(docker.Options{Socket: s.Path, Name: name})
	}
	return nil, fmt.Errorf("%q: %w", s, ErrSocket)
}

// owned says whose the containers of a runtime are, and leaves out the PIDs of
// one in another PID namespace.
type owned struct{ container.Runtime }

// A peer is who listens on a socket.
type peer struct {
	owner int
	near  bool // in our PID namespace
}

// look asks the kernel who listens on the socket (SO_PEERCRED): who called
// listen(2).
func (o *owned) look(ctx context.Context) (p peer, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", o.Socket())
	if err != nil {
		return p, err
	}
	defer func() { _ = c.Close() }() // nothing was said
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return p, err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return p, err
	}
	if failed != nil {
		return p, os.NewSyscallError("getsockopt", failed)
	}
	p.owner = int(cred.Uid)
	// Who is in a user's folder is that user's, whoever a link there leads to.
	if uid, ok := userOf(o.Socket()); ok && p.owner == 0 {
		p.owner = uid
	}
	own, err := os.Readlink("/proc/self/ns/pid")
	if err == nil && cred.Pid > 0 {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", cred.Pid))
		p.near = err == nil && theirs == own
	}
	return p, nil
}

// userOf returns the user in whose folder of runtime files the path is.
func userOf(path string) (uid int, ok bool) {
	_, rest, found := strings.Cut(path, "/run/user/")
	name, _, _ := strings.Cut(rest, "/")
	uid, err := strconv.Atoi(name)
	return uid, found && err == nil
}

func (p *peer) told(c *container.Container) {
	c.Owner = p.owner
	if !p.near {
		c.PID = 0
	}
}

// List implements [container.Runtime].
func (o *owned) List(ctx context.Context) ([]container.Container, error) {
	p, err := o.look(ctx)
	if err != nil {
		return nil, err
	}
	list, err := o.Runtime.List(ctx)
	for i := range list {
		p.told(&list[i])
	}
	return list, err
}

// Inspect implements [container.Runtime].
func (o *owned) Inspect(ctx context.Context, id string) (container.Container, error) {
	p, err := o.look(ctx)
	if err != nil {
		return container.Container{}, err
	}
	c, err := o.Runtime.Inspect(ctx, id)
	p.told(&c)
	return c, err
}
