package linux

import "golang.org/x/sys/unix"

// Release returns the release of the kernel, such as "6.18.44".
func Release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown" // uname(2) cannot fail
	}
	return unix.ByteSliceToString(u.Release[:])
}

// The inodes of the first namespaces of a kernel, as the links in
// /proc/PID/ns show them: PROC_USER_INIT_INO, PROC_PID_INIT_INO and
// PROC_CGROUP_INIT_INO of <linux/proc_ns.h>, the same in every kernel that has
// them since 3.8.
const (
	FirstUserNamespace   = "user:[4026531837]"
	FirstPIDNamespace    = "pid:[4026531836]"
	FirstCgroupNamespace = "cgroup:[4026531835]"
)
