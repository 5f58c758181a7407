package cgroup

import (
	"strconv"
	"strings"
)

// RootSlice is the slice of what is in no other, SPECIAL_ROOT_SLICE of
// systemd.
const RootSlice = "-.slice"

// A Unit is what the path of a cgroup tells of the systemd units that its
// processes are in, by the definitions of systemd's own cg_path_get_unit and
// its siblings. They are the units of the host's systemd, also for a process in
// a container: for those of a systemd in the container, see
// [Identity].Inside.
type Unit struct {
	// Name is the name of the system's unit, a service or a scope:
	// "ssh.service", "session-4.scope", "user@1000.service". Empty for none.
	Name string
	// Slice is the innermost slice that the unit is in, [RootSlice] if in no
	// other. Empty if not known, for a path from outside a cgroup namespace.
	Slice string
	// UserUnit is the name of the unit of a user's systemd, below
	// user@UID.service or a session's scope: "pipewire.service". Empty for
	// none.
	UserUnit string
	// UserSlice is the slice of the user's systemd that UserUnit is in,
	// [RootSlice] if in no other. Empty if below neither a user's systemd
	// nor a session's scope.
	UserSlice string
	// Session is the ID of the login session, such as "4" or "c1". It is
	// empty for what a user's systemd started.
	Session string
	// OwnerUID is the user ID by the user's slice, "user-1000.slice". -1 for
	// none.
	OwnerUID int
}

// UnitOf tells which systemd units the processes of a cgroup are in, by its
// path as [Line.Path] has it. It does not allocate.
func UnitOf(path string) Unit {
	u := Unit{OwnerUID: -1}
	if strings.HasPrefix(path, "/..") {
		if rest := path[len("/.."):]; rest == "" || rest[0] == '/' {
			return u
		}
	}
	var rest string
	u.Slice, rest = skipSlices(path)
	u.OwnerUID = ownerUID(u.Slice)
	elem, below := cutElement(rest)
	u.Name = decodeUnit(elem)
	u.Session = sessionID(u.Name)
	if isUserManager(elem) || sessionID(elem) != "" {
		u.UserSlice, rest = skipSlices(below)
		elem, _ = cutElement(rest)
		u.UserUnit = decodeUnit(elem)
	}
	return u
}

// cutElement returns the first element of a path and the path after it.
func cutElement(path string) (elem, rest string) {
	path = strings.TrimLeft(path, "/")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// skipSlices returns the innermost of the slices that a path begins with
// (cg_path_get_slice) and the path after them (skip_slices).
func skipSlices(path string) (slice, rest string) {
	slice, rest = RootSlice, path
	for {
		elem, next := cutElement(rest)
		if !isSliceName(elem) {
			return slice, rest
		}
		slice, rest = unescapeCgroup(elem), next
	}
}

// decodeUnit returns the name of the unit whose cgroup has the name elem
// (cg_path_decode_unit), empty if it is none or a slice, which stand only
// before a unit (cg_path_get_unit).
func decodeUnit(elem string) string {
	name := unescapeCgroup(elem)
	if !isUnitName(name) || strings.HasSuffix(name, ".slice") {
		return ""
	}
	return name
}

// sessionID returns the ID in the name of a session's scope
// (cg_path_get_session, session_id_valid).
func sessionID(unit string) string {
	id, ok := strings.CutPrefix(unit, "session-")
	if !ok {
		return ""
	}
	if id, ok = strings.CutSuffix(id, ".scope"); !ok {
		return ""
	}
	for i := range len(id) {
		if !isAlphanumeric(id[i]) {
			return ""
		}
	}
	return id
}

// isUserManager reports whether elem is the cgroup of a user's systemd, or of a
// capsule's (skip_user_manager).
func isUserManager(elem string) bool {
	name, ok := strings.CutSuffix(elem, ".service")
	if !ok {
		return false
	}
	if uid, ok := strings.CutPrefix(name, "user@"); ok {
		return parseUID(uid) >= 0
	}
	capsule, ok := strings.CutPrefix(name, "capsule@")
	return ok && capsule != "" && isUnitName(elem)
}

// ownerUID returns the user ID in the name of a user's slice, -1 if there is
// none (cg_path_get_owner_uid).
func ownerUID(slice string) int {
	uid, ok := strings.CutPrefix(slice, "user-")
	if !ok {
		return -1
	}
	if uid, ok = strings.CutSuffix(uid, ".slice"); !ok {
		return -1
	}
	return parseUID(uid)
}

// parseUID returns the user ID that s is, -1 if it is none (parse_uid). The two
// that stand for "no user", with 16 and with 32 bits, are none.
func parseUID(s string) int {
	if !isNumber(s) || len(s) > 1 && s[0] == '0' {
		return -1
	}
	uid, err := strconv.ParseUint(s, 10, 32)
	if err != nil || uid == 0xFFFF || uid == 0xFFFFFFFF {
		return -1
	}
	return int(uid)
}
