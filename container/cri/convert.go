package cri

import (
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// The labels that the kubelet gives a container.
const (
	labelContainer = "io.kubernetes.container.name"
	labelPod       = "io.kubernetes.pod.name"
	labelNamespace = "io.kubernetes.pod.namespace"
	labelUID       = "io.kubernetes.pod.uid"
)

// ofContainer returns what a list tells of a container. The pod is that of its
// own labels, which are not those of the pod, so the workload is not known.
func ofContainer(runtime cgroup.Runtime, m *cri.Container) container.Container {
	labels := m.GetLabels()
	name := labels[labelContainer]
	if name == "" {
		name = m.GetMetadata().GetName()
	}
	return container.Container{
		Runtime: runtime,
		ID:      m.GetId(),
		Name:    name,
		Image:   imageOf(m.GetImage(), m.GetImageRef()),
		State:   stateOf(m.GetState()),
		Labels:  labels,
		Pod:     container.Pod{UID: labels[labelUID], Name: labels[labelPod], Namespace: labels[labelNamespace]},
	}
}

// ofSandbox returns what a list tells of a sandbox, whose labels are those of
// the pod.
func ofSandbox(runtime cgroup.Runtime, m *cri.PodSandbox) container.Container {
	pod := container.Pod{
		UID:       m.GetMetadata().GetUid(),
		Name:      m.GetMetadata().GetName(),
		Namespace: m.GetMetadata().GetNamespace(),
	}
	pod.Workload = container.WorkloadOf(m.GetLabels(), pod.Name)
	state := container.StateUnknown
	switch m.GetState() {
	case cri.PodSandboxState_SANDBOX_READY:
		state = container.StateRunning
	case cri.PodSandboxState_SANDBOX_NOTREADY:
		state = container.StateExited
	}
	return container.Container{
		Runtime: runtime,
		ID:      m.GetId(),
		Name:    pod.Name,
		State:   state,
		Labels:  m.GetLabels(),
		Sandbox: true,
		Pod:     pod,
	}
}

func stateOf(s cri.ContainerState) container.State {
	switch s {
	case cri.ContainerState_CONTAINER_CREATED:
		return container.StateCreated
	case cri.ContainerState_CONTAINER_RUNNING:
		return container.StateRunning
	case cri.ContainerState_CONTAINER_EXITED:
		return container.StateExited
	case cri.ContainerState_CONTAINER_UNKNOWN:
	}
	return container.StateUnknown
}

// imageOf returns the image as the user asked for it where the runtime tells,
// else the name that the runtime has for it, else its ID. The kubelet asks for
// an image by the ID that the user's name stands for.
func imageOf(spec *cri.ImageSpec, ref string) string {
	names := []string{spec.GetUserSpecifiedImage(), spec.GetImage(), ref}
	for _, name := range names {
		if name != "" && !isImageID(name) {
			return name
		}
	}
	for _, id := range names {
		if id != "" {
			return id
		}
	}
	return ""
}

// isImageID reports whether the text is a digest with no name before it.
func isImageID(s string) bool {
	const digits = 64
	hex := strings.TrimPrefix(s, "sha256:")
	return len(hex) == digits && strings.Trim(hex, "0123456789abcdef") == ""
}
