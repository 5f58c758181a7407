package cgroup

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	const membership = "12:cpu,cpuacct:/user.slice\n" +
		"1:name=systemd:/user.slice/session-4.scope\n" +
		"3:memory:/a:b/c (deleted)\n" +
		"0::/a:b/\x01\xff \\ (deleted)\n"
	want := []Line{
		{Hierarchy: 12, Controllers: "cpu,cpuacct", Path: "/user.slice"},
		{Hierarchy: 1, Controllers: "name=systemd", Path: "/user.slice/session-4.scope"},
		{Hierarchy: 3, Controllers: "memory", Path: "/a:b/c (deleted)"},
		{Path: "/a:b/\x01\xff \\", Deleted: true},
	}
	var got []Line
	var text strings.Builder
	for line, err := range Lines(membership) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
		text.WriteString(line.String() + "\n")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if text.String() != membership {
		t.Errorf("String: got %q, want %q", text.String(), membership)
	}
}

// TestLinesOfThisProcess reads what the running kernel writes.
func TestLinesOfThisProcess(t *testing.T) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line, err := range Lines(string(membership)) {
		if err != nil {
			t.Error(err)
		}
		text.WriteString(line.String() + "\n")
	}
	if text.String() != string(membership) {
		t.Errorf("read %q from %q", text.String(), membership)
	}
}

func TestLinesStop(t *testing.T) {
	n := 0
	for range Lines("0::/\n0::/\n") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

func TestLinesSyntax(t *testing.T) {
	tests := []string{
		"0", "0:", "0::", "::/", ":cpu:/", "x::/", "-1::/", "+1::/", " 0::/", "0::a", "0:cpu", "0:cpu:x/y",
		"00::/", "01:cpu:/", "9999999999:cpu:/", "99999999999999999999::/", "\x00",
	}
	for _, text := range tests {
		membership := "2:cpu:/a\n" + text + "\n0::/b"
		var errs []error
		var paths []string
		for line, err := range Lines(membership) {
			if err != nil {
				errs = append(errs, err)
				if line != (Line{}) {
					t.Errorf("%q: line %+v with an error", text, line)
				}
				continue
			}
			paths = append(paths, line.Path)
		}
		if len(errs) != 1 || !errors.Is(errs[0], ErrSyntax) || !strings.Contains(errs[0].Error(), "line 2") {
			t.Errorf("%q: got errors %v, want one that wraps ErrSyntax and names line 2", text, errs)
		}
		if want := []string{"/a", "/b"}; !slices.Equal(paths, want) {
			t.Errorf("%q: got paths %q, want %q", text, paths, want)
		}
	}
}

func TestLineHas(t *testing.T) {
	tests := []struct {
		controllers, name string
		want              bool
	}{
		{"cpu,cpuacct", "cpu", true},
		{"cpuacct,cpu", "cpu", true},
		{"cpuset", "cpu", false},
		{"name=systemd", "name=systemd", true},
		{"name=systemd", "systemd", false},
		{"", "cpu", false},
		{"", "", false},
		{",cpu", "", false},
	}
	for _, tt := range tests {
		if got := (Line{Hierarchy: 1, Controllers: tt.controllers}).Has(tt.name); got != tt.want {
			t.Errorf("Has(%q) of %q: got %v", tt.name, tt.controllers, got)
		}
	}
}

func TestUnified(t *testing.T) {
	tests := []struct {
		membership, path string
		ok               bool
	}{
		{"0::/a\n", "/a", true},
		{"0::/a (deleted)\n", "/a", true},
		{"4:cpu:/a\n1:name=systemd:/b\n0::/c\n", "/c", true},
		{"garbage\n0::/c", "/c", true},
		{"00::/c", "", false},
		{"10::/c", "", false},
		{"0:cpu:/c", "", false},
		{"4:cpu:/a\n", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if path, ok := Unified(tt.membership); path != tt.path || ok != tt.ok {
			t.Errorf("Unified(%q): got %q, %v", tt.membership, path, ok)
		}
		if path, ok := Unified([]byte(tt.membership)); string(path) != tt.path || ok != tt.ok {
			t.Errorf("Unified of bytes %q: got %q, %v", tt.membership, path, ok)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add("0::/\n")
	f.Add("12:cpu,cpuacct:/a\n1:name=systemd:/b:c\n0::/d (deleted)\n")
	f.Add("1:cpu\n:\n\n0::x")
	f.Fuzz(func(t *testing.T, membership string) {
		// Every line is yielded once, and a good one says what was read.
		texts := strings.Split(strings.TrimSuffix(membership, "\n"), "\n")
		n := 0
		for line, err := range Lines(membership) {
			text := texts[n]
			n++
			if err != nil {
				if !errors.Is(err, ErrSyntax) {
					t.Errorf("%q: %v does not wrap ErrSyntax", text, err)
				}
				continue
			}
			if line.String() != text {
				t.Errorf("read %q from %q", line, text)
			}
			if line.Path[0] != '/' {
				t.Errorf("path %q", line.Path)
			}
		}
		if n != len(texts) && membership != "" {
			t.Errorf("%d lines, want %d", n, len(texts))
		}
	})
}
