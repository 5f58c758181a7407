package containertest

import "github.com/proclineage/lineage/internal/linuxtest"

// A Kind is a container runtime, and how it is asked for containers.
type Kind string

// The kinds of rigs. Runc and Crun are called by hand and have no daemon.
const (
	Runc       Kind = "runc"
	Crun       Kind = "crun"
	Podman     Kind = "podman"     // with runc; the socket is that of podman system service
	Containerd Kind = "containerd" // by ctr, in the namespace "default"
	CRI        Kind = "cri"        // containerd's CRI plugin, as a kubelet uses it
	Nspawn     Kind = "nspawn"     // systemd-nspawn, without systemd
	Docker     Kind = "docker"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Runc, Crun, Podman, Containerd, CRI, Nspawn, Docker} }

// needs returns the features of the machine that a rig of the kind needs.
func (k Kind) needs() []linuxtest.Feature {
	own := map[Kind][]linuxtest.Feature{
		Runc:       {linuxtest.Runc},
		Crun:       {linuxtest.Crun},
		Podman:     {linuxtest.Podman, linuxtest.Runc},
		Containerd: {linuxtest.Containerd, linuxtest.Runc},
		CRI:        {linuxtest.Containerd, linuxtest.Runc},
		Nspawn:     {linuxtest.Nspawn},
		Docker:     {linuxtest.Docker, linuxtest.Runc},
	}
	return append([]linuxtest.Feature{linuxtest.Root, linuxtest.Cgroups, linuxtest.Busybox}, own[k]...)
}

// engine returns what works the runtime for the rig, nil for an unknown kind.
func (k Kind) engine(rig *Rig) engine {
	switch k {
	case Runc, Crun:
		return &oci{rig: rig, tool: string(k)}
	case Podman:
		return &podman{rig: rig}
	case Containerd:
		return &ctr{containerd{rig: rig}}
	case CRI:
		return &cri{containerd: containerd{rig: rig}}
	case Nspawn:
		return &nspawn{rig: rig}
	case Docker:
		return &docker{rig: rig}
	}
	return nil
}

// An engine works one runtime. Its errors say what the runtime said.
type engine interface {
	// start starts what has to be there before containers are.
	start() error

	// run starts a container whose init is what initArgs says, and sets its
	// ID.
	run(c *Container, s Spec) error

	// exec starts a process in the container, which it need not wait for.
	exec(c *Container, args []string) error

	// remove ends the container and makes the runtime forget it.
	remove(c *Container) error

	// socket is the path of the runtime's API, empty for none.
	socket() string
}
