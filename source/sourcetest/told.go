package sourcetest

import (
	"path/filepath"
	"slices"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// heard is what a live source has told.
type heard struct {
	last   process.Instant         // the Time of the last event
	of     map[int][]process.Event // about the cast, by PID
	losses int
}

// hear holds one event to what can be said of any, and keeps it if it is about
// the cast.
func (r *run) hear(e *process.Event) {
	now := linuxtest.Now()
	switch e.Kind {
	case process.Seen, process.Gone: // what was found by reading comes in between
		if r.exact() {
			r.errorf("Drain: %v, of kind %v", e.ID, e.Kind)
		}
		return
	case process.Fork, process.Exec, process.Exited, process.Moved, process.Loss:
	default:
		r.errorf("Drain: an event of kind %v", e.Kind)
		return
	}
	if e.Time <= r.heard.last {
		r.errorf("Drain: %v of %v at %d, after something at %d", e.Kind, e.ID, e.Time, r.heard.last)
	}
	r.heard.last = e.Time
	switch {
	case e.Kind == process.Loss:
		if e.Since >= e.Time {
			r.errorf("Drain: a loss from %d to %d", e.Since, e.Time)
		}
		return
	case e.ID.PID <= 0 || !e.ID.Known():
		r.errorf("Drain: %v of %v, which names no process", e.Kind, e.ID)
	case e.Time > now:
		r.errorf("Drain: %v of %v at %d, which is %d ns ahead", e.Kind, e.ID, e.Time, e.Time-now)
	case e.ID.Precision == process.Exact && e.Time < e.ID.Start:
		r.errorf("Drain: %v of %v at %d, before it began", e.Kind, e.ID, e.Time)
	}
	r.met(e.ID)
	if e.Kind == process.Fork {
		r.hearFork(e)
	}
	if r.inCast(e.ID) {
		if r.heard.of == nil {
			r.heard.of = map[int][]process.Event{}
		}
		c := *e
		c.Args, c.NamespacePIDs = slices.Clone(e.Args), slices.Clone(e.NamespacePIDs)
		r.heard.of[e.ID.PID] = append(r.heard.of[e.ID.PID], c)
	}
}

func (r *run) hearFork(e *process.Event) {
	// A scan can be ahead of what is drained after it.
	if x := r.table.Process(r.table.ByID(e.Creator)).Exit; e.Creator.Known() && x.Evidence == process.Observed && x.At < e.Time {
		r.errorf("Drain: the creator of %v, %v, was told to have ended before", e.ID, e.Creator)
	}
	if e.Parent.PID == 0 && !e.NoParent || e.Parent.PID != 0 && e.NoParent {
		r.errorf("Drain: %v is born with parent %v, none: %t", e.ID, e.Parent, e.NoParent)
	}
	if e.NamespacePIDs != nil && e.NamespacePIDs[0] != e.ID.PID {
		r.errorf("Drain: %v with PIDs %v", e.ID, e.NamespacePIDs)
	}
}

// inCast reports whether a process is one of which the truth is known.
func (r *run) inCast(id process.ID) bool {
	return slices.ContainsFunc(r.cast, func(s *subject) bool { return s.is(id) })
}

// checkTold holds the events about a subject to the truth: each of the right
// kind, in the right order, once.
func (r *run) checkTold(s *subject) {
	if r.limits[source.TicksOnly] && s.replacedInTick(r) {
		return
	}
	counts := map[process.Kind]int{}
	events := r.heard.of[s.pid]
	for i := range events {
		e := &events[i]
		if !s.is(e.ID) {
			continue
		}
		s.told = e.ID
		if counts[process.Exited] > 0 {
			r.errorf("%v: %v told after its end", s, e.Kind)
		}
		switch e.Kind {
		case process.Fork:
			if len(counts) > 0 {
				r.errorf("%v: born after other things were told", s)
			}
			r.checkFork(s, e)
		case process.Exec:
			r.checkExec(s, e, counts[e.Kind])
		case process.Exited:
			r.checkExited(s, e)
		case process.Moved:
			if e.Cgroup.Membership == "" {
				r.errorf("%v: moved to nowhere that is known", s)
			}
		case process.Seen, process.Gone, process.Loss: // which are not kept
		}
		counts[e.Kind]++
	}
	want := map[process.Kind]int{}
	for _, x := range s.execs {
		if x.from >= r.opened {
			want[process.Exec]++
		}
	}
	if s.from >= r.opened {
		want[process.Fork] = 1
	}
	if s.state != process.Alive && s.died >= r.opened {
		want[process.Exited] = 1
	}
	for kind := process.Fork; kind <= process.Exited; kind++ {
		n := counts[kind]
		late := r.limits[source.ShortLivedUnseen] || r.limits[source.ExitsUnseen] && kind == process.Exited || r.heard.losses > 0
		if n > want[kind] || n < want[kind] && !late {
			r.errorf("%v: %d events of kind %v, want %d", s, n, kind, want[kind])
		}
	}
}

// checkFork holds the birth of a subject to what it was then.
func (r *run) checkFork(s *subject, e *process.Event) {
	if e.Time < s.from || e.Time > s.to {
		r.errorf("%v: born at %d, not between %d and %d", s, e.Time, s.from, s.to)
	}
	if r.limits[source.CreatorsUnseen] && e.Creator.IsZero() {
		r.seen.uncreated = append(r.seen.uncreated, s.String())
	} else if !s.creator.is(e.Creator) {
		r.errorf("%v: creator %v at birth, want %v", s, e.Creator, s.creator)
	}
	if e.Parent.PID != s.born.parent.pid || (e.Parent.Known() || r.exact()) && !s.born.parent.is(e.Parent) {
		r.errorf("%v: parent %v at birth, want %v", s, e.Parent, s.born.parent)
	}
	if e.Kernel {
		r.errorf("%v is no thread of the kernel at birth", s)
	}
	b := &s.born
	r.checkState(s, "at birth", e, b)
	if (e.NamespacePIDs != nil || r.exact()) && !slices.Equal(e.NamespacePIDs, b.pids) {
		r.errorf("%v: PIDs %v at birth, want %v", s, e.NamespacePIDs, b.pids)
	}
	if (e.Cgroup.Membership != "" || r.exact()) && (e.Cgroup.Membership != b.membership || e.Cgroup.Group != b.group) {
		r.errorf("%v: membership %q at birth, container group %q, want %q and %q", s, e.Cgroup.Membership, e.Cgroup.Group, b.membership, b.group)
	}
}

// checkExec holds an exec of a subject to the one that it was.
func (r *run) checkExec(s *subject, e *process.Event, i int) {
	if i >= len(s.execs) {
		return // which is counted
	}
	x := &s.execs[i]
	if e.Time < x.from || e.Time > x.to {
		r.errorf("%v: exec at %d, not between %d and %d", s, e.Time, x.from, x.to)
	}
	how := "at exec of " + x.file
	r.checkState(s, how, e, &x.state)
	if (e.File != "" || r.exact()) && filepath.Base(e.File) != x.file {
		r.errorf("%v, %s: file %q", s, how, e.File)
	}
	if e.Args != nil || r.exact() {
		if e.ArgsCut || len(e.Args) == 0 || !slices.Equal(e.Args[1:], x.args) {
			r.errorf("%v, %s: arguments %q, cut %t, want %q", s, how, e.Args, e.ArgsCut, x.args)
		}
	}
}

// checkState holds what both a birth and an exec tell.
func (r *run) checkState(s *subject, how string, e *process.Event, want *state) {
	if (e.Name != "" || r.exact()) && want.name != "" && e.Name != want.name {
		r.errorf("%v, %s: name %q, want %q", s, how, e.Name, want.name)
	}
	if (e.Owner.Known || r.exact()) && e.Owner != want.owner {
		r.errorf("%v, %s: owner %+v, want %+v", s, how, e.Owner, want.owner)
	}
	if (e.GroupID != 0 || r.exact()) && (e.GroupID != want.groupID || e.SessionID != want.sessionID || e.TTY != want.tty) {
		r.errorf("%v, %s: group %d, session %d and terminal %#x, want %d, %d and %#x",
			s, how, e.GroupID, e.SessionID, e.TTY, want.groupID, want.sessionID, want.tty)
	}
}

func (r *run) checkExited(s *subject, e *process.Event) {
	if s.state == process.Alive {
		return // which is counted
	}
	if e.Time < s.died || e.Time > s.buried && !r.limits[source.ExitsLate] {
		r.errorf("%v: exit at %d, not between %d and %d", s, e.Time, s.died, s.buried)
	}
	if e.Status != s.status {
		r.errorf("%v: exit status %#x, want %#x", s, e.Status, s.status)
	}
	want := s.adopter
	if s.named != nil {
		want = s.named
	}
	if want != nil && (e.Adopter.Known() || r.exact()) && !want.is(e.Adopter) {
		r.errorf("%v: its children go to %v, want %v", s, e.Adopter, want)
	}
	r.checkUsage(s, e.Usage)
}
