package sourcetest

import (
	"errors"
	"fmt"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// sync brings the table in step with the source. It is the one place where
// that happens.
func (r *run) sync() {
	r.t.Helper()
	began := linuxtest.Now()
	events, err := r.scan()
	if err != nil {
		r.errorf("Scan: %v", err)
	}
	for i := range events {
		r.table.Apply(&events[i])
	}
	r.table.EndUnseen(began)
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
		r.seen.id(e.ID)
	}
	return events, err
}

// compare holds what the source tells to the truth, by a scan and by reads.
func (r *run) compare() {
	r.t.Helper()
	for _, s := range r.cast {
		r.refresh(s)
	}
	r.sync()
	living := map[int]int{}
	for ref := range r.table.All() {
		if r.table.State(ref) == process.Alive {
			living[r.table.ID(ref).PID]++
		}
	}
	for _, s := range r.cast {
		if n := living[s.pid]; n > 1 {
			r.errorf("%v is there %d times", s, n)
		}
		r.checkTable(s)
	}
	for _, s := range r.cast {
		r.checkRead(s)
	}
}

// checkTable holds what the table says of a subject to the truth.
func (r *run) checkTable(s *subject) {
	if s.state == process.Ended {
		r.checkEnded(s)
		return
	}
	ref := r.table.ByPID(s.pid)
	if ref == 0 {
		r.errorf("%v is %v, and missing from the scan", s, s.state)
		return
	}
	p := r.table.Process(ref)
	if !s.is(p.ID) {
		r.errorf("%v, begun in tick %d with inode %d, is taken for %v", s, s.ticks, s.inode, p.ID)
		return
	}
	s.told = p.ID
	if p.State != s.state {
		r.errorf("%v is %v, want %v", s, p.State, s.state)
	}
	switch want := s.parent; {
	case p.Parent.Evidence == process.Unknown:
		r.errorf("%v: parent unknown, want %v", s, want)
	case !want.is(p.Parent.ID):
		r.errorf("%v: parent %v, want %v", s, p.Parent.ID, want)
	}
	r.checkCreator(s, p.Creator)
	if p.Kernel {
		r.errorf("%v is no thread of the kernel", s)
	}
	e := process.Event{
		ID: p.ID, Name: p.Name, Cgroup: p.Cgroup,
		GroupID: p.GroupID, SessionID: p.SessionID, TTY: p.TTY,
		Zombie: p.State == process.Zombie,
	}
	r.checkFacts(s, "scanned", &e)
}

// checkCreator holds a creator, which may be unknown but never wrong.
func (r *run) checkCreator(s *subject, l process.Link) {
	if l.Evidence == process.Unknown {
		r.seen.uncreated = append(r.seen.uncreated, s.String())
		return
	}
	r.seen.created++
	if !s.creator.is(l.ID) {
		r.errorf("%v: creator %v (%v), want %v", s, l.ID, l.Evidence, s.creator)
	}
}

// checkFacts holds what a reading found.
func (r *run) checkFacts(s *subject, how string, e *process.Event) {
	if e.Name != s.name {
		r.errorf("%v, %s: name %q, want %q", s, how, e.Name, s.name)
	}
	if e.Zombie {
		// The kernel shows a zombie in the root of every v1 hierarchy
		// (proc_cgroup_show): its cgroup is as before or not known.
		if e.Cgroup.Group != "" && e.Cgroup.Group != s.group {
			r.errorf("%v, %s as a zombie: container group %q, was %q", s, how, e.Cgroup.Group, s.group)
		}
		return
	}
	if e.GroupID != s.groupID || e.SessionID != s.sessionID {
		r.errorf("%v, %s: group %d and session %d, want %d and %d", s, how, e.GroupID, e.SessionID, s.groupID, s.sessionID)
	}
	if e.TTY != s.tty {
		r.errorf("%v, %s: terminal %#x, want %#x", s, how, e.TTY, s.tty)
	}
	if e.Cgroup.Membership != s.membership {
		r.errorf("%v, %s: membership %q, want %q", s, how, e.Cgroup.Membership, s.membership)
	}
	if e.Cgroup.Group != s.group {
		r.errorf("%v, %s: container group %q, want %q", s, how, e.Cgroup.Group, s.group)
	}
}

