// Package redact takes what looks like a secret out of command lines: passwords,
// tokens and keys that somebody gave to a program as an argument.
//
// The rules are plain, and know no more than what stands in the arguments. They
// cannot find every secret: one that nothing announces stays in clear, as does the
// password of a program that they do not know. Now and then they take for a secret
// what is none. An argument, or the part of one, is a secret where it is
//
//   - the value that a name announces which says so (see [Sensitive]): --password=X,
//     --db-password X, AWS_SECRET_ACCESS_KEY=X, set aws_secret_access_key X. Within an
//     argument a name may also stand in a list, in JSON or in code, as in
//     Server=x;Password=X; and {"password":"X"} and connect(password='X');
//   - the value of a header with such a name, of Authorization after its scheme, or of
//     Cookie: "Authorization: Bearer X";
//   - the password of a URL, the name of its user where that is a token, a parameter
//     with such a name, or a signature: postgres://app:X@db/, ?access_token=X, ?sig=X;
//   - a token of a form that is well known, such as ghp_…, glpat-…, xoxb-…, a JSON Web
//     Token or a private key in PEM;
//   - what a known program takes for a password without a name: sshpass -p X, mysql
//     -pX, curl -u name:X, openssl -passin pass:X. The program is the last word before
//     that names one, so that it may stand after sudo or docker exec.
//
// An argument with spaces is looked at as a script, word by word. A value that is
// empty, true, false, or the name of a variable ($NAME) is no secret, nor one in the
// next argument that begins with a dash, nor the path of a key.
// docs/redaction.md says the same to users.
package redact

import (
	"path"
	"strings"
)

// Mark stands in the place of a secret.
const Mark = "[redacted]"

// Args returns the arguments, the name of the program first, with [Mark] in the
// place of what looks like a secret, and whether there was any. It does not change
// args, and returns args itself where there is nothing to be replaced. The result
// has as many elements. To apply it once more changes nothing.
func Args(args []string) ([]string, bool) {
	out, changed := once(args)
	for again, n := changed, 0; again && n < maxPasses; n++ {
		out, again = once(out)
	}
	return out, changed
}

// maxPasses bounds how often arguments are looked at again: what was replaced may let
// another rule hold for the rest.
const maxPasses = 8

func once(args []string) ([]string, bool) {
	var words words
	out, changed := args, false
	for i, arg := range args {
		clean := arg
		if from := words.next(arg); from < 0 {
			clean = argument(arg)
		} else if arg[from:] != Mark {
			clean = arg[:from] + Mark
		}
		if i == 0 && words.program == none {
			words.program = programOf(path.Base(arg))
		}
		if clean == arg {
			continue
		}
		if !changed {
			out, changed = append([]string(nil), args...), true
		}
		out[i] = clean
	}
	return out, changed
}

// argument returns one argument without secrets.
func argument(arg string) string {
	if len(arg) < 4 {
		return arg // a=b has nothing to hide
	}
	named, script := false, false
	for i := range len(arg) {
		switch arg[i] {
		case ' ', '\t', '\n':
			script = true
		case '=', ':':
			named = true
		}
	}
	if !named && !script {
		return tokens(arg)
	}
	if script && strings.Contains(arg, "-----BEGIN") && strings.Contains(arg, "PRIVATE KEY-----") {
		return Mark
	}
	if eq := strings.IndexByte(arg, '='); eq > 0 && (arg[0] == '-' || !script && !strings.Contains(arg, Mark)) && isName(arg[:eq]) && Sensitive(arg[:eq]) {
		if isSecret(arg[:eq], arg[eq+1:]) {
			return arg[:eq+1] + Mark
		}
		return arg
	}
	arg = text(arg, script)
	if strings.Contains(arg, "://") {
		arg = urls(arg)
	}
	return tokens(arg)
}
