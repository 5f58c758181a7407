package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestRecords makes every measurement of recordings once, of a build that only
// makes two processes, and of a small storm.
func TestRecords(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Strace)
	dir := t.TempDir()
	program, err := build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var s sheaf
	silent := func(string, ...any) {}
	p := &project{dir: filepath.Join(dir, "build"), script: "ls >/dev/null; ls >made"}
	if err := s.builds(t.Context(), p, dir, program, 1, silent); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "made")); err != nil {
		t.Error(err)
	}
	if len(s.Results) != 4 || s.Results[1].Processes != 3 {
		t.Errorf("%+v", s.Results)
	}
	st := makeStorm(t, 200)
	for _, k := range []kind{forkExit, forkExecExit} {
		if err := s.recordStorm(t.Context(), st, k, dir, program, silent); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range s.Limits {
		none := strings.Contains(l.Text, "lost") || strings.Contains(l.Text, "missing")
		few := strings.Contains(l.Text, "for each process") // of so few, the file is most of a header, and ticks are none
		if l.Measured == nil || none != (l.Measured.Median == 0) && !few {
			t.Errorf("%s: %v", l.Text, l.Measured)
		}
	}
	p.script = "exit 3"
	if err := s.builds(t.Context(), p, dir, program, 1, silent); err == nil {
		t.Error("a build that fails has been measured")
	}
}

func TestRecorded(t *testing.T) {
	for said, want := range map[string][2]int{
		"lineage: recorded 1 process, none lost: f\n":                                                        {1, 0},
		"x\nlineage: recorded 20 processes, 3 failed, 2 still running (a, b), events were lost 2 times: f\n": {20, 2},
	} {
		if n, losses, err := recorded(said); n != want[0] || losses != want[1] || err != nil {
			t.Errorf("%q: %d, %d, %v", said, n, losses, err)
		}
	}
	for _, bad := range []string{"", "lineage: recorded x", "lineage: recorded 7 processes, by looking at /proc now and then: f"} {
		if _, _, err := recorded(bad); err == nil {
			t.Errorf("%q was taken for a report", bad)
		}
	}
}
