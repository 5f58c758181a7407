package redact

import (
	"slices"
	"strings"
)

// program is one that takes a password without a name for it, or none.
type program uint8

const (
	none program = iota
	sshpass
	mysql
	curl
	openssl
	redis
	ldap
	mongo
	capital // takes -P
	archive
	registry // becomes login at that word
	login
)

// passing is how each program takes its password.
var passing = [...]struct {
	flags  []string // what the argument after is the password of
	letter string   // the letters of flags that the password may follow at once
	after  string   // what comes before the password, which is none without that
}{
	sshpass: {flags: []string{"-p"}, letter: "p"},
	mysql:   {letter: "p"},
	curl:    {flags: []string{"-u", "-U", "--user", "--proxy-user"}, letter: "uU", after: ":"},
	openssl: {flags: []string{"-pass", "-passin", "-passout"}, after: "pass:"},
	redis:   {flags: []string{"-a"}},
	ldap:    {flags: []string{"-w"}, letter: "w"},
	mongo:   {flags: []string{"-p"}, letter: "p"},
	capital: {flags: []string{"-P"}, letter: "P"},
	archive: {letter: "p"},
	login:   {flags: []string{"-p"}, letter: "p"},
}

// programOf returns the program that a word names: by itself, or by a path in a
// directory of programs.
func programOf(word string) program {
	if word == "" || word[0] == '-' {
		return none
	}
	if slash := strings.LastIndexByte(word, '/'); slash >= 0 {
		if !strings.HasSuffix(word[:slash], "bin") {
			return none
		}
		word = word[slash+1:]
	}
	switch word {
	case "sshpass":
		return sshpass
	case "curl":
		return curl
	case "openssl":
		return openssl
	case "redis-cli":
		return redis
	case "mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport":
		return mongo
	case "sqlcmd", "zip", "unzip", "ipmitool":
		return capital
	case "7z", "7za", "7zr":
		return archive
	case "docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "az", "oc":
		return registry
	case "ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapmodrdn", "ldapcompare", "ldappasswd", "ldapwhoami", "ldapexop":
		return ldap
	}
	rest, ok := strings.CutPrefix(word, "mysql")
	if !ok {
		rest, ok = strings.CutPrefix(word, "mariadb")
	}
	if ok && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz_-") == "" {
		return mysql
	}
	return none
}

// password returns where the password begins in arg, which comes after last, or
// -1.
func (p program) password(last, arg string) int {
	how := &passing[p]
	from := -1
	switch {
	case p.takes(last):
		from = 0
	case len(arg) > 2 && arg[0] == '-' && strings.IndexByte(how.letter, arg[1]) >= 0:
		from = 2
	default:
		for _, f := range how.flags {
			if len(f) > 2 && len(arg) > len(f) && arg[len(f)] == '=' && arg[:len(f)] == f {
				from = len(f) + 1
			}
		}
	}
	if from < 0 || how.after == "" {
		return from
	}
	at := strings.Index(arg[from:], how.after)
	if at < 0 || p == openssl && at > 0 {
		return -1
	}
	return from + at + len(how.after)
}

// takes reports whether the argument after the flag has the password.
func (p program) takes(flag string) bool {
	if slices.Contains(passing[p].flags, flag) {
		return true
	}
	if p != curl || len(flag) < 3 || flag[0] != '-' || flag[len(flag)-1] != 'u' {
		return false
	}
	return strings.Trim(flag[1:len(flag)-1], "fgGikLnNqsSv") == "" // -sSu
}

// isPort reports whether s is a port or more, as -p of docker run has: 80:80.
func isPort(s string) bool {
	return strings.IndexByte(s, ':') >= 0 && strings.Trim(s, "0123456789.:") == ""
}
