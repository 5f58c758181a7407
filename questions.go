package lineage

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// FindAllAncestorProcessIDsInSameCgroup returns the PIDs of the ancestors of a
// process, by current parent and nearest first, whose container group has the
// path that its own has, also those behind one whose has not. The process
// itself is not among them; the slice is empty and not nil where there is
// none. It goes up to the first process of the PID namespace. Processes whose
// memberships have no container group are taken to be in the same.
//
// The chain is one that there was at one instant of the call, and each cgroup
// is the one its process was in at some instant of it. A process that is known
// costs the check whether it still is what it was.
func (t *Tree) FindAllAncestorProcessIDsInSameCgroup(pid int) ([]int, error) {
	return t.AppendAllAncestorProcessIDsInSameCgroup([]int{}, pid)
}

// FindAllAncestorProcessIDsInSameCgroupByID is
// [Tree.FindAllAncestorProcessIDsInSameCgroup] for a process ID.
func (t *Tree) FindAllAncestorProcessIDsInSameCgroupByID(id process.ID) ([]int, error) {
	return t.AppendAllAncestorProcessIDsInSameCgroupByID([]int{}, id)
}

// AppendAllAncestorProcessIDsInSameCgroup appends to dst what
// [Tree.FindAllAncestorProcessIDsInSameCgroup] returns. It allocates nothing
// where all the processes are known and dst has room.
func (t *Tree) AppendAllAncestorProcessIDsInSameCgroup(dst []int, pid int) ([]int, error) {
	return t.appendSameGroup(dst, subject{pid: pid})
}

// AppendAllAncestorProcessIDsInSameCgroupByID is
// [Tree.AppendAllAncestorProcessIDsInSameCgroup] for a process ID.
func (t *Tree) AppendAllAncestorProcessIDsInSameCgroupByID(dst []int, id process.ID) ([]int, error) {
	return t.appendSameGroup(dst, byID(id))
}

func (t *Tree) appendSameGroup(dst []int, q subject) ([]int, error) {
	if err := t.check(q.pid); err != nil {
		return dst, err
	}
	if t.drain() {
		if dst, ok := t.recall(dst, q); ok {
			return dst, nil
		}
	}
	w := t.walks.Get().(*walk)
	defer t.walks.Put(w)
	err := t.climbGroups(w, q)
	for i, l := range w.links {
		switch {
		case l.cgroup.Membership == "" && err == nil:
			err = &IncompleteError{PID: l.id.PID, Err: errNoCgroup}
		case i > 0 && l.cgroup.Membership != "" && w.links[0].cgroup.Membership != "" &&
			l.cgroup.Group == w.links[0].cgroup.Group:
			dst = append(dst, l.id.PID)
		}
	}
	return dst, err
}

