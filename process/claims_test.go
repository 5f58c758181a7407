package process_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/proclineage/lineage/internal/simkernel"
	"github.com/proclineage/lineage/process"
)

// A judge holds what a table says against the truth.
type judge struct {
	k *simkernel.Kernel
	v simkernel.View
	t *process.Table
}

// sound returns what the table says that is not so. What it says of an ID that
// two processes share, as far as the view can tell, must be so of one of them.
func (j judge) sound() error {
	if err := j.t.Check(); err != nil {
		return err
	}
	for r := range j.t.All() {
		p := j.t.Process(r)
		named := j.v.Named(j.k, p.ID)
		if len(named) == 0 {
			return fmt.Errorf("%v never was", p.ID)
		}
		for i, holds := range []func(*simkernel.Process) bool{
			func(q *simkernel.Process) bool { return stateHolds(&p, q) },
			func(q *simkernel.Process) bool { return exitHolds(&p, q) },
			func(q *simkernel.Process) bool { return j.factsHold(&p, q) },
			func(q *simkernel.Process) bool { return j.parentHolds(&p, q) },
			func(q *simkernel.Process) bool { return j.creatorHolds(p.Creator, q) },
		} {
			if !slices.ContainsFunc(named, holds) {
				what := [...]string{"state", "exit", "facts", "parent", "creator"}[i]
				return fmt.Errorf("%s is false: %+v, truth: %v", what, p, j.truth(named[0]))
			}
		}
		if err := j.linked(r); err != nil {
			return err
		}
	}
	return nil
}

func (j judge) truth(q *simkernel.Process) string {
	return fmt.Sprintf("state %d, ended %d, %q in %s, parent %v, last %v, creator %v, CLONE_PARENT %v",
		q.State, q.ExitAt, q.Name, q.Cgroup, j.v.ID(q.Parent()), j.v.ID(q.LastParent), j.v.ID(q.Creator), q.CloneParent)
}

func stateHolds(p *process.Process, q *simkernel.Process) bool {
	switch p.State {
	case process.Alive:
		if p.Exit.Evidence != process.Unknown { // no event tells when it is a zombie
			return q.State != simkernel.Alive
		}
		return p.Evidence == process.Unknown || q.State == simkernel.Alive
	case process.Zombie, process.Ended:
		return q.State != simkernel.Alive
	default:
		return p.Name == ""
	}
}

func exitHolds(p *process.Process, q *simkernel.Process) bool {
	ended := q.State != simkernel.Alive
	last := q.ExitAt
	if q.State == simkernel.Exiting {
		last = p.AsOf
	} else if p.Exit.Evidence != process.Observed {
		last = q.LeftAt
	}
	if ended && p.AsOf > last {
		return false
	}
	switch p.Exit.Evidence {
	case process.Unknown:
		return p.State < process.Zombie
	case process.Observed:
		return ended && p.Exit.At == q.ExitAt && p.Exit.Status == q.Status && (p.Exit.Usage == q.Usage || !p.Exit.Usage.Known)
	default:
		return ended && p.Exit.At >= q.ExitAt
	}
}

func (j judge) factsHold(p *process.Process, q *simkernel.Process) bool {
	switch {
	case p.Exec.At > q.Exec.At, p.Exec.At == q.Exec.At && !j.v.NoDetails && !reflect.DeepEqual(p.Exec, q.Exec):
		return false
	case p.Birthplace.Membership != "" && p.Birthplace.Group != q.BornIn:
		return false
	case p.NamespacePIDs != nil && !slices.Equal(p.NamespacePIDs, j.v.PIDs(q)):
		return false
	}
	if p.Evidence == process.Unknown {
		return true
	}
	return p.Name == q.Name && (p.Cgroup.Group == q.Cgroup || p.Cgroup.Membership == "")
}

func (j judge) parentHolds(p *process.Process, q *simkernel.Process) bool {
	parent := q.Parent()
	if p.State == process.Ended && q.State != simkernel.Alive {
		parent = q.LastParent
	}
	switch id := j.v.ID(parent); {
	case p.Parent.Evidence == process.Unknown:
		return true
	case p.Parent.ID.IsZero():
		return id.IsZero()
	case p.Parent.ID.Same(id):
		return true
	default:
		return p.Parent.Evidence <= process.Scanned && j.ofOrphan(p, q)
	}
}

