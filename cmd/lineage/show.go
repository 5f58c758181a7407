package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// showFlags are the flags of lineage show.
type showFlags struct {
	pids, all bool
	noArgs    bool
	depth     int // 0 for no limit
	failed    bool
	match     string
	under     string
	why       string
	sort      choice
	summary   bool
	follow    bool
	format    choice
	file      string
}

func newShow(a *app) *cobra.Command {
	flags := showFlags{
		sort:   choice{"none", []string{"none", "start", "duration", "cpu", "rss", "io"}},
		format: choice{"none", append([]string{"none"}, recordFormats()[1:]...)},
	}
	c := &cobra.Command{
		Use:   "show FILE [TARGET]",
		Short: "What a recording has",
		Long: `Draw the processes of a recording that lineage record made, below one another by
who made whom: a process a line, with its command line, how long it was there and
how it ended if not with status 0. "sh (forked)" ran no program of its own but what
its maker did. Where lines are cut at the width of a terminal, programs are shown
without their directories. FILE is - for stdin. A recording that goes on, or that
was cut short, is shown as far as it goes.

With TARGET only those that it means and what they made. TARGET is a PID, an id as
--output json has it, or a name: of a program, or else a part of its command line.

Processes that look the same, have the same maker and made none are drawn once, as
"cc1 ×212", with the time of all, unless --all is given.

With --sort there is no tree but a list, with the greatest first. With --follow
what happens is told as it is written, until the recording ends, its writer is gone
or Ctrl-C.`,
		Example: `  lineage show build.lineage
  lineage show build.lineage --failed
  lineage show build.lineage --sort cpu | head
  lineage show build.lineage --why cc1
  lineage show build.lineage --format html -O build.html
  lineage show build.lineage -o ndjson | jq -r 'select(.exit.status == 2) | .args | join(" ")'`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("FILE is missing")
			case len(args) > 2:
				return usagef("one FILE and one TARGET are asked for, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := notEmpty(c, "match", "under", "why", "file"); err != nil {
				return err
			}
			if c.Flags().Changed("depth") && flags.depth < 1 {
				return usagef("--depth %d: it may be 1 or more", flags.depth)
			}
			if err := goTogether(c, len(args) == 2); err != nil {
				return err
			}
			if len(args) == 2 {
				flags.under = args[1]
			}
			return a.show(&flags, args[0])
		},
	}
	f := c.Flags()
	f.BoolVarP(&flags.pids, "pids", "p", false, "show PIDs")
	f.BoolVar(&flags.noArgs, "no-args", false, "show names in the place of command lines")
	f.BoolVar(&flags.all, "all", false, "draw each of those that look the same")
	f.IntVarP(&flags.depth, "depth", "d", 0, "only the first `N` levels")
	f.BoolVar(&flags.failed, "failed", false, "only what ended with a status other than 0 or by a signal, and what is above it")
	f.StringVarP(&flags.match, "match", "m", "", "only what has a match of the regular expression `RE` in its name, file or arguments, and what is above it")
	f.StringVar(&flags.under, "under", "", "only `TARGET` and what it made")
	f.StringVar(&flags.why, "why", "", "all about `TARGET`, and the chain of those that made it")
	f.Var(&flags.sort, "sort", "list by start, duration, cpu, rss or io; none draws a tree")
	f.BoolVar(&flags.summary, "summary", false, "sum it up on one screen")
	f.BoolVarP(&flags.follow, "follow", "f", false, "tell what happens while it is written")
	f.Var(&flags.format, "format", "turn the recording into perfetto, chrome or html, on stdout or to --file")
	f.StringVarP(&flags.file, "file", "O", "", "where --format writes to: `FILE`")
	for name, choice := range map[string]*choice{"sort": &flags.sort, "format": &flags.format} {
		must(c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(choice.allowed, cobra.ShellCompDirectiveNoFileComp)))
	}
	return c
}

// showModes are the flags that say how a recording is shown, and those that go with
// each. Without one of them there is a tree.
func showModes() map[string][]string {
	return map[string][]string{
		"follow":  {"failed", "match"},
		"format":  {"file"},
		"summary": {},
		"why":     {"all", "failed", "match"},
		"sort":    {"all", "failed", "match", "no-args", "pids", "under"},
	}
}

// goTogether returns what is wrong with the flags that were given together.
func goTogether(c *cobra.Command, target bool) error {
	given := c.Flags().Changed
	if target && given("under") {
		return usagef("TARGET and --under are one and the same: give one of them")
	}
	modes, mode := showModes(), ""
	for _, name := range slices.Sorted(maps.Keys(modes)) {
		switch {
		case !given(name):
		case mode != "":
			return usagef("--%s and --%s: give one of them", mode, name)
		default:
			mode = name
		}
	}
	if mode == "" {
		if given("file") {
			return usagef("--file: it is where --format writes to, and there is none")
		}
		return nil
	}
	for _, name := range []string{"all", "depth", "failed", "file", "match", "no-args", "pids", "under"} {
		switch {
		case slices.Contains(modes[mode], name):
		case given(name):
			return usagef("--%s does not go with --%s", name, mode)
		case name == "under" && target:
			return usagef("TARGET does not go with --%s", mode)
		}
	}
	return nil
}

