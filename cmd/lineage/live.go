package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/procfs"
)

// live is a tree that is told what happens, and that from the moment it is
// opened.
type live struct {
	tree   *lineage.Tree
	events <-chan lineage.Event
	end    func() // has events end with what has happened until then
	close  func()
}

// openLive returns a tree whose events are read. Command is what needs them.
func (a *app) openLive(command string) (*live, error) {
	if a.source.value == procfs.Name {
		return nil, usagef("--source %s: it tells nothing of what happens, and %s needs that: it may be auto, bpf or cnproc", procfs.Name, command)
	}
	t, err := a.newTree(a.source.value)
	if err != nil {
		return nil, err
	}
	if info := t.Source(); info.Name == procfs.Name {
		return nil, errors.Join(noLive(info.Passed), t.Close())
	}
	return read(t)
}

// read has the events of a tree read, which is closed with them.
func read(t *lineage.Tree) (*live, error) {
	ctx, cancel := context.WithCancel(context.Background())
	events, err := t.Events(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(err, t.Close())
	}
	var running sync.WaitGroup
	running.Go(func() { _ = t.Run(ctx) }) // it fails on a closed tree only
	return &live{tree: t, events: events, end: cancel, close: func() {
		cancel()
		running.Wait()
		_ = t.Close()
	}}, nil
}

// noLive is the error of a host on which nothing tells what happens.
func noLive(passed []lineage.PassedSource) error {
	var why []string
	status := exitError
	for _, p := range passed {
		why = append(why, passedText(p))
		if errors.Is(p.Err, fs.ErrPermission) {
			status = exitPermission
		}
	}
	text := "no source tells what happens on this host: " + strings.Join(why, "; ") + " (see 'lineage doctor')"
	return &statusError{status, errors.New(text)}
}

// passedText says why a source is not in use.
func passedText(p lineage.PassedSource) string {
	return p.Name + ": " + reason(p.Name, p.Err)
}

// reason is the text of an error of a source, without the name of that.
func reason(name string, err error) string {
	return strings.TrimPrefix(oneLine(err.Error()), name+": ")
}

// lull is how long after an event what has been written may have to wait.
const lull = 10 * time.Millisecond

// each calls take with every event, and pause soon after the last of some,
// until one of them returns false or ctx ends; then with all that had happened
// by then. The error says that nothing tells what happens any more.
func (l *live) each(ctx context.Context, take func(*lineage.Event) bool, pause func() bool) error {
	if !each(ctx, l.events, take, pause) {
		return nil
	}
	if ctx.Err() == nil {
		return noLive(l.tree.Source().Passed)
	}
	l.rest(take)
	return nil
}

// each is live.each for a channel. It reports whether it returned only because ctx
// or the events have ended.
func each(ctx context.Context, events <-chan lineage.Event, take func(*lineage.Event) bool, pause func() bool) (more bool) {
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return true
		case e, ok := <-events:
			switch {
			case !ok:
				return true
			case !take(&e):
				return false
			case soon == nil:
				soon = time.After(lull)
			}
		case <-soon:
			soon = nil
			if !pause() {
				return false
			}
		}
	}
}

// rest calls take with the events of what has happened until now, and with
// cnproc has been told a little later.
func (l *live) rest(take func(*lineage.Event) bool) {
	until := process.Instant(linux.Boottime()) + process.Instant(lull)
	soon := time.AfterFunc(lull, l.end)
	defer soon.Stop()
	for e := range l.events {
		if after(&e, until) || !take(&e) {
			return
		}
	}
}

// after reports whether an event and all that come after it are later than an
// instant. What was found has the time of the finding.
func after(e *lineage.Event, until process.Instant) bool {
	switch e.Kind {
	case process.Seen, process.Gone:
		return false
	case process.Loss:
		return e.Since > until
	case process.Fork, process.Exec, process.Exited, process.Moved:
	}
	return e.Time > until
}

// untilStopped returns a context that ends when the user or the system wants
// the command to. The second time ends it at once.
func untilStopped() (context.Context, context.CancelFunc) {
	wanted := []os.Signal{syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGINT) { // as for jobs in the background
		wanted = append(wanted, syscall.SIGINT)
	}
	ctx, stop := signal.NotifyContext(context.Background(), wanted...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// within returns a context that ends after d, or with ctx alone if d is zero.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
