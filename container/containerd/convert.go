package containerd

import (
	containers "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types/task"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// The namespaces of containerd whose containers are another one's to name.
const (
	kubernetes = "k8s.io"
	docker     = "moby"
)

// The labels of nerdctl, of the CRI plugin and of the kubelet.
const (
	labelNerdctl   = "nerdctl/name"
	labelKind      = "io.cri-containerd.kind"
	labelContainer = "io.kubernetes.container.name"
	labelPod       = "io.kubernetes.pod.name"
	labelNamespace = "io.kubernetes.pod.namespace"
	labelUID       = "io.kubernetes.pod.uid"
)

// ofContainer returns what containerd says of a container without its task. That
// is no state: containerd does not tell one that was not started yet from one
// whose task was deleted.
func ofContainer(namespace string, m *containers.Container) container.Container {
	c := container.Container{Runtime: cgroup.Containerd, ID: m.GetID()}
	if namespace == docker {
		return c
	}
	c.Image, c.Labels = m.GetImage(), m.GetLabels()
	if namespace != kubernetes {
		c.Name = c.Labels[labelNerdctl]
		return c
	}
	c.Name = c.Labels[labelContainer]
	c.Pod = container.Pod{UID: c.Labels[labelUID], Name: c.Labels[labelPod], Namespace: c.Labels[labelNamespace]}
	if c.Labels[labelKind] == "sandbox" {
		c.Sandbox, c.Name = true, c.Pod.Name
		c.Pod.Workload = container.WorkloadOf(c.Labels, c.Pod.Name)
	}
	return c
}

// maxPID is one more than the greatest PID that a kernel can give
// (PID_MAX_LIMIT).
const maxPID = 4 << 20

// setTask takes in what the task of the container tells of it.
func setTask(c *container.Container, p *task.Process) {
	switch p.GetStatus() {
	case task.Status_CREATED:
		c.State = container.StateCreated
	case task.Status_RUNNING, task.Status_PAUSING:
		c.State = container.StateRunning
	case task.Status_PAUSED:
		c.State = container.StatePaused
	case task.Status_STOPPED: // and still has the PID that it had
		c.State = container.StateExited
		return
	default:
		return
	}
	if pid := p.GetPid(); 0 < pid && pid < maxPID {
		c.PID = int(pid)
	}
}
