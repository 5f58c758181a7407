package redact

import "strings"

// Sensitive reports whether the name of a flag, a variable, a property or a header
// says that its value is a secret. The last word of the name counts, of those that -, _,
// . and capitals make: password, passwd, passphrase, secret, token, credentials, apikey,
// bearer, jwt; key after api, access, secret, private and the like; pass, pwd and pw
// alone, or after a word such as db, ftp or keystore. A name that begins with no, max,
// show, use and the like says nothing.
func Sensitive(name string) bool {
	name = strings.TrimLeft(name, "-")
	rest, last := lastWord(name)
	if last == "" || negated(name) {
		return false
	}
	var room [32]byte
	word := lower(room[:0], last)
	switch string(word) {
	case "key":
		return isWord(rest, keys)
	case "pass", "pw", "pwd":
		return rest == "" || isWord(rest, passes)
	case "bearer", "jwt":
		return true
	case "signature":
		return isWord(rest, accesses)
	}
	for _, w := range shorts {
		if before, ok := strings.CutSuffix(string(word), w); ok && contains(passes, before) { // DBPASS
			return true
		}
	}
	for _, w := range secrets {
		if strings.HasSuffix(string(word), w) {
			return true
		}
	}
	return false
}

var (
	// secrets are what the last word of a name ends in.
	secrets = []string{
		"password", "passwd", "passphrase", "passcode", "secret", "secrets", "token", "credential", "credentials",
		"apikey", "accesskey", "secretkey", "privatekey", "authkey",
	}
	// keys and passes are what stands before a key and a pass that is one.
	keys = []string{
		"api", "access", "secret", "private", "encryption", "signing", "shared", "account", "auth", "master", "storage", "session",
	}
	passes = []string{
		"db", "user", "proxy", "ftp", "smtp", "imap", "ldap", "mysql", "postgres", "pg", "redis", "mongo", "rabbitmq", "key",
		"keystore", "truststore", "cert", "ssl", "login", "auth", "http", "admin", "root", "store",
		"my", "app", "mail", "bind", "sudo", "vpn", "repo", "registry", "database",
	}
	// shorts are what stands for a password after one of passes.
	shorts = []string{"pass", "pwd", "pw"}
	// accesses stand before a signature that is a password.
	accesses = []string{"access"}
	// negations are what a name begins with that is no secret's.
	negations = []string{
		"no", "without", "disable", "enable", "show", "hide", "ask", "prompt", "require", "use", "skip", "allow", "reset", "generate",
		"print", "list", "max", "min", "num", "rotate", "revoke", "delete", "change", "check", "verify", "create",
	}
)

func negated(name string) bool {
	end := strings.IndexAny(name, "-_.")
	return end > 0 && contains(negations, name[:end])
}

// isPass reports whether the name is a short one for a password, with nothing before
// it that makes it sure.
func isPass(name string) bool {
	return strings.EqualFold(name, "pass") || strings.EqualFold(name, "pwd") || strings.EqualFold(name, "pw")
}

// isSignature reports whether the name of a URL's parameter is that of a signature
// that gives access.
func isSignature(name string) bool {
	_, last := lastWord(name)
	return strings.EqualFold(last, "sig") || strings.EqualFold(last, "signature")
}

// endsInKey reports whether the last word of the name is key.
func endsInKey(name string) bool {
	_, last := lastWord(name)
	return len(last) >= 3 && strings.EqualFold(last[len(last)-3:], "key")
}

func isWord(name string, words []string) bool {
	_, last := lastWord(name)
	return contains(words, last)
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// lastWord divides a name at its last word.
func lastWord(name string) (rest, last string) {
	for i := len(name) - 1; i >= 0; i-- {
		switch c := name[i]; {
		case c == '-', c == '_', c == '.':
			return name[:i], name[i+1:]
		case i > 0 && isUpper(c) && !isUpper(name[i-1]) && !isSeparator(name[i-1]):
			return name[:i], name[i:]
		}
	}
	return "", name
}

func isUpper(c byte) bool     { return c >= 'A' && c <= 'Z' }
func isSeparator(c byte) bool { return c == '-' || c == '_' || c == '.' }

// lower appends the last letters of a word, as many as there is room for.
func lower(b []byte, word string) []byte {
	word = word[max(len(word)-cap(b), 0):]
	for i := range len(word) {
		c := word[i]
		if isUpper(c) {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// isName reports whether s may be the name of a flag, a variable or a property.
func isName(s string) bool {
	s = strings.TrimLeft(s, "-")
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}
