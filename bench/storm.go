package main

import (
	"context"
	_ "embed" // the storm's source
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The source of the program that makes a storm, and of the one that each of
// the processes may run.
var (
	//go:embed storm/storm.c
	stormSource []byte
	//go:embed storm/end.c
	endSource []byte
)

// A storm is many short processes, one after another, made as fast as one
// processor can by a C program that has nothing else to do.
type storm struct {
	program, end string
	count        int
}

// newStorm compiles the programs into the folder.
func newStorm(ctx context.Context, dir string, count int) (*storm, error) {
	s := &storm{program: filepath.Join(dir, "storm"), end: filepath.Join(dir, "end"), count: count}
	for _, p := range []struct {
		program string
		source  []byte
		flags   []string
	}{{s.program, stormSource, nil}, {s.end, endSource, []string{"-nostdlib"}}} {
		source := p.program + ".c"
		if err := os.WriteFile(source, p.source, 0o600); err != nil {
			return nil, err
		}
		// Without libraries to load and link, a program begins sooner.
		cc := exec.CommandContext(ctx, "cc", append(p.flags, "-O2", "-static", "-o", p.program, source)...)
		if text, err := cc.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("cc: %w: %s", err, strings.TrimSpace(string(text)))
		}
	}
	return s, nil
}

// A kind says what the processes of a storm do.
type kind bool

const (
	forkExit     kind = false
	forkExecExit kind = true
)

func (k kind) String() string {
	if k == forkExecExit {
		return "fork+exec+exit"
	}
	return "fork+exit"
}

// run makes one storm on the processor, and returns what it took: CPU is that
// of the program and of all its children. The storm ends with ctx, and with
// this program.
func (s *storm) run(ctx context.Context, k kind, cpu int) (sample, error) {
	args := []string{strconv.Itoa(cpu), strconv.Itoa(s.count)}
	if k == forkExecExit {
		args = append(args, s.end)
	}
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Stderr = os.Stderr
	// PR_SET_PDEATHSIG means the thread that made the child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := time.Now()
	err := cmd.Run()
	elapsed := time.Since(began)
	if err != nil {
		return sample{}, errors.Join(fmt.Errorf("a storm of %s: %w", k, err), ctx.Err())
	}
	// wait4(2) counts the children that the program has waited for.
	used := cmd.ProcessState
	return sample{asked: s.count, elapsed: elapsed, cpu: used.UserTime() + used.SystemTime()}, nil
}