// ofOrphan reports whether the parent is what may be said of an orphan that has
// not been read since it has another one: its parent then, that has ended since,
// or whom that one's end named, and so on.
func (j judge) ofOrphan(p *process.Process, q *simkernel.Process) bool {
	could := slices.DeleteFunc(slices.Clone(q.Parents), func(up *simkernel.Process) bool { return up.State == simkernel.Alive })
	if p.Parent.Evidence == process.Scanned {
		return p.State != process.Ended && j.names(p.Parent.ID, could)
	}
	for i := 0; i < len(could); i++ {
		if a := could[i].Adopter; a != nil && !slices.Contains(could, a) {
			could = append(could, a)
		}
	}
	return j.names(p.Parent.ID, could)
}

// names reports whether the view calls one of them so.
func (j judge) names(id process.ID, them []*simkernel.Process) bool {
	return slices.ContainsFunc(them, func(q *simkernel.Process) bool { return id.Same(j.v.ID(q)) })
}

// settle reads the orphans, and those whom that makes orphans, until it is known
// whose they are. It returns what is false then, or not known.
func (j judge) settle() error {
	for again := true; again; {
		again = false
		for _, q := range j.k.Holders() {
			r := j.t.ByID(j.v.ID(q))
			if !j.t.Orphan(r) || len(j.v.Named(j.k, j.v.ID(q))) > 1 {
				continue
			}
			e, ok := j.v.Read(j.k, q)
			if !ok {
				continue
			}
			j.t.Apply(&e)
			p := j.t.Process(j.t.ByID(e.ID))
			if q.State == simkernel.Alive && (p.Parent.Evidence <= process.Inferred || p.Parent.ID != e.Parent && !p.Parent.ID.Same(e.Parent)) {
				return fmt.Errorf("read as %+v, and said to be %+v", e, p)
			}
			again = again || q.Parent() != nil && q.Parent().State == simkernel.Alive
		}
	}
	return j.sound()
}

// creatorHolds takes for right what is inferred wrongly only where nobody can
// know better: CLONE_PARENT, or a subreaper at a time when nobody looked.
func (j judge) creatorHolds(l process.Link, q *simkernel.Process) bool {
	id := j.v.ID(q.Creator)
	if l.Evidence == process.Unknown || l.ID.IsZero() && id.IsZero() || l.ID.Same(id) {
		return true
	}
	return l.Evidence == process.Inferred && (q.CloneParent ||
		slices.ContainsFunc(j.v.Named(j.k, l.ID), func(c *simkernel.Process) bool { return c.WasSubreaper }))
}

// linked checks that the answers about one process agree with each other.
func (j judge) linked(r process.Ref) error {
	steps := j.t.AppendLineage(nil, r)
	seen := map[process.ID]bool{}
	for i, s := range steps {
		if seen[s.Process.ID] {
			return fmt.Errorf("the lineage of %v runs in a circle", j.t.ID(r))
		}
		seen[s.Process.ID] = true
		creator := s.Process.Creator
		last := i == len(steps)-1
		switch {
		case last && creator.Evidence != process.Unknown && !creator.ID.IsZero():
			return fmt.Errorf("the lineage of %v is cut at %v", j.t.ID(r), s.Process.ID)
		case !last && !steps[i+1].Gap && (creator.Evidence == process.Unknown || creator.ID != steps[i+1].Process.ID):
			return fmt.Errorf("a gap in the lineage of %v after %v is not marked", j.t.ID(r), s.Process.ID)
		case !last && steps[i+1].Gap && creator.Evidence != process.Unknown:
			return fmt.Errorf("a gap in the lineage of %v after %v is none", j.t.ID(r), s.Process.ID)
		}
	}
	for c := range j.t.Children(r) {
		if p, ev := j.t.Parent(c); p != r || ev == process.Unknown || j.t.State(c) == process.Ended {
			return fmt.Errorf("%v is no child of %v", j.t.ID(c), j.t.ID(r))
		}
	}
	if p, ev := j.t.Parent(r); p != 0 && ev != process.Unknown && j.t.State(r) != process.Ended {
		if !slices.Contains(slices.Collect(j.t.Children(p)), r) {
			return fmt.Errorf("%v is missing in the children of %v", j.t.ID(r), j.t.ID(p))
		}
	}
	return nil
}

