package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/cgroup"
)

// TestCgroupTable reads the paths of the tables of package cgroup: one object
// a path, null where there is none.
func TestCgroupTable(t *testing.T) {
	files, err := filepath.Glob("../../cgroup/testdata/paths*.tsv")
	if err != nil || len(files) == 0 {
		t.Fatal("no tables", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rows [][]string
		args := []string{"cgroup", "--output", "json", "--"}
		for line := range strings.Lines(string(text)) {
			row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(row) != 5 || !strings.HasPrefix(line, "/") { // what is no path is wrong usage
				continue
			}
			rows = append(rows, row)
			args = append(args, row[0])
		}
		var stdout, stderr strings.Builder
		if status := run(args, strings.NewReader(""), &stdout, &stderr); status != 0 {
			t.Fatalf("%s: status %d: %s", file, status, stderr.String())
		}
		objects := json.NewDecoder(strings.NewReader(stdout.String()))
		for _, row := range rows {
			var o map[string]any
			if err := objects.Decode(&o); err != nil {
				t.Fatal(err)
			}
			for i, field := range []string{"path", "runtime", "container", "pod", "role"} {
				var want any = row[i]
				if row[i] == "-" || field == "role" && row[i] == "none" {
					want = nil
				}
				if got, ok := o[field]; !ok || got != want {
					t.Errorf("%s: %s is %v, want %v", row[0], field, got, want)
				}
			}
		}
		if objects.More() {
			t.Errorf("%s: more objects than paths", file)
		}
	}
}

// TestGroupLine marks the line that the rule takes the path from, and not
// another one with the same path.
func TestGroupLine(t *testing.T) {
	for membership, want := range map[string]int{
		"0::/a":                                  0,
		"8:pids:/\n1:name=systemd:/\n0::/":       1,
		"8:pids:/\n3:cpu,cpuacct:/\n2:cpu:/":     1,
		"8:pids:/\n7:memory:/system.slice/a":     1,
		"8:pids:/\n7:memory:/\n":                 -1,
		"8:pids:/x\n7:memory:/\n1:cpuset,cpu:/x": 2,
	} {
		var lines []GroupLine
		for line := range strings.Lines(membership) {
			lines = append(lines, GroupLine{Line: strings.TrimSuffix(line, "\n")})
		}
		group, _ := cgroup.Group(membership)
		if got := groupLine(lines, group); got != want {
			t.Errorf("%q: line %d, want %d", membership, got, want)
		}
	}
}