// recall answers from memory, where that has all it takes.
func (t *Tree) recall(dst []int, q subject) ([]int, bool) {
	if !q.named() {
		if dst, ok := t.table.AppendSameGroup(dst, q.pid); ok {
			return dst, true
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.find(q); t.table.State(r) != process.Alive {
		return dst, false
	}
	return t.table.AppendSameGroup(dst, q.pid)
}

// errNoCgroup is why it is not known in which cgroup a process is: the kernel
// no longer shows it in v1 hierarchies once the process exits
// (proc_cgroup_show).
var errNoCgroup = errors.New("its cgroup is not known, since it was exiting when it was first read")

// exitPatience is how long a question waits for an ancestor that is exiting,
// and whose cgroup is not known, to end and be no ancestor any more.
const exitPatience = 100 * time.Millisecond

// climbGroups climbs the whole chain until the cgroups of all ancestors are
// known.
func (t *Tree) climbGroups(w *walk, q subject) error {
	var deadline time.Time
	for {
		err := t.climb(w, q, math.MaxInt, false)
		if err != nil || !slices.ContainsFunc(w.links[1:], func(l link) bool {
			return l.cgroup.Membership == "" && l.state == process.Alive
		}) {
			return err
		}
		switch {
		case deadline.IsZero():
			deadline = time.Now().Add(exitPatience)
		case time.Now().After(deadline):
			return nil
		}
		<-time.After(exitPatience / 1000)
	}
}

// Process returns what is known of the process that holds the PID, read anew.
func (t *Tree) Process(pid int) (process.Process, error) { return t.nth(subject{pid: pid}, 0) }

// ProcessByID is [Tree.Process] for a process ID.
func (t *Tree) ProcessByID(id process.ID) (process.Process, error) { return t.nth(byID(id), 0) }

// Parent returns the current parent of the process. It fails with
// [ErrNotFound] where that is in no PID namespace that lineage sees.
func (t *Tree) Parent(pid int) (process.Process, error) { return t.nth(subject{pid: pid}, 1) }

// ParentByID is [Tree.Parent] for a process ID.
func (t *Tree) ParentByID(id process.ID) (process.Process, error) { return t.nth(byID(id), 1) }

// nth returns the nth process of the chain of the subject.
func (t *Tree) nth(q subject, n int) (process.Process, error) {
	if err := t.check(q.pid); err != nil {
		return process.Process{}, err
	}
	w := t.walks.Get().(*walk)
	defer t.walks.Put(w)
	var buf [2]process.Process
	chain, err := t.appendChain(buf[:0], w, q, n+1)
	switch {
	case len(chain) > n:
		return chain[n], nil
	case err != nil:
		return process.Process{}, err
	}
	return process.Process{}, fmt.Errorf("the parent of %d: %w", q.pid, ErrNotFound)
}

// Ancestors returns the ancestors of the process by current parent, nearest
// first and without itself, read anew.
func (t *Tree) Ancestors(pid int) ([]process.Process, error) {
	return t.AppendAncestors([]process.Process{}, pid)
}

// AncestorsByID is [Tree.Ancestors] for a process ID. For a process that has
// ended they are its last parent and the ancestors of that one.
func (t *Tree) AncestorsByID(id process.ID) ([]process.Process, error) {
	return t.AppendAncestorsByID([]process.Process{}, id)
}

// AppendAncestors appends to dst what [Tree.Ancestors] returns. It allocates
// nothing where all the processes are known and dst has room.
func (t *Tree) AppendAncestors(dst []process.Process, pid int) ([]process.Process, error) {
	return t.appendAncestors(dst, subject{pid: pid})
}

// AppendAncestorsByID is [Tree.AppendAncestors] for a process ID.
func (t *Tree) AppendAncestorsByID(dst []process.Process, id process.ID) ([]process.Process, error) {
	return t.appendAncestors(dst, byID(id))
}

func (t *Tree) appendAncestors(dst []process.Process, q subject) ([]process.Process, error) {
	if err := t.check(q.pid); err != nil {
		return dst, err
	}
	w := t.walks.Get().(*walk)
	defer t.walks.Put(w)
	n := len(dst)
	dst, err := t.appendChain(dst, w, q, math.MaxInt)
	if len(dst) > n {
		dst = slices.Delete(dst, n, n+1)
	}
	return dst, err
}

// appendChain appends the subject and its ancestors, of at most depth.
func (t *Tree) appendChain(dst []process.Process, w *walk, q subject, depth int) ([]process.Process, error) {
	n := len(dst)
	for range maxTries {
		err := t.climb(w, q, depth, true)
		dst = t.collect(dst[:n], w)
		// Another question may have learnt more meanwhile.
		if len(dst)-n == len(w.links) {
			return dst, err
		}
	}
	return dst[:n], &IncompleteError{PID: q.pid, Err: errUnsettled}
}

// collect appends the processes of w.links for as long as memory has each as
// the parent of the one before, and knows whose child it is itself.
func (t *Tree) collect(dst []process.Process, w *walk) []process.Process {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range w.links {
		r := t.table.ByID(w.links[i].id)
		if r == 0 || i > 0 && dst[len(dst)-1].Parent.ID != t.table.ID(r) {
			return dst
		}
		p := t.table.Process(r)
		if p.Parent.Evidence == process.Inferred && p.State != process.Ended {
			return dst // an orphan since
		}
		dst = append(dst, p)
	}
	return dst
}

// Lineage returns the process and those above it by creation, the ended ones
// among them. A step with a Gap stands where the creator is not known.
func (t *Tree) Lineage(pid int) ([]process.Step, error) {
	return t.AppendLineage(nil, pid)
}

// LineageByID is [Tree.Lineage] for a process ID.
func (t *Tree) LineageByID(id process.ID) ([]process.Step, error) {
	return t.AppendLineageByID(nil, id)
}

// AppendLineage appends to dst what [Tree.Lineage] returns. It allocates
// nothing where all the processes are known and dst has room.
func (t *Tree) AppendLineage(dst []process.Step, pid int) ([]process.Step, error) {
	return t.appendLineage(dst, subject{pid: pid})
}

// AppendLineageByID is [Tree.AppendLineage] for a process ID.
func (t *Tree) AppendLineageByID(dst []process.Step, id process.ID) ([]process.Step, error) {
	return t.appendLineage(dst, byID(id))
}

func (t *Tree) appendLineage(dst []process.Step, q subject) ([]process.Step, error) {
	if err := t.check(q.pid); err != nil {
		return dst, err
	}
	w := t.walks.Get().(*walk)
	defer t.walks.Put(w)
	// This reads the ancestors anew, and leaves the ended and those above
	// them, who are no ancestors any more.
	err := t.climb(w, q, math.MaxInt, true)
	if len(w.links) == 0 {
		return dst, err
	}
	n := len(dst)
	exact := t.drain()
	if errors.Is(err, errLastParent) {
		err = nil // the lineage shows it as a gap
	}
	for tries := range maxTries {
		t.mu.RLock()
		r := t.table.ByID(w.links[0].id)
		if r == 0 {
			t.mu.RUnlock()
			return dst[:n], about(q.pid, ErrNotFound)
		}
		dst = t.table.AppendLineage(dst[:n], r)
		t.mu.RUnlock()
		if exact && !t.orphaned(dst[n:], tries == 0) || !exact && !t.outdated(w, dst[n:]) {
			break
		}
	}
	return dst, err
}

// outdated looks at the steps of a lineage that are not among the ancestors,
// and reports whether one has ended that memory has as alive.
func (t *Tree) outdated(w *walk, steps []process.Step) bool {
	changed := false
	for i := range steps {
		p := &steps[i].Process
		current := slices.ContainsFunc(w.links, func(l link) bool { return l.id == p.ID && l.state == p.State })
		if (!current || p.State == process.Zombie) && t.recheck(p.ID) {
			changed = true
		}
	}
	return changed
}

// orphaned reads those of the steps of a lineage of which the source leaves
// something out: the orphans, and those that end. It reports whether memory has
// changed. After the first time an orphan whose parent has not left it is known.
func (t *Tree) orphaned(steps []process.Step, first bool) (changed bool) {
	for i := range steps {
		p := &steps[i].Process
		t.mu.RLock()
		r := t.table.ByID(p.ID)
		_, evidence := t.table.Parent(r)
		orphan := t.table.Orphan(r) && (first || evidence == process.Inferred)
		dying := t.table.Dying(r)
		t.mu.RUnlock()
		if orphan {
			id, err := t.learn(p.ID.PID)
			changed = changed || err == nil && id.Same(p.ID)
		}
		if dying && t.recheck(p.ID) {
			changed = true
		}
	}
	return changed
}

// Children returns the children of the process, ordered by PID. With the
// procfs source it reads every process there is, and the answer holds for
// each process at some instant of the call, not for all at one. Where some
// processes are hidden from the caller (hidepid), the answer is what may be
// seen, and the error an [IncompleteError].
func (t *Tree) Children(pid int) ([]process.Process, error) {
	return t.AppendChildren([]process.Process{}, pid)
}

// ChildrenByID is [Tree.Children] for a process ID.
func (t *Tree) ChildrenByID(id process.ID) ([]process.Process, error) {
	return t.AppendChildrenByID([]process.Process{}, id)
}

// AppendChildren appends to dst what [Tree.Children] returns. As with all that
// read every process, the reading allocates.
func (t *Tree) AppendChildren(dst []process.Process, pid int) ([]process.Process, error) {
	return t.appendBelow(dst, subject{pid: pid}, 1)
}

// AppendChildrenByID is [Tree.AppendChildren] for a process ID.
func (t *Tree) AppendChildrenByID(dst []process.Process, id process.ID) ([]process.Process, error) {
	return t.appendBelow(dst, byID(id), 1)
}

// Descendants iterates over the children of the process, their children and
// so on, a parent before its children, as [Tree.Children] reads them. An error
// comes once and ends the iteration.
func (t *Tree) Descendants(pid int) iter.Seq2[process.Process, error] {
	return t.descendants(subject{pid: pid})
}

// DescendantsByID is [Tree.Descendants] for a process ID.
func (t *Tree) DescendantsByID(id process.ID) iter.Seq2[process.Process, error] {
	return t.descendants(byID(id))
}

func (t *Tree) descendants(q subject) iter.Seq2[process.Process, error] {
	return func(yield func(process.Process, error) bool) {
		all, err := t.appendBelow(nil, q, math.MaxInt)
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
		if err != nil {
			yield(process.Process{}, err)
		}
	}
}

// appendBelow appends the processes below the subject, of at most depth
// generations.
func (t *Tree) appendBelow(dst []process.Process, q subject, depth int) ([]process.Process, error) {
	subj, err := t.nth(q, 0)
	if err != nil {
		return dst, err
	}
	partial := t.all()
	if partial != nil && !errors.Is(partial, ErrIncomplete) {
		return dst, partial
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.table.ByID(subj.ID)
	if r == 0 {
		return dst, fmt.Errorf("%v: %w", subj.ID, ErrNotFound)
	}
	type place struct {
		ref   process.Ref
		depth int
	}
	for todo := []place{{r, 0}}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at.depth > 0 {
			dst = append(dst, t.table.Process(at.ref))
		}
		if at.depth == depth {
			continue
		}
		n := len(todo)
		for c := range t.table.Children(at.ref) {
			todo = append(todo, place{c, at.depth + 1})
		}
		slices.SortFunc(todo[n:], func(a, b place) int {
			return t.table.ID(b.ref).PID - t.table.ID(a.ref).PID
		})
	}
	return dst, partial
}

// Processes returns every process there is, zombies among them, ordered by
// PID, as [Tree.Children] reads them.
func (t *Tree) Processes() ([]process.Process, error) {
	return t.AppendProcesses([]process.Process{})
}

// AppendProcesses appends to dst what [Tree.Processes] returns. As with all
// that read every process, the reading allocates.
func (t *Tree) AppendProcesses(dst []process.Process) ([]process.Process, error) {
	return t.appendWhere(dst, func(process.Ref) bool { return true })
}

// InGroup returns the processes whose container group has the path, ordered by
// PID, as [Tree.Children] reads them.
func (t *Tree) InGroup(path string) ([]process.Process, error) {
	return t.AppendInGroup([]process.Process{}, path)
}

// AppendInGroup appends to dst what [Tree.InGroup] returns. As with all that
// read every process, the reading allocates.
func (t *Tree) AppendInGroup(dst []process.Process, path string) ([]process.Process, error) {
	return t.appendWhere(dst, func(r process.Ref) bool {
		c := t.table.Cgroup(r)
		return c.Membership != "" && c.Group == path
	})
}

func (t *Tree) appendWhere(dst []process.Process, keep func(process.Ref) bool) ([]process.Process, error) {
	partial := t.all()
	if partial != nil && !errors.Is(partial, ErrIncomplete) {
		return dst, partial
	}
	// A Process is too large to be moved for an order.
	type place struct {
		pid int
		ref process.Ref
	}
	var found []place
	t.mu.RLock()
	defer t.mu.RUnlock()
	for r := range t.table.All() {
		if there(t.table.State(r)) && keep(r) {
			found = append(found, place{t.table.ID(r).PID, r})
		}
	}
	slices.SortFunc(found, func(a, b place) int { return a.pid - b.pid })
	dst = slices.Grow(dst, len(found))
	for _, p := range found {
		dst = append(dst, t.table.Process(p.ref))
	}
	return dst, partial
}
