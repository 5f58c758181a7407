package redact

import "strings"

// header returns a header that has a secret without that. It reports false where
// s is none.
func header(s string) (string, bool) {
	colon := strings.IndexByte(s, ':')
	if colon < 1 || !isHeader(s[:colon]) || isPass(s[:colon]) || strings.IndexByte(s, '\n') >= 0 {
		return s, false
	}
	value := strings.TrimLeft(s[colon+1:], " \t")
	head := s[:len(s)-len(value)]
	if isPath(value) && Sensitive(s[:colon]) || strings.HasPrefix(value, ":") || strings.HasPrefix(value, "=") {
		return s, false
	}
	if isAuthorization(s[:colon]) {
		if scheme, rest, ok := strings.Cut(value, " "); ok && isName(scheme) {
			head, value = head+scheme+" ", rest
		}
	}
	if strings.TrimSpace(value) == "" || value[0] == '$' {
		return s, false
	}
	return head + Mark, true
}

// isHeader reports whether the name is that of a header, or of anything else, with a
// secret.
func isHeader(name string) bool {
	return isName(name) && (isAuthorization(name) || isCookie(name) || Sensitive(name))
}

// isAuthorization also takes the name with a flag before it: -HAuthorization.
func isAuthorization(name string) bool { return hasSuffixFold(name, "authorization") }

func isCookie(name string) bool {
	for _, h := range []string{"cookie", "set-cookie", "-hcookie"} {
		if strings.EqualFold(name, h) {
			return true
		}
	}
	return false
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
