package main

import (
	"bufio"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares what is drawn on a screen of so many columns, 0 for no
// limit, with a file of testdata/golden.
func golden(t *testing.T, name string, width int, draw func(*screen)) {
	t.Helper()
	goldenText(t, name, drawn(width, draw))
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata/golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is drawn (go test -run '%s' -update writes it):\n%s", file, t.Name(), got)
	}
}

func drawn(width int, draw func(*screen)) string {
	var b strings.Builder
	w := bufio.NewWriter(&b)
	draw(&screen{w: w, width: width})
	w.Flush()
	return b.String()
}

func discard() *bufio.Writer { return bufio.NewWriter(io.Discard) }
