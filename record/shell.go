package record

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shell returns the command line to be copied and given to a shell: words that
// mean something to it are quoted, and where a character cannot be shown in the
// way that bash, ksh, zsh and POSIX.1-2024 have, $'\n'.
func Shell(args []string) string {
	var b []byte
	for i, arg := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		switch {
		case !printable(arg):
			b = appendEscaped(b, arg)
		case arg == "" || strings.ContainsAny(arg, " \\'\"`$&|;<>()*?[]#~!{}^") || i == 0 && strings.Contains(arg, "="):
			b = append(b, '\'')
			b = append(b, strings.ReplaceAll(arg, "'", `'\''`)...)
			b = append(b, '\'')
		default:
			b = append(b, arg...)
		}
	}
	return string(b)
}

// printable reports whether all of s can be shown as it is.
func printable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// appendEscaped appends s in $'…'. Bytes are in octal, which ends after three
// digits: what follows \x may be taken as more of it.
func appendEscaped(b []byte, s string) []byte {
	b = append(b, "$'"...)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\'' || r == '\\':
			b = append(b, '\\', s[i])
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == utf8.RuneError && n == 1 || !unicode.IsPrint(r):
			for _, c := range []byte(s[i : i+n]) {
				b = fmt.Appendf(b, `\%03o`, c)
			}
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '\'')
}
