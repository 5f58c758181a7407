package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// helloSource is where the source of what is built is, below the folder of
// lineage's module.
const helloSource = "cmd/lineage/testdata/sources/hello_*.orig.tar.gz"

// helloScript builds it.
const helloScript = "./configure >/dev/null && make -j2 >/dev/null"

const (
	buildText  = "build of GNU hello"
	bareName   = "as it is"
	recordName = "lineage record"
)

// A project is a program that is built by a script in its folder, made anew each
// time from the archive of its source.
type project struct {
	dir, archive, script string
}

// records has a build as it is, recorded and traced, by turns, and then records
// storms of so many processes.
func (s *sheaf) records(ctx context.Context, dir, program string, rounds, count int, progress func(string, ...any)) error {
	from, err := source(ctx)
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(from, helloSource))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		s.Notes = append(s.Notes, buildText+": no source: tools/debian-source hello cmd/lineage/testdata/sources")
	} else {
		p := &project{dir: filepath.Join(dir, "hello"), archive: found[0], script: helloScript}
		if err := s.builds(ctx, p, dir, program, rounds, progress); err != nil {
			return err
		}
	}
	st, err := newStorm(ctx, dir, count)
	if err != nil {
		return err
	}
	for _, k := range []kind{forkExit, forkExecExit} {
		if err := s.recordStorm(ctx, st, k, dir, program, progress); err != nil {
			return err
		}
	}
	return nil
}

// builds measures what a build takes by itself and with those who look on.
func (s *sheaf) builds(ctx context.Context, p *project, dir, program string, rounds int, progress func(string, ...any)) error {
	log := filepath.Join(dir, "log")
	watchers := []struct {
		name string
		args []string
	}{
		{bareName, nil},
		{recordName, []string{program, "record", "-O", filepath.Join(dir, "build.lineage"), "--"}},
		{"strace -f -e trace=process", []string{"strace", "-f", "-o", log, "-e", "trace=process", "--"}},
		{"strace -f --seccomp-bpf -e trace=process", []string{"strace", "-f", "--seccomp-bpf", "-o", log, "-e", "trace=process", "--"}},
	}
	if _, err := exec.LookPath("strace"); err != nil {
		s.Notes = append(s.Notes, err.Error())
		watchers = watchers[:2]
	}
	q := question{text: buildText, rounds: rounds}
	for _, w := range watchers {
		q.contenders = append(q.contenders, contender{name: w.name, outside: true})
	}
	samples := make([][]sample, len(watchers))
	var lost []float64
	for round := range rounds {
		for i := range watchers {
			i = (i + round) % len(watchers)
			progress("%s: round %d of %d, %s", q.text, round+1, rounds, watchers[i].name)
			took, said, err := p.build(ctx, watchers[i].args)
			if err != nil {
				return fmt.Errorf("%s: %w", watchers[i].name, err)
			}
			samples[i] = append(samples[i], took)
			if watchers[i].name != recordName {
				continue
			}
			n, losses, err := recorded(said)
			if err != nil {
				return err
			}
			q.processes = n
			lost = append(lost, float64(losses))
		}
	}
	all := results(q, samples)
	s.Results = append(s.Results, all...)
	where := fmt.Sprintf("%s, %d processes: ", q.text, q.processes)
	s.Limits = append(s.Limits, against(all, where, recordName, bareName, 1.03))
	for _, w := range watchers[2:] {
		s.Limits = append(s.Limits, against(all, where, w.name, bareName, 0))
	}
	losses := newSpread(lost)
	s.Limits = append(s.Limits, limit{Text: where + recordName + ", events lost", Rule: atMost, Measured: &losses})
	return nil
}

// build runs the build under another program, or as it is, and returns what that
// took and what it said on stderr.
func (p *project) build(ctx context.Context, under []string) (took sample, said string, err error) {
	err = errors.Join(os.RemoveAll(p.dir), os.Mkdir(p.dir, 0o700))
	if err != nil {
		return took, "", err
	}
	if p.archive != "" {
		tar := &command{ctx: ctx, name: "tar", args: []string{"-xzf", p.archive, "-C", p.dir, "--strip-components=1"}}
		if err := tar.run(); err != nil {
			return took, "", err
		}
	}
	args := slices.Concat(under, []string{"sh", "-c", p.script})
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // a fixed command
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	endWhole(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	err = cmd.Run()
	took = sample{asked: 1, elapsed: time.Since(began)}
	if err != nil {
		return took, "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	used := cmd.ProcessState // with all that was waited for
	took.cpu = used.UserTime() + used.SystemTime()
	return took, stderr.String(), nil
}

// endWhole has the end of the context end all that a command started: what was
// recorded or traced would go on.
func endWhole(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// recorded reads what lineage record says at its end: of how many processes, and
// how often events were lost.
func recorded(said string) (processes, losses int, err error) {
	_, text, _ := strings.Cut(said, "lineage: recorded ")
	if _, err := fmt.Sscanf(text, "%d process", &processes); err != nil {
		return 0, 0, fmt.Errorf("lineage record said %q", said)
	}
	if _, rest, ok := strings.Cut(text, ", events were lost "); ok {
		_, err = fmt.Sscanf(rest, "%d time", &losses)
	} else if !strings.Contains(text, ", none lost") {
		err = fmt.Errorf("lineage record said %q", said)
	}
	return processes, losses, err
}
