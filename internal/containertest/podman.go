package containertest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// podman works Podman, with runc below it: crun needs CAP_SYS_RESOURCE for what
// Podman asks of it under cgroup v2.
type podman struct{ rig *Rig }

func (p *podman) socket() string { return p.rig.path("podman.sock") }

func (p *podman) start() error {
	// Podman would raise the limits to its own, as only CAP_SYS_RESOURCE may.
	var files, processes unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &processes); err != nil {
		return err
	}
	config := fmt.Sprintf(`[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
[containers]
log_driver = "none"
pids_limit = 0
default_ulimits = ["nofile=%d:%[1]d", "nproc=%d:%[2]d"]
`, min(files.Max, 1024), min(processes.Max, 4096))
	storage := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", p.rig.path("storage"), p.rig.path("run"))
	for name, text := range map[string]string{"containers.conf": config, "storage.conf": storage} {
		if err := os.WriteFile(p.rig.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	p.rig.env = []string{
		"CONTAINERS_CONF=" + p.rig.path("containers.conf"),
		"CONTAINERS_STORAGE_CONF=" + p.rig.path("storage.conf"),
	}
	return p.rig.serve("podman.log", p.socket(), p.args("system", "service", "--time", "0", "unix://"+p.socket())...)
}

func (p *podman) args(args ...string) []string {
	return append([]string{"podman", "--tmpdir", p.rig.path("tmp")}, args...)
}

func (p *podman) run(c *Container, s Spec) error {
	parent := s.CgroupParent
	if parent == "" {
		parent = "/libpod_parent"
	}
	args := p.args("run", "--detach", "--name", c.Name, "--network", "none", "--cgroup-parent", p.rig.below(parent))
	args = append(args, runFlags(c, s)...)
	args = append(args, "--rootfs", c.root)
	id, err := p.rig.call(append(args, initArgs()...)...)
	c.ID = id
	return err
}

// runFlags are the flags of run that Docker and Podman share.
func runFlags(c *Container, s Spec) []string {
	args := []string{"--volume", c.steps + ":/steps"}
	for key, value := range s.Labels {
		args = append(args, "--label", key+"="+value)
	}
	if s.HostPID {
		args = append(args, "--pid", "host")
	}
	if s.Nests {
		// --privileged would ask for capabilities that root need not have.
		args = append(args, "--tmpfs", "/run", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined")
		for _, name := range nestingCapabilities() {
			args = append(args, "--cap-add", name)
		}
		for _, dir := range hostFolders() {
			args = append(args, "--volume", dir+":"+dir+":ro")
		}
	}
	return args
}

func (p *podman) exec(c *Container, args []string) error {
	_, err := p.rig.call(p.args(append([]string{"exec", "--detach", c.ID}, args...)...)...)
	return err
}

func (p *podman) remove(c *Container) error {
	_, err := p.rig.call(p.args("rm", "--force", "--time", "0", c.ID)...)
	return err
}
