package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/record"
)

// TestRecordStorm records 20,000 processes that only end, and 50,000 that run a
// program first. No memory stays taken of those that are gone, and the file has
// few bytes for each. They are made as fast as one processor can, but in batches,
// the next one when most of the last is in the file: what waits to be recorded has
// its limits, and the race detector makes recording slow.
func TestRecordStorm(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.CC)
	linuxtest.Quiet(t)
	const forks, execs, batch, ahead = 20_000, 50_000, 1000, 500
	const warm = 10 * batch // of those that run a program, which take more while they wait
	dir := t.TempDir()
	makeStorm(t, dir)
	name := filepath.Join(dir, "r.lineage")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := recordCommand(t, name, nil, "sh", "-c", fmt.Sprintf("while read program; do ./storm 0 %d 0 $program; done", batch))
	c.Dir = dir
	var stderr strings.Builder
	c.Stderr = &stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	asked, ended := 0, 0
	ask := func() error {
		program := ""
		if asked >= forks {
			program = "./end"
		}
		asked += batch
		_, err := io.WriteString(in, program+"\n")
		return err
	}
	ran := map[int]int{}     // by how many programs
	var before, after uint64 // the memory at the most
	err = errors.Join(ask(), record.Follow(t.Context(), file, record.ReadOptions{}, func(r *record.Reader, rec record.Record) error {
		switch rec.Kind {
		case record.Lost:
			return errors.New("events were lost")
		case record.Exited:
		default:
			return nil
		}
		p := &r.Recording().Processes[rec.Number]
		if p.Creator <= 0 { // sh or storm
			return nil
		}
		ended++
		ran[len(p.Execs)]++
		if p.End < p.Start || p.Exit.Status != 0 || len(p.Execs) == 1 && p.Execs[0].File != "./end" {
			return fmt.Errorf("%+v", p)
		}
		switch {
		case ended < asked-ahead || after > 0:
			return nil
		case asked < forks+execs:
			if asked == forks+warm {
				before = mostMemory(t, c.Process.Pid)
			}
			return ask()
		}
		after = mostMemory(t, c.Process.Pid)
		return in.Close()
	}))
	_ = in.Close() // it may be closed
	if err := errors.Join(err, c.Wait()); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if !strings.Contains(stderr.String(), ", none lost: ") {
		t.Errorf("it says %q", stderr.String())
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB of memory for the first, %d MiB for all; %.1f bytes of file for each", before>>20, after>>20, float64(info.Size())/(forks+execs))
	if after > before*6/5 { // some 400 bytes of each that came after, with the race detector as well
		t.Errorf("memory has grown from %d to %d bytes", before, after)
	}
	if info.Size() > 40*(forks+execs) {
		t.Errorf("the file has %d bytes", info.Size())
	}
	if others := len(readTestRecording(t, name).Processes) - forks - execs; len(ran) != 2 || ran[0] != forks || ran[1] != execs || others != 1+(forks+execs)/batch {
		t.Errorf("by how many programs they ran: %v; and %d others", ran, others)
	}
}

// makeStorm compiles the programs of a storm in the directory.
func makeStorm(t *testing.T, dir string) {
	t.Helper()
	for name, flags := range map[string][]string{"storm": nil, "end": {"-nostdlib"}} {
		source := filepath.Join("..", "..", "bench", "storm", name+".c")
		cc := exec.CommandContext(t.Context(), "cc", append(flags, "-O2", "-static", "-o", filepath.Join(dir, name), source)...)
		if out, err := cc.CombinedOutput(); err != nil {
			t.Fatalf("cc: %v: %s", err, out)
		}
	}
}

// mostMemory returns how many bytes a process has had in memory at the most.
func mostMemory(t *testing.T, pid int) uint64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var kib uint64
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
