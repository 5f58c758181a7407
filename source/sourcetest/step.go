package sourcetest

import (
	"context"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// A view is a table that is in step with the source.
type view struct {
	*process.Table
	how  string
	live bool // in step by events alone, but for the scan after opening
}

// views returns what the truth is compared with.
func (r *run) views() []view {
	if r.live == nil {
		return []view{{r.table, "scanned", false}}
	}
	return []view{{r.table, "told", true}, {r.scans, "scanned", false}}
}

// step brings the tables in step with the source and returns them. It is the
// one place where that happens without a need for more.
func (r *run) step() []view {
	r.t.Helper()
	if r.live != nil {
		r.drain()
		r.awaitExits()
	}
	before := r.holders()
	began := linuxtest.Now()
	scanned := r.scanInto(r.scans)
	if r.live != nil {
		r.drain()
		r.checkHost(before, began, scanned)
	}
	return r.views()
}

// sync brings the table of a live source in step as after its opening and
// after a Loss: by a scan, whose time decides what else has ended, and a drain.
func (r *run) sync() {
	r.t.Helper()
	r.scanInto(r.table)
	for _, s := range r.cast {
		s.untold = 0
	}
	r.drain()
}

func (r *run) scanInto(table *process.Table) []process.Event {
	r.t.Helper()
	began := linuxtest.Now()
	events, err := r.scan()
	if err != nil {
		r.errorf("Scan: %v", err)
	}
	for i := range events {
		table.Apply(&events[i])
	}
	table.EndUnseen(began)
	return events
}

// scan returns the events of one scan, held to what can be said of any.
func (r *run) scan() ([]process.Event, error) {
	began := linuxtest.Now()
	var events []process.Event
	err := r.src.Scan(r.t.Context(), func(e *process.Event) { events = append(events, *e) })
	ended := linuxtest.Now()
	seen := make(map[process.ID]bool, len(events))
	for i := range events {
		e := &events[i]
		if e.Kind == process.Gone && r.live != nil {
			continue
		}
		switch {
		case e.Kind != process.Seen:
			r.errorf("Scan: an event of kind %v", e.Kind)
		case e.ID.PID <= 0 || !e.ID.Known():
			r.errorf("Scan: an event about %v, which names no process", e.ID)
		case e.Time < began || e.Time > ended:
			r.errorf("Scan: %v read at %d, which is not between %d and %d", e.ID, e.Time, began, ended)
		case seen[e.ID]:
			r.errorf("Scan: %v twice", e.ID)
		case e.Parent.PID == 0 && !e.NoParent:
			r.errorf("Scan: %v with neither a parent nor none", e.ID)
		case e.Parent.PID != 0 && e.NoParent:
			r.errorf("Scan: %v without a parent, which is %v", e.ID, e.Parent)
		}
		seen[e.ID] = true
		r.met(e.ID)
	}
	return events, err
}

// drain takes in what a live source tells, and scans where that is not all.
func (r *run) drain() {
	r.t.Helper()
	if r.news && !r.live.Pending() {
		r.errorf("nothing is pending, but something has happened")
	}
	r.news = false
	lost := false
	err := r.live.Drain(func(e *process.Event) {
		r.hear(e)
		lost = lost || e.Kind == process.Loss
		r.table.Apply(e)
	})
	if err != nil {
		r.errorf("Drain: %v", err)
	}
	if lost {
		r.heard.losses++
		r.t.Logf("a loss, number %d", r.heard.losses)
		r.sync()
	}
}

// awaitExits drains until it is known who has ended, where that is told late.
func (r *run) awaitExits() {
	if !r.limits[source.ExitsLate] {
		return
	}
	const patience = 10 * time.Second
	for begun := time.Now(); time.Since(begun) < patience; {
		late := false
		for _, s := range r.cast {
			ref := r.table.ByPID(s.pid)
			late = late || s.state != process.Alive && r.table.State(ref) == process.Alive && s.is(r.table.ID(ref))
		}
		if !late {
			return
		}
		soon, cancel := context.WithTimeout(r.t.Context(), time.Millisecond)
		_ = r.live.Wait(soon) // it is drained in any case
		cancel()
		r.drain()
	}
}

// holders returns those of the host that live by what was told, where that has
// to be exact.
func (r *run) holders() []process.ID {
	if !r.exact() {
		return nil
	}
	var ids []process.ID
	for ref := range r.table.All() {
		if r.table.State(ref) == process.Alive {
			ids = append(ids, r.table.ID(ref))
		}
	}
	return ids
}

// exact reports whether the source is a live one that names no limit but to
// what it tells of memory.
func (r *run) exact() bool {
	return r.live != nil && (len(r.limits) == 0 || len(r.limits) == 1 && r.limits[source.PeaksInherited])
}

// checkHost holds what was told of all processes of the host, of whom those
// before lived when a scan began, to that scan.
func (r *run) checkHost(before []process.ID, began process.Instant, scanned []process.Event) {
	if !r.exact() {
		return
	}
	found := make(map[process.ID]bool, len(scanned))
	for i := range scanned {
		e := &scanned[i]
		found[e.ID] = true
		ref := r.table.ByID(e.ID)
		switch p := r.table.Process(ref); {
		case ref == 0 && (e.Zombie || e.Exiting): // for long, and forgotten
		case ref == 0:
			r.errorf("%v, %q, is there, and was never told of", e.ID, e.Name)
		case p.State == process.Unseen:
			r.errorf("%v, %q, is there, and was told of as another one's only", e.ID, e.Name)
		case (e.Zombie || e.Exiting) && p.Exit.Evidence == process.Unknown:
			r.errorf("%v, %q, has ended, and its end was not told", e.ID, e.Name)
		case !e.Zombie && !e.Exiting && p.State != process.Alive && p.Exit.At < began:
			r.errorf("%v, %q, is there, and was told to have ended at %d", e.ID, e.Name, p.Exit.At)
		}
	}
	for _, id := range before {
		if ref := r.table.ByID(id); !found[id] && r.table.State(ref) == process.Alive && !r.table.Dying(ref) {
			r.errorf("%v, %q, is not there, and was told to live", id, r.table.Process(ref).Name)
		}
	}
}
