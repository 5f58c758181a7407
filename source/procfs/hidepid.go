package procfs

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
)

// Hides returns the mount option by which the mount may hide processes from
// the caller, such as hidepid=invisible, and "" where it hides none. A mount
// that is in no mount table is not known to hide any.
func (s *Source) Hides() string { return s.hides }

// findHides finds out what Hides says.
func (s *Source) findHides() string {
	fdinfo, err := linux.ReadFileAt(s.root, fmt.Appendf(nil, "self/fdinfo/%d\x00", s.root), nil)
	if err != nil {
		return ""
	}
	mount, _ := statusField(fdinfo, "mnt_id")
	mounts, err := linux.ReadRecordsAt(s.root, []byte("self/mountinfo\x00"))
	if err != nil {
		return ""
	}
	hidepid, gid := mountOptions(mounts, string(mount))
	if hidepid == "" || hidepid == "0" || hidepid == "off" || s.mayPtrace() {
		return ""
	}
	ptraceable := hidepid == "4" || hidepid == "ptraceable"
	if groups, err := os.Getgroups(); err == nil && gid >= 0 && !ptraceable &&
		slices.Contains(append(groups, os.Getegid()), gid) {
		return ""
	}
	return "hidepid=" + hidepid
}

// mountOptions returns the options hidepid and gid of one mount in the text of
// /proc/PID/mountinfo; a gid of -1 is none.
func mountOptions(mountinfo []byte, mount string) (hidepid string, gid int) {
	gid = -1
	for line := range bytes.Lines(mountinfo) {
		head, tail, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		fields := strings.Fields(tail)
		if id, _, _ := strings.Cut(head, " "); id != mount || len(fields) < 3 {
			continue
		}
		for option := range strings.SplitSeq(fields[2], ",") {
			switch key, value, _ := strings.Cut(option, "="); key {
			case "hidepid":
				hidepid = value
			case "gid":
				if n, err := strconv.Atoi(value); err == nil {
					gid = n
				}
			}
		}
	}
	return hidepid, gid
}

// mayPtrace reports whether the caller has CAP_SYS_PTRACE over the processes of
// its PID namespace: in the user namespace that owns that one.
func (s *Source) mayPtrace() bool {
	status, err := linux.ReadFileAt(s.root, []byte("self/status\x00"), nil)
	if err != nil {
		return false
	}
	text, _ := statusField(status, "CapEff")
	caps, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil || caps&(1<<unix.CAP_SYS_PTRACE) == 0 {
		return false
	}
	pidns, err := linux.OpenAt(s.root, []byte("self/ns/pid\x00"), unix.O_RDONLY)
	if err != nil {
		return false
	}
	defer unix.Close(pidns)
	owner, err := unix.IoctlRetInt(pidns, unix.NS_GET_USERNS)
	if err != nil {
		return false // EPERM: the owner is outside the caller's
	}
	defer unix.Close(owner)
	var own, owning unix.Stat_t
	err = unix.Fstatat(s.root, "self/ns/user", &own, 0)
	return err == nil && unix.Fstat(owner, &owning) == nil && own.Ino == owning.Ino
}
