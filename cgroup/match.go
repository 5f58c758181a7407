package cgroup

import "strings"

// finding is what one element of a path stands for.
type finding struct {
	runtime Runtime
	id      string
	role    Role
}

// match tells which container the cgroup named elem at p stands for.
func match(elem string, p place) (finding, bool) {
	if m, ok := matchParent(elem, p); ok {
		return m, true
	}
	if name, ok := strings.CutPrefix(elem, "lxc.payload."); ok && name != "" {
		return finding{LXC, name, RoleContainer}, true
	}
	if name, ok := strings.CutPrefix(elem, "lxc.monitor."); ok && name != "" {
		return finding{LXC, name, RoleHelper}, true
	}
	if elem == "lxc.pivot" {
		return finding{LXC, "", RoleHelper}, true
	}
	name, scope := strings.CutSuffix(elem, ".scope")
	if n := len(name) - idLen; n >= 0 && isHex(name[n:], idLen) {
		if n == 0 {
			return finding{id: name, role: RoleContainer}, true
		}
		return matchID(name[:n], name[n:], scope || p.inPod)
	}
	if scope {
		return matchScope(name)
	}
	return finding{}, false
}

// matchID is for names that end in an ID as most runtimes make them, 64
// hexadecimal digits. prefix is what stands before, with the separator.
//
// A scope is named PREFIX-ID.scope by the systemd driver of runc and crun, for
// a cgroupsPath of SLICE:PREFIX:ID. A runtime that has such a path and yet uses
// the cgroupfs driver makes a cgroup with just that name, colons and all.
func matchID(prefix, id string, sure bool) (finding, bool) {
	sep := prefix[len(prefix)-1]
	prefix = prefix[:len(prefix)-1]
	if prefix == "kata" && sep == '_' {
		return finding{Kata, id, RoleSandbox}, true
	}
	if sep == ':' {
		slice, name, ok := strings.Cut(prefix, ":")
		if !ok || !strings.HasSuffix(slice, ".slice") {
			return finding{}, false
		}
		prefix, sure = name, true
	} else if sep != '-' {
		return finding{}, false
	}
	switch prefix {
	case "docker":
		return finding{Docker, id, RoleContainer}, true
	case "cri-containerd", "containerd":
		return finding{Containerd, id, RoleContainer}, true
	case "crio":
		return finding{CRIO, id, RoleContainer}, true
	case "crio-conmon":
		return finding{CRIO, id, RoleHelper}, true
	case "libpod", "libpod-payload":
		return finding{Podman, id, RoleContainer}, true
	case "libpod-conmon":
		return finding{Podman, id, RoleHelper}, true
	case "nerdctl":
		return finding{Nerdctl, id, RoleContainer}, true
	case "runc":
		return finding{Runc, id, RoleContainer}, sure
	case "crun":
		return finding{Crun, id, RoleContainer}, sure
	case "youki":
		return finding{Youki, id, RoleContainer}, sure
	}
	if strings.HasSuffix(prefix, "conmon") {
		return finding{"", id, RoleHelper}, sure
	}
	return finding{"", id, RoleContainer}, sure
}

// matchScope is for scopes named by other than an ID of 64 digits. name is
// without the ".scope".
func matchScope(name string) (finding, bool) {
	if m, ok := strings.CutPrefix(name, "machine-"); ok {
		return matchMachine(m)
	}
	prefix, id, ok := strings.Cut(name, "-")
	if !ok || id == "" {
		return finding{}, false
	}
	switch prefix {
	case "docker":
		// A step of a build by the BuildKit in dockerd.
		return finding{BuildKit, id, RoleContainer}, isBuildID(id)
	case "runc":
		return finding{Runc, id, RoleContainer}, true
	case "crun":
		return finding{Crun, id, RoleContainer}, true
	case "youki":
		return finding{Youki, id, RoleContainer}, true
	case "apptainer":
		return finding{Apptainer, id, RoleContainer}, isNumber(id)
	case "singularity":
		return finding{Singularity, id, RoleContainer}, isNumber(id)
	}
	return finding{}, false
}

// matchMachine is for the scopes that systemd-machined makes, whose names say
// for whom: "qemu-1-vm" and others are virtual machines. Those of nspawn are
// told by what is below them, see matchPayload.
func matchMachine(name string) (finding, bool) {
	if id, ok := strings.CutPrefix(name, `lxc\x2d`); ok {
		_, id, ok = strings.Cut(id, `\x2d`)
		return finding{LibvirtLXC, unescape(id), RoleContainer}, ok && id != ""
	}
	if id, ok := strings.CutPrefix(name, `rkt\x2d`); ok {
		id = unescape(id)
		return finding{Rkt, id, RoleContainer}, isUUID(id)
	}
	return finding{}, false
}

