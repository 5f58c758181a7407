package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// smallDisk returns a directory on a filesystem of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	linuxtest.Need(t, linuxtest.Root)
	dir := t.TempDir()
	if err := unix.Mount("lineage-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// noise is a command of many processes whose arguments cannot be made small,
// which ends with the status.
func noise(status int) []string {
	return []string{"sh", "-c", fmt.Sprintf(
		`n=0; while [ $n -lt 400 ]; do /bin/true "$(od -An -N150 -tx1 /dev/urandom | tr -d ' \n')"; n=$((n+1)); done; exit %d`, status)}
}

// TestRecordFullDisk records until the disk is full: the command ends as it would,
// lineage says what happened, and what is in the file can be read.
func TestRecordFullDisk(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	for status, want := range map[int]int{0: exitFailed, 3: 3} {
		file := filepath.Join(smallDisk(t, 64<<10), "r.lineage")
		c := recordCommand(t, file, nil, noise(status)...)
		var stderr strings.Builder
		c.Stderr = &stderr
		_ = c.Run()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("it ends with %d, not %d: %s", got, want, &stderr)
		}
		for _, text := range []string{"no space left on device", "lineage: not as it should be: recorded ", " until that could not be written, ", "not all of which are in the file, and nothing of what came then: "} {
			if !strings.Contains(stderr.String(), text) {
				t.Errorf("no %q in %s", text, &stderr)
			}
		}
		rec := readTestRecording(t, file) // without an error: what was written in part was cut off
		if rec.Ended != 0 || len(rec.Processes) < 50 || len(rec.Processes[0].Execs) != 1 {
			t.Errorf("%d processes and an end at %d are recorded", len(rec.Processes), rec.Ended)
		}
		var out, errs strings.Builder
		if status := run([]string{"show", "--summary", file}, strings.NewReader(""), &out, &errs); status != 0 || !strings.Contains(out.String(), "cut short") {
			t.Errorf("show ends with %d: %s%s", status, &out, &errs)
		}
	}
}

// TestRecordFormatFullDisk makes a page that the disk has no room for: the
// recording is kept in its place.
func TestRecordFormatFullDisk(t *testing.T) {
	file := filepath.Join(smallDisk(t, 32<<10), "r.html")
	c := recordCommand(t, file, []string{"--format", "html"}, "sh", "-c", "true")
	var stderr strings.Builder
	c.Stderr = &stderr
	_ = c.Run()
	if got := c.ProcessState.ExitCode(); got != exitFailed || !strings.Contains(stderr.String(), "what was recorded is kept as "+file+".lineage") {
		t.Errorf("it ends with %d: %s", got, &stderr)
	}
	if rec := readTestRecording(t, file+".lineage"); rec.Ended == 0 {
		t.Error("what is kept has no end")
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a part of the page was left: %v", err)
	}
}
