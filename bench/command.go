package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// A command is a program that is run to its end.
type command struct {
	ctx  context.Context //nolint:containedctx // the one of the whole run
	name string
	args []string
	// piped says that what it writes is read from a pipe and thrown away;
	// otherwise it writes to /dev/null.
	piped bool
}

func (c *command) run() error {
	cmd := exec.CommandContext(c.ctx, c.name, c.args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if c.piped {
		cmd.Stdout = discard{}
	}
	return c.explain(cmd.Run(), &stderr)
}

// output runs it and returns what it writes.
func (c *command) output() (string, error) {
	cmd := exec.CommandContext(c.ctx, c.name, c.args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), c.explain(err, &stderr)
}

func (c *command) explain(err error, stderr *bytes.Buffer) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", c, err, strings.TrimSpace(stderr.String()))
}

// String returns it as one would type it.
func (c *command) String() string {
	return strings.Join(append([]string{c.name[strings.LastIndexByte(c.name, '/')+1:]}, c.args...), " ")
}

// discard is io.Discard, but no *os.File nor known to os/exec, so that a pipe
// stands before it.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return io.Discard.Write(b) }

// psPeer is ps(1) with the columns that lineage reads, to /dev/null.
type psPeer struct{ command }

func newPSPeer(ctx context.Context) *psPeer {
	return &psPeer{command{ctx: ctx, name: "ps", args: []string{"-eo", "pid,ppid,lstart,cgroup"}}}
}

func (p *psPeer) scan() error { return p.run() }

// rows runs ps once more, for what it writes.
func (p *psPeer) rows() ([]row, error) {
	text, err := p.output()
	if err != nil {
		return nil, err
	}
	var rows []row
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if words[0] == "PID" {
			continue
		}
		const cgroupAt = 2 + 5 // lstart has five words
		if len(words) <= cgroupAt {
			return nil, fmt.Errorf("%s: %q", &p.command, line)
		}
		pid, err := strconv.Atoi(words[0])
		if err != nil {
			return nil, err
		}
		ppid, err := strconv.Atoi(words[1])
		if err != nil {
			return nil, err
		}
		// ps has joined the lines of the membership with commas.
		rows = append(rows, row{pid: pid, ppid: ppid})
	}
	return rows, nil
}

func (*psPeer) forget() {}
