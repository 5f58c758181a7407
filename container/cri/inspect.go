package cri

import (
	"context"
	"encoding/json"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpc"
)

func inspectContainer(ctx context.Context, c *rpc.Conn, name cgroup.Runtime, id string) (container.Container, error) {
	var reply cri.ContainerStatusResponse
	request := &cri.ContainerStatusRequest{ContainerId: id, Verbose: true}
	if err := c.Call(ctx, cri.RuntimeService_ContainerStatus_FullMethodName, request, &reply); err != nil {
		return container.Container{}, err
	}
	s := reply.GetStatus()
	if s.GetId() != id { // the runtimes also take the beginning of an ID
		return container.Container{}, container.ErrNotFound
	}
	// What a list tells of it, the status tells under the same names.
	found := ofContainer(name, &cri.Container{
		Id:       s.GetId(),
		Metadata: s.GetMetadata(),
		Image:    s.GetImage(),
		ImageRef: s.GetImageRef(),
		State:    s.GetState(),
		Labels:   s.GetLabels(),
	})
	if at := s.GetStartedAt(); at > 0 {
		found.Started = time.Unix(0, at)
	}
	v := readVerbose(reply.GetInfo())
	found.PID = v.pid(found.State)
	if v.SandboxID == "" {
		return found, nil
	}
	// Without it, the container has the pod of its labels.
	sandbox, err := askSandbox(ctx, c, name, v.SandboxID, false)
	if err == nil {
		found.Pod = sandbox.Pod
	} else if ctx.Err() != nil {
		return container.Container{}, err
	}
	return found, nil
}

func inspectSandbox(ctx context.Context, c *rpc.Conn, name cgroup.Runtime, id string) (container.Container, error) {
	return askSandbox(ctx, c, name, id, true)
}

// askSandbox returns the sandbox, with the PID if it is to be verbose.
func askSandbox(ctx context.Context, c *rpc.Conn, name cgroup.Runtime, id string, verbose bool) (container.Container, error) {
	var reply cri.PodSandboxStatusResponse
	request := &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: verbose}
	if err := c.Call(ctx, cri.RuntimeService_PodSandboxStatus_FullMethodName, request, &reply); err != nil {
		return container.Container{}, err
	}
	s := reply.GetStatus()
	if s.GetId() != id {
		return container.Container{}, container.ErrNotFound
	}
	found := ofSandbox(name, &cri.PodSandbox{
		Id:       s.GetId(),
		Metadata: s.GetMetadata(),
		State:    s.GetState(),
		Labels:   s.GetLabels(),
	})
	found.PID = readVerbose(reply.GetInfo()).pid(found.State)
	return found, nil
}

// verbose is what both runtimes tell in the JSON text "info" of a verbose
// status. The interface says nothing of what is in there.
type verbose struct {
	SandboxID string `json:"sandboxID"`
	PID       int64  `json:"pid"`
}

// readVerbose reads what can be read of it. What cannot is zero.
func readVerbose(info map[string]string) verbose {
	var v verbose
	_ = json.Unmarshal([]byte(info["info"]), &v) // where it fails, v has the fields that are as they should be
	return v
}

// maxPID is one more than the greatest PID that a kernel can give
// (PID_MAX_LIMIT).
const maxPID = 4 << 20

// pid returns the PID, zero where it cannot be one or where that process has
// ended: CRI-O goes on telling it.
func (v verbose) pid(s container.State) int {
	if v.PID < 1 || v.PID >= maxPID || s == container.StateExited || s == container.StateUnknown {
		return 0
	}
	return int(v.PID)
}
