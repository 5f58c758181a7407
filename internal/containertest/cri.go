package containertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// cri works containerd as a kubelet does. Each container has a pod of its own.
type cri struct {
	containerd

	client runtime.RuntimeServiceClient
	calls  sync.WaitGroup
	ctx    context.Context //nolint:containedctx // of what goes on until the end of the rig
}

func (d *cri) start() error {
	if err := d.serve("k8s.io"); err != nil {
		return err
	}
	conn, err := grpc.NewClient("unix://"+d.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.rig.t.Cleanup(func() {
		cancel()
		d.calls.Wait()
		_ = conn.Close()
	})
	d.client, d.ctx = runtime.NewRuntimeServiceClient(conn), ctx
	return nil
}

func (d *cri) run(c *Container, s Spec) error {
	if s.Nests {
		return errors.New("nests nothing here")
	}
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	c.Pod = s.Pod
	if c.Pod.UID == "" {
		c.Pod.UID = newUID()
	}
	if c.Pod.Name == "" {
		c.Pod.Name = c.Name + "-pod"
	}
	if c.Pod.Namespace == "" {
		c.Pod.Namespace = "default"
	}
	parent := s.CgroupParent
	if parent == "" {
		parent = "/kubepods/besteffort/pod" + c.Pod.UID
	}
	pid := runtime.NamespaceMode_CONTAINER
	if s.HostPID {
		pid = runtime.NamespaceMode_NODE
	}
	// The host's network: no CNI.
	namespaces := &runtime.NamespaceOption{Network: runtime.NamespaceMode_NODE, Pid: pid, Ipc: runtime.NamespaceMode_POD}
	labels := map[string]string{
		"io.kubernetes.pod.name":      c.Pod.Name,
		"io.kubernetes.pod.namespace": c.Pod.Namespace,
		"io.kubernetes.pod.uid":       c.Pod.UID,
	}
	logs := d.rig.path(filepath.Join("logs", c.Pod.UID))
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	pod := &runtime.PodSandboxConfig{
		Metadata:     &runtime.PodSandboxMetadata{Name: c.Pod.Name, Namespace: c.Pod.Namespace, Uid: c.Pod.UID},
		Labels:       labels,
		LogDirectory: logs,
		Linux: &runtime.LinuxPodSandboxConfig{
			CgroupParent:    d.rig.below(parent),
			SecurityContext: &runtime.LinuxSandboxSecurityContext{NamespaceOptions: namespaces},
		},
	}
	sandbox, err := d.client.RunPodSandbox(ctx, &runtime.RunPodSandboxRequest{Config: pod})
	if err != nil {
		return err
	}
	c.Sandbox = sandbox.PodSandboxId
	own := map[string]string{"io.kubernetes.container.name": c.Name}
	for _, more := range []map[string]string{labels, s.Labels} {
		maps.Copy(own, more)
	}
	made, err := d.client.CreateContainer(ctx, &runtime.CreateContainerRequest{
		PodSandboxId:  c.Sandbox,
		SandboxConfig: pod,
		Config: &runtime.ContainerConfig{
			Metadata: &runtime.ContainerMetadata{Name: c.Name},
			Image:    &runtime.ImageSpec{Image: Image},
			Command:  initArgs(),
			Labels:   own,
			LogPath:  c.Name + ".log",
			Mounts:   []*runtime.Mount{{HostPath: c.steps, ContainerPath: "/steps"}},
			Linux: &runtime.LinuxContainerConfig{
				SecurityContext: &runtime.LinuxContainerSecurityContext{NamespaceOptions: namespaces},
			},
		},
	})
	if err != nil {
		return err
	}
	c.ID = made.ContainerId
	_, err = d.client.StartContainer(ctx, &runtime.StartContainerRequest{ContainerId: c.ID})
	return err
}

// exec is that of a probe, which ends with the process: kubectl exec makes the
// same process, with streams. A process that cannot be made does not come
// forward; so its error is said in its place.
func (d *cri) exec(c *Container, args []string) error {
	instead := c.latest.out
	d.calls.Go(func() {
		_, err := d.client.ExecSync(d.ctx, &runtime.ExecSyncRequest{ContainerId: c.ID, Cmd: args})
		if err != nil {
			_, _ = fmt.Fprintln(instead, err) // nobody reads it where it is the end of the rig
		}
	})
	return nil
}

func (d *cri) remove(c *Container) error {
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	if _, err := d.client.RemoveContainer(ctx, &runtime.RemoveContainerRequest{ContainerId: c.ID}); err != nil {
		return err
	}
	_, err := d.client.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: c.Sandbox})
	return err
}

// newUID returns a random UUID.
func newUID() string {
	const hex = "0123456789abcdef"
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	var b strings.Builder
	for i, r := range random {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b.WriteByte('-')
		}
		b.WriteByte(hex[r%16])
	}
	return b.String()
}
