package main

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"nginx":            "nginx",
		"":                 "",
		"kworker/0:1":      "kworker/0:1",
		"a b":              "a b",
		"grün 日本":          "grün 日本",
		"\x1b[31mred":      `\x1b[31mred`,
		"a\nb\tc\rd":       `a\nb\tc\rd`,
		"\x00\x7f":         `\x00\x7f`,
		"\xff\xfe":         `\xff\xfe`,
		`a\nb`:             `a\\nb`,
		"\u202egnp.exe":    `\u202egnp.exe`, // right to left
		"\u0085":           `\u0085`,        // next line, a control of 8 bits
		"\ufffd":           "\ufffd",
		"zero\u200bwidth":  `zero\u200bwidth`,
		"\U000e0001hidden": `\U000e0001hidden`,
	} {
		if got := safe(in); got != want {
			t.Errorf("safe(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"nginx", "\x1b[31m", "\xff", "a\\", "日本", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{safe(s), commandLine([]string{s, s}), commandLine([]string{s}), oneLine(s)} {
			if !utf8.ValidString(got) {
				t.Errorf("%q is not UTF-8", got)
			}
			for _, r := range got {
				if !unicode.IsPrint(r) {
					t.Errorf("%q of %q has %U in it", got, s, r)
				}
			}
		}
		for width := range 8 {
			if got := cut(safe(s), width); columns(got) > width || !strings.HasPrefix(safe(s), got) {
				t.Errorf("cut(%q, %d) = %q", safe(s), width, got)
			}
		}
	})
}

// FuzzSafeTellsApart checks that two names never look the same.
func FuzzSafeTellsApart(f *testing.F) {
	f.Add("\n", `\n`)
	f.Add("\xff", "\ufffd")
	f.Add("\x1b", `\x1b`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if a != b && safe(a) == safe(b) {
			t.Errorf("%q and %q are both %s", a, b, safe(a))
		}
	})
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, ""},
		{[]string{"nginx: worker process"}, "nginx: worker process"},
		{[]string{"ls", "-l", "/tmp"}, "ls -l /tmp"},
		{[]string{"sh", "-c", "echo 'a b' | wc"}, `sh -c 'echo '\''a b'\'' | wc'`},
		{[]string{"printf", ""}, "printf ''"},
		{[]string{"printf", "a\nb'c"}, `printf $'a\nb\'c'`},
		{[]string{"grep", `a\.b`}, `grep 'a\.b'`},
		{[]string{"x", "--env=A=1"}, "x --env=A=1"},
	}
	for _, test := range tests {
		if got := commandLine(test.args); got != test.want {
			t.Errorf("commandLine(%q) = %s, want %s", test.args, got, test.want)
		}
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "日本": 4, "é": 1, "e\u0301": 1, "…": 1, "├─ ": 3} {
		if got := columns(s); got != want {
			t.Errorf("columns(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestLineIsCut(t *testing.T) {
	tests := []struct {
		width int
		want  string
	}{
		{0, "abcdef日本\n"}, {10, "abcdef日本\n"}, {9, "abcdef日…\n"}, {8, "abcdef…\n"}, {4, "abc…\n"}, {2, "a…\n"},
	}
	for _, test := range tests {
		got := drawn(test.width, func(s *screen) { s.line(span{"abc", bold}, span{"def日本", plain}) })
		if got != test.want {
			t.Errorf("in %d columns: %q, want %q", test.width, got, test.want)
		}
	}
}

func TestProse(t *testing.T) {
	got := drawn(30, func(s *screen) { s.prose([]span{{"label  ", dim}}, "some words that need more than a line", plain) })
	if want := "label  some words that need\n       more than a line\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSince(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min",
		125 * time.Minute: "2 h 5 min", 50 * time.Hour: "2 d 2 h",
	} {
		if got := since(d); got != want {
			t.Errorf("since(%v) = %s, want %s", d, got, want)
		}
	}
}
