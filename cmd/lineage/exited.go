package main

import (
	"fmt"
	"slices"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// mostExited is how many processes that ended are kept for a tree.
const mostExited = 1 << 16

// exited is the processes that ended while lineage watched, the last of them
// where there are too many.
type exited struct {
	procs   []process.Process
	next    int // where the next one goes, once there are mostExited
	dropped int
	losses  int
}

// take takes in an event.
func (x *exited) take(e *lineage.Event) bool {
	switch e.Kind {
	case process.Loss:
		x.losses++
	case process.Exited, process.Gone:
		if len(x.procs) < mostExited {
			x.procs = append(x.procs, e.Process)
			return true
		}
		x.procs[x.next] = e.Process
		x.next = (x.next + 1) % mostExited
		x.dropped++
	case process.Fork, process.Exec, process.Moved, process.Seen:
	}
	return true
}

// treeOfExited watches and then draws what there is and what ended meanwhile.
func (a *app) treeOfExited(flags treeFlags, targets []string) error {
	ctx, stop := untilStopped()
	defer stop()
	l, err := a.openLive("tree --exited")
	if err != nil {
		return err
	}
	defer l.close()
	f := newFinder(a, l.tree)
	tops, kernel, err := f.tops(targets)
	if err != nil {
		return err
	}
	flags.kernel = flags.kernel || kernel
	f.read = nil // it is asked for again
	if a.attended {
		a.warn(watchingText(l.tree.Source()) + ", for " + flags.exited.String() + "; Ctrl-C draws at once")
	}
	ctx, cancel := within(ctx, flags.exited)
	defer cancel()
	var x exited
	if err := l.each(ctx, x.take, func() bool { return true }); err != nil {
		return err
	}
	all, err := f.all()
	if err != nil {
		return err
	}
	for range x.losses {
		a.gaps = append(a.gaps, errLost)
	}
	if x.dropped > 0 {
		a.gaps = append(a.gaps, errDropped(x.dropped))
	}
	return drawForest(f.drawn(newForest(x.with(all))), flags, tops)
}

// with returns the processes there are and those that ended.
func (x *exited) with(all []process.Process) []process.Process {
	there := make(map[process.ID]bool, len(all))
	for i := range all {
		there[all[i].ID] = true
	}
	return append(all, slices.DeleteFunc(x.procs, func(p process.Process) bool { return there[p.ID] })...)
}

// errDropped is why a tree does not have all that ended.
func errDropped(n int) error {
	return &lineage.IncompleteError{Err: fmt.Errorf("%s more ended, before those shown", plural(n, "process", "processes"))}
}
