package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/source/procfs"
)

// recordFlags are the flags of lineage record.
type recordFlags struct {
	file     string // empty for a name made from the command's
	summary  bool
	format   choice
	wait     bool
	progress bool
}

func newRecord(a *app) *cobra.Command {
	flags := recordFlags{format: choice{"lineage", recordFormats()}}
	c := &cobra.Command{
		Use:   "record [-O FILE] -- COMMAND [ARGUMENT…]",
		Short: "Run a command, and write down all that it starts",
		Long: `Run COMMAND, and write down every process that descends from it by creation:
who started it, with which arguments, how long it lived, how it ended and what it
used. Those that detach themselves (daemons) belong to it; nothing else does.

The command runs as without lineage: with its input, output, terminal, process
group and signals, and lineage ends as it does. What lineage itself has to say
is on stderr, in a line at the end that tells what was recorded and where.
Signals that are sent to lineage reach the command. Three things are not as
without lineage (docs/recording.md says why): of the signals that lineage was
started with ignored, the command ignores only SIGHUP and SIGINT, and SIGQUIT
with SIGINT; which of descriptors 0, 1 and 2 was closed is /dev/null; and in
the foreground of its terminal SIGINT, SIGQUIT, SIGTSTP and SIGWINCH that somebody
sends to lineage alone are taken for the terminal's, which the command has got
already.

The recording ends with the command, and has those that it leaves behind as
still running; with --wait it ends with the last of them, or with Ctrl-C once
the command has ended. lineage show reads it, also while it is written. A file
that there was is overwritten once the command has been started, unless another
recording is being written to it. Of a named pipe the reader is waited for.

As root it is made with bpf, which misses nothing unless it cannot keep up. Else
with what works; what that cannot tell is said at the end, in the recording and
in what is made from it. While Ctrl-Z stops the command it stops lineage too: what
the host does meanwhile may be more than there is room for, and is lost then.

How far it has got is shown only while --wait waits: until then the terminal is
the command's, whose output a line of lineage's would damage. --progress shows it
all the same.

The exit status is that of COMMAND, and 128 and the number of the signal more
where one ended it. It is
  125  if lineage itself fails, also at writing the recording of a command that
       ended with 0
  126  if COMMAND cannot be executed
  127  if there is no COMMAND

--output and --strict do not concern it, --color and --no-trunc only --summary.`,
		Example: `  lineage record -- make -j8
  lineage record --summary -O build.lineage -- make -j8
  lineage record --format html -O build.html -- ./configure
  lineage record --wait -- service nginx start`,
		Args:        atLeastOne("COMMAND"),
		Annotations: map[string]string{passesOn: "COMMAND"},
		RunE: func(c *cobra.Command, args []string) error {
			if flags.file == "" && c.Flags().Changed("file") {
				return usagef("--file '': it is empty; leave it out to have a name made from that of the command")
			}
			return a.record(&flags, args)
		},
	}
	f := c.Flags()
	f.SetInterspersed(false) // what follows COMMAND is its own
	f.StringVarP(&flags.file, "file", "O", "", "write to `FILE`; else to lineage-COMMAND-DATE.lineage in this directory")
	f.BoolVar(&flags.summary, "summary", false, "sum up on stderr what was recorded")
	f.Var(&flags.format, "format", "what to write: lineage (a recording), or one turned into perfetto, chrome or html")
	f.BoolVar(&flags.wait, "wait", false, "go on until the last process that the command left behind has ended")
	f.BoolVar(&flags.progress, "progress", false, "show on the terminal how far it is while the command runs, among what that writes there")
	must(c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(flags.format.allowed, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// passesOn is the annotation of a command that ends with the status of another one.
const passesOn = "passes on the status of"

// failing gives an error of a command that passes on the status of another one
// the status that can be told from that.
func failing(c *cobra.Command, err error) error {
	if _, is := c.Annotations[passesOn]; err == nil || !is {
		return err
	}
	_, passed := errors.AsType[*endedError](err)
	if own, ok := errors.AsType[*statusError](err); passed || ok && own.status >= exitFailed {
		return err
	}
	return &statusError{exitFailed, err}
}

// An endedError is that a command ended with a status other than 0. Its text is
// what lineage has to say at the end.
type endedError struct{ text string }

func (e *endedError) Error() string { return e.text }

// record runs the command and records what it starts.
func (a *app) record(flags *recordFlags, args []string) error {
	if flags.file == "-" {
		return fmt.Errorf("--file -: stdout is the command's; write to a file or to /dev/fd/N")
	}
	path, isSet := os.LookupEnv("PATH")
	file, err := lookCommand(args[0], path, isSet)
	if err != nil {
		return cannotRun(args[0], err)
	}
	out, err := createRecording(flags, args[0], time.Now())
	if err != nil {
		return err
	}
	signals := catchSignals()
	limit := lockedMemory()
	l, err := a.openRecorded()
	if err != nil {
		return errors.Join(err, out.remove())
	}
	limit.restore()
	defer l.close()
	header := newHeader(l.tree, args)
	header.Locked = out.locked
	w, err := record.NewWriter(out, header)
	if err != nil {
		return errors.Join(err, out.remove())
	}
	for early := true; early; {
		select {
		case s := <-signals:
			if endsIt(s) { // before there was anything to run
				_ = out.remove()
				endAs(s.(syscall.Signal))
			}
		default:
			early = false
		}
	}
	started := process.Instant(linux.Boottime())
	c, err := startCommand(file, args, signals)
	if err != nil {
		return errors.Join(cannotRun(args[0], err), out.remove())
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody may read what is said at the end
	r := newRecorder(w, l.tree, a.describer(l.tree), os.Getpid(), c.pid)
	r.command, r.started = record.Exec{File: file, Args: args}, started
	r.keep(out.begin())
	p := &progress{a: a, always: flags.progress}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var relaying sync.WaitGroup
	relaying.Go(func() {
		c.relay(ctx.Done(), func(s os.Signal) {
			if flags.wait && endsIt(s) {
				stop()
			}
		})
	})
	r.begin()
	go c.wait()
	if l.events != nil {
		r.follow(ctx, l, c, flags.wait, func(c *command) { p.show(r, c) })
	} else {
		r.poll(ctx, l.tree, c, flags.wait, func(c *command) { p.show(r, c) })
	}
	r.finish()
	p.erase()
	stop()
	relaying.Wait()
	return a.recorded(flags, r, c, out)
}

// recorded says what was recorded, and ends as the command did.
func (a *app) recorded(flags *recordFlags, r *recorder, c *command, out *recordingFile) error {
	err := r.err
	if out.err == nil { // else there is nothing
		err = errors.Join(err, a.use(flags, out))
	}
	err = errors.Join(err, out.Close())
	text := r.result(out.name)
	if err != nil {
		a.warn(oneLine(err.Error()))
		text = "not as it should be: " + text
	}
	switch status := c.final.status; {
	case status.Signaled():
		a.warn(text)
		endAs(status.Signal())
		os.Exit(128 + int(status.Signal()))
		return nil
	case status.ExitStatus() != 0:
		return &statusError{status.ExitStatus(), &endedError{text}}
	case err != nil:
		return &statusError{exitFailed, errors.New(text)}
	}
	a.warn(text)
	return nil
}

// use turns a recording that was made into what was asked for, and sums it up.
func (a *app) use(flags *recordFlags, out *recordingFile) error {
	if out.temp == "" && !flags.summary {
		return nil
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading what was recorded: %w", err)
	}
	rec, err := record.Read(out, record.ReadOptions{})
	if rec == nil {
		return fmt.Errorf("reading what was recorded: %w", err)
	}
	if flags.summary {
		err = errors.Join(err, a.sumUp(rec))
	}
	if out.temp != "" {
		err = errors.Join(err, out.turn(flags.format.value, rec))
	}
	return err
}

// sumUp sums up a recording on stderr: stdout is the command's.
func (a *app) sumUp(rec *record.Recording) error {
	w := bufio.NewWriter(a.stderr)
	s := &screen{w: w, width: terminalWidth(a.stderr), ascii: a.ascii}
	s.color = a.color.value == "always" || a.color.value == "auto" && a.attended && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	if a.noTrunc {
		s.width = 0
	}
	writeSummary(s, rec)
	return w.Flush()
}

// result says in one line what was recorded.
func (r *recorder) result(file string) string {
	text := "recorded " + plural(r.counts.processes, "process", "processes")
	if r.err != nil {
		text += " until that could not be written"
	}
	if n := r.counts.failed; n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	if running := r.running(); len(running) > 0 && r.err == nil {
		text += fmt.Sprintf(", %d still running (%s)", len(running), fewNames(running))
	}
	switch {
	case r.err != nil:
		text += ", not all of which are in the file, and nothing of what came then"
	case r.counts.losses > 0:
		text += ", events were lost " + plural(r.counts.losses, "time", "times")
	case r.source == procfs.Name:
		text += ", by looking at /proc now and then: short lives were not seen"
	case r.source != "bpf":
		text += ", with " + r.source + ", which misses some"
	default:
		text += ", none lost"
	}
	return text + ": " + safe(file)
}

// fewNames lists some names.
func fewNames(names []string) string {
	const most = 3
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return strings.Join(names, ", ")
}

// recordedBuffer is what the host may do while lineage does not run, as when it is
// stopped with the command. A build of 10,000 processes a second takes 2 s to fill it.
const recordedBuffer = 16 << 20

// recordedAge is how long the tree keeps what has ended: where events are lost since
// they could not be taken in so fast, it is asked how the members ended.
const recordedAge = 30 * time.Second

// openRecorded returns a tree whose events are read, or, where nothing tells what
// happens, one without.
func (a *app) openRecorded() (*live, error) {
	t, err := a.openTree(lineage.Options{Source: a.source.value, Buffer: recordedBuffer, Retention: process.Retention{Age: recordedAge}})
	if err != nil {
		return nil, err
	}
	if t.Source().Name == procfs.Name {
		return &live{tree: t, close: func() { _ = t.Close() }}, nil
	}
	return read(t)
}

// progress is a line on the terminal. The command may write there whenever it
// likes, so that the line is shown only where that was asked for, or once the
// command has ended.
type progress struct {
	a      *app
	always bool
	shown  bool
}

func (p *progress) show(r *recorder, c *command) {
	ended := c.hasEnded()
	if !p.a.attended || !p.always && !ended {
		return
	}
	text := fmt.Sprintf("lineage: %s, %d running, %d lost", plural(r.counts.processes, "process", "processes"), len(r.living), r.counts.losses)
	if ended {
		text += ": waiting for " + fewNames(r.running()) + "; Ctrl-C ends it"
	}
	if width := terminalWidth(p.a.stderr); columns(text) >= width {
		text = cut(text, width-1)
	}
	if p.a.ascii {
		text = ascii(text)
	}
	p.shown = true
	_, _ = fmt.Fprintf(p.a.stderr, "\r%s\x1b[K", text)
}

func (p *progress) erase() {
	if p.shown {
		_, _ = fmt.Fprint(p.a.stderr, "\r\x1b[K")
	}
}
