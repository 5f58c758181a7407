package main

import (
	"context"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
)

// How long after the command was waited for, and after what was told last of the
// time before, its end may take to be told, and after a loss what the tree knows. Run takes in what has happened every
// 10 ms; where events were lost it may never be told.
const (
	patienceForRoot = 2 * time.Second
	patienceForRest = 30 * time.Millisecond // of a source that tells less than wait4(2), and for what else is told of then
)

// follow takes in events until the command has ended and that is told, and with
// all until the last of what it started has. It returns early when ctx ends, and
// calls tick now and then.
func (r *recorder) follow(ctx context.Context, l *live, c *command, all bool, tick func(c *command)) {
	done := c.done
	var ended process.Instant // no earlier than the end of the command
	patience := func() time.Duration {
		if r.rootEnded && r.caughtUpTo == 0 || r.source != bpf.Name {
			return patienceForRest
		}
		return patienceForRoot
	}
	late := time.NewTimer(time.Hour)
	late.Stop()
	defer late.Stop()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		past := done == nil && r.last > ended            // all is told of until the command ended
		if past && !r.rootEnded && r.counts.losses > 0 { // its end is not told any more
			r.endRoot(c)
		}
		if done == nil && r.rootEnded && (r.caughtUpTo == 0 || !all && past) && (!all || len(r.living) == 0) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case e, ok := <-l.events:
			if !ok { // nothing tells what happens any more, which was told of as a loss
				r.poll(ctx, l.tree, c, all, tick)
				return
			}
			if !r.take(&e) {
				<-c.done
				return
			}
			if done == nil && (e.Time <= ended || r.caughtUpTo != 0) { // there may be more of before
				late.Reset(patience())
			}
		case <-done:
			done = nil
			ended = process.Instant(linux.Boottime())
			late.Reset(patience())
		case <-late.C:
			r.allTold()
			if r.rootEnded {
				break
			}
			if r.source == bpf.Name && r.counts.losses == 0 { // and who knows what else
				r.lose(&lineage.Event{Kind: process.Loss, Time: ended})
				r.allTold()
			}
			r.endRoot(c)
		case <-ticker.C:
			tick(c)
		}
	}
}

// endRoot writes how the command ended by what wait4(2) told, and what it ran where
// its end came before that was told or seen.
func (r *recorder) endRoot(c *command) {
	r.rootEnded = true
	m, ok := r.living[r.root]
	if !ok || m.place != 0 {
		return
	}
	if first := r.command; m.ran == 0 && len(first.Args) > 0 {
		first.At = max(r.started, m.id.Start)
		r.ran(m, &first, &process.Process{Name: m.name})
		m = r.living[r.root]
	}
	x := process.Exit{Evidence: process.Observed, At: r.rootEnd, Status: c.final.status}
	if x.At == 0 {
		x.At = process.Instant(linux.Boottime())
	}
	if r.source != bpf.Name {
		x.Usage = c.final.usage
	}
	r.end(m, x.At, &x, "")
}

// finish ends the recording.
func (r *recorder) finish() {
	r.keep(r.writer.End(process.Instant(linux.Boottime())))
	if err := r.writer.Close(); r.err == nil {
		r.err = err
	}
}
