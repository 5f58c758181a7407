package cgroup

import "strings"

// unitNameMax is UNIT_NAME_MAX of systemd; a name is shorter than that.
const unitNameMax = 256

// isUnitName reports whether name is the name of a systemd unit that can have
// processes: a plain one or an instance, not a template (unit_name_is_valid).
func isUnitName(name string) bool {
	instance, ok := checkUnitName(name)
	return ok && (!strings.Contains(name, "@") || instance)
}

// isSliceName reports whether name, of a cgroup, is that of a slice
// (valid_slice_name). Slices are never instances.
func isSliceName(name string) bool {
	if !strings.HasSuffix(name, ".slice") {
		return false
	}
	instance, ok := checkUnitName(unescapeCgroup(name))
	return ok && !instance
}

// checkUnitName reports whether name is a valid name of a unit, and whether of
// an instance.
func checkUnitName(name string) (instance, ok bool) {
	if len(name) >= unitNameMax {
		return false, false
	}
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || !isUnitType(name[dot+1:]) {
		return false, false
	}
	at := -1
	for i := range dot {
		switch c := name[i]; {
		case c == '@':
			if at < 0 {
				at = i
			}
		case isAlphanumeric(c), c == ':', c == '-', c == '_', c == '.', c == '\\':
		default:
			return false, false
		}
	}
	switch at {
	case -1:
		return false, true
	case 0, dot - 1:
		return false, false // no prefix, or a template
	}
	return true, true
}

func isUnitType(s string) bool {
	switch s {
	case "service", "scope", "slice", "socket", "mount", "swap",
		"target", "device", "automount", "timer", "path":
		return true
	}
	return false
}

// unescapeCgroup undoes cg_escape of systemd: a unit whose name could be taken
// for a file of the kernel, such as "cpu.service", has a cgroup with a "_"
// before it.
func unescapeCgroup(name string) string {
	return strings.TrimPrefix(name, "_")
}

// unescape undoes unit_name_escape of systemd for a name that is not a path:
// \x2d stands for the byte 0x2d, a dash. What is not such an escape is kept.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if i+4 <= len(s) && s[i] == '\\' && s[i+1] == 'x' && isHexDigit(s[i+2]) && isHexDigit(s[i+3]) {
			b.WriteByte(hexValue(s[i+2])<<4 | hexValue(s[i+3]))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}