// current returns what the table does not know of those that live now.
func (j judge) current() error {
	for _, q := range j.k.Holders() {
		id := j.v.ID(q)
		if q.State != simkernel.Alive || id.IsZero() || len(j.v.Named(j.k, id)) > 1 {
			continue
		}
		r := j.t.ByID(id)
		if r == 0 || j.t.ByPID(id.PID) != r {
			return fmt.Errorf("%v is not there", id)
		}
		p := j.t.Process(r)
		if p.State != process.Alive || p.Evidence == process.Unknown || p.Parent.Evidence == process.Unknown {
			return fmt.Errorf("not known of %v: %+v", id, p)
		}
		if p.Cgroup.Membership == "" || p.GroupID == 0 {
			return fmt.Errorf("facts are missing: %+v", p)
		}
	}
	return nil
}

// scanned returns what the table does not have as it has just been read.
func (j judge) scanned(scan []process.Event) error {
	var held []process.ID
	for _, e := range scan {
		r := j.t.ByID(e.ID)
		if r == 0 || len(j.v.Named(j.k, e.ID)) > 1 {
			continue // it was forgotten when it ended, or is two
		}
		p := j.t.Process(r)
		if e.Zombie || e.Exiting {
			held = append(held, p.ID)
		}
		if e.Zombie {
			if p.State != process.Zombie || p.Parent.Evidence != process.Unknown && p.Parent.ID != e.Parent && !p.Parent.ID.Same(e.Parent) {
				return fmt.Errorf("of a zombie %+v is known: %+v", e, p)
			}
			continue
		}
		if p.State != process.Alive || p.Owner != e.Owner || p.GroupID != e.GroupID || p.SessionID != e.SessionID ||
			len(e.NamespacePIDs) > 1 && !slices.Equal(p.NamespacePIDs, e.NamespacePIDs) {
			return fmt.Errorf("of what was read %+v is known: %+v", e, p)
		}
	}
	for r := range j.t.Unreaped() {
		id := j.t.ID(r)
		if i := slices.Index(held, id); i >= 0 {
			held = slices.Delete(held, i, i+1)
		} else if len(j.v.Named(j.k, id)) == 1 {
			return fmt.Errorf("%v holds no PID: %+v", id, j.t.Process(r))
		}
	}
	if len(held) > 0 {
		return fmt.Errorf("%v hold their PIDs still", held)
	}
	return nil
}

// complete returns what is missing in the lineages of those that live, where
// nothing was lost and every birth was seen.
func (j judge) complete() error {
	if err := j.current(); err != nil {
		return err
	}
	for _, q := range j.k.Holders() {
		if q.State != simkernel.Alive {
			continue
		}
		steps := j.t.AppendLineage(nil, j.t.ByID(j.v.ID(q)))
		truth := q.Lineage()
		if len(steps) != len(truth) {
			return fmt.Errorf("the lineage of %v has %d steps, should have %d", q.ID, len(steps), len(truth))
		}
		for i, s := range steps {
			if s.Gap || !s.Process.ID.Same(j.v.ID(truth[i])) {
				return fmt.Errorf("step %d of %v is %v, should be %v", i, q.ID, s.Process.ID, truth[i].ID)
			}
		}
		if p := steps[0].Process; !reflect.DeepEqual(p.Exec, q.Exec) || !p.Owner.Known {
			return fmt.Errorf("of the facts of %v is known: %+v", q.ID, p)
		}
		want, settled := sameGroup(q)
		if pids, ok := j.t.AppendSameGroup(nil, q.ID.PID); ok != settled || !slices.Equal(pids, want) {
			return fmt.Errorf("in the same group as %v are %v, %v, should be %v, %v", q.ID, pids, ok, want, settled)
		}
	}
	return nil
}

// sameGroup returns the PIDs of the ancestors that are in the cgroup of q, and
// false where one of them may be none by the time that anyone knows.
func sameGroup(q *simkernel.Process) (pids []int, settled bool) {
	for p := q.Parent(); p != nil; p = p.Parent() {
		if p.State != simkernel.Alive {
			return nil, false
		}
		if p.Cgroup == q.Cgroup {
			pids = append(pids, p.ID.PID)
		}
	}
	return pids, true
}

// dump writes all that the table answers, the same for the same knowledge.
func dump(t *process.Table) string {
	var lines []string
	for r := range t.All() {
		var b strings.Builder
		fmt.Fprintf(&b, "%+v\n", t.Process(r))
		for _, s := range t.AppendLineage(nil, r)[1:] {
			fmt.Fprintf(&b, "  < %v gap=%v\n", s.Process.ID, s.Gap)
		}
		var children []string
		for c := range t.Children(r) {
			children = append(children, t.ID(c).String())
		}
		slices.Sort(children)
		fmt.Fprintf(&b, "  > %v; holds PID: %v\n", children, t.ByPID(t.ID(r).PID) == r)
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
