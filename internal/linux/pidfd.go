package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// PIDFDInfo is struct pidfd_info of <linux/pidfd.h> in its first version, of
// Linux 6.13: what ioctl PIDFD_GET_INFO tells of a process.
type PIDFDInfo struct {
	Mask     uint64
	CgroupID uint64 // in the v2 hierarchy, if Mask has PIDFDInfoCgroupID
	PID      uint32 // these in the PID namespace of the caller
	TGID     uint32
	PPID     uint32 // zero for a parent outside it
	RUID     uint32
	RGID     uint32
	EUID     uint32
	EGID     uint32
	SUID     uint32
	SGID     uint32
	FSUID    uint32
	FSGID    uint32
	ExitCode int32
}

// The bits of PIDFDInfo.Mask that lineage asks for.
const (
	PIDFDInfoPID      = 1 << 0
	PIDFDInfoCreds    = 1 << 1
	PIDFDInfoCgroupID = 1 << 2
)

// pidfdGetInfo is _IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info).
const pidfdGetInfo = 3<<30 | unsafe.Sizeof(PIDFDInfo{})<<16 | 0xFF<<8 | 11

// pidfsMagic is PID_FS_MAGIC of <linux/magic.h>.
const pidfsMagic = 0x50494446

// PIDFDGetInfo asks for the parts of info that its Mask names. The error is
// ESRCH once the process has been reaped, and ENOTTY before Linux 6.13.
func PIDFDGetInfo(fd int, info *PIDFDInfo) error {
	// It never sleeps, so the scheduler need not be told.
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), pidfdGetInfo, uintptr(unsafe.Pointer(info)))
	if errno != 0 {
		return errno
	}
	return nil
}

// PIDFDInode returns the inode of a pidfd. It is the same for every pidfd of
// a process and no other process of the boot has it, if the pidfd is in
// pidfs, see [InPIDFS].
func PIDFDInode(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}

// InPIDFS reports whether a pidfd is a file of pidfs, as from Linux 6.9 on,
// and not of the anonymous inode that all pidfds shared before.
func InPIDFS(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && uint32(st.Type) == pidfsMagic
}
