package cgroup

import "strings"

const (
	idLen      = 64 // of the container IDs of most runtimes
	uuidLen    = 36
	hashLen    = 32 // of a static pod's UID and of an ECS task's ID
	buildIDLen = 25
)

// podOf returns the UID of the pod that a cgroup is for: podUID by the
// kubelet's cgroupfs driver, and NAME-kubepods-QOS-podUID.slice by its systemd
// driver, with the dashes of the UID as underscores, since a dash stands for a
// level of slices. For Podman, it is the ID of its pod.
func podOf(elem, parent string) (string, bool) {
	if uid, ok := strings.CutPrefix(elem, "pod"); ok {
		return uid, isUUID(uid) || isHex(uid, hashLen)
	}
	if parent == "libpod_parent" && isHex(elem, idLen) {
		return elem, true
	}
	slice, ok := strings.CutSuffix(elem, ".slice")
	if !ok {
		return "", false
	}
	if _, id, ok := strings.Cut(slice, "libpod_pod_"); ok {
		return id, isHex(id, idLen)
	}
	if !strings.Contains(slice, "kubepods") {
		return "", false
	}
	i := strings.LastIndex(slice, "-pod")
	if i < 0 {
		return "", false
	}
	uid := slice[i+len("-pod"):]
	if isHex(uid, hashLen) {
		return uid, true
	}
	if len(uid) != uuidLen || strings.Contains(uid, "-") {
		return "", false
	}
	uid = strings.ReplaceAll(uid, "_", "-")
	return uid, isUUID(uid)
}

// isHex reports whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if !isHexDigit(s[i]) {
			return false
		}
	}
	return true
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return s != ""
}

func isUUID(s string) bool {
	if len(s) != uuidLen {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

// isFargateID reports whether s is the ID of a container on AWS Fargate: the
// task's ID, a dash and a number.
func isFargateID(s string) bool {
	return len(s) > hashLen+1 && isHex(s[:hashLen], hashLen) && s[hashLen] == '-' && isNumber(s[hashLen+1:])
}

// isBuildID reports whether s is an ID as BuildKit makes them, 25 digits to
// the base of 36.
func isBuildID(s string) bool {
	if len(s) != buildIDLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || '9' < c) && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return true
}

// isIdentifier reports whether s is what containerd takes for an ID: up to 76
// letters, digits and single separators (".", "-", "_") between them.
func isIdentifier(s string) bool {
	if len(s) > 76 {
		return false
	}
	separated := true
	for i := range len(s) {
		c := s[i]
		switch {
		case isAlphanumeric(c):
			separated = false
		case c == '.' || c == '-' || c == '_':
			if separated {
				return false
			}
			separated = true
		default:
			return false
		}
	}
	return !separated
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
