package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/source/procfs"
)

// app is what the subcommands share: where they read and write, and the
// settings that hold for all of them.
type app struct {
	stdin    io.Reader
	stdout   *bufio.Writer
	out      io.Writer // what stdout writes to
	stderr   io.Writer
	columns  func() int // of the terminal that stdout is, 0 if it is none
	attended bool       // stderr is a terminal
	getenv   func(string) string
	ascii    bool // the locale has no other characters

	output   choice
	color    choice
	source   choice
	runtimes sockets
	proc     string
	noTrunc  bool
	socket   string // of the daemon
	strict   bool

	understood bool          // the arguments were
	names      *watchedNames // nil where nobody was asked for any
	log        *slog.Logger  // of the daemon, nil for a command
	gaps       []error       // why the answer is not complete
}

// open returns the tree that questions about the present go to. What bpf knows
// besides is not worth the tenth of a second that its programs take to load.
func (a *app) open() (*lineage.Tree, error) {
	name := a.source.value
	if name == "auto" {
		name = procfs.Name
	}
	// One answer makes little garbage, and is given before it is worth looking
	// for.
	debug.SetGCPercent(400)
	return a.newTree(name)
}

// newTree returns a tree with the source and the names of containers.
func (a *app) newTree(source string) (*lineage.Tree, error) {
	return a.openTree(lineage.Options{Source: source})
}

// openTree does so with other options.
func (a *app) openTree(o lineage.Options) (*lineage.Tree, error) {
	if err := a.watchNames(); err != nil {
		return nil, err
	}
	o.ProcPath = a.proc
	if a.names != nil {
		o.Containers = a.names
	}
	t, err := lineage.NewTree(o)
	if err != nil {
		return nil, fmt.Errorf("%w (see 'lineage doctor')", err)
	}
	return t, nil
}

// describer returns what turns the processes of a tree into objects.
func (a *app) describer(l answer.Library) *answer.Describer {
	if a.names == nil {
		return answer.NewDescriber(l, nil)
	}
	return answer.NewDescriber(l, a.names)
}

// close ends what runs in the background.
func (a *app) close() {
	if a.names != nil {
		_ = a.names.Close() // it only reads
	}
}

// tolerate keeps the error of an answer that is right as far as it goes, for
// the end, and returns any other.
func (a *app) tolerate(err error) error {
	if errors.Is(err, lineage.ErrIncomplete) {
		a.gaps = append(a.gaps, err)
		return nil
	}
	return err
}

// incomplete tells of what was tolerated, and returns it with --strict. The
// error that the command ends with is told what may be the reason for it.
func (a *app) incomplete(err error) error {
	if len(a.gaps) == 0 {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w; %s", err, gapText(a.gaps))
	}
	if a.strict {
		return &statusError{exitIncomplete, errors.New(gapText(a.gaps))}
	}
	a.warn(gapText(a.gaps))
	return nil
}

// gapText says in one line why an answer is not complete; empty if it is.
func gapText(gaps []error) string {
	if len(gaps) == 0 {
		return ""
	}
	text := oneLine(gaps[0].Error()) // the first is the most telling
	if errors.Is(gaps[0], lineage.ErrPermission) {
		text += ": run as root (sudo)"
	}
	if more := len(gaps) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// warn writes a line to stderr, after all that was written to stdout so far.
func (a *app) warn(text string) {
	_ = a.stdout.Flush() // its error stays in the writer for the end
	if a.ascii {
		text = ascii(text)
	}
	_, _ = fmt.Fprintf(a.stderr, "lineage: %s\n", text)
}

// screen returns where text goes, fitted and coloured as was asked for.
func (a *app) screen() *screen {
	s := &screen{w: a.stdout, width: a.columns(), ascii: a.ascii}
	terminal := s.width > 0
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 && terminal {
		s.width = n
	}
	if a.noTrunc {
		s.width = 0
	}
	switch a.color.value {
	case "always":
		s.color = true
	case "auto":
		s.color = terminal && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return s
}

// sourceLine says in one line where the answers come from and what they
// cannot tell.
func sourceLine(info lineage.SourceInfo) string {
	if len(info.Limits) == 0 {
		return info.Name
	}
	var topics []string
	for _, l := range info.Limits {
		topic, _, _ := strings.Cut(l.String(), ":")
		topics = append(topics, topic)
	}
	return info.Name + "; cannot tell " + strings.Join(topics, ", ") + " (lineage doctor)"
}
