package main

import (
	"context"
	_ "embed" // the storm's source
	"encoding/binary"
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

// command is a storm of so many processes on the processor, which ends with ctx
// and with the thread that starts it.
func (s *storm) command(ctx context.Context, k kind, cpu, count, mark int) *exec.Cmd {
	args := []string{strconv.Itoa(cpu), strconv.Itoa(count), strconv.Itoa(mark)}
	if k == forkExecExit {
		args = append(args, s.end)
	}
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run makes one storm on the processor, and returns what it took: CPU is that
// of the program and of all its children.
func (s *storm) run(ctx context.Context, k kind, cpu int) (sample, error) {
	cmd := s.command(ctx, k, cpu, s.count, 0)
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

// A gale is a storm that goes on while others come and go, and is measured by
// the mark.
type gale struct {
	cmd   *exec.Cmd
	kind  kind
	marks chan mark
	err   error // why there are no more marks
}

// A mark is what the last markSize processes took.
type mark struct{ Elapsed, CPU time.Duration }

// A gale has markSize processes to the mark, and maxGale in all.
const (
	markSize = 250
	maxGale  = 20_000_000
)

// gale begins a storm that must be ended. The caller keeps its thread until then.
func (s *storm) gale(ctx context.Context, k kind, cpu int) (*gale, error) {
	g := &gale{cmd: s.command(ctx, k, cpu, maxGale, markSize), kind: k, marks: make(chan mark, 1<<16)}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(g.marks)
		for g.err == nil {
			var m mark
			if g.err = binary.Read(out, binary.NativeEndian, &m); g.err == nil {
				g.marks <- m
			}
		}
	}()
	return g, nil
}

// next returns what the next n processes take, or those of one mark where that is
// more, from the next mark on.
func (g *gale) next(n int) (took sample, err error) {
	for len(g.marks) > 0 {
		<-g.marks
	}
	for i := range max(n/markSize, 1) + 1 {
		m, ok := <-g.marks
		if !ok {
			return took, fmt.Errorf("a storm of %s has ended: %w", g.kind, g.err)
		}
		if i > 0 { // the first began earlier
			took.add(sample{asked: markSize, elapsed: m.Elapsed, cpu: m.CPU})
		}
	}
	return took, nil
}

func (g *gale) end() {
	_ = g.cmd.Process.Kill()
	for range g.marks {
	}
	_ = g.cmd.Wait() // it was killed
}