// show shows a recording in the way that the flags ask for.
func (a *app) show(flags *showFlags, name string) error {
	if flags.follow {
		return a.followRecording(flags, name)
	}
	rec, err := a.readRecording(name)
	if err != nil {
		return err
	}
	if flags.format.value != "none" {
		return a.exportRecording(flags, name, rec)
	}
	if flags.summary {
		return a.showSummary(rec)
	}
	v, err := newRecordView(a, rec, flags)
	if err != nil {
		return err
	}
	switch {
	case flags.why != "":
		return v.why()
	case a.output.value != "text":
		return v.emit()
	case flags.sort.value != "none":
		v.list()
	default:
		v.tree()
	}
	v.foot()
	return nil
}

// exportRecording writes the recording in the file of that name in another format.
func (a *app) exportRecording(flags *showFlags, name string, rec *record.Recording) error {
	if flags.file == "" {
		if a.columns() > 0 {
			return usagef("--format %s: this is no text for a terminal; write it to a file with -O FILE", flags.format.value)
		}
		return export(a.stdout, flags.format.value, rec)
	}
	if from, err := os.Stat(name); err == nil && name != "-" {
		if to, err := os.Stat(flags.file); err == nil && os.SameFile(from, to) {
			return usagef("--file %s: that is the recording itself", quoted(flags.file))
		}
	}
	return exportTo(flags.file, flags.format.value, rec)
}

// recordFilter says which processes of a recording are shown.
type recordFilter struct {
	failed bool
	match  *regexp.Regexp
}

func (f *recordFilter) any() bool { return f.failed || f.match != nil }

// tells reports whether the process is one that was asked for.
func (f *recordFilter) tells(rec *record.Recording, n int) bool {
	p := &rec.Processes[n]
	if f.failed && !p.Failed() {
		return false
	}
	if f.match == nil || f.match.MatchString(p.Name) {
		return true
	}
	return slices.ContainsFunc(p.Execs, func(x record.Exec) bool {
		return f.match.MatchString(x.File) || f.match.MatchString(strings.Join(x.Args, " "))
	})
}

func newRecordFilter(flags *showFlags) (*recordFilter, error) {
	re, err := matcher(flags.match)
	return &recordFilter{failed: flags.failed, match: re}, err
}

// findRecorded returns the places of the processes that a target means.
func findRecorded(rec *record.Recording, target string) ([]int, error) {
	places := func(is func(n int) bool) (found []int) {
		for n := range rec.Processes {
			if is(n) {
				found = append(found, n)
			}
		}
		return found
	}
	var tests []func(n int) bool
	switch {
	case strings.Contains(target, "@"):
		if id, err := process.ParseID(target); err == nil {
			tests = append(tests, func(n int) bool { return rec.Processes[n].ID.Same(id) })
		}
	case isDigits(target):
		pid, err := parsePID(target)
		if err != nil {
			return nil, err
		}
		tests = append(tests, func(n int) bool { return rec.Processes[n].ID.PID == pid })
	}
	tests = append(tests,
		func(n int) bool { return rec.Processes[n].Name == target },
		func(n int) bool {
			return slices.ContainsFunc(rec.Processes[n].Execs, func(x record.Exec) bool {
				return strings.HasSuffix("/"+x.File, "/"+target)
			})
		},
		func(n int) bool {
			return slices.ContainsFunc(rec.Processes[n].Execs, func(x record.Exec) bool {
				return strings.Contains(strings.Join(x.Args, " "), target)
			})
		})
	for _, is := range tests {
		if found := places(is); len(found) > 0 {
			return found, nil
		}
	}
	return nil, notFoundf("the recording has no process %s, by PID, id, name or command line", quoted(target))
}

// followRecording tells what is written to a recording, as it is.
func (a *app) followRecording(flags *showFlags, name string) error {
	if a.output.value == "json" {
		return usagef("--follow --output json: what goes on is no document: it may be text or ndjson")
	}
	filter, err := newRecordFilter(flags)
	if err != nil {
		return err
	}
	f, shown, err := openRecording(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	ctx, stop := untilStopped()
	defer stop()
	a.stdout.Reset(&patientWriter{a.out, ctx.Done()})
	t := &recordTeller{app: a, filter: filter}
	err = record.Follow(ctx, f, record.ReadOptions{}, t.tell)
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, errNoReader):
		return nil
	case errors.Is(err, record.ErrAbandoned):
		return a.tolerate(&lineage.IncompleteError{Err: fmt.Errorf("%s: %w", shown, err)})
	}
	return fmt.Errorf("%s: %w", shown, err)
}

// bySize puts the places in the order that is asked for, the greatest first.
func bySize(rec *record.Recording, places []int, by string) {
	size := func(n int) uint64 {
		p := &rec.Processes[n]
		u := p.Exit.Usage
		switch by {
		case "duration":
			d, _ := timeOf(rec, p)
			return uint64(d)
		case "cpu":
			return uint64(u.User + u.System)
		case "rss":
			return u.MaxRSS
		case "io":
			return u.ReadBytes + u.WrittenBytes
		}
		return 0
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(size(b), size(a)) })
}
