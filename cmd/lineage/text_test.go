package main

import (
	"bufio"
	"slices"
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
	label := []span{{"label  ", dim}}
	wide := []span{{pad("", 12), plain}, {pad("label", 8), dim}, {"  ", plain}}
	const text = "some words that need more than a line"
	tests := []struct {
		width int
		head  []span
		text  string
		want  string
	}{
		{30, label, text, "label  some words that need\n       more than a line\n"},
		{0, wide, text, "            label     " + text + "\n"},
		{60, wide, text, "            label     " + text + "\n"},
		{30, wide, "short", "            label     short\n"},
		{30, wide, text, "  label some words that need\n    more than a line\n"}, // there is no room beside the margin
		{20, wide, text, "  label some words\n    that need more\n    than a line\n"},
		{20, wide, "averylongword after it", "  label\n    averylongword\n    after it\n"},
		{20, wide, "averylongwordthatneverends", "  label\n    averylongwordtha\n    tneverends\n"},
		{20, label, "日本日本日本日本日本 語", "label\n    日本日本日本日本\n    日本 語\n"},
	}
	for _, test := range tests {
		got := drawn(test.width, func(s *screen) { s.prose(slices.Clone(test.head), test.text, plain) })
		if got != test.want {
			t.Errorf("in %d columns: %q, want %q", test.width, got, test.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("some words that need more than a line", 5, 10)
	f.Add("日本 日本", 0, 1)
	f.Add(" a  b ", -3, 4)
	f.Fuzz(func(t *testing.T, text string, first, rest int) {
		if text = safe(text); rest < 2 || rest > 1000 || first > rest || first < -1000 {
			return
		}
		lines := wrap(text, first, rest)
		for i, line := range lines {
			if limit := []int{max(first, 0), rest}[min(i, 1)]; columns(line) > limit && (i > 0 || first == rest) && utf8.RuneCountInString(line) > 1 {
				t.Errorf("%q is longer than %d", line, limit)
			}
		}
		squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if squeeze(strings.Join(lines, "")) != squeeze(text) {
			t.Errorf("%q of %q", lines, text)
		}
	})
}

func TestASCII(t *testing.T) {
	for in, want := range map[string]string{
		"a → b ← c ×2 …": "a -> b <- c x2 ...", "├─ a": "|- a", "│  └─ b": `|  \- b`,
		"grün 日本 \U0001f600": `gr\u00fcn \u65e5\u672c \U0001f600`, "plain": "plain", "": "",
	} {
		if got := ascii(in); got != want {
			t.Errorf("ascii(%q) = %s, want %s", in, got, want)
		}
	}
	var text strings.Builder
	w := bufio.NewWriter(&text)
	s := &screen{w: w, width: 24, ascii: true}
	s.table(nil, []span{{"日本", plain}, {"x", plain}}, []span{{"a", plain}, {"y", plain}})
	s.chain("", []string{"…", "systemd 1", "grün 22"})
	s.line(span{"a line that is longer than this", plain})
	if got := s.chainTail([]string{"systemd 1", "nginx 22", "nginx 333"}, 18); got != "... -> nginx 333" {
		t.Errorf("tail: %s", got)
	}
	w.Flush()
	if want := "\\u65e5\\u672c  x\na             y\n... -> systemd 1\n  -> gr\\u00fcn 22\na line that is longer...\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
}

func TestIsUTF8(t *testing.T) {
	tests := []struct {
		lcAll, lcCtype, lang string
		want                 bool
	}{
		{"", "", "", true}, {"", "", "en_US.UTF-8", true}, {"", "", "C.utf8", true}, {"", "", "C", false},
		{"C", "", "en_US.UTF-8", false}, {"", "de_DE.ISO-8859-1", "de_DE.UTF-8", false}, {"C.UTF-8", "POSIX", "C", true},
	}
	for _, test := range tests {
		env := map[string]string{"LC_ALL": test.lcAll, "LC_CTYPE": test.lcCtype, "LANG": test.lang}
		if got := isUTF8(func(name string) string { return env[name] }); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
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
