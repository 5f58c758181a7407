package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/proclineage/lineage"
)

// readerRole is of a process that runs one Tree and says what that took.
const readerRole = "reader"

// sourceVariable says in the environment of a reader which source to use.
const sourceVariable = "LINEAGE_BENCH_SOURCE"

// A reading is what a reader says: once the tree is there, and once more when
// its input has ended.
type reading struct {
	// CPU is what the tree has taken since it was there, with the last event.
	CPU time.Duration
	// Losses counts the times that events were lost since then.
	Losses uint64
}

func (r *reading) add(o reading) {
	r.CPU += o.CPU
	r.Losses += o.Losses
}

// read is the reader.
func read(from io.Reader, to io.Writer) (err error) {
	peer, err := newTreePeer(os.Getenv(sourceVariable))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	out := json.NewEncoder(to)
	lost := peer.tree.Stats().Losses
	if err := out.Encode(reading{}); err != nil {
		return err
	}
	before := cpuTime()
	if _, err := io.Copy(io.Discard, from); err != nil {
		return err
	}
	// A question takes in what has not been taken in yet.
	if _, err := peer.tree.Parent(os.Getpid()); err != nil && !errors.Is(err, lineage.ErrIncomplete) {
		return err
	}
	cpu := cpuTime() - before
	return out.Encode(reading{CPU: cpu, Losses: peer.tree.Stats().Losses - lost})
}

// readingDuring has a reader with the source on the processor while do runs. The
// reader ends with ctx, and with this program.
func readingDuring(ctx context.Context, source string, cpu int, do func() error) (r reading, err error) {
	exe, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+readerRole, sourceVariable+"="+source)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return r, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := onProcessor(cpu, cmd.Start); err != nil {
		return r, err
	}
	said := json.NewDecoder(out)
	err = said.Decode(&r)
	if err == nil {
		err = do()
	}
	err = errors.Join(err, in.Close())
	if err == nil {
		err = said.Decode(&r)
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return r, fmt.Errorf("a reader with %s: %w", source, err)
	}
	return r, nil
}
