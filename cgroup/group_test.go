package cgroup

import (
	"fmt"
	"strings"
	"testing"
)

const (
	unifiedMembership = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1234.scope\n"
	hybridMembership  = "13:rdma:/\n" +
		"12:memory:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"11:pids:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"10:cpuset:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"9:net_cls,net_prio:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"8:freezer:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"7:cpu,cpuacct:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"1:name=systemd:/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9\n" +
		"0::/system.slice/containerd.service\n"
)

func TestGroup(t *testing.T) {
	tests := []struct {
		name, membership string
		path             string
		ok               bool
	}{
		{"only line", "0::/foo\n", "/foo", true},
		{"only line, no newline", "0::/foo", "/foo", true},
		{"only line, of v1", "4:memory:/foo\n", "/foo", true},
		{"root", "0::/\n", "/", true},
		{"removed", "0::/foo (deleted)\n", "/foo", true},
		{"cpu", "5:memory:/a\n4:cpu,cpuacct:/b\n0::/c\n", "/b", true},
		{"cpu, last of the controllers", "5:memory:/a\n4:cpuacct,cpu:/b\n0::/c\n", "/b", true},
		{"cpuset is not cpu", "5:cpuset:/a\n4:cpuacct:/b\n3:cpu:/c\n", "/c", true},
		{"first in the file", "3:cpu:/a\n1:name=systemd:/b\n", "/a", true},
		{"first in the file, systemd", "1:name=systemd:/b\n3:cpu:/a\n", "/b", true},
		{"systemd in a name", "5:memory:/a\n1:name=my-systemd-2:/b\n", "/b", true},
		{"systemd in another controller", "5:memory,name=systemd:/a\n3:cpu:/b\n", "/a", true},
		{"system.slice", "5:memory:/system.slice/x.service\n3:cpu:/a\n", "/system.slice/x.service", true},
		{"user.slice", "5:memory:/a\n0::/user.slice/user-0.slice\n3:cpu:/a\n", "/user.slice/user-0.slice", true},
		{"system.slice itself", "5:memory:/system.slice\n3:cpu:/a\n", "/a", true},
		{"system.slice not first", "5:memory:/x/system.slice/y\n3:cpu:/a\n", "/a", true},
		{"none of two", "5:memory:/a\n0::/b\n", "", false},
		{"outside the namespace", "3:cpu:/../../kubepods/x\n0::/\n", "/../../kubepods/x", true},
		{"colons", "5:memory:/x\n3:cpu:/a:b:c\n", "/a:b:c", true},
		{"hybrid", hybridMembership, "/docker/8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9", true},
		{"empty", "", "", false},
		{"newline", "\n", "", false},
		{"malformed", "0:/foo\n", "", false},
		{"malformed before", "x\n3:cpu:/a\n", "", false},
		{"malformed between", "5:memory:/a\n\n3:cpu:/a\n", "", false},
		{"malformed after", "3:cpu:/a\nx\n", "/a", true},
		{"malformed second of two", "5:memory:/a\nx", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if path, ok := Group(tt.membership); path != tt.path || ok != tt.ok {
				t.Errorf("Group(%q): got %q, %v, want %q, %v", tt.membership, path, ok, tt.path, tt.ok)
			}
			if path, ok := Group([]byte(tt.membership)); string(path) != tt.path || ok != tt.ok {
				t.Errorf("Group of bytes %q: got %q, %v, want %q, %v", tt.membership, path, ok, tt.path, tt.ok)
			}
		})
	}
}

func TestGroupAllocations(t *testing.T) {
	for _, membership := range []string{unifiedMembership, hybridMembership, "5:memory:/a\n0::/b\n", "x\n", ""} {
		bytes := []byte(membership)
		n := testing.AllocsPerRun(100, func() {
			Group(membership)
			Group(bytes)
			Unified(membership)
			Unified(bytes)
		})
		if n != 0 {
			t.Errorf("%q: %v allocations", membership, n)
		}
	}
}

// groupByLines is the rule of Group in terms of Lines.
func groupByLines(membership string) (string, bool) {
	var lines []Line
	for line, err := range Lines(membership) {
		if err != nil {
			line.Path = "" // a malformed line
		}
		lines = append(lines, line)
	}
	if len(lines) == 1 {
		return lines[0].Path, lines[0].Path != ""
	}
	for _, line := range lines {
		if line.Path == "" {
			break
		}
		systemd := strings.Contains(line.Controllers, "systemd")
		slice := strings.HasPrefix(line.Path, "/system.slice/") || strings.HasPrefix(line.Path, "/user.slice/")
		if line.Has("cpu") || systemd || slice {
			return line.Path, true
		}
	}
	return "", false
}

func FuzzGroup(f *testing.F) {
	f.Add(unifiedMembership)
	f.Add(hybridMembership)
	f.Add("5:memory:/a\n0::/b (deleted)\n")
	f.Add("5:memory:/a\nx\n1:name=systemd:/b")
	f.Fuzz(func(t *testing.T, membership string) {
		path, ok := Group(membership)
		if bytesPath, bytesOK := Group([]byte(membership)); string(bytesPath) != path || bytesOK != ok {
			t.Errorf("of a string %q, %v; of bytes %q, %v", path, ok, bytesPath, bytesOK)
		}
		wantPath, wantOK := groupByLines(membership)
		if path != wantPath || ok != wantOK {
			t.Errorf("got %q, %v, by lines %q, %v", path, ok, wantPath, wantOK)
		}
		var unified string
		for line, err := range Lines(membership) {
			if err == nil && line.Unified() {
				unified = line.Path
				break
			}
		}
		if got, ok := Unified(membership); got != unified || ok != (unified != "") {
			t.Errorf("Unified: got %q, %v, by lines %q", got, ok, unified)
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	for _, bb := range []struct{ name, membership string }{
		{"unified", unifiedMembership},
		{"hybrid", hybridMembership},
	} {
		bytes := []byte(bb.membership)
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := Group(bytes); !ok {
					b.Fatal("none")
				}
			}
		})
	}
}

func ExampleGroup() {
	const membership = "" +
		"5:memory:/docker/1f2e\n" +
		"4:cpu,cpuacct:/docker/1f2e\n" +
		"0::/system.slice/containerd.service\n"
	path, ok := Group(membership)
	fmt.Println(path, ok)
	// Output: /docker/1f2e true
}