// checkEnded holds the table to the death of a subject that it knew.
func (r *run) checkEnded(s *subject) {
	if !s.told.Known() {
		return // it was never looked at
	}
	ref := r.table.ByID(s.told)
	if ref == 0 {
		r.errorf("%v is forgotten within its retention", s)
		return
	}
	p := r.table.Process(ref)
	if p.State != process.Ended {
		if r.limits[source.TicksOnly] && s.replacedInTick(r) {
			r.t.Logf("%v and who has its PID now are not compared: %v", s, source.TicksOnly)
			return
		}
		r.errorf("%v has ended and been reaped, and is %v as %v", s, p.State, p.ID)
		return
	}
	switch x := p.Exit; x.Evidence {
	case process.Observed:
		r.seen.exitsSeen++
		if x.Status != s.status {
			r.errorf("%v: exit status %#x, want %#x", s, x.Status, s.status)
		}
		if x.At < s.died || x.At > s.buried {
			r.errorf("%v: exit at %d, not between %d and %d", s, x.At, s.died, s.buried)
		}
	case process.Unknown:
		r.errorf("%v: has ended, and it is not known that it has", s)
	case process.Scanned, process.Inferred:
		r.seen.exitsUnseen = append(r.seen.exitsUnseen, s.String())
	}
}

// checkReadEnded holds what Read returned about a subject that has been reaped,
// and Check of it. Its PID may be another one's by now, on a busy machine also
// of a process that is none of the test's.
func (r *run) checkReadEnded(s *subject, read process.ID, err error) {
	if r.limits[source.TicksOnly] && s.replacedInTick(r) {
		return // as checkEnded says
	}
	if s.is(read) && err == nil || err != nil && !errors.Is(err, source.ErrGone) {
		r.errorf("%v has been reaped: Read: %v, %v", s, read, orNil(err))
	}
	if !s.told.Known() {
		return
	}
	if st, err := r.src.Check(s.told, s.membership); !errors.Is(err, source.ErrGone) {
		r.errorf("%v has been reaped: Check: %+v, %v", s, st, orNil(err))
	}
}

// replacedInTick reports whether another subject has the PID, begun in the
// same tick.
func (s *subject) replacedInTick(r *run) bool {
	for _, o := range r.cast {
		if o != s && o.pid == s.pid && o.ticks == s.ticks {
			return true
		}
	}
	return false
}

// checkRead holds Read and Check about a subject to the truth.
func (r *run) checkRead(s *subject) {
	var e process.Event
	err := r.src.Read(s.pid, &e)
	if s.state == process.Ended {
		r.checkReadEnded(s, e.ID, err)
		return
	}
	if err != nil {
		r.errorf("%v: Read: %v", s, err)
		return
	}
	switch {
	case e.Kind != process.Seen:
		r.errorf("%v: Read: kind %v", s, e.Kind)
	case !s.is(e.ID):
		r.errorf("%v, begun in tick %d with inode %d: Read: %v", s, s.ticks, s.inode, e.ID)
	case e.Zombie != (s.state == process.Zombie):
		r.errorf("%v is %v: Read: zombie %t", s, s.state, e.Zombie)
	case e.Parent.PID != s.parent.pid:
		r.errorf("%v: Read: parent %d, want %v", s, e.Parent.PID, s.parent)
	case s.told.Known() && !s.told.Same(e.ID):
		r.errorf("%v: %v by Read is not the same as %v by Scan", s, e.ID, s.told)
	default:
		r.checkFacts(s, "by Read", &e)
	}
	st, err := r.src.Check(e.ID, e.Cgroup.Membership)
	if errors.Is(err, source.ErrGone) && r.limits[source.TicksOnly] && s.replacedInTick(r) {
		r.t.Logf("%v and who had its PID are not told apart by Check: %v", s, source.TicksOnly)
		return
	}
	if err != nil {
		r.errorf("%v: Check: %v", s, err)
		return
	}
	if st.ParentPID != s.parent.pid {
		r.errorf("%v: Check: parent %d, want %v", s, st.ParentPID, s.parent)
	}
	if s.state == process.Alive && st.Moved {
		r.errorf("%v: Check: moved from %q, where it is", s, e.Cgroup.Membership)
	}
	if s.state != process.Alive {
		return
	}
	elsewhere := fmt.Sprintf("0::/lineage-test-elsewhere-%d\n", s.pid)
	if st, err = r.src.Check(e.ID, elsewhere); err != nil || !st.Moved {
		r.errorf("%v: Check: %+v, %v, though never in %q", s, st, orNil(err), elsewhere)
	}
}

func orNil(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
