package cgroup

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A pathRow is one line of testdata/paths*.tsv.
type pathRow struct {
	at                            string // file and line
	path, runtime, container, pod string
	role                          Role
}

func pathRows(t testing.TB) []pathRow {
	t.Helper()
	files, err := filepath.Glob("testdata/paths*.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []pathRow
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		known := func(s string) string {
			if s == "-" {
				return ""
			}
			return s
		}
		s := bufio.NewScanner(f)
		for n := 1; s.Scan(); n++ {
			if line := s.Text(); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			cols := strings.Split(s.Text(), "\t")
			if len(cols) != 5 {
				t.Fatalf("%s:%d: %d columns, want 5", name, n, len(cols))
			}
			row := pathRow{
				at:        filepath.Base(name) + ":" + strconv.Itoa(n),
				path:      cols[0],
				runtime:   known(cols[1]),
				container: known(cols[2]),
				pod:       known(cols[3]),
			}
			if err := row.role.UnmarshalText([]byte(cols[4])); err != nil {
				t.Fatalf("%s:%d: %v", name, n, err)
			}
			rows = append(rows, row)
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func TestIdentifyPaths(t *testing.T) {
	for _, row := range pathRows(t) {
		id := Identify(row.path)
		if string(id.Runtime) != row.runtime || id.Container != row.container || id.Pod != row.pod || id.Role != row.role {
			t.Errorf("%s: Identify(%q):\n got %q %q %q %v\nwant %q %q %q %v", row.at, row.path,
				id.Runtime, id.Container, id.Pod, id.Role,
				row.runtime, row.container, row.pod, row.role)
		}
	}
}
