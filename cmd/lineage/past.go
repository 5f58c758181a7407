package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// daemon returns a client of the daemon, which may not be there.
func (a *app) daemon() (*client.Client, error) {
	c, err := client.New(cmp.Or(a.socket, usualSocket(a.getenv)), client.Options{Token: a.getenv("LINEAGE_TOKEN")})
	if err != nil {
		return nil, usagef("--socket: %w", err)
	}
	return c, nil
}

// daemonIfThere is daemon where nothing else was asked for, and nil where none
// answers.
func (a *app) daemonIfThere(ctx context.Context) *client.Client {
	if a.source.value != "auto" || a.socket == "none" {
		return nil
	}
	c, err := a.daemon()
	if err != nil {
		return nil
	}
	if c.Ping(ctx) != nil {
		c.Close()
		return nil
	}
	return c
}

// asked gives an error of the daemon the status of its kind. Where there is none, it
// says how to have one.
func asked(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errors.New("it was stopped")
	case errors.Is(err, client.ErrNoDaemon):
		return fmt.Errorf("%w: start one with 'lineage serve', or say with --socket where it is", err)
	case errors.Is(err, fs.ErrNotExist):
		return notFoundf("%w", err)
	case errors.Is(err, fs.ErrPermission):
		return permissionf("%w", err)
	case errors.Is(err, store.ErrQuery):
		return usagef("%w", err)
	}
	return err
}

// heard takes in whether an answer of the daemon is complete.
func (a *app) heard(x *api.Answer) {
	if !x.Complete {
		a.gaps = append(a.gaps, &lineage.IncompleteError{Err: errors.New(cmp.Or(x.Note, "the daemon does not say why"))})
	}
}

// sourceText says in text where an answer comes from.
func sourceText(c *client.Client, x *api.Answer) string {
	text := "the daemon at " + safe(c.Address)
	if isStore(c.Address) {
		return "the store " + safe(c.Address)
	}
	if x.Source.Name != "" {
		text += " (" + safe(x.Source.Name) + ")"
	}
	return text
}

// mostGaps is how many gaps are written where there are more.
const mostGaps = 5

// gapLines tells in text of what is missing in the time that was asked for, of an
// answer about several hosts by the names that the objects have.
func gapLines(s *screen, x *api.Answer, objects []Object, zone *time.Location) {
	names := hostTexts(objects)
	gaps := slices.Clone(x.Gaps)
	slices.SortStableFunc(gaps, func(g, h api.Gap) int { return cmp.Compare(g.Until, h.Until) }) // to the second
	gaps = gaps[max(len(gaps)-mostGaps, 0):]
	if more := len(x.Gaps) - len(gaps); more > 0 {
		s.sentence("gap", plural(more, "earlier gap", "earlier gaps")+", not shown", alarm)
	}
	for i := range gaps {
		g := &gaps[i]
		what := map[string]string{
			string(store.Away):    "nobody watched",
			string(store.Lost):    "the kernel dropped events",
			string(store.Dropped): "the history could not be written",
			string(store.Damaged): "a file of the history is damaged",
		}[g.Reason]
		text := cmp.Or(what, safe(g.Reason)) + " from " + momentText(g.Since, zone) + " to " + momentText(g.Until, zone)
		if g.Lost != nil {
			text += ": " + plural(int(*g.Lost), "process", "processes") + " missing"
		}
		if id := answer.Value(g.Host); x.Host == nil && id != "" {
			text += ", on " + cmp.Or(names[id], hostText(&Object{Host: id}))
		}
		s.sentence("gap", text, alarm)
	}
}

// momentText is a time of JSON for people.
func momentText(text string, zone *time.Location) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 {
		return "?"
	}
	return t.In(zone).Format(time.DateTime)
}

// past reports whether a command asks a history, which it checks.
func (f *fromFlags) past(at string) (bool, error) {
	if f.store == "" && f.host != "" && at == "" {
		return false, usagef("--host goes with --at or --store: what is now, a daemon knows of its own host")
	}
	return f.store != "" || at != "", nil
}

// readAt reads --at, zero where it was not given: as of the last that is known.
func readAt(at string) (time.Time, error) {
	if at == "" {
		return time.Time{}, nil
	}
	when, err := store.ParseTime(at, time.Now())
	if err != nil {
		return when, usagef("--at: %w", err)
	}
	return when, nil
}

// asOf is the time of an answer, where none was asked for.
func asOf(when time.Time, x *api.Answer) time.Time {
	if when.IsZero() {
		when, _ = time.Parse(time.RFC3339Nano, x.AsOf)
	}
	return when
}

// whyAt explains the process that TARGET, a PID or an ID, was at a time.
func (a *app) whyAt(from *fromFlags, target, at string, short bool) error {
	when, err := readAt(at)
	if err != nil {
		return err
	}
	if err := isSubject(target); err != nil {
		return err
	}
	return a.ask(from, func(ctx context.Context, c *client.Client) error {
		x, err := c.Process(ctx, client.Subject{Process: target, At: when, Host: from.host})
		if err != nil {
			return err
		}
		a.heard(&x.Answer)
		when := asOf(when, &x.Answer)
		switch s := a.screen(); {
		case a.output.value != "text":
			return a.emitFrom("why", x.Source, []Object{x.Process})
		case short:
			s.chain("", chainTexts(&x.Process))
		default:
			note := "as of " + when.In(time.Local).Format(time.DateTime)
			if x.Process.Host != "" {
				note += ", on " + hostText(&x.Process)
			}
			writeWhy(s, &x.Process, note, sourceText(c, &x.Answer), when, time.Local)
			gapLines(s, &x.Answer, nil, time.Local)
		}
		return nil
	})
}

