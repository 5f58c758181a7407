package main

import (
	"context"
	"errors"
	"fmt"
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
	close  func()
}

// openLive returns a tree whose events are read. Command is what needs them.
func (a *app) openLive(command string) (*live, error) {
	if a.source.value == procfs.Name {
		return nil, usagef("--source %s: it tells nothing of what happens, and %s needs that: it may be auto, bpf or cnproc", procfs.Name, command)
	}
	t, err := lineage.NewTree(lineage.Options{ProcPath: a.proc, Source: a.source.value})
	if err != nil {
		return nil, fmt.Errorf("%w (see 'lineage doctor')", err)
	}
	if info := t.Source(); info.Name == procfs.Name {
		return nil, errors.Join(noLive(info.Passed), t.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := t.Events(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(err, t.Close())
	}
	var running sync.WaitGroup
	running.Go(func() { _ = t.Run(ctx) }) // it fails on a closed tree only
	return &live{tree: t, events: events, close: func() {
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
	var soon <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			l.rest(take)
			return nil
		case e, ok := <-l.events:
			switch {
			case !ok:
				return noLive(l.tree.Source().Passed)
			case !take(&e):
				return nil
			case soon == nil:
				soon = time.After(lull)
			}
		case <-soon:
			soon = nil
			if !pause() {
				return nil
			}
		}
	}
}

// rest calls take with the events of what has happened until now, and with
// cnproc has been told a little later.
func (l *live) rest(take func(*lineage.Event) bool) {
	until := process.Instant(linux.Boottime()) + process.Instant(lull)
	_, _ = l.tree.Process(os.Getpid()) // whose answer is not older than the question
	for {
		select {
		case e, ok := <-l.events:
			if !ok || after(&e, until) || !take(&e) {
				return
			}
		case <-time.After(5 * lull): // Run takes in what there is
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
