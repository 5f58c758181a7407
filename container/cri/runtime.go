// Package cri asks a runtime of Kubernetes, containerd's CRI plugin or CRI-O,
// over the Container Runtime Interface, version 1.
//
// It tells of the containers of pods and of their sandboxes. The interface has
// no paused containers, and nothing of containers outside Kubernetes.
package cri

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpc"
)

// A Runtime is a runtime of Kubernetes at a socket. It connects for each call
// anew and holds nothing in between.
//
// The errors of its calls wrap that of connect(2) where nobody answers at the
// socket, such as [io/fs.ErrNotExist], [errors.ErrUnsupported] where who answers
// has no CRI version 1 (a containerd whose plugin is disabled, or one before
// 1.6), and that of the context where it ended first. A context without an end
// leaves it to the runtime when a call ends.
type Runtime struct {
	socket string
	name   atomic.Pointer[cgroup.Runtime]
}

var _ container.Runtime = (*Runtime)(nil)

// Open returns the runtime at the socket. It does not connect, so there need not
// be one yet.
func Open(socket string) *Runtime { return &Runtime{socket: socket} }

// Name is what the runtime says that it is called: [cgroup.Containerd],
// [cgroup.CRIO], or "docker" of cri-dockerd. It is empty until a call was
// answered.
func (r *Runtime) Name() cgroup.Runtime {
	if name := r.name.Load(); name != nil {
		return *name
	}
	return ""
}

// Socket is the path of its socket.
func (r *Runtime) Socket() string { return r.socket }

// Close does nothing: there is nothing that it holds.
func (r *Runtime) Close() error { return nil }

// List returns every container and every sandbox, without PID and Started. The
// containers come first.
//
// A container whose sandbox the runtime does not have is in the pod that its own
// labels name.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	var all []container.Container
	err := rpc.Ask(ctx, r.socket, func(c *rpc.Conn) error {
		name, err := r.ask(ctx, c)
		if err != nil {
			return err
		}
		// The containers first: one that is there still has its sandbox then.
		var sandboxes []string
		err = rpc.Each(ctx, c, cri.RuntimeService_ListContainers_FullMethodName, &cri.ListContainersRequest{}, func(m *cri.Container) error {
			all = append(all, ofContainer(name, m))
			sandboxes = append(sandboxes, m.GetPodSandboxId())
			return nil
		})
		if err != nil {
			return err
		}
		pods := make(map[string]container.Pod)
		err = rpc.Each(ctx, c, cri.RuntimeService_ListPodSandbox_FullMethodName, &cri.ListPodSandboxRequest{}, func(m *cri.PodSandbox) error {
			if len(all) == container.MaxContainers {
				return container.ErrTooMany
			}
			s := ofSandbox(name, m)
			all = append(all, s)
			pods[s.ID] = s.Pod
			return nil
		})
		for i, id := range sandboxes {
			if pod, ok := pods[id]; ok {
				all[i].Pod = pod
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the containers of %s: %w", r.socket, err)
	}
	return all, nil
}

// Inspect returns all that the runtime says of the container or the sandbox with
// the ID. A sandbox has no Started: the interface does not tell.
func (r *Runtime) Inspect(ctx context.Context, id string) (container.Container, error) {
	var found container.Container
	err := rpc.Ask(ctx, r.socket, func(c *rpc.Conn) error {
		if id == "" { // which both runtimes take for a mistake of another kind
			return container.ErrNotFound
		}
		name := r.Name()
		var err error
		if name == "" {
			if name, err = r.ask(ctx, c); err != nil {
				return err
			}
		}
		found, err = inspectContainer(ctx, c, name, id)
		if errors.Is(err, container.ErrNotFound) {
			found, err = inspectSandbox(ctx, c, name, id)
		}
		return err
	})
	if err != nil {
		return container.Container{}, fmt.Errorf("inspect container %q of %s: %w", id, r.socket, err)
	}
	return found, nil
}

// ask asks for the runtime's name, which may be another one than before: a
// socket is but a path.
func (r *Runtime) ask(ctx context.Context, c *rpc.Conn) (cgroup.Runtime, error) {
	var version cri.VersionResponse
	if err := c.Call(ctx, cri.RuntimeService_Version_FullMethodName, &cri.VersionRequest{}, &version); err != nil {
		return "", err
	}
	name := cgroup.Runtime(version.GetRuntimeName())
	r.name.Store(&name)
	return name, nil
}
