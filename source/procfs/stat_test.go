package procfs

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

const statRest = " S 1 2 3 34816 5 4194560 0 0 0 0 0 0 0 0 20 0 7 0 123456 0 0"

func TestParseStat(t *testing.T) {
	for _, name := range []string{"sh", "", "a b", ") S 9 (", "((", "))", "\n", ") Z 0 0 0", strings.Repeat("x", 15), "\xff\xfe"} {
		var s stat
		if err := parseStat([]byte("77 ("+name+")"+statRest), &s); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if string(s.name) != name || s.state != 'S' || s.ppid != 1 || s.pgrp != 2 || s.session != 3 ||
			s.tty != 34816 || s.flags != 4194560 || s.threads != 7 || s.startTick != 123456 {
			t.Errorf("%q: %+v", name, s)
		}
	}
	for _, text := range []string{"", "77", "77 (sh", "77 sh) S", "77 (sh)", "77 (sh) S", "77 (sh) S 1 2", "77 (sh) S x" + statRest[4:], "77 (sh) S -1" + statRest[4:], "77 (sh)S" + statRest[3:]} {
		var s stat
		if err := parseStat([]byte(text), &s); err == nil {
			t.Errorf("%q: no error, %+v", text, s)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	own, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte("77 () S 9 ()" + statRest))
	f.Add([]byte("77 (\n)" + statRest))
	f.Add([]byte("1 (a) S 18446744073709551615 0 0 0 0 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s stat
		if parseStat(b, &s) != nil {
			return
		}
		if !strings.Contains(string(b), "("+string(s.name)+") "+string([]byte{s.state})+" ") {
			t.Errorf("%q: name %q, state %q", b, s.name, s.state)
		}
		if s.ppid < 0 {
			t.Errorf("%q: parent %d", b, s.ppid)
		}
	})
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\tsh\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNStgid:\t40\t1\nThreads:\t9\n"
	var d process.Details
	if err := parseStatus([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != 1 || d.EffectiveUID != 2 || d.GID != 5 || d.EffectiveGID != 6 || d.Threads != 9 || !slices.Equal(d.NamespacePIDs, []int{40, 1}) {
		t.Errorf("%+v", d)
	}
	for _, bad := range []string{"nothing\n", "Uid:\n", "Uid:\tx\n", "Uid:\t1\n", "NStgid:\tx\n", "Threads:\t-1\n"} {
		if err := parseStatus([]byte(bad), &d); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte("Uid:\t1\t2\nNStgid:\t\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d process.Details
		if parseStatus(b, &d) == nil && (d.UID < 0 || d.Threads < 0) {
			t.Errorf("%q: %+v", b, d)
		}
	})
}

func TestMountOptions(t *testing.T) {
	const text = "22 1 0:20 / /proc rw,nosuid - proc proc rw,hidepid=invisible,gid=7\n" +
		"23 1 0:21 / /a - tmpfs rw\n24 1 0:22 / /b rw shared:1 - proc proc rw\n\n25"
	for mount, want := range map[string]string{"22": "invisible 7", "23": " -1", "24": " -1", "25": " -1", "2": " -1", "": " -1"} {
		hidepid, gid := mountOptions([]byte(text), mount)
		if got := fmt.Sprint(hidepid, " ", gid); got != want {
			t.Errorf("mount %s: %q, want %q", mount, got, want)
		}
	}
}

func FuzzMountOptions(f *testing.F) {
	own, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own, "1")
	f.Add([]byte("1 - a b hidepid=2,gid=x"), "1")
	f.Fuzz(func(t *testing.T, b []byte, mount string) {
		if hidepid, _ := mountOptions(b, mount); !strings.Contains(string(b), hidepid) {
			t.Errorf("%q: %q", b, hidepid)
		}
	})
}

func TestAppendEntries(t *testing.T) {
	dir, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	got, err := entries(int(dir.Fd()))
	if err != nil || !slices.IsSorted(got) || !slices.Contains(got, 1) || !slices.Contains(got, os.Getpid()) {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzAppendEntries(f *testing.F) {
	dir, err := os.Open("/proc")
	if err != nil {
		f.Fatal(err)
	}
	defer dir.Close()
	buf := make([]byte, 2048)
	n, err := unix.ReadDirent(int(dir.Fd()), buf)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(buf[:n])
	f.Add(buf[:n-5])
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, pid := range appendEntries(nil, b) {
			if !validPID(pid) || !strings.Contains(string(b), strconv.Itoa(pid)) && !strings.Contains(string(b), "0") {
				t.Errorf("%q: %d", b, pid)
			}
		}
	})
}

func TestSplitArgs(t *testing.T) {
	for text, want := range map[string][]string{
		"":               nil,
		"a\x00":          {"a"},
		"a\x00\x00b\x00": {"a", "", "b"},
		"a b":            {"a b"}, // a process that wrote over its arguments
		"\x00":           {""},
		"a\x00b\x00\x00": {"a", "b", ""},
	} {
		if got := splitArgs([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
