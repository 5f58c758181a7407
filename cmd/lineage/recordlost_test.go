package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// TestRecordBehind records while nobody reads the recording, until events are lost
// since no more may wait. When it is read, the members that have ended meanwhile are
// recorded to have, those that were made and live are recorded with who made them,
// and so is what they make from then on.
func TestRecordBehind(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.CC)
	dir := t.TempDir()
	makeStorm(t, dir)
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(fifo, os.O_RDWR, 0) // which waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	conn, err := in.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) }) // else it takes more to fill it
	}
	if err = errors.Join(err, in.SetReadDeadline(time.Now().Add(tooLong))); err != nil {
		t.Fatal(err)
	}
	gate, open, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	// sleep and the outer subshell end in the gap, and the inner one goes on after it.
	// Between the parts of the storm the kernel's own buffer can be emptied.
	const script = `sleep 1000 & sleeper=$!; n=0; while [ $n -lt 20 ]; do ./storm 0 1000 0; sleep 0.02; n=$((n+1)); done
		kill $sleeper; (sh -c 'read line; /bin/true late; exit 4' <&3 >/dev/null 2>&1 & exit 5); ./storm 0 1000 0; echo done; exit 3`
	c := recordCommand(t, fifo, []string{"--wait"}, "sh", "-c", script)
	c.Dir = dir
	c.ExtraFiles = []*os.File{gate}
	var stderr strings.Builder
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	gate.Close()
	if said, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || said != "done\n" {
		t.Fatalf("the command says %q, %v", said, err)
	}
	kept := filepath.Join(dir, "kept")
	out, err := os.Create(kept)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	err = record.Follow(t.Context(), io.TeeReader(in, out), record.ReadOptions{}, func(_ *record.Reader, rec record.Record) error {
		if rec.Kind == record.Lost {
			return ignoreClosed(open.Close())
		}
		return nil
	})
	_ = c.Wait() // its status is looked at
	if got := c.ProcessState.ExitCode(); err != nil || got != 3 || !strings.Contains(stderr.String(), "events were lost") {
		t.Fatalf("%v: it ends with %d: %s", err, got, &stderr)
	}
	rec := readTestRecording(t, kept)
	seen := map[process.ID]bool{}
	found := map[string]int{}
	for i := range rec.Processes {
		p := &rec.Processes[i]
		if seen[p.ID] {
			t.Errorf("%v is there twice", p.ID)
		}
		seen[p.ID] = true
		if p.Exit.Evidence == process.Unknown || i > 0 && (p.Creator < 0 || p.CreatorEvidence != process.Observed) {
			t.Errorf("%+v", p)
		}
		above := "nobody"
		if p.Creator >= 0 {
			above = commandOf(rec, p.Creator)
		}
		end := "?"
		if p.Exit.Evidence == process.Observed {
			end = fmt.Sprintf("%#x", uint32(p.Exit.Status))
		}
		found[above+" > "+commandOf(rec, i)+" "+end]++
	}
	root := record.Shell([]string{"sh", "-c", script})
	inner := record.Shell([]string{"sh", "-c", "read line; /bin/true late; exit 4"})
	for _, want := range []string{
		"nobody > " + root + " 0x300", root + " > sleep 1000 0xf", root + " > sh (forked) 0x500",
		"sh (forked) > " + inner + " 0x400", inner + " > /bin/true late 0x0",
	} {
		if found[want] != 1 {
			t.Errorf("%d of %s", found[want], want)
		}
	}
	if t.Failed() {
		t.Logf("losses: %+v", rec.Losses)
		for text, n := range found {
			t.Logf("%d of %s", n, text)
		}
	}
}

// ignoreClosed is the error, unless that is that the file was closed before.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