// matchParent is for names that say something by where they stand.
func matchParent(elem string, p place) (finding, bool) {
	switch p.top {
	case "ecs":
		if isHex(elem, idLen) || isFargateID(elem) {
			return finding{ECS, elem, RoleContainer}, true
		}
	case "nomad", "nomad.slice":
		if id, ok := nomadTask(elem); ok {
			return finding{Nomad, id, RoleContainer}, true
		}
	case "kata_overhead":
		// kata_overhead/PATH, where PATH is that of the pod's sandbox, holds
		// what of the virtual machine is not charged to the pod.
		if isHex(elem, idLen) {
			return finding{Kata, elem, RoleHelper}, true
		}
	case "kata-overhead.slice":
		if id, ok := runtimeRS(elem); ok {
			return finding{Kata, id, RoleHelper}, true
		}
	}
	if elem == "payload" || elem == "supervisor" {
		return matchPayload(elem, p)
	}
	switch p.parent {
	case "docker":
		return finding{Docker, elem, RoleContainer}, isHex(elem, idLen)
	case "buildkit":
		return finding{BuildKit, elem, RoleContainer}, isBuildID(elem)
	case "default", "k8s.io":
		// The namespaces of containerd: its default cgroup for a container
		// is /NAMESPACE/ID, with any ID that its user likes.
		ok := p.parentAnchored && p.grandparent == "" && p.absolute && isIdentifier(elem) && !isUnitName(elem)
		return finding{Containerd, elem, RoleContainer}, ok
	case "lxc":
		if p.grandparent == "libvirt" {
			return finding{LibvirtLXC, elem, RoleContainer}, true
		}
		return finding{LXC, elem, RoleContainer}, p.parentAnchored
	case "lxc.payload":
		return finding{LXC, elem, RoleContainer}, true
	case "lxc.monitor":
		return finding{LXC, elem, RoleHelper}, true
	case "garden":
		return finding{Garden, elem, RoleContainer}, p.parentAnchored && elem != "good" && elem != "bad"
	case "mesos":
		return finding{Mesos, elem, RoleContainer}, p.parentAnchored && isUUID(elem)
	case "libpod_parent":
		return finding{Podman, "", RoleHelper}, elem == "conmon"
	case "apptainer":
		return finding{Apptainer, elem, RoleContainer}, p.parentAnchored && isNumber(elem)
	case "singularity":
		return finding{Singularity, elem, RoleContainer}, p.parentAnchored && isNumber(elem)
	case "machine":
		if name, ok := strings.CutSuffix(elem, ".libvirt-lxc"); ok && name != "" {
			return finding{LibvirtLXC, libvirtName(name), RoleContainer}, true
		}
	}
	return finding{}, false
}

// matchPayload is for the two cgroups that systemd-nspawn makes in its unit,
// one for the container and one for itself (create_subcgroup).
func matchPayload(elem string, p place) (finding, bool) {
	name, ok := strings.CutPrefix(p.parent, "systemd-nspawn@")
	if ok {
		name, ok = strings.CutSuffix(name, ".service")
	} else if name, ok = strings.CutSuffix(p.parent, ".scope"); ok {
		var machine bool
		name, machine = strings.CutPrefix(name, "machine-")
		ok = machine || p.grandparent == "machine.slice"
	}
	if !ok || name == "" {
		return finding{}, false
	}
	role := RoleContainer
	if elem == "supervisor" {
		role = RoleHelper
	}
	return finding{Nspawn, unescape(name), role}, true
}

// libvirtName strips the "lxc-PID-" that newer versions of libvirt put before
// a container's name.
func libvirtName(name string) string {
	if rest, ok := strings.CutPrefix(name, "lxc-"); ok {
		if n, id, ok := strings.Cut(rest, "-"); ok && isNumber(n) && id != "" {
			return id
		}
	}
	return name
}

// runtimeRS returns the ID in the name of a scope of Kata's runtime-rs.
func runtimeRS(elem string) (string, bool) {
	id, ok := strings.CutPrefix(elem, "runtime-rs-")
	id, scope := strings.CutSuffix(id, ".scope")
	return id, ok && scope && isHex(id, idLen)
}

// nomadTask returns the ID of a task from the name of its cgroup: that of the
// allocation, a dot and the task's name, or a mere UUID in older versions.
func nomadTask(elem string) (string, bool) {
	id, _ := strings.CutSuffix(elem, ".scope")
	if len(id) < uuidLen || !isUUID(id[:uuidLen]) {
		return "", false
	}
	return id, len(id) == uuidLen || len(id) > uuidLen+1 && id[uuidLen] == '.'
}
