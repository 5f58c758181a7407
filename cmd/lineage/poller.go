package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// pollLimits is what a recording by looking at /proc cannot tell.
func pollLimits() []string {
	return []string{
		"short lives: nothing tells what happens here, so that /proc was looked at every 10 ms, or less often where there is much; what ended between two looks was not seen, nor what it had made",
		"membership: what was made by one that ended before the next look was not seen, and who made a process is inferred",
		"programs: as they were when looked at, with the time of that; those that ran in between were not seen",
		"exits: as of the look that found them, without a status; only that of the command itself is exact",
		"use: only that of the command is known, and what all took that it waited for is in it",
	}
}

// Between two looks there is at least pollInterval, and so much more that
// looking takes a tenth of a processor.
const (
	pollInterval = 10 * time.Millisecond
	pollShare    = 10
)

// poll looks at the command and what it has started until it has ended, and with
// all until the last of them has, or ctx ends.
func (r *recorder) poll(ctx context.Context, t *lineage.Tree, c *command, all bool, tick func(*command)) {
	seen := map[int][]string{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	done := c.done
	for r.err == nil {
		began := time.Now()
		r.look(t, seen, done == nil)
		if done == nil {
			if !r.rootEnded {
				r.endRoot(c)
			}
			if !all || len(r.living) == 0 {
				return
			}
		}
		next := time.After(max(pollInterval, (pollShare-1)*time.Since(began)))
	wait:
		for {
			select {
			case <-ctx.Done():
				return
			case <-done:
				done = nil
				break wait
			case <-next:
				break wait
			case <-ticker.C:
				tick(c)
			}
		}
	}
	<-c.done
}

// look looks at all that lives, and at what that has made since. Seen has the
// arguments that each had when it was looked at last, by its PID. The root is not
// said to have ended before it was waited for.
func (r *recorder) look(t *lineage.Tree, seen map[int][]string, rootEnded bool) {
	now := process.Instant(linux.Boottime())
	var queue []int
	for pid := range r.living {
		queue = append(queue, pid)
	}
	slices.Sort(queue)
	for i := 0; i < len(queue) && r.err == nil; i++ {
		m := r.living[queue[i]]
		if m.id.PID == r.root && rootEnded {
			continue
		}
		p, err := t.ProcessByID(m.id)
		switch {
		case err == nil && p.State == process.Alive:
			r.lookAt(t, &p, seen, now)
		case m.id.PID == r.root: // a zombie that is about to be waited for
		case err == nil, errors.Is(err, lineage.ErrNotFound):
			r.end(m, now, &process.Exit{Evidence: process.Scanned, At: now}, "")
			delete(seen, m.id.PID)
			continue
		}
		for _, pid := range childrenOf(m.id.PID) {
			if _, ok := r.living[pid]; ok {
				continue
			}
			child, err := t.Process(pid)
			if err != nil || child.State != process.Alive || child.Parent.ID.PID != m.id.PID {
				continue
			}
			r.add(&child, 0, m.place, process.Inferred, false)
			r.lookAt(t, &child, seen, now)
			queue = append(queue, pid)
		}
	}
}

// lookAt writes which program a process runs, if that is another one than before.
func (r *recorder) lookAt(t *lineage.Tree, p *process.Process, seen map[int][]string, now process.Instant) {
	m, ok := r.member(p.ID)
	if !ok {
		return
	}
	before, known := seen[p.ID.PID]
	x, err := t.Details(p.ID)
	if err == nil && len(x.Args) == 0 {
		if x, err = t.Details(p.ID); err == nil && x.Exe == "" { // it has none, for it is ending
			return
		}
	}
	if err != nil || known && slices.Equal(before, x.Args) && p.Name == m.name {
		return
	}
	seen[p.ID.PID] = x.Args
	if !known && (m.ran != 0 && p.Name == m.name || r.runsSame(p, x.Args, seen)) { // or another source has told of it
		return
	}
	r.ran(m, &record.Exec{At: now, File: strings.TrimSuffix(x.Exe, " (deleted)"), Args: x.Args}, p)
}

// runsSame reports whether a process still runs what its parent does.
func (r *recorder) runsSame(p *process.Process, args []string, seen map[int][]string) bool {
	parent, ok := r.living[p.Parent.ID.PID]
	return ok && p.Name == parent.name && slices.Equal(seen[parent.id.PID], args)
}

// childrenOf returns the PIDs of the children of a process, those of each of its
// threads. The kernel has the lists with CONFIG_PROC_CHILDREN.
func childrenOf(pid int) (pids []int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	threads, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		text, err := os.ReadFile(dir + thread.Name() + "/children")
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
