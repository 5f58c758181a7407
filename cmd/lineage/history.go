package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/store"
)

// historyFlags are the flags of lineage history.
type historyFlags struct {
	since, until     string
	container, match string
	ancestors        []string
	exit, under      string
	from             fromFlags
	sort             choice
	limit            int
	failed           bool
}

func newHistory(a *app) *cobra.Command {
	var orders []string
	for _, o := range store.Orders() {
		orders = append(orders, string(o))
	}
	flags := historyFlags{sort: choice{string(store.Latest), orders}}
	c := &cobra.Command{
		Use:   "history [QUERY…]",
		Short: "What ran on this host or on those of a fleet, from a history",
		Long: `List the processes that the daemon (lineage serve) has seen, those that started
last first, one line each.

QUERY says which: words that stand in the name or the command line, and terms such
as container:web, name=nginx, user:www-data, unit:cron, pod:web-7d4f, pid:42,
exit!=0, exit:SIGKILL, lived>10s, state:running, ancestor:sshd, host:db1, since:10m
and until:08:15. A term has one of : = != < <= > >=, and a value with spaces stands
in double quotes. The flags below are other words for some of them.

A time is how long ago it was (10m, 36h, 7d), a time of today (08:15), a date
(2026-01-31) or both (2026-01-31T08:15:00Z). A process is of the time between
--since and --until if it lived in it.

An ordinary user gets of others' processes what /proc shows of them.

` + storeHelp + `

Without --host it is about all hosts of the store, and each process says of which it is.`,
		Example: `  lineage history --since 10m
  lineage history 'exit!=0' --since 08:00 --until 09:00
  lineage history --container web --match 'curl|wget'
  lineage history --under 48213 --sort duration
  lineage history --ancestor nginx --match '^(ba|da)?sh$'
  lineage history --store clickhouse://reader@fleet/lineage --since 1d --ancestor nginx
  lineage history nginx --limit 1000 --output ndjson`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if err := notEmpty(c, "since", "until", "container", "match", "ancestor", "exit", "under", "store", "host"); err != nil {
				return err
			}
			if flags.limit < 0 {
				return usagef("--limit %d: it may be 1 or more, or 0 for all", flags.limit)
			}
			return a.history(&flags, args)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.since, "since", "", "what lived at `TIME` or later")
	f.StringVar(&flags.until, "until", "", "what lived before `TIME`")
	f.StringVar(&flags.container, "container", "", "what was in the `CONTAINER` with that name or beginning of an ID")
	f.StringVar(&flags.match, "match", "", "what has the regular expression `RE` in its name or command line")
	f.StringArrayVar(&flags.ancestors, "ancestor", nil, "what has one with the `NAME` above it, that made it or one of those that did; may be repeated")
	f.StringVar(&flags.exit, "exit", "", "what ended with `STATUS`, or by a signal: 0, !=0, >125, SIGKILL")
	f.BoolVar(&flags.failed, "failed", false, "what failed: --exit '!=0'")
	f.StringVar(&flags.under, "under", "", "what descends from the process with that `PID` or id")
	f.Var(&flags.sort, "sort", "the order: latest, earliest, duration, cpu or memory")
	f.IntVar(&flags.limit, "limit", 100, "at most `N` processes; 0 for all")
	for _, name := range []string{"since", "until", "container", "match", "ancestor", "exit", "under", "limit"} {
		must(c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	flags.from.add(c)
	must(c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(orders, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// query is what the flags and the words ask for.
func (f *historyFlags) query(args []string, now time.Time) (client.Query, error) {
	q := client.Query{Order: store.Order(f.sort.value), Under: f.under, Host: f.from.host}
	words := slices.Clone(args)
	for i, w := range words {
		if !strings.ContainsAny(w, " \t\"") {
			continue
		}
		// The shell has taken the quotes away that made it one word.
		if name, value, ok := strings.Cut(w, ":"); ok && !strings.ContainsAny(name, " \t\"") && !strings.Contains(value, `"`) {
			words[i] = name + ":" + store.Quote(value)
		} else if !strings.Contains(w, `"`) {
			words[i] = store.Quote(w)
		}
	}
	if f.container != "" {
		words = append(words, "container:"+store.Quote(f.container))
	}
	if f.match != "" {
		if _, err := matcher(f.match); err != nil {
			return q, err
		}
		words = append(words, "match:"+store.Quote(f.match))
	}
	for _, name := range f.ancestors {
		words = append(words, "ancestor:"+store.Quote(name))
	}
	if f.failed {
		words = append(words, "exit!=0")
	}
	if f.exit != "" {
		status := f.exit
		if !strings.ContainsAny(status[:1], "=!<>") {
			status = "=" + status
		}
		words = append(words, "exit"+status)
	}
	q.Text = strings.Join(words, " ")
	var parsed store.Query
	if err := store.ParseQuery(&parsed, q.Text, now); err != nil {
		return q, usagef("%w", err)
	}
	for _, t := range []struct {
		flag, text string
		set        *time.Time
	}{{"since", f.since, &q.Since}, {"until", f.until, &q.Until}} {
		if t.text == "" {
			continue
		}
		at, err := store.ParseTime(t.text, now)
		if err != nil {
			return q, usagef("--%s: %w", t.flag, err)
		}
		*t.set = at
	}
	if since, until := latest(q.Since, parsed.Since), latest(q.Until, parsed.Until); !since.IsZero() && !until.IsZero() && until.Before(since) {
		return q, usagef("the time ends before it begins")
	}
	return q, nil
}

// latest is b, or a where that is zero.
func latest(a, b time.Time) time.Time {
	if b.IsZero() {
		return a
	}
	return b
}

// history lists what ran.
func (a *app) history(flags *historyFlags, args []string) error {
	q, err := flags.query(args, time.Now())
	if err != nil {
		return err
	}
	return a.ask(&flags.from, func(ctx context.Context, c *client.Client) error {
		list := historyList{app: a, left: flags.limit}
		more, err := list.ask(ctx, c, q)
		if err != nil {
			return err
		}
		if list.count == 0 {
			a.heard(&list.answer)
			return notFoundf("the history has nothing of that")
		}
		a.heard(&list.answer)
		if a.output.value == "json" {
			return a.emitFrom("history", list.answer.Source, list.objects)
		}
		if a.output.value == "text" {
			s := a.screen()
			writeHistory(s, list.objects, flags.from.host == "", time.Now(), time.Local)
			s.line()
			shown := plural(list.count, "process", "processes")
			if more {
				shown += ", and there are more (--limit)"
			}
			s.sentence("shown", shown, dim)
			gapLines(s, &list.answer, list.objects, time.Local)
			s.sentence("source", sourceText(c, &list.answer), dim)
		}
		return nil
	})
}

// historyList takes in pages.
type historyList struct {
	app     *app
	left    int // how many more, 0 for all
	count   int
	objects []Object // but for ndjson, of which each is written at once
	answer  api.Answer
}

// ask asks for page after page. It reports whether there is more than was asked for.
func (l *historyList) ask(ctx context.Context, c *client.Client, q client.Query) (more bool, err error) {
	limited := l.left > 0
	for {
		q.Limit = store.MaxLimit
		if limited {
			q.Limit = min(l.left, store.MaxLimit)
		}
		x, err := c.History(ctx, q)
		if err != nil {
			return false, err
		}
		l.answer = x.Answer
		for i := range x.Processes {
			l.count++
			if l.app.output.value != "ndjson" {
				l.objects = append(l.objects, x.Processes[i])
				continue
			}
			x.Processes[i].Schema = schema
			if err := l.app.encode(x.Processes[i], ""); err != nil {
				return false, err
			}
		}
		l.left -= len(x.Processes)
		if x.Next == nil || limited && l.left <= 0 {
			return x.Next != nil, nil
		}
		q.After = *x.Next
	}
}

// writeHistory writes the table, one line a process.
func writeHistory(s *screen, objects []Object, hosts bool, now time.Time, zone *time.Location) {
	names := hostTexts(objects)
	hosts = hosts && slices.ContainsFunc(objects, func(o Object) bool { return o.Host != "" })
	contained := slices.ContainsFunc(objects, func(o Object) bool { return o.Container != nil })
	head := []span{{"STARTED", dim}, {"LIVED", dim}, {"END", dim}, {"PID", dim}, {"USER", dim}}
	right := map[int]bool{1: true, 3: true}
	if hosts {
		head = slices.Insert(head, 0, span{"HOST", dim})
		right = map[int]bool{2: true, 4: true}
	}
	if contained {
		head = append(head, span{"CONTAINER", dim})
	}
	rows := [][]span{append(head, span{"COMMAND", dim})}
	for i := range objects {
		o := &objects[i]
		end, style := endText(o)
		row := []span{
			{shownStart(o, zone), plain}, {livedText(o, now), plain}, {end, style}, {shownPID(o), plain}, {shownUser(o), plain},
		}
		if hosts {
			row = slices.Insert(row, 0, span{names[o.Host], plain})
		}
		if contained {
			row = append(row, span{s.fitIDs(containerText(o), s.width), place})
		}
		rows = append(rows, append(row, span{commandText(o), bold}))
	}
	s.table(right, rows...)
}

// hostText is the host of a process in one word.
func hostText(o *Object) string {
	if o.Host == "" {
		return "-"
	}
	return safe(cmp.Or(o.HostName, o.Host[:min(len(o.Host), 12)]))
}

// hostTexts are the hosts of the processes in one word each, by their machine-ids: with
// the beginning of that where several are called the same.
func hostTexts(objects []Object) map[string]string {
	texts, called := map[string]string{}, map[string]int{}
	for i := range objects {
		if o := &objects[i]; texts[o.Host] == "" {
			texts[o.Host] = hostText(o)
			called[texts[o.Host]]++
		}
	}
	for id, text := range texts {
		if called[text] > 1 {
			texts[id] = text + "/" + safe(id[:min(len(id), 8)])
		}
	}
	return texts
}

// endText is how a process ended, in one word.
func endText(o *Object) (string, style) {
	switch x := o.Exit; {
	case x == nil:
		return "running", plain
	case x.Signal != nil:
		return *x.Signal, alarm
	case x.Status == nil:
		return "?", plain
	case *x.Status != 0:
		return fmt.Sprint(*x.Status), alarm
	default:
		return "0", plain
	}
}

// livedText is how long a process has lived, to now of one that lives.
func livedText(o *Object, now time.Time) string {
	if o.Exit == nil {
		if start, ok := startOf(o); ok {
			return brief(now.Sub(start))
		}
	}
	if o.Exit == nil || o.Exit.LivedSeconds == nil {
		return "-"
	}
	return brief(time.Duration(*o.Exit.LivedSeconds * float64(time.Second)))
}

// containerText is the container of a process in few words.
func containerText(o *Object) string {
	c := o.Container
	if c == nil {
		return "-"
	}
	return safe(cmp.Or(answer.Value(c.Name), answer.Value(c.ID), "-"))
}

func commandText(o *Object) string {
	if len(o.Args) == 0 {
		return shownName(o)
	}
	return shownCommand(o.Args, o.ArgsCut)
}
