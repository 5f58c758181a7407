package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// safe returns s as it may be shown on a terminal: processes choose their
// names and arguments, escape sequences and newlines among them. What is not
// printable is written as Go writes it in a string, a byte that is not UTF-8
// as \xNN, and a backslash as two, so that nothing looks like something else.
func safe(s string) string {
	if isPlain(s) && !strings.Contains(s, `\`) {
		return s
	}
	return string(appendEscaped(nil, s))
}

func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case r == '\\':
			b = append(b, `\\`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < 0x80 && !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\x%02x`, r)
		case !unicode.IsPrint(r) && r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return b
}

// isPlain reports whether all of s is printable.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' {
			for _, r := range s {
				if r == utf8.RuneError || !unicode.IsPrint(r) {
					return false
				}
			}
			return true
		}
	}
	return true
}

// commandLine returns args as they could be given to a shell. A single
// argument is left as it is, spaces and all: there it is the title that the
// process gave itself ("nginx: worker process").
func commandLine(args []string) string {
	if len(args) == 1 {
		return safe(args[0])
	}
	var b []byte
	for i, arg := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		switch {
		case !isPlain(arg):
			b = append(b, "$'"...)
			b = append(b, strings.ReplaceAll(string(appendEscaped(nil, arg)), "'", `\'`)...)
			b = append(b, '\'')
		case arg == "" || strings.ContainsAny(arg, " \\'\"`$&|;<>()*?[]#~!{}"):
			b = append(b, '\'')
			b = append(b, strings.ReplaceAll(arg, "'", `'\''`)...)
			b = append(b, '\'')
		default:
			b = append(b, arg...)
		}
	}
	return string(b)
}

// oneLine makes an error's text fit in a line.
func oneLine(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)), " ")
}

// columns returns how many columns of a terminal printable text takes.
func columns(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			n := 0
			for _, r := range s {
				n += runeColumns(r)
			}
			return n
		}
	}
	return len(s)
}

// runeColumns is roughly wcwidth(3): marks take no column, the scripts and
// pictures that are written wide take two.
func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// cut returns the beginning of s that fits in so many columns.
func cut(s string, width int) string {
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > width {
			return s[:i]
		}
	}
	return s
}

// since says how long something lasts in its two greatest units.
func since(d time.Duration) string {
	s := max(int64(d/time.Second), 0)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 60*60:
		return fmt.Sprintf("%d min", s/60)
	case s < 24*60*60:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%d d %d h", s/86400, s/3600%24)
	}
}

// plural returns "1 process", "2 processes".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// glyphs are what text has beside ASCII, apart from what processes choose.
var glyphs = strings.NewReplacer("→", "->", "←", "<-", "├─", "|-", "└─", `\-`, "│", "|", "×", "x", "…", "...", dead, "(ended)")

// ascii returns text for a locale that knows no other characters: what cannot
// be written another way is escaped.
func ascii(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	var b []byte
	for _, r := range glyphs.Replace(text) {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(b)
}

// isUTF8 reports whether the locale writes UTF-8, as it is taken to where none
// is set.
func isUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := getenv(name); locale != "" {
			locale = strings.ToLower(locale)
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return true
}
