package cgroup

// Group returns the path of the container group: the one cgroup of a
// membership that stands for the process's container. Two processes are in the
// same container group when their paths are equal.
//
// It is the path of the only line if there is one, else of the first line, in
// the order of the file, which
//   - has the controller "cpu", or
//   - has a path that begins with "/system.slice/" or "/user.slice/", or
//   - has a controller whose name contains "systemd".
//
// If there is none, or a malformed line stands before it, ok is false. The path
// is as [Line.Path] has it. Group does not allocate.
func Group[T string | []byte](membership T) (path T, ok bool) {
	text, rest := cutNewline(membership)
	f, valid := splitLine(text)
	if len(rest) == 0 {
		return f.path, valid
	}
	for valid {
		if standsForContainer(f) {
			return f.path, true
		}
		if len(rest) == 0 {
			break
		}
		text, rest = cutNewline(rest)
		f, valid = splitLine(text)
	}
	var none T
	return none, false
}

func standsForContainer[T string | []byte](f fields[T]) bool {
	if beginsWith(f.path, "/system.slice/") || beginsWith(f.path, "/user.slice/") {
		return true
	}
	start := 0
	for i := range len(f.controllers) + 1 {
		if i < len(f.controllers) && f.controllers[i] != ',' {
			continue
		}
		if name := f.controllers[start:i]; string(name) == "cpu" || contains(name, "systemd") {
			return true
		}
		start = i + 1
	}
	return false
}

func beginsWith[T string | []byte](s T, prefix string) bool {
	return len(s) >= len(prefix) && string(s[:len(prefix)]) == prefix
}

func contains[T string | []byte](s T, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if string(s[i:i+len(sub)]) == sub {
			return true
		}
	}
	return false
}