// mostAsked is of how many processes the daemon is asked for one answer.
const mostAsked = 100

// askMore has the daemon, where there is one, say who made the processes: it has
// seen that, and those that have ended since. It returns where the daemon is, empty
// where it had nothing to say.
func (a *app) askMore(objects []Object) (address string) {
	if len(objects) > mostAsked {
		return ""
	}
	ctx, stop := untilStopped()
	defer stop()
	c := a.daemonIfThere(ctx)
	if c == nil {
		return ""
	}
	defer c.Close()
	for i := range objects {
		o := &objects[i]
		x, err := c.Process(ctx, client.Subject{Process: o.ID})
		if err != nil || len(x.Process.Chain) == 0 || x.Process.PID != o.PID {
			continue
		}
		o.Chain, o.ChainComplete = x.Process.Chain, x.Process.ChainComplete
		o.CreatorPID, o.CreatorID, o.CreatorEvidence = x.Process.CreatorPID, x.Process.CreatorID, x.Process.CreatorEvidence
		address = c.Address
	}
	return address
}

// isSubject refuses what is neither a PID nor the ID of a process.
func isSubject(target string) error {
	if _, err := strconv.ParseUint(target, 10, 31); err == nil {
		return nil
	}
	if _, err := process.ParseID(target); err == nil {
		return nil
	}
	return usagef("%s: with --at or --store, TARGET is a PID or the id of a process", quoted(target))
}

// treeAt draws the processes that there were at a time.
func (a *app) treeAt(flags treeFlags, args []string) error {
	when, err := readAt(flags.at)
	if err != nil {
		return err
	}
	q := client.Query{At: when, Limit: store.MaxLimit, Host: flags.from.host}
	for _, target := range args {
		if err := isSubject(target); err != nil {
			return err
		}
		q.Under = target
	}
	return a.ask(&flags.from, func(ctx context.Context, c *client.Client) error {
		p := &past{}
		if err := p.ask(ctx, c, q); err != nil {
			return err
		}
		when := asOf(when, &p.answer)
		if len(p.processes) == 0 {
			return notFoundf("nothing is known to have run at %s", when.In(time.Local).Format(time.DateTime))
		}
		a.heard(&p.answer)
		return drawForest(drawing{
			app: a, describer: p.describer(), detailed: p.detailed, forest: newForest(p.processes),
			source: sourceText(c, &p.answer) + ", as of " + when.In(time.Local).Format(time.DateTime),
			emit: func(objects []Object) error {
				p.settle(objects)
				return a.emitFrom("tree", p.answer.Source, objects)
			},
		}, flags, nil)
	})
}

// past is what a daemon said of the processes of a time. It is a library.
type past struct {
	answer    api.Answer
	processes []process.Process
	objects   map[process.ID]*Object
}

// ask takes in what there was at the time of the query, page after page, and first
// the process that it is all to be under.
func (p *past) ask(ctx context.Context, c *client.Client, q client.Query) error {
	if q.Under != "" {
		x, err := c.Process(ctx, client.Subject{Process: q.Under, At: q.At, Host: q.Host})
		if err != nil {
			return err
		}
		if err := p.add(&x.Process); err != nil {
			return err
		}
		q.Under = x.Process.ID
	}
	for {
		x, err := c.Processes(ctx, q)
		if err != nil {
			return err
		}
		p.answer = x.Answer
		for i := range x.Processes {
			if err := p.add(&x.Processes[i]); err != nil {
				return err
			}
		}
		if x.Next == nil {
			return nil
		}
		q.After = *x.Next
	}
}

// add adds a process.
func (p *past) add(o *Object) error {
	q, err := o.Read()
	if err != nil {
		return err
	}
	if p.objects == nil {
		p.objects = map[process.ID]*Object{}
	}
	// JSON has no membership: what follows from it stands for it.
	q.Cgroup.Membership = strings.Join([]string{answer.Value(o.Unit), answer.Value(o.UserUnit), answer.Value(o.LoginSession)}, "\n")
	p.processes = append(p.processes, q)
	p.objects[q.ID] = o
	return nil
}

// describer knows where the processes are.
func (p *past) describer() *answer.Describer {
	d := answer.NewDescriber(p, nil)
	d.Settle()
	for i := range p.processes {
		o := p.objects[p.processes[i].ID]
		d.Place(p.processes[i].Cgroup, o.Place())
	}
	return d
}

func (p *past) detailed(q *process.Process) Object { return *p.objects[q.ID] }

// settle adds to objects of which host and boot they are, as the answer has it.
func (p *past) settle(objects []Object) {
	for i := range objects {
		o := &objects[i]
		id, _ := process.ParseID(o.ID) // it has been written by us
		if told := p.objects[id]; told != nil {
			o.Host, o.HostName, o.BootID = told.Host, told.HostName, told.BootID
		}
	}
}

// Details implements [answer.Library].
func (p *past) Details(id process.ID) (process.Details, error) {
	o, ok := p.objects[id]
	if !ok {
		return process.Details{}, lineage.ErrNotFound
	}
	return process.Details{Args: o.Args, NamespacePIDs: o.NamespacePIDs, UID: -1, EffectiveUID: -1}, nil
}

// Time implements [answer.Library]: the wall clock of the answer tells it.
func (p *past) Time(i process.Instant) time.Time {
	asOf, err := time.Parse(time.RFC3339Nano, p.answer.AsOf)
	if err != nil {
		return time.Time{}
	}
	return asOf.Add(time.Duration(i) - time.Duration(answer.ReadInstant(answer.Value(p.answer.BootTime))))
}
