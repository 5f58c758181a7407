package sourcetest

import (
	"errors"
	"fmt"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// compare holds what the source tells to the truth: by events, by a scan and by
// reads, whichever it has.
func (r *run) compare() {
	r.t.Helper()
	for _, s := range r.cast {
		r.refresh(s)
	}
	r.check(r.step())
}

// finish brings the table of a live source in step with a scan, which must
// change nothing but what no event tells.
func (r *run) finish() {
	r.t.Helper()
	if r.live == nil {
		return
	}
	for _, s := range r.cast {
		r.refresh(s)
	}
	r.drain()
	r.awaitExits()
	r.sync()
	r.check(r.views()[:1])
}

func (r *run) check(views []view) {
	r.t.Helper()
	if r.live != nil {
		for _, s := range r.cast {
			r.checkTold(s)
		}
	}
	for _, v := range views {
		living := map[int]int{}
		for ref := range v.All() {
			if v.State(ref) == process.Alive {
				living[v.ID(ref).PID]++
			}
		}
		for _, s := range r.cast {
			if n := living[s.pid]; n > 1 {
				r.errorf("%v is there %d times, %s", s, n, v.how)
			}
			r.checkTable(v, s)
		}
	}
	if r.read != nil {
		for _, s := range r.cast {
			r.checkRead(s)
		}
	}
}

// checkTable holds what a table says of a subject to the truth.
func (r *run) checkTable(v view, s *subject) {
	if s.state == process.Ended {
		r.checkEnded(v, s)
		return
	}
	ref := v.ByPID(s.pid)
	if ref == 0 {
		r.errorf("%v is %v, and missing, %s", s, s.state, v.how)
		return
	}
	p := v.Process(ref)
	if !s.is(p.ID) {
		r.errorf("%v, begun in tick %d with inode %d, is taken for %v, %s", s, s.ticks, s.inode, p.ID, v.how)
		return
	}
	s.told = p.ID
	want := s.parent
	if v.live && s.state == process.Zombie && p.State == process.Ended {
		r.checkExit(s, p.Exit) // which is known before the parent takes note
		want = s.last
	} else if p.State != s.state {
		r.errorf("%v is %v, %s, want %v", s, p.State, v.how, s.state)
	}
	switch {
	case p.Parent.Evidence == process.Unknown:
		r.errorf("%v: parent unknown, %s, want %v", s, v.how, want)
	case !want.is(p.Parent.ID):
		r.errorf("%v: parent %v, %s, want %v", s, p.Parent.ID, v.how, want)
	}
	if v.live || r.live == nil {
		r.checkCreator(s, p.Creator)
	}
	if p.Kernel {
		r.errorf("%v is no thread of the kernel, %s", s, v.how)
	}
	e := process.Event{
		ID: p.ID, Name: p.Name, Cgroup: p.Cgroup,
		GroupID: p.GroupID, SessionID: p.SessionID, TTY: p.TTY,
		Zombie: p.State == process.Zombie || p.State == process.Ended && r.limits[source.ShortLivedUnseen],
	}
	if v.live {
		r.forgive(s, &e)
	}
	r.checkFacts(s, v.how, &e)
}

// forgive puts into e the truth of what no event tells.
func (r *run) forgive(s *subject, e *process.Event) {
	if s.untold&untoldName != 0 || s.name == "" { // which stands for not known
		e.Name = s.name
	}
	if s.untold&untoldIDs != 0 {
		e.GroupID, e.SessionID, e.TTY = s.groupID, s.sessionID, s.tty
	}
	if e.Cgroup.Membership != s.membership && s.state == process.Alive && s.untold&untoldCgroup != 0 {
		r.seen.unmoved = append(r.seen.unmoved, s.String())
		if r.limits[source.MovesUnseen] {
			e.Cgroup = process.Cgroup{Membership: s.membership, Group: s.group}
		}
	} else if s.untold&untoldCgroup != 0 {
		r.seen.moved++
	}
}

// checkCreator holds a creator, which may be unknown but never wrong. Who sees
// only parents may take the one that it had at birth for it.
func (r *run) checkCreator(s *subject, l process.Link) {
	switch {
	case l.Evidence == process.Unknown:
		r.seen.uncreated = append(r.seen.uncreated, s.String())
	case r.live != nil && l.Evidence == process.Inferred && r.limits[source.CreatorsUnseen] && s.born.parent.is(l.ID):
	case !s.creator.is(l.ID):
		r.errorf("%v: creator %v (%v), want %v", s, l.ID, l.Evidence, s.creator)
	default:
		r.seen.created++
		if r.live != nil && l.Evidence != process.Observed && s.from >= r.opened && !r.limits[source.CreatorsUnseen] {
			r.errorf("%v: creator %v, %v", s, l.ID, l.Evidence)
		}
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

// checkEnded holds a table to the death of a subject that it knew.
func (r *run) checkEnded(v view, s *subject) {
	if !s.told.Known() {
		return // it was never looked at
	}
	ref := v.ByID(s.told)
	if ref == 0 && r.live != nil && !v.live {
		return // it was never scanned
	}
	if ref == 0 {
		r.errorf("%v is forgotten within its retention", s)
		return
	}
	p := v.Process(ref)
	if p.State != process.Ended {
		if r.limits[source.TicksOnly] && s.replacedInTick(r) {
			r.t.Logf("%v and who has its PID now are not compared: %v", s, source.TicksOnly)
			return
		}
		r.errorf("%v has ended and been reaped, and is %v as %v, %s", s, p.State, p.ID, v.how)
		return
	}
	if r.live == nil || v.live && s.died >= r.opened {
		r.checkExit(s, p.Exit)
	}
}

// checkExit holds an end to the truth, as far as it is known.
func (r *run) checkExit(s *subject, x process.Exit) {
	switch x.Evidence {
	case process.Observed:
		r.seen.exitsSeen++
		if x.Status != s.status {
			r.errorf("%v: exit status %#x, want %#x", s, x.Status, s.status)
		}
		if x.At < s.died || x.At > s.buried && !r.limits[source.ExitsLate] {
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
	if st, err := r.read.Check(s.told, s.membership); !errors.Is(err, source.ErrGone) {
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
	err := r.read.Read(s.pid, &e)
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
	st, err := r.read.Check(e.ID, e.Cgroup.Membership)
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
	if st, err = r.read.Check(e.ID, elsewhere); err != nil || !st.Moved {
		r.errorf("%v: Check: %+v, %v, though never in %q", s, st, orNil(err), elsewhere)
	}
}

func orNil(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
