package containertest

import (
	"fmt"
	"os"
	"path/filepath"
)

// nestedState is where runc in a container has its state.
const nestedState = "/run/runc"

// Run starts a container in the container, which must have been made with
// Nests, by runc whatever the kind of the rig. It ends with the outer one.
// Options that name another namespace or pod are of no use here.
func (c *Container) Run(name string, s Spec) *Container {
	c.rig.t.Helper()
	inner := &Container{Name: name, ID: name, rig: c.rig, outer: c}
	home := filepath.Join(c.steps, "nested", name)
	err := inner.lay(home)
	if err == nil {
		err = inner.nest(home, s)
	}
	if err == nil {
		err = inner.greet()
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(home, "log"))
		c.rig.fatal("run "+name+" in "+c.Name, fmt.Errorf("%w: %s", err, log))
	}
	return inner
}

// nest has runc in the outer container start the inner one.
func (c *Container) nest(home string, s Spec) error {
	seen := filepath.Join("/steps/nested", c.Name) // where the folder is in the outer one
	parent := s.CgroupParent
	if parent == "" {
		parent = "/runc"
	}
	same, err := c.outer.sharesCgroups()
	if err != nil {
		return err
	}
	if same && c.rig.privateCgroups() {
		parent = filepath.Join(c.outer.Cgroup, parent) // it sees all of cgroup v2
	}
	b := bundle{spec: s, cgroup: filepath.Join(parent, c.Name), steps: filepath.Join(seen, "steps"), private: c.rig.privateCgroups()}
	if err := b.write(home); err != nil {
		return err
	}
	// Docker mounts the cgroups for reading alone. What runc says where it
	// fails comes in the place of the init's first line.
	script := fmt.Sprintf(`for dir in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,rw "$dir"; done 2>/dev/null
runc --root %s run --detach --bundle %s %s >%[2]s/log 2>&1 || cat %[2]s/log >%[2]s/steps/1.out`, nestedState, seen, c.ID)
	return c.rig.engine.exec(c.outer, []string{"/bin/sh", "-c", script})
}

// sharesCgroups reports whether the container is in the test's cgroup namespace.
func (c *Container) sharesCgroups() (bool, error) {
	own, err := os.Readlink("/proc/self/ns/cgroup")
	if err != nil {
		return false, err
	}
	its, err := os.Readlink(procfs(c.PID, "ns/cgroup"))
	return own == its, err
}
