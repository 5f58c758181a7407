package containertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// Layout is which cgroup hierarchies a rig's runtime sees below /sys/fs/cgroup.
type Layout uint8

// The layouts. With LayoutLegacy and LayoutUnified, processes have the paths of
// the other hierarchies too in /proc/PID/cgroup, but the runtime leaves those
// as they are.
const (
	// LayoutHost is that of the machine. For crun on a machine that is
	// hybrid it is LayoutLegacy, since crun refuses a hybrid one where v2
	// has controllers (libcrun_get_cgroup_mode).
	LayoutHost Layout = iota
	// LayoutLegacy has the hierarchies of cgroup v1 alone. It needs
	// [linuxtest.CgroupV1].
	LayoutLegacy
	// LayoutUnified has the one of cgroup v2 alone. It needs
	// [linuxtest.CgroupV2].
	LayoutUnified
)

// String returns the name of the layout.
func (l Layout) String() string {
	switch l {
	case LayoutLegacy:
		return "legacy"
	case LayoutUnified:
		return "unified"
	default:
		return "host"
	}
}

func (l Layout) needs() []linuxtest.Feature {
	switch l {
	case LayoutLegacy:
		return []linuxtest.Feature{linuxtest.CgroupV1}
	case LayoutUnified:
		return []linuxtest.Feature{linuxtest.CgroupV2}
	default:
		return nil
	}
}

const cgroupRoot = "/sys/fs/cgroup"

// arrange makes the layout in a mount namespace that is the caller's own.
func (l Layout) arrange() error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	switch l {
	case LayoutLegacy:
		for _, m := range mounts {
			if !m.unified {
				continue
			}
			if m.dir == cgroupRoot {
				return fmt.Errorf("%s is of cgroup v2 alone", cgroupRoot)
			}
			if err := unix.Unmount(m.dir, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmounting %s: %w", m.dir, err)
			}
		}
	case LayoutUnified:
		if slices.Contains(mounts, mount{dir: cgroupRoot, unified: true}) {
			return nil
		}
		if err := unix.Unmount(cgroupRoot, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", cgroupRoot, err)
		}
		if err := unix.Mount("cgroup2", cgroupRoot, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mounting cgroup v2: %w", err)
		}
	case LayoutHost:
	}
	return nil
}

// hybrid reports whether both versions are mounted here.
func hybrid() (bool, error) {
	mounts, err := cgroupMounts()
	unified := func(m mount) bool { return m.unified }
	legacy := func(m mount) bool { return !m.unified }
	return slices.ContainsFunc(mounts, unified) && slices.ContainsFunc(mounts, legacy), err
}

// privateCgroups reports whether containers have cgroup namespaces, as engines
// have it by default where there is cgroup v2 alone.
func (rig *Rig) privateCgroups() bool {
	root := procfs(rig.keeper.cmd.Process.Pid, "root"+cgroupRoot)
	_, err := os.Stat(filepath.Join(root, "cgroup.controllers"))
	return err == nil
}

// A mount is a mounted cgroup hierarchy.
type mount struct {
	dir     string
	unified bool
}

// cgroupMounts returns the hierarchies in the caller's mount namespace.
func cgroupMounts() ([]mount, error) {
	var found []mount
	err := eachMount(func(dir, fstype string) {
		below := dir == cgroupRoot || filepath.Dir(dir) == cgroupRoot
		if below && (fstype == "cgroup" || fstype == "cgroup2") {
			found = append(found, mount{dir, fstype == "cgroup2"})
		}
	})
	return found, err
}

// eachMount calls f for the mounts in the caller's mount namespace, in the
// order in which they were made.
func eachMount(f func(dir, fstype string)) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		// 36 35 98:0 ROOT MOUNTPOINT rw,noatime shared:1 - TYPE SOURCE rw
		head, tail, _ := strings.Cut(line, " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) < 5 || len(t) < 1 {
			return fmt.Errorf("mountinfo: %q", line)
		}
		f(h[4], t[0])
	}
	return nil
}
