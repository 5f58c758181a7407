package container

import (
	"strings"
	"time"

	"github.com/proclineage/lineage/cgroup"
)

// A Container is what its runtime says of one container. Strings are bytes that
// users and runtimes choose.
type Container struct {
	// Runtime is who said it.
	Runtime cgroup.Runtime
	// ID is the container's ID, in full.
	ID string
	// Name is what people call it: that of docker ps, or in Kubernetes that of
	// the container in its pod's spec. Empty where it has none but its ID.
	Name string
	// Image is the image as it was asked for, such as "nginx:1.27", else by
	// its ID. Empty where there is none.
	Image string
	// State is how far it has got.
	State State
	// PID is its first process, in the PID namespace of the runtime, zero
	// where it has none or where that was not asked for.
	PID int
	// Started is when that process was started, by the wall clock. It is zero
	// where it was not or where that is not known.
	Started time.Time
	// Owner is the user whose runtime it is, zero for the host's own: another
	// one's names nothing but what its user runs.
	Owner int
	// Labels are those of the container. The map is shared and must not be
	// changed.
	Labels map[string]string
	// Sandbox says that it holds the resources of a pod and runs no workload
	// of its own: a pause container.
	Sandbox bool
	// Pod is the pod that it belongs to, zero for none.
	Pod Pod
}

// A Pod is a pod of Kubernetes, or of Podman, which have no namespace.
type Pod struct {
	// UID is that of the API server, or the ID of Podman.
	UID string
	// Name and Namespace are those that people know it by.
	Name, Namespace string
	// Workload is what the pod belongs to, such as "deployment/web", where the
	// labels tell.
	Workload string
}

// State is how far a container has got.
type State uint8

// The states that all runtimes have in common. StateUnknown is also that of a
// runtime's states for which there is no other one here.
const (
	StateUnknown State = iota
	StateCreated
	StateRunning
	StatePaused
	StateExited
)

var stateNames = [...]string{"unknown", "created", "running", "paused", "exited"}

// String returns the name of the state in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the pod's name, with its namespace before it where it has one:
// "default/web-7d4f". It is empty where the name is not known.
func (p Pod) String() string {
	if p.Namespace == "" || p.Name == "" {
		return p.Name
	}
	return p.Namespace + "/" + p.Name
}

// ShortID returns the first twelve digits of an ID that is made of such, as
// people see it, and any other one as it is.
func (c *Container) ShortID() string {
	const short = 12
	if len(c.ID) > short && strings.Trim(c.ID, "0123456789abcdef") == "" {
		return c.ID[:short]
	}
	return c.ID
}

// ComposeService returns the service and the project of Docker Compose, or of
// Podman's, that the container is of, empty for none.
func (c *Container) ComposeService() (service, project string) {
	for _, prefix := range []string{"com.docker.compose.", "io.podman.compose."} {
		if s := c.Labels[prefix+"service"]; s != "" {
			return s, c.Labels[prefix+"project"]
		}
	}
	return "", ""
}

// String says in a line which container it is: "nginx (pod default/web-7d4f,
// image nginx:1.27)".
func (c *Container) String() string {
	name := c.Name
	if name == "" {
		name = c.ShortID()
	}
	var about []string
	if c.Sandbox {
		about = append(about, "sandbox")
	}
	if pod := c.Pod.String(); pod != "" {
		about = append(about, "pod "+pod)
	}
	if service, project := c.ComposeService(); service != "" && service != name {
		if project != "" {
			service = project + "/" + service
		}
		about = append(about, "service "+service)
	}
	if c.Image != "" {
		about = append(about, "image "+c.Image)
	}
	if len(about) == 0 {
		return name
	}
	return name + " (" + strings.Join(about, ", ") + ")"
}
