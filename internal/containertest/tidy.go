package containertest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// patience is how long a runtime may take for what it is told. It decides
// nothing but when a test that hangs is given up.
const patience = 60 * time.Second

// tidy ends every process of the rig, in the mount namespace of the caller or
// in the rig's cgroup, and removes the cgroup, the mounts and the folder.
func (t task) tidy(hierarchies []string) error {
	for limit := time.Now().Add(patience); ; {
		pids, err := residents(os.Getpid(), t.Group)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			break // whoever could have made more has ended too
		}
		if time.Now().After(limit) {
			return fmt.Errorf("processes %v do not end", pids)
		}
		if err := kill(pids...); err != nil {
			return err
		}
	}
	return errors.Join(t.removeCgroups(hierarchies), t.unmount(), os.RemoveAll(t.Dir))
}

// residents returns the processes in the mount namespace of the keeper, but for
// the keeper, and those in the cgroup with the name. A zombie has ended.
func residents(keeper int, group string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	namespace, err := os.Readlink(procfs(keeper, "ns/mnt"))
	if err != nil {
		return nil, err
	}
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == keeper {
			continue
		}
		own, _ := os.Readlink(procfs(pid, "ns/mnt"))
		groups, _ := os.ReadFile(procfs(pid, "cgroup"))
		if own != namespace && !strings.Contains(string(groups), "/"+group) {
			continue
		}
		if s, err := linuxtest.ReadStat(pid); err == nil && s.State != 'Z' && s.State != 'X' {
			found = append(found, pid)
		}
	}
	return found, nil
}

func procfs(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// kill ends processes and waits until they have ended. All are killed before
// the first is waited for: the init of a PID namespace has not ended before
// others have reaped those of its namespace that are their children
// (zap_pid_ns_processes), which they may do only by ending.
func kill(pids ...int) error {
	var pidfds []int
	defer func() {
		for _, fd := range pidfds {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening %d: %w", pid, err)
		}
		pidfds = append(pidfds, fd)
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("ending %d: %w", pid, err)
		}
	}
	for _, fd := range pidfds {
		if err := linuxtest.AwaitEnd(fd); err != nil {
			return fmt.Errorf("ending %v: %w", pids, err)
		}
	}
	return nil
}

// hold opens the cgroup hierarchies that are mounted and returns paths that lead
// there whatever is unmounted: nspawn makes cgroups in hierarchies that it
// mounts itself.
func hold() ([]string, error) {
	mounts, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, m := range mounts {
		fd, err := unix.Open(m.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", m.dir, err)
		}
		dirs = append(dirs, fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	return dirs, nil
}

// removeCgroups removes the rig's cgroup in the hierarchies that were mounted
// and those that are.
func (t task) removeCgroups(hierarchies []string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		hierarchies = append(hierarchies, m.dir)
	}
	for _, dir := range hierarchies {
		err = errors.Join(err, removeCgroup(filepath.Join(dir, t.Group)))
	}
	return err
}

// removeCgroup removes a cgroup and those below it.
func removeCgroup(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(dir string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, dir)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, dir := range slices.Backward(dirs) {
		// A process that has ended leaves its cgroup only a moment later
		// where the kernel is busy (cgroup_release, css_set_move_task).
		for limit := time.Now().Add(patience); ; {
			rerr := unix.Rmdir(dir)
			if errors.Is(rerr, unix.EBUSY) && time.Now().Before(limit) {
				continue
			}
			if rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
				err = errors.Join(err, fmt.Errorf("removing the cgroup %s: %w", dir, rerr))
			}
			break
		}
	}
	return err
}

// unmount takes away what is mounted below the rig's folder.
func (t task) unmount() error {
	var dirs []string
	err := eachMount(func(dir, _ string) {
		if strings.HasPrefix(dir, t.Dir+"/") {
			dirs = append(dirs, dir)
		}
	})
	for _, dir := range slices.Backward(dirs) {
		if uerr := unix.Unmount(dir, unix.MNT_DETACH); uerr != nil {
			err = errors.Join(err, fmt.Errorf("unmounting %s: %w", dir, uerr))
		}
	}
	return err
}
