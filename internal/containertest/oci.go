package containertest

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// oci works runc and crun by hand, which take the same commands.
type oci struct {
	rig  *Rig
	tool string
}

func (o *oci) start() error { return nil }

func (o *oci) socket() string { return "" }

func (o *oci) call(args ...string) error {
	_, err := o.rig.call(append([]string{o.tool, "--root", o.rig.path("state")}, args...)...)
	return err
}

func (o *oci) run(c *Container, s Spec) error {
	home := filepath.Dir(c.root)
	parent := s.CgroupParent
	if parent == "" {
		parent = "/" + o.tool
	}
	b := bundle{spec: s, cgroup: o.rig.below(filepath.Join(parent, c.ID)), steps: c.steps, private: o.rig.privateCgroups()}
	if err := b.write(home); err != nil {
		return err
	}
	return o.call("run", "--detach", "--bundle", home, c.ID)
}

func (o *oci) exec(c *Container, args []string) error {
	return o.call(append([]string{"exec", "--detach", c.ID}, args...)...)
}

func (o *oci) remove(c *Container) error {
	return o.call("delete", "--force", c.ID)
}

// A bundle is what runc and crun make a container of: a folder with the root
// directory in rootfs, and config.json of the OCI runtime specification.
type bundle struct {
	spec   Spec
	cgroup string
	steps  string // the folder that becomes /steps
	// private puts it in a cgroup namespace of its own.
	private bool
}

type ociMount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type,omitempty"`
	Source      string   `json:"source"`
	Options     []string `json:"options,omitempty"`
}

// hostFolders are what a container needs of the host to run runc.
func hostFolders() []string {
	var found []string
	for _, dir := range []string{"/usr", "/lib", "/lib64"} {
		if _, err := os.Stat(dir); err == nil {
			found = append(found, dir)
		}
	}
	return found
}

// nestingCapabilities are what runc needs, and no more: root need not have all.
func nestingCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_SETFCAP",
		"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	}
}

func (b bundle) write(home string) error {
	mounts := []ociMount{
		{"/proc", "proc", "proc", nil},
		{"/dev", "tmpfs", "tmpfs", []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{"/run", "tmpfs", "tmpfs", []string{"nosuid", "mode=755"}},
		{"/steps", "", b.steps, []string{"rbind", "rw"}},
	}
	capabilities := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	if b.spec.Nests {
		mounts = append(mounts, ociMount{"/sys", "sysfs", "sysfs", []string{"nosuid", "noexec", "nodev"}},
			ociMount{"/sys/fs/cgroup", "cgroup", "cgroup", []string{"nosuid", "noexec", "nodev", "relatime"}})
		for _, dir := range hostFolders() {
			mounts = append(mounts, ociMount{dir, "", dir, []string{"rbind", "ro"}})
		}
		capabilities = append(capabilities, nestingCapabilities()...)
	}
	type namespace struct {
		Type string `json:"type"`
	}
	namespaces := []namespace{{"mount"}, {"ipc"}, {"uts"}} // the network is the host's
	if !b.spec.HostPID {
		namespaces = append(namespaces, namespace{"pid"})
	}
	if b.private {
		namespaces = append(namespaces, namespace{"cgroup"})
	}
	config, err := json.Marshal(map[string]any{
		"ociVersion":  "1.0.2",
		"annotations": b.spec.Labels,
		"root":        map[string]any{"path": "rootfs"},
		"mounts":      mounts,
		"process": map[string]any{
			"user": map[string]any{"uid": 0, "gid": 0},
			"args": initArgs(),
			"env":  []string{"PATH=/bin:/usr/sbin:/usr/bin"},
			"cwd":  "/",
			"capabilities": map[string]any{
				"bounding": capabilities, "effective": capabilities, "permitted": capabilities,
			},
		},
		// No resources: where crun limits any under cgroup v2 it raises
		// RLIMIT_MEMLOCK, which takes CAP_SYS_RESOURCE.
		"linux": map[string]any{"cgroupsPath": b.cgroup, "namespaces": namespaces},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(home, "config.json"), config, 0o644)
}
