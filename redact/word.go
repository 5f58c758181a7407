package redact

import "strings"

// words goes over the arguments of a command, or the words of a script.
type words struct {
	program      program
	before, last string
}

// next takes the next word, and returns where in it there begins a password that the
// words before it announce, or -1.
func (w *words) next(word string) int {
	from := w.secret(word)
	if from >= 0 {
		if w.program == sshpass {
			w.program = none // a command follows
		}
	} else if p := programOf(word); p != none && !ownsName(w.last) {
		w.program = p
	} else if w.program == registry && word == "login" {
		w.program = login
	}
	w.before, w.last = w.last, word
	return from
}

// clear begins with another command.
func (w *words) clear() { *w = words{} }

func (w *words) secret(word string) int {
	if w.program != none {
		if from := w.program.password(w.last, word); from >= 0 {
			if value := strings.Trim(word[from:], `"'`); isSecret("", value) && !isPort(value) {
				return from
			}
		}
	}
	if announces(w.last) && word != "" && word[0] != '-' && isSecret(w.last, word) {
		return 0
	}
	if w.before == "set" && word != "" && isName(w.last) && Sensitive(w.last) && isSecret(w.last, word) && word != "=" { // configure set NAME VALUE
		return 0
	}
	return -1
}

// announces reports whether the argument is a flag whose value comes next.
func announces(arg string) bool {
	if len(arg) < 4 || arg[0] != '-' || !isName(arg) || !Sensitive(arg) {
		return false
	}
	return arg[1] == '-' || !isPass(arg[1:]) // -pass of ffmpeg and openssl is another thing
}

// ownsName reports whether the word after the flag is a name, and no program.
func ownsName(flag string) bool {
	switch flag {
	case "-u", "-g", "--user", "--group", "--name", "-name", "-iname":
		return true
	}
	return false
}

// isSecret reports whether what has a name that says so is a secret.
func isSecret(name, value string) bool {
	switch value {
	case "", "true", "false", "null", "nil", "None", "undefined":
		return false
	}
	switch {
	case value[0] == '$':
		return false
	case value[0] >= '0' && value[0] <= '9' && (len(value) == 1 || value[1] == ':'):
		return !isPass(strings.TrimLeft(name, "-")) // the first or second pass
	case name == "PWD", endsInKey(name), strings.HasSuffix(name, "jwt"):
		return !isPath(value)
	}
	return true
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || strings.HasPrefix(s, "~/") ||
		strings.HasSuffix(s, ".pem") || strings.HasSuffix(s, ".key")
}
