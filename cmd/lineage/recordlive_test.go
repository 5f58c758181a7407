package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/record"
)

// A liveRecording is a command that is being recorded, which has run cat and then
// waits for a line.
type liveRecording struct {
	*exec.Cmd
	file   string
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// startRecording starts one that ends with status 3. Its cat ends only when it is in
// the file.
func startRecording(t *testing.T) *liveRecording {
	t.Helper()
	r := &liveRecording{file: filepath.Join(t.TempDir(), "r.lineage")}
	r.Cmd = recordCommand(t, r.file, nil, "sh", "-c", "cat <&3; echo up; read line; sleep 0.1; echo went on; exit 3")
	held, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	defer held.Close()
	r.ExtraFiles = []*os.File{held}
	if r.stdin, err = r.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout, r.Stderr = bufio.NewReader(stdout), &r.stderr
	file, err := os.Create(r.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	errSeen := errors.New("cat is in the file") // which takes a while where nobody tells of it
	err = record.Follow(t.Context(), file, record.ReadOptions{}, func(r *record.Reader, _ record.Record) error {
		for _, p := range r.Recording().Processes {
			if p.Name == "cat" {
				return errSeen
			}
		}
		return nil
	})
	if !errors.Is(err, errSeen) {
		t.Fatalf("%v: %s", err, &r.stderr)
	}
	hold.Close()
	r.wantLine(t, "up\n")
	return r
}

// wantLine reads a line of the command.
func (r *liveRecording) wantLine(t *testing.T, want string) {
	t.Helper()
	if line, err := r.stdout.ReadString('\n'); line != want {
		t.Fatalf("the command says %q, %v, not %q", line, err, want)
	}
}

// goOn lets the command go on.
func (r *liveRecording) goOn(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(r.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	r.wantLine(t, "went on\n")
}

// show starts lineage show on the recording.
func (r *liveRecording) show(t *testing.T, stderr io.Writer, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{"show", r.file}, args...)...)
	c.Args[0] = "lineage"
	c.Stderr = stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(stdout)
}

// TestShowFollow follows a recording that is being written: what has happened is
// told before it ends, the rest when it does, and that is the end of following.
func TestShowFollow(t *testing.T) {
	r := startRecording(t)
	text, lines := r.show(t, os.Stderr, "--follow")
	objects, jsonLines := r.show(t, os.Stderr, "--follow", "-o", "ndjson")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "  exit ") && strings.Contains(line, "  cat") {
			break
		}
	}
	var first RecordedObject
	line, err := jsonLines.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &first)
	}
	if err != nil || first.Schema != schema || first.Name != "cat" || first.Exit == nil {
		t.Fatalf("first comes %v, %s", err, line)
	}
	rec := record.Recording{}
	if f, err := os.Open(r.file); err == nil {
		rec = *openTestRecording(f)
		f.Close()
	}
	if rec.Ended != 0 || len(rec.Processes) < 2 {
		t.Errorf("%d processes and an end at %d are recorded while it goes on", len(rec.Processes), rec.Ended)
	}
	r.goOn(t)
	if err := r.Wait(); r.ProcessState.ExitCode() != 3 {
		t.Errorf("lineage record ends with %v: %s", err, &r.stderr)
	}
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "status 3") || !strings.Contains(string(rest), "  end ") {
		t.Errorf("%v after\n%s", err, rest)
	}
	restJSON, err := io.ReadAll(jsonLines)
	all := strings.Split(strings.TrimSpace(string(restJSON)), "\n")
	var last RecordedObject
	if err == nil {
		err = json.Unmarshal([]byte(all[len(all)-1]), &last)
	}
	if err != nil || last.Name != "sh" || last.Exit == nil || last.Exit.Status == nil || *last.Exit.Status != 3 {
		t.Errorf("last comes %v, %s", err, restJSON)
	}
	for _, c := range []*exec.Cmd{text, objects} {
		if err := c.Wait(); err != nil {
			t.Errorf("%v ends with %v", c.Args, err)
		}
	}
}

// TestRecordKilled kills lineage while it records: what it had written can be
// read, the command does not notice, and who follows it does.
func TestRecordKilled(t *testing.T) {
	r := startRecording(t)
	var said bytes.Buffer
	c, lines := r.show(t, &said, "--follow", "-o", "ndjson")
	if _, err := lines.ReadString('\n'); err != nil { // the end of cat is in the file
		t.Fatal(err)
	}
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.goOn(t)
	if rest, err := io.ReadAll(r.stdout); len(rest) > 0 || err != nil { // until the command has ended
		t.Errorf("after that it says %q, %v", rest, err)
	}
	_ = r.Wait() // it was killed
	if _, err := io.ReadAll(lines); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || !strings.Contains(said.String(), "the recording has no end, and nobody writes it") {
		t.Errorf("show --follow ends with %v: %s", err, &said)
	}
	f, err := os.Open(r.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec := openTestRecording(f)
	if rec == nil || rec.Ended != 0 || len(rec.Processes) < 2 || rec.Processes[0].End != 0 || rec.Processes[1].End == 0 {
		t.Errorf("it has %+v", rec)
	}
	var stdout, stderr strings.Builder
	if status := run([]string{"show", "--strict", r.file}, strings.NewReader(""), &stdout, &stderr); status != exitIncomplete {
		t.Errorf("show --strict ends with %d", status)
	}
	for _, want := range []string{"cat", "not ended, as far as the recording goes", "cut short"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
}
