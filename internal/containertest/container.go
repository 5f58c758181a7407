package containertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// A Spec is what a container is to be like.
type Spec struct {
	// CgroupParent is the cgroup to make the container's below, such as
	// "/actions_job/x", instead of the runtime's usual one. Like that one it
	// is below the rig's own. Nspawn's is that of the machine's unit.
	CgroupParent string
	// HostPID leaves the container in the PID namespace of the host.
	HostPID bool
	// Labels are the container's: annotations of Runc and Crun, none of
	// Nspawn, which has no such thing.
	Labels map[string]string
	// Pod is the pod of a container of CRI, where what is empty is chosen.
	// Others have none.
	Pod container.Pod
	// Nests lets [Container.Run] make containers in it. It is privileged
	// then, and has the host's /usr. CRI and Nspawn cannot.
	Nests bool
}

// A Container is a running container. The methods of its [Process] are done by
// its init.
type Container struct {
	*Process

	// ID is the runtime's, in full. For Runc, Crun and Nspawn it is the name.
	ID string
	// Name is the one it was given.
	Name string
	// Cgroup is the path of its init's cgroup, in the first line of
	// /proc/PID/cgroup that has the rig's.
	Cgroup string
	// Pod is the pod of a container of CRI, and Sandbox the ID of the
	// container that holds it.
	Pod     container.Pod
	Sandbox string

	rig       *Rig
	root      string // its files, where the runtime takes a folder
	steps     string // the folder that is its /steps
	processes int
	latest    *Process
	outer     *Container
}

// Run starts a container.
func (rig *Rig) Run(name string, s Spec) *Container {
	rig.t.Helper()
	c := &Container{Name: name, ID: name, rig: rig}
	home := rig.path(filepath.Join("containers", name))
	err := c.lay(home)
	if err == nil {
		err = rig.engine.run(c, s)
	}
	if err == nil {
		err = c.greet()
	}
	if err != nil {
		rig.fatal("run "+name, err)
	}
	return c
}

// lay makes the files of the container in the folder.
func (c *Container) lay(home string) error {
	c.root, c.steps = filepath.Join(home, "rootfs"), filepath.Join(home, "steps")
	if c.rig.made[home] {
		return errors.New("there has been one with the name")
	}
	c.rig.made[home] = true
	if err := errors.Join(os.MkdirAll(c.steps, 0o755), c.rig.layRoot(c.root)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.steps, "run"), []byte(steps), 0o755); err != nil {
		return err
	}
	var err error
	c.Process, err = c.newProcess()
	return err
}

// greet waits for the container's init.
func (c *Container) greet() error {
	if err := c.greeted(); err != nil {
		return err
	}
	text, err := os.ReadFile(procfs(c.PID, "cgroup"))
	if err != nil {
		return err
	}
	for line, err := range cgroup.Lines(string(text)) {
		if err != nil {
			return err
		}
		if strings.HasPrefix(line.Path, "/"+c.rig.group) {
			c.Cgroup = line.Path
			return nil
		}
	}
	return fmt.Errorf("it is not in a cgroup of the rig's: %q", text)
}

// Exec starts a process in the container as the runtime's own exec does, with
// no parent in the container. With no arguments it takes steps; else it is the
// program with the path and arguments. Nspawn has no exec of its own: the process is
// moved to the container's cgroup and enters its namespaces (nsenter).
func (c *Container) Exec(args ...string) *Process {
	c.rig.t.Helper()
	p, err := c.newProcess()
	if err == nil {
		p.deaf = len(args) > 0
		args = append([]string{"/bin/sh", "/steps/run", p.number}, args...)
		if c.outer != nil {
			args = append([]string{"runc", "--root", nestedState, "exec", "--detach", c.ID}, args...)
			err = c.rig.engine.exec(c.outer, args)
		} else {
			err = c.rig.engine.exec(c, args)
		}
	}
	if err == nil {
		err = p.greeted()
	}
	if err == nil && p.deaf {
		err = p.awaitProgram()
	}
	if err != nil {
		c.rig.fatal("exec in "+c.Name, err)
	}
	return p
}

// Remove ends the container and removes it. When it returns the container's
// init has ended.
func (c *Container) Remove() {
	c.rig.t.Helper()
	if c.outer != nil {
		c.rig.fatal("remove "+c.Name, errors.New("it ends with the container it is in"))
	}
	c.end("remove", func(int) error { return c.rig.engine.remove(c) })
}
