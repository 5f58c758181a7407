// Package containerd asks containerd over its own API, which also tells of the
// containers outside Kubernetes: those of nerdctl and ctr.
//
// containerd keeps its clients apart by namespaces (which have nothing to do
// with those of the kernel or of Kubernetes): "default" for nerdctl and ctr,
// "k8s.io" for the CRI plugin, "moby" for Docker. An ID is unique only within
// one.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	namespaces "github.com/containerd/containerd/api/services/namespaces/v1"
	"google.golang.org/grpc/metadata"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpc"
)

// The questions.
const (
	listNamespaces = "/containerd.services.namespaces.v1.Namespaces/List"
	listContainers = "/containerd.services.containers.v1.Containers/ListStream"
	askContainer   = "/containerd.services.containers.v1.Containers/Get"
	listTasks      = "/containerd.services.tasks.v1.Tasks/List"
	askTask        = "/containerd.services.tasks.v1.Tasks/Get"
)

// Options say which containers to tell of. The zero value is all of them.
type Options struct {
	// Namespaces are those of containerd to look into, none for all that
	// there are.
	Namespaces []string
	// Except are those to leave out, such as "k8s.io" where the CRI plugin is
	// asked too, which knows more of it.
	Except []string
}

// A Runtime is containerd at a socket. It connects for each call anew and holds
// nothing in between.
//
// What it tells depends on the namespace. Of "k8s.io", the names of the
// container and of the pod, and what is a sandbox, are those in the labels of
// the CRI plugin, and the workload is that of the sandbox alone. Of "moby" there are only the ID, the state and the PID: Docker
// keeps the names. Elsewhere the name is that of nerdctl, and of ctr there is
// none but the ID. When a container was started is not told.
//
// Where containers in two namespaces have one ID, List has both, and Inspect
// that of which a process is there, or else fails with [container.ErrAmbiguous]. A Runtime
// for each namespace tells them apart.
//
// The errors of its calls wrap that of connect(2) where nobody answers at the
// socket, such as [io/fs.ErrNotExist], [errors.ErrUnsupported] where who answers
// is no containerd, and that of the context where it ended first. A context
// without an end leaves it to the runtime when a call ends.
type Runtime struct {
	socket  string
	options Options
}

var _ container.Runtime = (*Runtime)(nil)

// Open returns containerd at the socket. It does not connect, so it need not run
// yet.
func Open(socket string, o Options) *Runtime {
	o.Namespaces, o.Except = slices.Clone(o.Namespaces), slices.Clone(o.Except)
	return &Runtime{socket: socket, options: o}
}

// Name is [cgroup.Containerd].
func (r *Runtime) Name() cgroup.Runtime { return cgroup.Containerd }

// Socket is the path of its socket.
func (r *Runtime) Socket() string { return r.socket }

// Close does nothing: there is nothing that it holds.
func (r *Runtime) Close() error { return nil }

// List returns every container of the namespaces, with the PID.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	var all []container.Container
	err := rpc.Ask(ctx, r.socket, func(c *rpc.Conn) error {
		l := list{conn: c}
		err := r.each(ctx, c, l.add)
		all = l.all
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the containers of %s: %w", r.socket, err)
	}
	return all, nil
}

// Inspect returns all that containerd says of the container with the ID.
func (r *Runtime) Inspect(ctx context.Context, id string) (container.Container, error) {
	var found []container.Container
	err := rpc.Ask(ctx, r.socket, func(c *rpc.Conn) error {
		return r.each(ctx, c, func(ctx context.Context, namespace string) error {
			one, err := inspect(ctx, c, namespace, id)
			if errors.Is(err, container.ErrNotFound) {
				return nil
			}
			found = append(found, one)
			return err
		})
	})
	if err == nil {
		var one container.Container
		if one, err = theOne(found); err == nil {
			return one, nil
		}
	}
	return container.Container{}, fmt.Errorf("inspect container %q of %s: %w", id, r.socket, err)
}

// theOne returns the one container, or the one that has a process.
func theOne(found []container.Container) (container.Container, error) {
	if len(found) == 0 {
		return container.Container{}, container.ErrNotFound
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(c container.Container) bool { return c.PID == 0 })
	}
	if len(found) != 1 {
		return container.Container{}, container.ErrAmbiguous
	}
	return found[0], nil
}

// each calls look for every namespace, with the context that asks about it.
func (r *Runtime) each(ctx context.Context, c *rpc.Conn, look func(ctx context.Context, namespace string) error) error {
	names := r.options.Namespaces
	if len(names) == 0 {
		err := rpc.Each(ctx, c, listNamespaces, &namespaces.ListNamespacesRequest{}, func(m *namespaces.Namespace) error {
			names = append(names, m.GetName())
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range names {
		if slices.Contains(r.options.Except, name) {
			continue
		}
		if err := look(metadata.AppendToOutgoingContext(ctx, "containerd-namespace", name), name); err != nil {
			return fmt.Errorf("namespace %q: %w", name, err)
		}
	}
	return nil
}
