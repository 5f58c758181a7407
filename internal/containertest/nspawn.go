package containertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// nspawn works systemd-nspawn where no systemd runs: it registers the container
// nowhere, and makes the cgroups that systemd would.
type nspawn struct {
	rig     *Rig
	running map[string]*command // by container
}

func (n *nspawn) start() error {
	n.running = map[string]*command{}
	return nil
}

func (n *nspawn) socket() string { return "" }

// join runs a command that is in the cgroups from its first step on.
const join = `for dir in $1; do echo $$ >"$dir/cgroup.procs"; done; shift; exec "$@"`

func (n *nspawn) run(c *Container, s Spec) error {
	if len(s.Labels) > 0 || s.Nests {
		return errors.New("nspawn has no labels, and nests nothing here")
	}
	parent := s.CgroupParent
	if parent == "" {
		parent = "/machine.slice"
	}
	unit := n.rig.below(filepath.Join(parent, "systemd-nspawn@"+c.Name+".service"))
	hierarchies, err := n.rig.hierarchies()
	if err != nil {
		return err
	}
	var dirs []string
	for _, h := range hierarchies {
		dir := filepath.Join(h, unit)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A new cgroup of this controller takes no process before it has
		// been given CPUs (cpuset_can_attach). Nobody needs it here.
		if cpus, err := os.ReadFile(filepath.Join(dir, "cpuset.cpus")); err == nil && len(cpus) <= 1 && filepath.Base(h) == "cpuset" {
			continue
		}
		dirs = append(dirs, dir)
	}
	args := []string{"sh", "-ec", join, "sh", strings.Join(dirs, " ")}
	if s.HostPID {
		args = append(args, "env", "SYSTEMD_NSPAWN_SHARE_NS_PID=1")
	}
	args = append(args, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--machine="+c.Name, "--directory="+c.root,
		"--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe", "--bind="+c.steps+":/steps")
	log := "nspawn-" + c.Name + ".log"
	n.running[c.ID], err = n.rig.spawn(log, append(args, initArgs()...)...)
	return err
}

func (n *nspawn) exec(c *Container, args []string) error {
	// All hierarchies of the machine: nspawn is also in one that its layout
	// does not have (sync_cgroup).
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	var hierarchies []string
	for _, m := range mounts {
		hierarchies = append(hierarchies, procfs(os.Getpid(), "root"+m.dir))
	}
	text, err := os.ReadFile(procfs(c.PID, "cgroup"))
	if err != nil {
		return err
	}
	dirs, err := membership(hierarchies, string(text), n.rig.group)
	if err != nil {
		return err
	}
	enter := []string{"sh", "-ec", join, "sh", dirs, "nsenter", "--target", strconv.Itoa(c.PID), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	_, err = n.rig.spawn(fmt.Sprintf("exec-%s-%d.log", c.Name, c.processes), append(enter, args...)...)
	return err
}

func (n *nspawn) remove(c *Container) error {
	if err := kill(c.PID); err != nil {
		return err
	}
	_, err := n.running[c.ID].next() // with the status of its init
	return err
}
