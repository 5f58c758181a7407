package linuxtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A probe tries for real whether there is a feature, and says why not.
type probe func() (why string, ok bool)

var probes = map[Feature]probe{
	Root:          once(probeRoot),
	Cgroups:       once(probeCgroups),
	PIDNamespace:  once(probePIDNamespace),
	UserNamespace: once(probeUserNamespace),
	PidfdInfo:     once(probePidfdInfo),
	Pidfs:         once(probePidfs),
	SetTID:        once(probeSetTID),
	HostPID:       once(probeHostPID),
	Hidepid:       once(probeHidepid),
	BPF:           once(probeBPF),
	Connector:     once(probeConnector),
	Quick:         once(func() error { return nil }),
	Otelcol:       once(programs("go")),
	CC:            once(probeCC),
	CgroupV1:      once(probeCgroupV1),
	CgroupV2:      once(probeCgroupV2),
	Busybox:       once(probeBusybox),
	Runc:          once(programs("runc")),
	Crun:          once(programs("crun")),
	Podman:        once(programs("podman", "conmon")),
	Containerd:    once(programs("containerd", "ctr", "containerd-shim-runc-v2")),
	Nspawn:        once(programs("systemd-nspawn")),
	Docker:        once(programs("dockerd", "docker", "containerd")),
	DBus:          once(programs("dbus-daemon")),
	Chromium:      once(programs("chromium")),
	Speedscope:    once(probeSpeedscope),
	Playwright:    once(probePlaywright),
	Strace:        once(programs("strace")),
	Hello:         once(probeHello),
	ClickHouse:    once(programs("clickhouse-server")),
	ZooKeeper:     once(probeZooKeeper),
	Chdb:          once(probeChdb),
}

func once(try func() error) probe {
	result := sync.OnceValue(try)
	return func() (string, bool) {
		if err := result(); err != nil {
			return err.Error(), false
		}
		return "", true
	}
}

func probeRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("user ID %d", uid)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	for bit, name := range map[int]string{
		unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_SYS_PTRACE: "CAP_SYS_PTRACE", unix.CAP_KILL: "CAP_KILL",
		unix.CAP_SETUID: "CAP_SETUID", unix.CAP_SETGID: "CAP_SETGID", unix.CAP_DAC_OVERRIDE: "CAP_DAC_OVERRIDE",
	} {
		if data[bit/32].Effective&(1<<(bit%32)) == 0 {
			return fmt.Errorf("root without %s", name)
		}
	}
	return nil
}

// probeProcess runs act on a process that waits for its end.
func probeProcess(sys *syscall.SysProcAttr, act func(pid int) error) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = actorEnviron("probe")
	cmd.SysProcAttr = sys
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = act(cmd.Process.Pid)
	return errors.Join(err, in.Close(), cmd.Wait())
}

func probeCgroups() (err error) {
	parents, err := hierarchies()
	if err != nil {
		return err
	}
	parent, err := forContainers(parents)
	if err != nil {
		return err
	}
	g, err := parent.make()
	if err != nil {
		return err
	}
	return errors.Join(probeProcess(nil, g.add), g.remove())
}

func probePIDNamespace() error {
	sys := newPIDNamespace()
	return probeProcess(&sys, func(int) error { return nil })
}

func probeUserNamespace() error {
	sys := syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	return probeProcess(&sys, func(int) error { return nil })
}

// ownPidfd runs act on a pidfd of the test binary.
func ownPidfd(act func(fd int) error) error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	return errors.Join(act(fd), unix.Close(fd))
}

func probePidfdInfo() error {
	return ownPidfd(func(fd int) error {
		var info [96]byte                     // struct pidfd_info, of which the kernel fills 64
		*(*uint64)(unsafe.Pointer(&info)) = 1 // PIDFD_INFO_PID
		const getInfo = 0xc040ff0b            // PIDFD_GET_INFO with the first size it had
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getInfo, uintptr(unsafe.Pointer(&info)))
		if errno != 0 {
			return fmt.Errorf("PIDFD_GET_INFO: %w", errno)
		}
		return nil
	})
}

