package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// TestRecordBuild records a build of GNU hello, some 4,500 processes, together
// with the strace(1) that it runs under: both see the same processes, and have to
// tell the same of each.
func TestRecordBuild(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Strace, linuxtest.Hello)
	linuxtest.Quiet(t)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", linuxtest.HelloSource(), "-C", dir, "--strip-components=1").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	file, log := filepath.Join(t.TempDir(), "r.lineage"), filepath.Join(t.TempDir(), "log")
	command := slices.Concat([]string{"--", "strace", "--seccomp-bpf"}, straceFlags(log), []string{"sh", "-c", "./configure && make"})
	c := recordCommand(t, file, nil, command...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C", "MAKEFLAGS=-j2")
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if !strings.Contains(stderr.String(), ", none lost: ") {
		t.Errorf("it says %q", stderr.String())
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := readStrace(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 1000 {
		t.Fatalf("the build has %d processes", len(want))
	}
	rec := readTestRecording(t, file)
	if rec.Ended == 0 || len(rec.Losses) > 0 {
		t.Errorf("it ended at %v, with the losses %v", rec.Ended, rec.Losses)
	}
	compareStraced(t, rec, dir, want)

	show := exec.CommandContext(t.Context(), "/proc/self/exe", "show", "--output", "ndjson", file)
	show.Args[0] = "lineage"
	shown, err := show.Output()
	if n := bytes.Count(shown, []byte("\n")); err != nil || n != len(rec.Processes) {
		t.Errorf("%d of %d processes are shown, %v", n, len(rec.Processes), err)
	}
}

// compareStraced compares a recording of strace with what that has seen.
func compareStraced(t *testing.T, rec *record.Recording, dir string, want []straced) {
	t.Helper()
	made := make([][]int, len(rec.Processes))
	for i := 1; i < len(rec.Processes); i++ {
		up := rec.Processes[i].Creator
		if up < 0 {
			t.Fatalf("nobody has made %+v", rec.Processes[i])
		}
		made[up] = append(made[up], i)
	}
	place := make([]int, len(want)) // by place in the log, that in the recording
	const own = 1 + 8               // strace, and what it tries the kernel with
	for n := range want {
		w := &want[n]
		at := 0
		if w.creator >= 0 {
			at = place[w.creator]
		} else { // strace has made others before
			made[0] = slices.DeleteFunc(made[0], func(i int) bool { return rec.Processes[i].ID.PID != w.pid })
		}
		if len(made[at]) == 0 {
			t.Fatalf("process %d of %+v is not in the recording", n, w)
		}
		place[n], made[at] = made[at][0], made[at][1:]
		compareProcess(t, &rec.Processes[place[n]], &rec.Processes[at], dir, w)
		if t.Failed() {
			t.Fatalf("at process %d of %d", n, len(want))
		}
	}
	if more := len(rec.Processes) - len(want); more < 1 || more > own {
		t.Errorf("%d processes are in the recording, and strace has seen %d", len(rec.Processes), len(want))
	}
	for at, rest := range made {
		if len(rest) > 0 {
			t.Errorf("%d of those that %+v has made were not seen by strace", len(rest), rec.Processes[at])
		}
	}
}

// compareProcess compares a process and its maker with what strace has seen.
func compareProcess(t *testing.T, got, maker *record.Process, dir string, want *straced) {
	t.Helper()
	if got.ID.PID != want.pid || got.CreatorEvidence != process.Observed {
		t.Errorf("%+v\nand strace: %+v", got, want)
		return
	}
	if got.Exit.Evidence != process.Observed || got.Exit.Status != want.status || !want.ended || !got.Exit.Usage.Known {
		t.Errorf("%d has ended by %+v, and strace: %#x", want.pid, got.Exit, want.status)
	}
	if len(got.Execs) != len(want.execs) {
		t.Errorf("%d has run %+v, and strace: %+v", want.pid, got.Execs, want.execs)
		return
	}
	moments := []process.Instant{maker.Start, got.Start}
	for i := range want.execs {
		moments = append(moments, got.Execs[i].At)
		if !sameExec(&got.Execs[i], &want.execs[i], dir) {
			t.Errorf("%d has run %+v, and strace: %+v", want.pid, got.Execs[i], want.execs[i])
		}
	}
	if moments = append(moments, got.End); !slices.IsSorted(moments) || maker.End < got.Start {
		t.Errorf("%d began, ran and ended at %v, and its maker at %d", want.pid, moments[1:], maker.End)
	}
}

// sameExec reports whether both are the same execve(2). The kernel has the
// interpreter of a script run instead, with its path in the place of the first
// argument (load_script).
func sameExec(got *record.Exec, want *stracedExec, dir string) bool {
	args := want.args
	if at := slices.Index(got.Args, want.file); at > 0 && !slices.Equal(got.Args, args) && isScript(want.file, dir) {
		args = slices.Concat(got.Args[:at], []string{want.file}, args[1:])
	}
	if got.File != want.file {
		return false
	}
	if !got.ArgsCut {
		return slices.Equal(got.Args, args)
	}
	told, all := strings.Join(got.Args, "\x00"), strings.Join(args, "\x00")
	return len(told) > 4000 && strings.HasPrefix(all, told)
}

// isScript reports whether a file is a script, or is no longer there.
func isScript(file, dir string) bool {
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	text, err := os.ReadFile(file)
	return err != nil || bytes.HasPrefix(text, []byte("#!"))
}
