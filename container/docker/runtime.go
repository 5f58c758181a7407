package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/moby/moby/client"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// DefaultSocket is where the Docker of the whole host listens.
const DefaultSocket = "/run/docker.sock"

// Options say whom to ask. The zero value asks the Docker of the host.
type Options struct {
	// Socket is the path of the socket. The default is DefaultSocket.
	Socket string
	// Name is what the runtime is called. The default is what it says, of
	// [cgroup.Docker] and [cgroup.Podman].
	Name cgroup.Runtime
}

// A Runtime is what listens on one socket, now and after it was started again.
// It implements [container.Runtime].
type Runtime struct {
	o         Options
	transport *transport
	// greeter asks for no more than who is there.
	greeter *client.Client
	// server is who was there last, nil where that is not known.
	server atomic.Pointer[server]
}

var _ container.Runtime = (*Runtime)(nil)

// Open returns the runtime that listens on a socket. It does not connect: that
// comes with the first question, so a runtime that is not there yet, or does
// not answer, is not an error here.
func Open(o Options) (*Runtime, error) {
	if o.Socket == "" {
		o.Socket = DefaultSocket
	}
	r := &Runtime{o: o, transport: newTransport(o.Socket)}
	var err error
	if r.greeter, err = r.client(oldest); err != nil {
		return nil, fmt.Errorf("docker: open %s: %w", o.Socket, err)
	}
	return r, nil
}

// client returns a client that speaks the version of the API.
func (r *Runtime) client(v version) (*client.Client, error) {
	return client.New(
		client.WithHost("unix://"+r.o.Socket),
		// After the host, which would have a transport of another kind.
		client.WithHTTPClient(&http.Client{Transport: r.transport}),
		// The client's own negotiation goes on where it failed, and lets one
		// call wait for another one that hangs.
		client.WithAPIVersion(v.String()),
	)
}

// Name is what the runtime is called: as the options have it, else as it last
// said, and until it has as the socket's path suggests.
func (r *Runtime) Name() cgroup.Runtime {
	if r.o.Name != "" {
		return r.o.Name
	}
	if s := r.server.Load(); s != nil {
		return s.name
	}
	if strings.Contains(r.o.Socket, "podman") {
		return cgroup.Podman
	}
	return cgroup.Docker
}

// Socket is the path of its socket.
func (r *Runtime) Socket() string { return r.o.Socket }

// List returns every container, also those that do not run. Started is known
// from [Runtime.Inspect] alone, and so is the PID, but for Podman's. More than
// [container.MaxContainers], or than 768 MiB about them, is
// [container.ErrTooMany].
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	var list []container.Container
	r.server.Store(nil) // another one may be there by now
	err := r.ask(ctx, "list containers", func(ctx context.Context, s *server) (err error) {
		list, err = s.list(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Inspect returns all that the runtime says of the container with the ID, in
// full. It fails with [container.ErrNotFound], also for what can be no ID and for
// the name of one.
func (r *Runtime) Inspect(ctx context.Context, id string) (container.Container, error) {
	var c container.Container
	err := r.ask(ctx, "inspect container", func(ctx context.Context, s *server) (err error) {
		c, err = s.inspect(ctx, id)
		return err
	})
	if err != nil {
		return container.Container{}, err
	}
	return c, nil
}

// Close closes the connections that no question is using.
func (r *Runtime) Close() error {
	r.transport.base.CloseIdleConnections()
	return nil
}

// ask asks the one who is there. Errors name the socket and what was asked.
func (r *Runtime) ask(ctx context.Context, what string, question func(context.Context, *server) error) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel() // ends the connection where the answer was not read to its end
	var said note
	asking = said.in(asking)
	s := r.server.Load()
	var err error
	if s == nil {
		if s, err = r.meet(asking, &said); err == nil {
			r.server.Store(s)
		}
	}
	if err == nil {
		err = question(asking, s)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case said.err != nil: // of which the client leaves out most
		err = said.err
	}
	if !errors.Is(err, container.ErrNotFound) {
		// The next one may find another server there.
		r.server.CompareAndSwap(s, nil)
	}
	return fmt.Errorf("docker: %s: %s: %w", r.o.Socket, what, err)
}
