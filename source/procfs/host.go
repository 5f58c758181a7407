package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linux"
)

// BootID returns the ID that the kernel gave to this boot when it was first
// asked for (proc_do_uuid), such as "1b4e28ba-2fa1-11d2-883f-0016d3cca427".
func (s *Source) BootID() (string, error) {
	const name = "sys/kernel/random/boot_id"
	text, err := linux.ReadFileAt(s.root, []byte(name+"\x00"), nil)
	if err != nil {
		return "", &os.PathError{Op: "read", Path: s.path + "/" + name, Err: err}
	}
	id := string(bytes.TrimSpace(text))
	if len(id) != len("1b4e28ba-2fa1-11d2-883f-0016d3cca427") || strings.Trim(id, "0123456789abcdef-") != "" {
		return "", fmt.Errorf("%s/%s: %q is no ID", s.path, name, id)
	}
	return id, nil
}

// The errors of [Source.MachineID].
var (
	errMachineID = errors.New("not a machine-id(5)")
	errNoHost    = errors.New("the first process of this PID namespace is no host's")
)

// firstPIDNamespace is PROC_PID_INIT_INO, of linux.FirstPIDNamespace.
const firstPIDNamespace = 0xEFFFFFFC

// MachineID returns the machine-id(5) of the host whose processes the mount
// shows: that in the root of its first process, so that a container which shares
// the host's PID namespace gets the host's. In another PID namespace there is
// one only where the first process is systemd, which makes one: what a
// container's image has is that of no host.
func (s *Source) MachineID() (string, error) {
	root, err := linux.OpenAt(s.root, []byte("1/root\x00"), unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.EACCES) && s.atHome() {
		// To follow the link takes what ptrace(2) takes to read.
		root, err = linux.OpenAt(linux.AtCWD, []byte("/\x00"), unix.O_PATH|unix.O_DIRECTORY)
	}
	if err != nil {
		return "", fmt.Errorf("the root of process 1: %w", err)
	}
	defer unix.Close(root)
	if s.namespace != firstPIDNamespace {
		var st unix.Stat_t // as sd_booted(3) does
		if unix.Fstatat(root, "run/systemd/system", &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			return "", errNoHost
		}
	}
	id, err := readMachineID(root, "etc/machine-id")
	if errors.Is(err, unix.ENOENT) || errors.Is(err, errMachineID) {
		id, err = readMachineID(root, "var/lib/dbus/machine-id")
	}
	return id, err
}

// atHome reports whether this process is in no container by its namespaces and
// its cgroups, so that its root is the host's.
func (s *Source) atHome() bool {
	link, err := readlinkAt(s.root, "self/ns/cgroup")
	if err != nil || link != linux.FirstCgroupNamespace || s.namespace != firstPIDNamespace {
		return false
	}
	membership, err := linux.ReadFileAt(s.root, []byte("self/cgroup\x00"), nil)
	if err != nil {
		return false
	}
	for line, err := range cgroup.Lines(string(membership)) {
		if err != nil || cgroup.Identify(line.Path).Role != cgroup.RoleNone {
			return false
		}
	}
	return true
}

// readMachineID reads the file below the root, wherever links lead there.
func readMachineID(root int, name string) (string, error) {
	fd, err := unix.Openat2(root, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_IN_ROOT,
	})
	if err != nil {
		return "", &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var room [64]byte
	n, err := unix.Read(fd, room[:])
	if err != nil {
		return "", &os.PathError{Op: "read", Path: name, Err: err}
	}
	return parseMachineID(room[:n])
}

// parseMachineID returns the ID in the text of a machine-id(5): 32 digits, of
// which one is not zero.
func parseMachineID(text []byte) (string, error) {
	id := string(bytes.TrimSuffix(text, []byte("\n")))
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return "", fmt.Errorf("%q: %w", id, errMachineID)
	}
	return id, nil
}