func probePidfs() error {
	return ownPidfd(func(fd int) error {
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil {
			return fmt.Errorf("fstatfs of a pidfd: %w", err)
		}
		if st.Type != unix.PID_FS_MAGIC {
			return fmt.Errorf("a pidfd is not in pidfs but in a file system of type %#x", st.Type)
		}
		return nil
	})
}

// probeSetTID asks for a PID that is taken. No process comes of it: alloc_pid
// fails with EPERM who may not choose, and with EEXIST who may.
func probeSetTID() error {
	pid := int32(os.Getpid())
	args := cloneArgs{
		exitSignal: uint64(unix.SIGCHLD),
		setTID:     uint64(uintptr(unsafe.Pointer(&pid))),
		setTIDSize: 1,
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno == syscall.EEXIST {
		return nil
	}
	return fmt.Errorf("clone3 with set_tid: %w", errno)
}

// probeHostPID looks for kthreadd, which has PID 2 (rest_init).
func probeHostPID() error {
	st, err := ReadStat(2)
	if err != nil {
		return fmt.Errorf("kthreadd: %w", err)
	}
	if st.Name != "kthreadd" {
		return fmt.Errorf("PID 2 is %q, not kthreadd", st.Name)
	}
	return nil
}

func probeHidepid() error {
	f, err := mountProc("hidepid", "2")
	if err != nil {
		return err
	}
	return f.Close()
}

// probeBPF makes a ring buffer, which only those may who may trace.
func probeBPF() error {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return fmt.Errorf("the types of the kernel: %w", err)
	}
	attr := struct{ mapType, keySize, valueSize, maxEntries uint32 }{
		mapType: unix.BPF_MAP_TYPE_RINGBUF, maxEntries: uint32(os.Getpagesize()),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return fmt.Errorf("making a BPF ring buffer: %w", errno)
	}
	if err := unix.Close(int(fd)); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if data[unix.CAP_PERFMON/32].Effective&(1<<(unix.CAP_PERFMON%32)) == 0 && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return errors.New("no CAP_PERFMON")
	}
	return nil
}

func probeCC() error {
	cmd := exec.Command("cc", "-static", "-x", "c", "-o", "/dev/null", "-")
	cmd.Stdin = strings.NewReader("int main(void) { return 0; }\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w: %s", err, out)
	}
	return nil
}

// MountProc mounts a /proc with the option, such as "hidepid", set to value,
// and returns its path, which leads there as long as the test lasts. It is
// mounted nowhere that another process could see it. It needs [Hidepid].
func MountProc(t testing.TB, option, value string) string {
	t.Helper()
	f, err := mountProc(option, value)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd())
}

func mountProc(option, value string) (mount *os.File, err error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("fsopen of proc: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fs)) }()
	if err := unix.FsconfigSetString(fs, option, value); err != nil {
		return nil, fmt.Errorf("proc with %s=%s: %w", option, value, err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("making a proc: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mounting a proc: %w", err)
	}
	return os.NewFile(uintptr(fd), "proc"), nil
}

// probeConnector joins the group of the process events, which only works in the
// first network namespace; in other PID and user namespaces than the first the
// kernel listens to no request (cn_proc_mcast_ctl). These have fixed inodes.
func probeConnector() error {
	for name, first := range map[string]uint64{"pid": 0xeffffffc, "user": 0xeffffffd} {
		var st unix.Stat_t
		if err := unix.Stat("/proc/self/ns/"+name, &st); err != nil {
			return err
		}
		if st.Ino != first {
			return fmt.Errorf("not in the first %s namespace", name)
		}
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_CONNECTOR)
	if err != nil {
		return fmt.Errorf("a socket of the connector: %w", err)
	}
	defer unix.Close(fd)
	const processEvents = 1 // CN_IDX_PROC
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: processEvents}); err != nil {
		return fmt.Errorf("the process events connector: %w", err)
	}
	return nil
}
