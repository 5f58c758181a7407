package redact

import "strings"

// urls returns what has "://" in it without the passwords of URLs.
func urls(s string) string {
	var e edit
	for i := 0; ; {
		at := strings.Index(s[i:], "://")
		if at < 0 {
			return e.text(s)
		}
		web := strings.HasSuffix(s[i:i+at], "http") || strings.HasSuffix(s[i:i+at], "https")
		i += at + len("://")
		end := i
		for end < len(s) && !endsAuthority(s[end]) {
			end++
		}
		userinfo(&e, s, i, end, web)
		i = end
	}
}

func endsAuthority(c byte) bool {
	switch c {
	case '/', '?', '#', ',', ' ', '\t', '\n', '"', '\'':
		return true
	}
	return false
}

// userinfo replaces the password in an authority, s[from:to], and the user's name
// where that is a token.
func userinfo(e *edit, s string, from, to int, web bool) {
	at := strings.LastIndexByte(s[from:to], '@')
	if at < 0 {
		return
	}
	user, password, _ := strings.Cut(s[from:from+at], ":")
	if web && isRandom(user) {
		e.mark(s, from, from+len(user))
	}
	if password != "" && password[0] != '$' {
		e.mark(s, from+len(user)+1, from+at)
	}
}

// isRandom reports whether the name of a user is rather a token: long, of letters and
// digits.
func isRandom(s string) bool {
	return len(s) >= leastToken && nameEnd(s, 0) == len(s) && strings.ContainsAny(s, "0123456789") &&
		strings.Trim(s, "0123456789") != ""
}
