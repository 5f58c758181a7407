package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/spf13/cobra"
)

// watchFlags are the flags of lineage watch.
type watchFlags struct {
	kinds     kinds
	failed    bool
	under     string
	container string
	match     string
	chain     bool
	duration  time.Duration // 0 for no end
	count     int           // 0 for no end
}

func newWatch(a *app) *cobra.Command {
	flags := watchFlags{kinds: usualKinds}
	c := &cobra.Command{
		Use:   "watch",
		Short: "What happens to processes, as it happens",
		Long: `Tell of each process of this host that is made (fork), runs another program (exec)
and ends (exit): a line an event, in the order in which they happened, so that a
parent's comes before its child's. Ctrl-C ends it, with status 0.

Events are
  fork   a process is made; by whom is who called fork, clone or vfork
  exec   it runs another program
  exit   its last thread has ended: with which status or by which signal, how
         long it lived and what it used
  move   it is in another cgroup
  seen   it was found after events were lost
  gone   it was found to have ended, with a status that is not known
  loss   events were dropped, so that something has happened that is not told.
         This is always told, and with --strict the status is 5 in the end

What is asked for by several flags must all hold. --under and --container are of
what is known of a process when the event happens: who made it, and who made
that one; and the container that its cgroup is in.

With --output ndjson there is an object a line. The first says that lineage
watches now and with which source ("event": "watching"): whatever begins after
that line was written is told.

It needs a source that tells what happens, bpf or cnproc: lineage doctor says
whether they work here.

` + targetHelp,
		Example: `  lineage watch
  lineage watch --event exec --chain
  lineage watch --failed --container 8fbd0ec4a1db
  lineage watch --under sshd --for 10m -o ndjson | jq -r 'select(.event == "exec") | .name'`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := notEmpty(c, "under", "container", "match"); err != nil {
				return err
			}
			filter, err := newFilter(c, flags)
			if err != nil {
				return err
			}
			if a.output.value == "json" {
				return usagef("--output json: events have no end to be in one document: it may be text or ndjson")
			}
			if err := positive(c, "for", "count"); err != nil {
				return err
			}
			return a.watch(flags, filter)
		},
	}
	f := c.Flags()
	f.VarP(&flags.kinds, "event", "e", "which events: `LIST` is all, or some of fork,exec,exit,move,seen,gone")
	f.BoolVar(&flags.failed, "failed", false, "of exits only those with a status other than 0 or by a signal; alone, nothing else")
	f.StringVar(&flags.under, "under", "", "only `TARGET` and what comes from it, the processes made later too")
	f.StringVar(&flags.container, "container", "", "only what is in the `CONTAINER` with that name, pod or beginning of an ID")
	f.StringVarP(&flags.match, "match", "m", "", "only what has a match of the regular expression `RE` in its name, file or arguments")
	f.BoolVarP(&flags.chain, "chain", "c", false, "show who made the process, who made that one and so on (ended: "+dead+", not known: ?)")
	f.DurationVar(&flags.duration, "for", 0, "end after `TIME`, such as 90s, 10m or 2h")
	f.IntVar(&flags.count, "count", 0, "end after `N` events")
	must(c.RegisterFlagCompletionFunc("event", completeKinds))
	must(c.RegisterFlagCompletionFunc("under", func(c *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completeTargets(c, nil, typed)
	}))
	for _, name := range []string{"container", "match", "for", "count"} {
		must(c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	return c
}

// completeKinds offers the kinds of events that the list does not have yet.
func completeKinds(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	begun := typed[:strings.LastIndexByte(typed, ',')+1]
	var list []cobra.Completion
	for _, k := range allKinds {
		if !slices.Contains(strings.Split(begun, ","), k.String()) {
			list = append(list, begun+k.String())
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// positive refuses flags that were set to less than there can be.
func positive(c *cobra.Command, names ...string) error {
	for _, name := range names {
		f := c.Flags().Lookup(name)
		if value := f.Value.String(); f.Changed && (strings.HasPrefix(value, "-") || value == "0" || value == "0s") {
			return usagef("--%s %s: it may be %s", name, value, valuesOf(f))
		}
	}
	return nil
}

// notEmpty refuses flags that were set to nothing, as by a variable that is
// empty: without them there would be more than was asked for.
func notEmpty(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := c.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usagef("--%s '': it is empty; leave it out to have all", name)
		}
	}
	return nil
}

// newFilter returns what the flags ask for, but for --under.
func newFilter(c *cobra.Command, flags watchFlags) (*eventFilter, error) {
	f := &eventFilter{kinds: flags.kinds, failed: flags.failed, container: flags.container}
	switch {
	case !flags.failed:
	case !c.Flags().Changed("event"):
		f.kinds = kinds{process.Exited}
	case !slices.Contains(flags.kinds, process.Exited):
		return nil, usagef("--failed is about exits, and --event %s leaves them out", &flags.kinds)
	}
	var err error
	f.match, err = matcher(flags.match)
	return f, err
}

// matcher is the regular expression of --match, nil where it is empty.
func matcher(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, usagef("--match: %w", err)
	}
	return re, nil
}

// watch tells of events until it is to end.
func (a *app) watch(flags watchFlags, filter *eventFilter) error {
	ctx, stop := untilStopped()
	defer stop()
	if c := a.daemonIfThere(ctx); c != nil {
		defer c.Close()
		return a.watchRemote(ctx, c, flags, filter)
	}
	l, err := a.openLive("watch")
	if err != nil {
		return err
	}
	defer l.close()
	if flags.container != "" && a.names != nil {
		if err := a.names.load(); err != nil {
			a.gaps = append(a.gaps, &lineage.IncompleteError{Err: err})
		}
	}
	if err := filter.below(newFinder(a, l.tree), flags.under); err != nil {
		return err
	}
	ctx, cancel := within(ctx, flags.duration)
	defer cancel()
	w := a.watcher(ctx, l.tree, flags, filter)
	if info := w.begin(); a.attended {
		a.warn(watchingText(info) + "; Ctrl-C ends it")
	}
	if w.source == cnproc.Name {
		a.warn(errMisses.Error())
	}
	err = l.each(ctx, w.take, w.flush)
	if err == nil && a.strict && l.tree.Source().Name == cnproc.Name {
		err = &statusError{exitIncomplete, errMissed}
	}
	return err
}

// watchRemote tells of the events of a daemon until it is to end.
func (a *app) watchRemote(ctx context.Context, c *client.Client, flags watchFlags, filter *eventFilter) error {
	if flags.under != "" {
		t, err := a.open()
		if err != nil {
			return err
		}
		err = filter.below(newFinder(a, t), flags.under)
		if err := errors.Join(err, t.Close()); err != nil {
			return err
		}
	}
	ctx, cancel := within(ctx, flags.duration)
	defer cancel()
	r, err := newRemote(ctx, c, client.EventQuery{})
	if err != nil {
		return asked(err)
	}
	w := a.watcher(ctx, r, flags, filter)
	if info := w.begin(); a.attended {
		a.warn("watching through the daemon at " + safe(c.Address) + " with " + info.Name + "; Ctrl-C ends it")
	}
	if !each(ctx, r.events, w.take, w.flush) || ctx.Err() != nil {
		return nil
	}
	return r.ended()
}

// watcher returns one that writes until ctx ends.
func (a *app) watcher(ctx context.Context, t watched, flags watchFlags, f *eventFilter) *watcher {
	a.stdout.Reset(&patientWriter{a.out, ctx.Done()})
	w := newWatcher(a, t, f)
	w.chain, w.left = flags.chain, flags.count
	return w
}

// below has the filter take only what TARGET means and what comes from that.
func (f *eventFilter) below(in *finder, target string) error {
	if target == "" {
		return nil
	}
	m, err := in.find(target)
	if err != nil {
		return err
	}
	f.under = map[int]process.ID{}
	for i := range m.processes {
		f.under[m.processes[i].ID.PID] = m.processes[i].ID
	}
	return nil
}

// errMisses is why what cnproc tells is not all.
var errMisses = errors.New("watching with cnproc, which misses processes that end before they are read; as root bpf misses none")

// errMissed is what has come of it.
var errMissed = errors.New("what was told may not be all: cnproc was in use")

// watched is what a watcher asks a [lineage.Tree].
type watched interface {
	answer.Library
	ProcessByID(process.ID) (process.Process, error)
	Source() lineage.SourceInfo
}

// watcher writes events.
type watcher struct {
	app       *app
	tree      watched
	filter    *eventFilter
	describer *answer.Describer
	kin       *kin
	chain     bool
	left      int // how many may still come, 0 for any number
	zone      *time.Location

	source string  // in use
	screen *screen // nil where it has to be measured
}

func newWatcher(a *app, t watched, f *eventFilter) *watcher {
	return &watcher{
		app: a, tree: t, filter: f, zone: time.Local,
		describer: a.describer(&steadyClock{Library: t}),
		kin:       &kin{tree: t, known: map[process.ID]relative{}},
	}
}

// begin says, to programs, that all that happens from now on is told.
func (w *watcher) begin() lineage.SourceInfo {
	info := w.tree.Source()
	w.source = info.Name
	if w.app.output.value != "text" {
		_ = w.app.encode(w.watching(info), "")
	}
	_ = w.app.stdout.Flush() // its error stays in the writer for the end
	return info
}

// watchingText says with what lineage watches, and why not with something
// better.
func watchingText(info lineage.SourceInfo) string {
	parts := []string{"watching with " + sourceLine(info)}
	for _, p := range info.Passed {
		parts = append(parts, "not with "+passedText(p))
	}
	return strings.Join(parts, "; ")
}

// take writes an event if it was asked for, and reports whether more are.
func (w *watcher) take(e *lineage.Event) bool {
	w.complete(e)
	w.kin.note(e)
	if !w.filter.tells(e, w.describer) {
		return true
	}
	if w.app.output.value == "text" {
		if w.screen == nil {
			w.screen = w.app.screen()
		}
		w.line(e)
	} else if w.app.encode(w.object(e), "") != nil {
		return false // the writer keeps its error for the end
	}
	if e.Kind == process.Loss {
		w.app.gaps = append(w.app.gaps, errLost)
		if w.tree.Source().Name != w.source { // that one failed
			w.app.warn(watchingText(w.begin()))
		}
		return true
	}
	if w.left > 0 {
		w.left--
		return w.left > 0
	}
	return true
}

// flush hands over what was written, and reports whether there is a reader.
func (w *watcher) flush() bool {
	w.screen = nil
	return w.app.stdout.Flush() == nil
}
