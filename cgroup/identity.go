package cgroup

import (
	"slices"
	"strings"
)

// A Runtime is the name of what made a container, as far as its cgroup's path
// tells. The empty Runtime is one that is not known.
type Runtime string

// The runtimes that Identify knows. Some are rather managers (ecs, nomad),
// where the path names the manager and not the runtime that it used.
const (
	Apptainer   Runtime = "apptainer"
	BuildKit    Runtime = "buildkit"   // one step of a build, in buildkitd or dockerd
	Containerd  Runtime = "containerd" // by its CRI plugin or ctr
	CRIO        Runtime = "cri-o"
	Crun        Runtime = "crun" // run by hand
	Docker      Runtime = "docker"
	ECS         Runtime = "ecs"    // Amazon ECS, on EC2 and Fargate
	Garden      Runtime = "garden" // Cloud Foundry and Concourse
	Kata        Runtime = "kata"   // the host's side of a pod in a virtual machine
	LibvirtLXC  Runtime = "libvirt-lxc"
	LXC         Runtime = "lxc" // and LXD, Incus, Proxmox
	Mesos       Runtime = "mesos"
	Nerdctl     Runtime = "nerdctl"
	Nomad       Runtime = "nomad"  // a task, whichever driver runs it
	Nspawn      Runtime = "nspawn" // systemd-nspawn
	Podman      Runtime = "podman"
	Rkt         Runtime = "rkt"
	Runc        Runtime = "runc" // run by hand
	Singularity Runtime = "singularity"
	Youki       Runtime = "youki" // run by hand
)

// An Identity is what the path of a cgroup tells of the container that its
// processes are in, or beside. The zero Identity is that of a process of the
// host.
type Identity struct {
	Runtime Runtime
	// Container is the container's ID, or its name where the runtime has no
	// other ID (LXC, nspawn). Empty for none.
	Container string
	// Pod is the UID of the Kubernetes pod, in the form that the API server
	// shows: with dashes, but without for a static pod, whose UID is a hash.
	// For Podman it is the ID of Podman's pod. A container in a container of
	// a pod is in that pod. Empty for none.
	Pod string
	// Role is what the process is to the container. It is RoleNone, with no
	// Container but perhaps a Pod, if there is none.
	Role Role
	// Beside is the ID of the container that a process with RoleHelper
	// serves, where the path has it.
	Beside string
	// Inside is the rest of the path, below the container's own cgroup. It
	// is where the process is in the container's own hierarchy, if the
	// container has one: UnitOf(Inside) is the unit of a systemd that runs
	// in the container. Empty for none.
	Inside string
	// Outer are the containers that this one runs in, from the nearest to
	// the outermost. The Outer of each is nil.
	Outer []Identity
}

// Identify tells which container the processes of a cgroup are in, by its path
// as [Line.Path] has it. If containers are nested, it is the innermost.

// It goes by the names that runtimes and managers give to cgroups, and where a
// name is not enough to be sure, it says nothing: a wrong container is worse
// than none. A path with leading ".." elements, which is seen from inside a
// cgroup namespace, is read like any other, but rules that hold only at the
// root of the hierarchy are not used.

// Identify takes time linear in the length of the path. It allocates for
// nested containers, for names that systemd escaped and for the dashes of a
// pod's UID that systemd has as underscores, else not.
func Identify(path string) Identity {
	w := walk{place: place{root: true, absolute: true}}
	for i := 0; i < len(path); {
		if path[i] == '/' {
			i++
			continue
		}
		end := len(path)
		if n := strings.IndexByte(path[i:], '/'); n >= 0 {
			end = i + n
		}
		w.step(path[i:end], path[end:])
		i = end
	}
	return w.result()
}

// A walk goes down a path, element by element.
type walk struct {
	place
	found Identity   // the innermost so far
	outer []Identity // what found is in, from the outermost to the nearest
	pod   string     // of the pod that was entered and in which no container was yet
	// entered: the element above is the container's cgroup.
	entered bool
}

// A place is where in the path an element stands.
type place struct {
	// root: directly below a root, the host's or a container's.
	root bool
	// absolute: that root is known to be one, no ".." led away from it.
	absolute bool
	// top is the first element below the nearest root.
	top string
	// parent and grandparent are the elements above, up to the root.
	parent, grandparent string
	// parentAnchored: parent is directly below a root or a systemd unit, and
	// so was made by a runtime for all of its containers.
	parentAnchored bool
	// inPod: the element is in a pod, and in no container of it.
	inPod bool
}

// step takes the next element. rest is the path after it.
func (w *walk) step(elem, rest string) {
	if elem == ".." && w.root && w.found.Role == RoleNone {
		w.absolute = false
		return
	}
	if w.entered && w.wrapper(elem) {
		w.entered = false
		w.found.Inside = rest
		return
	}
	w.entered = false
	if pod, ok := podOf(elem, w.parent); ok {
		w.pod = pod
		w.descend(elem)
		return
	}
	if slice, _, ok := strings.Cut(elem, ":"); ok {
		if pod, ok := podOf(slice, ""); ok {
			w.pod = pod
		}
	}
	w.inPod = w.pod != ""
	m, ok := match(elem, w.place)
	if !ok {
		w.descend(elem)
		return
	}
	w.enter(m, rest)
}

// wrapper tells whether elem, directly below a container's cgroup, is one that
// the runtime made for the container and not the container for itself.
func (w *walk) wrapper(elem string) bool {
	if w.found.Role != RoleContainer {
		return false
	}
	switch elem {
	case "container":
		return true // made by crun, for the container to manage
	case "ns":
		return w.found.Runtime == LXC // lxc.cgroup.dir.container.inner of Proxmox
	case "ctr":
		return w.found.Runtime == Podman
	case "conmon":
		if w.found.Runtime != Podman {
			return false
		}
		w.found.Role = RoleHelper
		w.found.Beside, w.found.Container = w.found.Container, ""
		return true
	}
	return false
}

// descend goes into a cgroup that stands for no container.
func (w *walk) descend(elem string) {
	if w.root {
		w.top = elem
	}
	if w.parentAnchored && w.parent == "garden" && (elem == "good" || elem == "bad") {
		return // Guardian sorts containers by CPU use, which is not a level of naming
	}
	w.parentAnchored = w.root || isUnitName(w.parent)
	w.grandparent, w.parent = w.parent, elem
	w.root = false
}

// enter goes into the cgroup of the container, or of the helper, that m is.
func (w *walk) enter(m finding, rest string) {
	w.entered = true
	if m.role == RoleContainer && w.found.Role == RoleContainer && m.id == w.found.Container {
		w.found.Inside = rest // the same container's cgroup in its cgroup
		w.place = place{root: true, absolute: w.absolute}
		return
	}
	pod := w.pod
	if w.found.Role != RoleNone {
		w.outer = append(w.outer, w.found)
		if pod == "" {
			pod = w.found.Pod
		}
	}
	w.found = Identity{Runtime: m.runtime, Pod: pod, Role: m.role, Inside: rest}
	if m.role == RoleHelper {
		w.found.Beside = m.id
	} else {
		w.found.Container = m.id
	}
	w.pod = ""
	w.place = place{root: true, absolute: true}
}

func (w *walk) result() Identity {
	if w.found.Role == RoleNone {
		w.found.Pod = w.pod
	}
	slices.Reverse(w.outer)
	w.found.Outer = w.outer
	return w.found
}
