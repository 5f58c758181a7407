// Package words says in words what the exports of a recording show. All that it
// returns is one line of printable UTF-8, whatever bytes the processes chose:
// no control character, nothing that turns the direction of the text.
package words

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/proclineage/lineage/record"
)

// Command returns args as [record.Shell] does. Where they are cut an ellipsis
// ends it.
func Command(args []string, cut bool) string {
	if cut {
		return record.Shell(args) + " …"
	}
	return record.Shell(args)
}

// Text returns s with what cannot be printed written as Go writes it in a string
// (\n, \x1b, \u202e), and then a backslash as two.
func Text(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	escape(&b, s)
	return b.String()
}

// printable reports whether all of s is valid UTF-8 that can be printed.
func printable(s string) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c <= '~' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			return false
		}
		i += n
	}
	return true
}

func escape(b *strings.Builder, s string) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsPrint(r):
			b.WriteString(s[i : i+n])
		case r < 0x80:
			fmt.Fprintf(b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
		i += n
	}
}

// Title returns the command that was recorded, which is never empty.
func Title(h *record.Header) string {
	if title := Command(h.Command, false); title != "" {
		return title
	}
	return "?"
}

// Name returns the name of a process, "?" where it is not known.
func Name(p *record.Process) string {
	if p.Name == "" {
		return "?"
	}
	return Text(p.Name)
}

// Program returns the name of what an exec ran: the last part of its path, or of
// its first argument where that is not known, or "?".
func Program(e *record.Exec) string {
	file := e.File
	if file == "" && len(e.Args) > 0 {
		file = e.Args[0]
	}
	if file == "" {
		return "?"
	}
	return Text(path.Base(file))
}
