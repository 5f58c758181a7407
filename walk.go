package lineage

import (
	"errors"
	"fmt"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// How an answer about a chain of parents is made, and why it is one that the
// kernel would have given at some instant of the call:
//
// An edge in memory was true when it was learnt. A process has a parent only
// until that one ends, and never gets it back; so an edge that was true once
// and is found true again was true all the time between. A pass that checks
// every edge of a chain in memory, and finds nothing changed, thus shows that
// all of them held together when it began. A pass that does find a change
// learns it, and another pass follows.
//
// Where the source is exact, all of this is for what it leaves out: it has told
// of every change before the system call that made it returned, so what memory
// has after a drain held at some instant of the call. It leaves out when a
// process that ends gives its children away, and to whom: it tells of the end
// before (sched_process_exit), and the kernel may need long between the two. So
// an orphan is read when a question comes to it. That settles whose it is, but
// where its parent has not got so far: then every question checks the chain,
// until another one is found to be the parent.
//
// An edge is learnt by reading who holds the parent's PID and then asking the
// child again for its parent. What holds the PID by then is what was read:
// a process that took the PID in between would be younger than the child, and
// no parent is, whether it made or adopted the child (find_new_reaper in the
// kernel's exit.c picks among those above the one that ended, or the first
// process of the namespace).

// maxTries bounds how often a question is taken again because the host
// changes under it. It is far above what chains of parents can bring about,
// each of whose changes ends a process.
const maxTries = 1000

// errUnsettled is why an answer stops where processes changed all the time.
var errUnsettled = errors.New("it changed faster than it could be read")

// A subject is the process that a question is about: the one that id names, or
// without one the holder of the PID.
type subject struct {
	pid int
	id  process.ID
}

func byID(id process.ID) subject { return subject{pid: id.PID, id: id} }

// named reports whether the subject is one process for good.
func (q subject) named() bool { return q.id.Known() }

// A link is a process of a chain as memory has it.
type link struct {
	id     process.ID
	parent process.ID // zero for none
	cgroup process.Cgroup
	state  process.State
}

// walk is what one question about a chain needs, kept for the next one.
type walk struct {
	links []link
	event process.Event
	// learn is the process that must be read for the chain to go on, by its
	// PID alone where memory does not know who holds that. It is zero where
	// the chain goes no further.
	learn process.ID
	// cut is why the chain goes no further although it is not whole.
	cut error
	// dying says that one in it, or the parent of the last, is: see
	// [process.Table.Dying].
	dying bool
}

// climb fills w with the chain from the subject up to the first process of the
// PID namespace, of at most depth links, checked to hold at one instant. With
// fresh, everything that can be read of each process is read anew; otherwise
// only what may have changed of its parent and its cgroups is asked for.
//
// The error is an IncompleteError if something above the subject could not be
// read; w.links is then what stands below that. With any other error it is
// empty.
func (t *Tree) climb(w *walk, q subject, depth int, fresh bool) error {
	err := t.tryClimb(w, q, depth, fresh)
	if err != nil && !errors.Is(err, ErrIncomplete) {
		w.links = w.links[:0]
	}
	return err
}

func (t *Tree) tryClimb(w *walk, q subject, depth int, fresh bool) error {
	ended := false
	for range maxTries {
		exact := t.drain()
		if err := t.load(w, q, depth); err != nil {
			return err
		}
		if exact && w.told() {
			if t.learnGroups(w) {
				continue
			}
			return w.cut
		}
		if w.learn.IsZero() || len(w.links) > 0 && fresh && !exact {
			changed, err := t.verify(w, fresh)
			if err != nil {
				return err
			}
			if changed {
				continue
			}
		}
		if w.learn.IsZero() {
			return w.cut
		}
		id, err := t.learn(w.learn.PID)
		switch {
		case len(w.links) == 0 && !w.learn.Known():
			if id.IsZero() {
				return about(q.pid, err)
			}
			if q.named() && !id.Same(q.id) {
				return fmt.Errorf("%v: %w", q.id, ErrNotFound)
			}
			if t.ended(id) {
				if ended {
					return about(q.pid, ErrNotFound) // which the source knew before it was read
				}
				ended = true // while it was read: it may have its PID still
				continue
			}
			q.pid = id.PID // another one if it was the TID of a thread
		case !id.Same(w.learn) && (err == nil || errors.Is(err, ErrNotFound)):
			t.gone(w.learn)
			continue
		}
		switch {
		case errors.Is(err, ErrIncomplete):
			return t.stop(w, q, depth, err)
		case err != nil:
			return &IncompleteError{PID: w.learn.PID, Err: err}
		}
	}
	return &IncompleteError{PID: q.pid, Err: errUnsettled}
}

// told reports whether a source that is exact has told the whole chain. When a
// zombie is reaped, no source tells, nor when one that has ended leaves its
// children.
func (w *walk) told() bool {
	return w.learn.IsZero() && w.links[0].state != process.Zombie && !w.dying
}

// learnGroups reads those in w of whom the source could not tell the cgroups,
// and reports whether memory has more now.
func (t *Tree) learnGroups(w *walk) (more bool) {
	for _, l := range w.links {
		if l.cgroup.Membership != "" || l.state != process.Alive {
			continue
		}
		id, err := t.learn(l.id.PID)
		if err == nil && id.Same(l.id) {
			t.mu.RLock()
			more = more || t.table.Cgroup(t.table.ByID(l.id)).Membership != ""
			t.mu.RUnlock()
		}
	}
	return more
}

// stop ends a climb that cannot go on for the reason given with what memory
// has of the chain, checked as any other.
func (t *Tree) stop(w *walk, q subject, depth int, reason error) error {
	for range maxTries {
		if err := t.load(w, q, depth); err != nil {
			return err
		}
		if len(w.links) == 0 {
			return about(q.pid, ErrNotFound)
		}
		changed, err := t.verify(w, false)
		if err != nil {
			return err
		}
		if !changed {
			if w.learn.IsZero() {
				return w.cut
			}
			return reason
		}
	}
	return reason
}

// load copies the chain of the subject from memory, as far as that has it.
func (t *Tree) load(w *walk, q subject, depth int) error {
	if t.closed.Load() {
		return ErrClosed
	}
	w.links, w.learn, w.cut, w.dying = w.links[:0], process.ID{}, nil, false
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.find(q)
	if r == 0 {
		w.learn.PID = q.pid
		return nil
	}
	for len(w.links) < depth {
		if len(w.links) > t.table.Len() {
			return nil // a circle, of which verify will find an edge that does not hold
		}
		l := link{id: t.table.ID(r), cgroup: t.table.Cgroup(r), state: t.table.State(r)}
		if l.state == process.Unseen {
			w.learn = l.id
			return nil
		}
		up, evidence := t.table.Parent(r)
		if evidence == process.Inferred && l.state != process.Ended {
			up, evidence = 0, process.Unknown // an orphan's, which has to be read
		}
		w.dying = w.dying || t.table.Dying(r) || t.table.Dying(up)
		unknown := up == 0 && (evidence == process.Unknown || t.table.Process(r).Parent.ID.PID != 0)
		switch {
		case up != 0:
			l.parent = t.table.ID(up)
		case unknown && l.state == process.Ended:
			w.cut = &IncompleteError{PID: l.id.PID, Err: errLastParent}
		case unknown:
			w.learn = l.id
		}
		w.links = append(w.links, l)
		if up == 0 {
			return nil
		}
		r = up
	}
	return nil
}

// errLastParent is why an answer stops at a process that has ended.
var errLastParent = errors.New("it has ended, and it is not known who its parent was by then")

// find returns the subject's place in memory. t.mu is held.
func (t *Tree) find(q subject) process.Ref {
	if q.named() {
		return t.table.ByID(q.id)
	}
	r := t.table.ByPID(q.pid)
	if !there(t.table.State(r)) {
		return 0
	}
	return r
}

// there reports whether a process in the state holds its PID.
func there(s process.State) bool { return s == process.Alive || s == process.Zombie }

// verify asks whether the chain in w still holds, and learns what does not.
func (t *Tree) verify(w *walk, fresh bool) (changed bool, err error) {
	for i := range w.links {
		l := &w.links[i]
		if l.state == process.Ended {
			// Nothing about it changes any more, but whether its parent
			// outlived it may not have been known.
			if l.parent.Known() && t.recheck(l.parent) {
				return true, nil
			}
			continue
		}
		st, err := t.ask(w, i, fresh)
		switch {
		case errors.Is(err, source.ErrGone):
			t.gone(l.id)
			return true, nil
		case err != nil && i == 0:
			return false, about(l.id.PID, err)
		case err != nil:
			w.links = w.links[:i]
			return false, &IncompleteError{PID: l.id.PID, Err: err}
		}
		gap := w.learn == l.id
		if !st.Moved && (st.ParentPID == l.parent.PID || gap) {
			continue
		}
		id, err := t.learn(l.id.PID)
		if err != nil && !id.IsZero() && !errors.Is(err, ErrIncomplete) {
			w.links = w.links[:i]
			return false, &IncompleteError{PID: l.id.PID, Err: err}
		}
		if st.ParentPID != l.parent.PID && l.parent.Known() {
			t.recheck(l.parent)
		}
		return true, nil
	}
	return false, nil
}

// ask asks the source about w.links[i].
func (t *Tree) ask(w *walk, i int, fresh bool) (source.Status, error) {
	l := &w.links[i]
	if !fresh {
		membership := l.cgroup.Membership
		if l.state == process.Zombie {
			membership = "" // what the kernel shows of a zombie's is no move
		}
		return t.reader.Check(l.id, membership)
	}
	e := &w.event
	if err := t.reader.Read(l.id.PID, e); err != nil {
		return source.Status{}, err
	}
	if !e.ID.Same(l.id) {
		return source.Status{}, source.ErrGone
	}
	st := source.Status{ParentPID: e.Parent.PID}
	if e.Parent.PID == l.parent.PID {
		e.Parent = l.parent
		t.apply(e)
	} // else verify learns it, with its new parent
	return st, nil
}

// learn reads the process that has the PID or the TID and all above it that is
// not in memory, and returns its ID: a zero one, with the error of
// [source.Reader.Read], where it cannot be read. The error is an
// IncompleteError where one above it cannot be read, and nil where something
// ended meanwhile, which memory then shows as a gap.
func (t *Tree) learn(pid int) (process.ID, error) {
	var child, parent process.Event
	if err := t.reader.Read(pid, &child); err != nil {
		return process.ID{}, err
	}
	id := child.ID
	for tries := 0; tries < maxTries; tries++ {
		if child.NoParent {
			t.apply(&child)
			return id, nil
		}
		known, err := t.identify(child.Parent.PID, &parent)
		switch {
		case errors.Is(err, source.ErrGone):
			// It has ended, and another one is the parent.
		case err != nil:
			t.apply(&child)
			return id, &IncompleteError{PID: child.Parent.PID, Err: err}
		default:
			st, err := t.reader.Check(child.ID, child.Cgroup.Membership)
			if errors.Is(err, source.ErrGone) {
				return id, nil
			}
			if err != nil {
				return id, err
			}
			if st.ParentPID != child.Parent.PID {
				break
			}
			child.Parent = parent.ID
			t.apply(&child)
			if known && t.holds(child.ID, parent.ID) {
				return id, nil
			}
			// Where memory has a known parent below its own child, that
			// has to be read too.
			if !known || t.reader.Read(parent.ID.PID, &parent) == nil {
				child, tries = parent, 0
			}
			continue
		}
		was := child.ID
		err = t.reader.Read(was.PID, &child)
		if errors.Is(err, source.ErrGone) || err == nil && !child.ID.Same(was) {
			return id, nil
		}
		if err != nil {
			return id, err
		}
	}
	return id, &IncompleteError{PID: child.ID.PID, Err: errUnsettled}
}

// ended reports whether memory has the end of the process.
func (t *Tree) ended(id process.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.table.ByID(id)
	return r != 0 && t.table.State(r) == process.Ended
}

// holds reports whether memory has the edge from the child to the parent.
func (t *Tree) holds(child, parent process.ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	up, _ := t.table.Parent(t.table.ByID(child))
	return up != 0 && t.table.ID(up).Same(parent)
}

// identify finds out which process holds the PID: one that memory has, which
// known reports, or one that it reads into e.
func (t *Tree) identify(pid int, e *process.Event) (known bool, err error) {
	t.mu.RLock()
	r := t.find(subject{pid: pid})
	id, cgroup := t.table.ID(r), t.table.Cgroup(r)
	t.mu.RUnlock()
	if r != 0 {
		_, err := t.reader.Check(id, cgroup.Membership)
		if err == nil {
			e.ID = id
			return true, nil
		}
		if !errors.Is(err, source.ErrGone) {
			return false, err
		}
		t.gone(id)
	}
	return false, t.reader.Read(pid, e)
}

// recheck reads a process that memory has as one that has not ended, and
// reports whether it has become a zombie or gone. That it may have is seen from
// others: it lost its children, or they ended.
func (t *Tree) recheck(id process.ID) bool {
	t.mu.RLock()
	r := t.table.ByID(id)
	state, parent := t.table.State(r), t.table.Process(r).Parent.ID
	t.mu.RUnlock()
	if !there(state) {
		return false
	}
	var e process.Event
	err := t.reader.Read(id.PID, &e)
	switch {
	case err == nil && e.ID.Same(id):
		if !e.Zombie || state == process.Zombie {
			return false
		}
		if e.Parent.PID == parent.PID {
			e.Parent = parent
		} else {
			e.Parent = process.ID{} // it is not told who that is
		}
		t.apply(&e)
		return true
	case err == nil, errors.Is(err, source.ErrGone):
		t.gone(id)
		return true
	}
	return false
}

// gone takes in that a process has ended.
func (t *Tree) gone(id process.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applyAndPublish(&process.Event{Kind: process.Gone, Time: now(), ID: id})
}

// apply takes an event into memory. Each process that memory did not have pays
// for a look at two that it has, so that the ended do not pile up.
func (t *Tree) apply(e *process.Event) {
	t.mu.Lock()
	before := t.table.Len()
	if old := t.table.ByPID(e.ID.PID); t.live.Load() == nil && old != 0 && !t.table.ID(old).Same(e.ID) && e.Kind == process.Seen {
		t.requestUpdate()
	}
	t.table.Apply(e)
	grown := t.table.Len() - before
	t.mu.Unlock()
	if grown > 0 && t.live.Load() == nil {
		t.sweep(2 * grown)
	}
}
