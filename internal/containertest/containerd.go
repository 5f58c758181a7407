package containertest

import (
	"errors"
	"fmt"
	"os"
)

// containerd is the daemon, with its CRI plugin.
type containerd struct{ rig *Rig }

func (d *containerd) socket() string { return d.rig.path("containerd.sock") }

// unlimited is runc for containers with no share of the CPU, which the CRI
// plugin asks for but cgroup v2 of a hybrid machine has no controller for.
const unlimited = `#!/bin/sh
for arg; do
	if [ "$last" = --bundle ]; then
		sed -i 's/"shares":[0-9]*,\{0,1\}//' "$arg/config.json"
	fi
	last=$arg
done
exec runc "$@"
`

// serve starts the daemon and gives it the image in a namespace.
func (d *containerd) serve(namespace string) error {
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt",
]
[grpc]
address = %q
[ttrpc]
address = %q
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
disable_apparmor = true
disable_hugetlb_controller = true
restrict_oom_score_adj = true
tolerate_missing_hugetlb_controller = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
disable_snapshot_annotations = true
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
BinaryName = %q
`, d.rig.path("root"), d.rig.path("state"), d.socket(), d.socket()+".ttrpc", Image, d.rig.path("cni/bin"), d.rig.path("cni/conf"), d.rig.path("runc"))
	err := errors.Join(
		os.WriteFile(d.rig.path("runc"), []byte(unlimited), 0o755),
		os.WriteFile(d.rig.path("config.toml"), []byte(config), 0o644),
		d.rig.archive(d.rig.path("image.tar")),
	)
	if err == nil {
		err = d.rig.serve("containerd.log", d.socket(), "containerd", "--config", d.rig.path("config.toml"))
	}
	if err == nil {
		_, err = d.call(namespace, "images", "import", "--snapshotter", "native", d.rig.path("image.tar"))
	}
	return err
}

func (d *containerd) call(namespace string, args ...string) (string, error) {
	return d.rig.call(append([]string{"ctr", "--address", d.socket(), "--namespace", namespace}, args...)...)
}

// ctr works containerd by hand.
type ctr struct{ containerd }

const ctrNamespace = "default"

func (d *ctr) start() error { return d.serve(ctrNamespace) }

func (d *ctr) run(c *Container, s Spec) error {
	parent := s.CgroupParent
	if parent == "" {
		parent = "/" + ctrNamespace
	}
	c.ID = c.Name
	args := []string{
		"run", "--detach", "--snapshotter", "native", "--cpu-shares", "0", "--cgroup", d.rig.below(parent + "/" + c.ID),
		"--mount", "type=bind,src=" + c.steps + ",dst=/steps,options=rbind:rw",
	}
	for key, value := range s.Labels {
		args = append(args, "--label", key+"="+value)
	}
	if s.HostPID {
		args = append(args, "--with-ns", "pid:"+procfs(d.rig.keeper.cmd.Process.Pid, "ns/pid"))
	}
	if s.Nests {
		args = append(args, "--privileged", "--mount", "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=rw")
		for _, dir := range hostFolders() {
			args = append(args, "--mount", "type=bind,src="+dir+",dst="+dir+",options=rbind:ro")
		}
	}
	args = append(args, Image, c.ID)
	_, err := d.call(ctrNamespace, append(args, initArgs()...)...)
	return err
}

func (d *ctr) exec(c *Container, args []string) error {
	name := fmt.Sprintf("exec-%d", d.rig.calls)
	_, err := d.call(ctrNamespace, append([]string{"tasks", "exec", "--detach", "--exec-id", name, c.ID}, args...)...)
	return err
}

func (d *ctr) remove(c *Container) error {
	if _, err := d.call(ctrNamespace, "tasks", "rm", "--force", c.ID); err != nil {
		return err
	}
	_, err := d.call(ctrNamespace, "containers", "rm", c.ID)
	return err
}
