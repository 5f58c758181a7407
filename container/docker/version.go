package docker

import (
	"strconv"
	"strings"

	"github.com/moby/moby/client"
)

// A version is one of Docker's API.
type version struct{ major, minor int }

var (
	oldest, _ = parseVersion(client.MinAPIVersion)
	newest, _ = parseVersion(client.MaxAPIVersion)
)

// parseVersion reads a version such as "1.41".
func parseVersion(s string) (v version, ok bool) {
	const most = 4 // digits
	major, minor, found := strings.Cut(s, ".")
	if !found || !isNumber(major) || !isNumber(minor) || len(major) > most || len(minor) > most {
		return version{}, false
	}
	v.major, _ = strconv.Atoi(major)
	v.minor, _ = strconv.Atoi(minor)
	return v, true
}

func (v version) String() string {
	return strconv.Itoa(v.major) + "." + strconv.Itoa(v.minor)
}

// atMost returns the older one of two versions.
func (v version) atMost(w version) version {
	if w.major < v.major || w.major == v.major && w.minor < v.minor {
		return w
	}
	return v
}

// libpodVersion returns the version of Podman's own API that a server names, as
// it is in paths: "4.3.1", also of "4.3.1-dev". Every Podman since 4.0 serves
// 4.0.0, which it is where that cannot be read.
func libpodVersion(s string) string {
	s, _, _ = strings.Cut(s, "-")
	parts := strings.Split(s, ".")
	if len(s) > len("999.999.999") || len(parts) != 3 {
		return "4.0.0"
	}
	for _, p := range parts {
		if !isNumber(p) {
			return "4.0.0"
		}
	}
	return s
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
