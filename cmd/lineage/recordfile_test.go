package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRecordFileInUse has a second recording go to the file of one that goes on, and
// does the first no harm.
func TestRecordFileInUse(t *testing.T) {
	r := startRecording(t)
	second := recordCommand(t, r.file, nil, "sh", "-c", "echo ran")
	said, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(said), "another recording is being written to it") || strings.Contains(string(said), "ran") {
		t.Errorf("the second one: %v, %s", err, said)
	}
	r.goOn(t)
	_ = r.Wait() // its status is that of the command
	if rec := readTestRecording(t, r.file); rec.Ended == 0 || rec.Processes[0].Exit.Status.ExitStatus() != 3 {
		t.Errorf("the first one: %+v", rec.Processes[0])
	}
}

// TestRecordFileKept overwrites a file only where there is something to record, and
// no other file at all.
func TestRecordFileKept(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	file, page := filepath.Join(dir, "r.lineage"), filepath.Join(dir, "r.html")
	for _, name := range []string{plain, file, page, page + ".lineage"} {
		if err := os.WriteFile(name, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name, text string) {
		t.Helper()
		got, err := os.ReadFile(name)
		if err != nil || (string(got) == "precious") != (text == "precious") {
			t.Errorf("%s: %v: %.20q", name, err, got)
		}
	}
	for _, args := range [][]string{{plain}, {"no-such-command-at-all"}, {dir + "/none"}} {
		if err := recordCommand(t, file, nil, args...).Run(); err == nil {
			t.Errorf("%v ran", args)
		}
		want(file, "precious")
		if err := recordCommand(t, page, []string{"--format", "html"}, args...).Run(); err == nil {
			t.Errorf("%v ran", args)
		}
		want(page, "precious")
	}
	if err := recordCommand(t, file, nil, "true").Run(); err != nil {
		t.Error(err)
	}
	if rec := readTestRecording(t, file); len(rec.Processes) != 1 {
		t.Errorf("%d processes", len(rec.Processes))
	}
	if err := recordCommand(t, page, []string{"--format", "html"}, "true").Run(); err != nil {
		t.Error(err)
	}
	want(page, "a page")
	want(page+".lineage", "precious")
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 4 {
		t.Errorf("%v: %v are left", err, list)
	}
}

// TestRecordNames has many recordings without a name at one time: none takes that of
// another one.
func TestRecordNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const count = 6
	var waits []func() error
	for range count {
		c := recordCommand(t, "", nil, "true")
		c.Args = slices.Delete(c.Args, 2, 4) // -O and its name
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, c.Wait)
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
	files, err := filepath.Glob("lineage-true-*.lineage")
	if err != nil || len(files) != count {
		t.Fatalf("%v: %v", err, files)
	}
	for _, name := range files {
		if rec := readTestRecording(t, name); rec.Ended == 0 || len(rec.Processes) != 1 {
			t.Errorf("%s has %d processes", name, len(rec.Processes))
		}
	}
}

// TestRecordPipe records to a named pipe, whose reader it waits for, and says so where
// that goes away.
func TestRecordPipe(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c := recordCommand(t, fifo, nil, "sh", "-c", "echo runs; read line; exit 3")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(fifo) // which waits for lineage to open it
	if err != nil {
		t.Fatal(err)
	}
	if n, err := stdout.Read(make([]byte, 100)); n == 0 {
		t.Fatal(err)
	}
	stdin.Close()
	rec := openTestRecording(in)
	in.Close()
	_ = c.Wait() // its status is looked at
	if rec == nil || rec.Ended == 0 || c.ProcessState.ExitCode() != 3 {
		t.Errorf("it ends with %v, and there is %+v", c.ProcessState, rec)
	}

	gone := recordCommand(t, fifo, nil, "sh", "-c", "read line; exit 0")
	stdin, err = gone.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	gone.Stderr = &stderr
	if err := gone.Start(); err != nil {
		t.Fatal(err)
	}
	if in, err = os.Open(fifo); err != nil {
		t.Fatal(err)
	}
	in.Close()
	stdin.Close()
	_ = gone.Wait() // its status is looked at
	if got := gone.ProcessState.Sys().(syscall.WaitStatus); got.ExitStatus() != exitFailed || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("without a reader: %v: %s", gone.ProcessState, &stderr)
	}
}
