package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/procfs"
)

func TestHidepid(t *testing.T) {
	const head = "22 27 0:21 / /proc rw,nosuid shared:5 - proc proc rw"
	for text, want := range map[string]string{
		head + "\n":                                            "",
		head + ",hidepid=0\n":                                  "",
		head + ",hidepid=invisible,gid=5\n":                    "hidepid=invisible",
		head + ",hidepid=2\n" + head + "\n":                    "", // covered by a later mount
		strings.Replace(head, "/proc", "/p", 1) + ",hidepid=2": "",
		"":      "",
		"a - b": "",
	} {
		if got := hidepid(text, "/proc"); got != want {
			t.Errorf("hidepid of %q = %q, want %q", text, got, want)
		}
	}
}

func FuzzHidepid(f *testing.F) {
	f.Add("22 27 0:21 / /proc rw - proc proc rw,hidepid=2\n", "/proc")
	f.Fuzz(func(t *testing.T, text, path string) {
		if got := hidepid(text, path); got != "" && !strings.Contains(text, got) {
			t.Errorf("%q is not in %q", got, text)
		}
	})
}

func TestCgroupMode(t *testing.T) {
	for membership, want := range map[string]string{
		"0::/init.scope\n":          "v2",
		"1:name=systemd:/\n0::/\n":  "hybrid: v2 beside 1 hierarchy of v1",
		"2:cpu:/\n1:name=systemd:/": "v1: 2 hierarchies",
		"":                          "none",
		"nonsense":                  "none",
	} {
		if got := cgroupMode(membership); got != want {
			t.Errorf("cgroupMode(%q) = %q, want %q", membership, got, want)
		}
	}
}

func TestDoctorGolden(t *testing.T) {
	r := Report{Checks: append(checkFeatures(procfs.Features{PIDFD: true}),
		Check{Name: "pid namespace", Status: statusOK, Detail: "the host's: every process is seen"},
		checkSource("procfs", []source.Limit{source.CreatorsUnseen, source.TicksOnly}))}
	golden(t, "doctor_80.txt", 80, func(s *screen) { writeDoctor(s, r) })
}

func TestOpenRemedy(t *testing.T) {
	foreign := openRemedy(fmt.Errorf("x: %w", procfs.ErrForeignNamespace))
	if !strings.Contains(foreign, "PID namespace") || foreign == openRemedy(fs.ErrNotExist) {
		t.Errorf("remedy = %s", foreign)
	}
}
