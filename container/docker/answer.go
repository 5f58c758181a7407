package docker

import (
	"strings"
	"time"

	api "github.com/moby/moby/api/types/container"

	"github.com/proclineage/lineage/container"
)

// The labels that the kubelet has its containers have, through dockershim or
// cri-dockerd (kubelet/types/labels.go).
const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelName         = "io.kubernetes.container.name"
	labelKind         = "io.kubernetes.docker.type"

	kindSandbox = "podsandbox"
)

// fromSummary returns a container as a list tells of it.
func (s *server) fromSummary(from *api.Summary) container.Container {
	c := container.Container{
		Runtime: s.name,
		ID:      from.ID,
		Name:    nameOf(from.Names),
		Image:   imageOf(from.Image, from.ImageID),
		State:   stateOf(from.State),
		Labels:  from.Labels,
	}
	fromLabels(&c)
	return c
}

// fromInspect returns a container as an inspection tells of it.
func (s *server) fromInspect(from *api.InspectResponse) container.Container {
	c := container.Container{
		Runtime: s.name,
		ID:      from.ID,
		Name:    nameOf([]string{from.Name}),
		Image:   imageOf("", from.Image),
	}
	if from.Config != nil {
		c.Image = imageOf(from.Config.Image, from.Image)
		c.Labels = from.Config.Labels
	}
	if from.State != nil {
		c.State = stateOf(from.State.Status)
		c.PID = pidOf(c.State, from.State.Pid)
		c.Started = timeOf(from.State.StartedAt)
	}
	fromLabels(&c)
	return c
}

// fromLabels adds what the kubelet wrote in the labels.
func fromLabels(c *container.Container) {
	c.Pod = container.Pod{
		UID:       c.Labels[labelPodUID],
		Name:      c.Labels[labelPodName],
		Namespace: c.Labels[labelPodNamespace],
	}
	if c.Pod == (container.Pod{}) {
		return
	}
	c.Sandbox = c.Labels[labelKind] == kindSandbox
	if c.Sandbox { // which is not in the pod's spec
		c.Name = ""
	} else if name := c.Labels[labelName]; name != "" {
		c.Name = name
	}
}

// nameOf returns a container's own name of those that it has: links of Docker's
// default network give it some of the form "/other/alias".
func nameOf(names []string) string {
	for _, name := range names {
		if name = strings.TrimPrefix(name, "/"); name != "" && !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

// imageOf returns the image as it was asked for, else its ID. Podman has a bare
// "sha256:" for a container that was made from no image.
func imageOf(name, id string) string {
	if name == "" && id != "sha256:" {
		return id
	}
	return name
}

func stateOf(s api.ContainerState) container.State {
	switch s {
	case api.StateCreated, "configured", "initialized":
		return container.StateCreated
	case api.StateRunning, "stopping":
		return container.StateRunning
	case api.StatePaused:
		return container.StatePaused
	case api.StateExited, api.StateDead, "stopped":
		return container.StateExited
	default: // also restarting and removing, which are between two
		return container.StateUnknown
	}
}

// pidOf returns the first process of a container that is in the state.
func pidOf(s container.State, pid int) int {
	const most = 1 << 22 // PID_MAX_LIMIT
	if pid <= 0 || pid > most || s == container.StateCreated || s == container.StateExited {
		return 0
	}
	return pid
}

// timeOf reads a time, of which the year 1 stands for none.
func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Unix() <= 0 {
		return time.Time{}
	}
	return t.UTC()
}
