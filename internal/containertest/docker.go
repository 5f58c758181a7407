package containertest

// docker works Docker Engine, with the containerd that it starts itself.
type docker struct{ rig *Rig }

func (d *docker) socket() string { return d.rig.path("docker.sock") }

func (d *docker) start() error {
	err := d.rig.serve("dockerd.log", d.socket(), "dockerd",
		"--data-root", d.rig.path("data"), "--exec-root", d.rig.path("exec"), "--pidfile", d.rig.path("pid"),
		"--host", "unix://"+d.socket(), "--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", d.rig.below("docker"),
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
	if err == nil {
		err = d.rig.archive(d.rig.path("image.tar"))
	}
	if err == nil {
		_, err = d.call("load", "--input", d.rig.path("image.tar"))
	}
	return err
}

func (d *docker) call(args ...string) (string, error) {
	return d.rig.call(append([]string{"docker", "--host", "unix://" + d.socket()}, args...)...)
}

func (d *docker) run(c *Container, s Spec) error {
	args := append([]string{"run", "--detach", "--name", c.Name, "--network", "none"}, runFlags(c, s)...)
	if s.CgroupParent != "" {
		args = append(args, "--cgroup-parent", d.rig.below(s.CgroupParent))
	}
	if s.Nests {
		args = append(args, "--security-opt", "systempaths=unconfined")
	}
	args = append(args, Image)
	id, err := d.call(append(args, initArgs()...)...)
	c.ID = id
	return err
}

func (d *docker) exec(c *Container, args []string) error {
	_, err := d.call(append([]string{"exec", "--detach", c.ID}, args...)...)
	return err
}

func (d *docker) remove(c *Container) error {
	_, err := d.call("rm", "--force", c.ID)
	return err
}
