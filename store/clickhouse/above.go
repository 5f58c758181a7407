package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A joint is a process from which links go on.
type joint struct {
	bootKey
	key key
}

func (j joint) literal() string {
	return "(" + quote(j.host) + ", " + quote(j.boot) + ", " + j.key.literal() + ")"
}

// goesOn is the condition that a link says who is above a joint.
const goesOn = "(instead = 1 OR notEmpty(above))"

// aboveOf is the condition that a row is of one of those above the processes for which
// the other holds, as their rows have them.
func (s *Store) aboveOf(where string) string {
	return "(host, boot, id) IN (SELECT host, boot, arrayJoin(ancestors) FROM " + s.local("processes") + " FINAL WHERE " + where + ")"
}

// Joints are what is known of those from which links go on.
type joints struct {
	above map[joint][]key
	// cut are those above which the rows of others have what does not hold.
	cut []joint
}

// joints reads the links for which the condition holds.
func (s *Store) joints(ctx context.Context, where string) (*joints, error) {
	all := &joints{above: map[joint][]key{}}
	instead := map[joint]bool{}
	err := s.links(ctx, where, func(l *link) {
		j := joint{l.bootKey, l.key}
		if l.instead {
			instead[j] = true
			all.cut = append(all.cut, j)
		}
		all.above[j] = l.above
	})
	for j, above := range all.above {
		for i, k := range above {
			if instead[joint{j.bootKey, k}] {
				all.above[j] = above[:i+1]
				break
			}
		}
	}
	return all, err
}

// below adds to the processes those from which links go on to one of them, until there
// are no more.
func (j *joints) below(roots []joint) []joint {
	is := map[joint]bool{}
	for _, r := range roots {
		is[r] = true
	}
	for more := true; more; {
		more = false
		for below, above := range j.above {
			if !is[below] && slices.ContainsFunc(above, func(k key) bool { return is[joint{below.bootKey, k}] }) {
				is[below], more = true, true
				roots = append(roots, below)
			}
		}
	}
	return roots
}

// beyond are those above the processes by links, and by the links of these.
func (j *joints) beyond(of []joint) (all []joint) {
	is := map[joint]bool{}
	for len(of) > 0 {
		below := of[len(of)-1]
		of = of[:len(of)-1]
		for _, k := range j.above[below] {
			if up := (joint{below.bootKey, k}); !is[up] {
				is[up] = true
				all, of = append(all, up), append(of, up)
			}
		}
	}
	return all
}

// ancestors is the column without what does not hold.
func (j *joints) ancestors() string {
	if len(j.cut) == 0 {
		return "ancestors"
	}
	at := "arrayFirstIndex(x -> (host, boot, x) IN (" + list(j.cut, joint.literal) + "), ancestors)"
	return "if(" + at + " = 0, ancestors, arraySlice(ancestors, 1, " + at + "))"
}

// manyRoots is how many keys are looked for at most one after the other, of which an
// index knows.
const manyRoots = 16

// under is the condition that processes stand below the one by creation, empty where
// none do.
func (s *Store) under(ctx context.Context, top store.Key) (string, error) {
	boots, err := s.bootsOf(ctx, top)
	if err != nil || len(boots) == 0 || !top.ID.Known() {
		return "", err
	}
	b := boots[0]
	clock, err := s.clock(ctx, b)
	if err != nil {
		return "", err
	}
	var roots []joint
	r, err := s.one(ctx, b, &clock, top.ID)
	if err != nil {
		return "", err
	}
	if r != nil {
		roots = append(roots, joint{b, r.key})
	}
	err = s.links(ctx, b.of()+fmt.Sprintf(" AND pid = %d", top.ID.PID), func(l *link) {
		if j := (joint{b, l.key}); l.id.Same(top.ID) && !slices.Contains(roots, j) {
			roots = append(roots, j)
		}
	})
	if err != nil || len(roots) == 0 {
		return "", err
	}
	links, err := s.joints(ctx, b.of()+" AND "+goesOn)
	if err != nil {
		return "", err
	}
	roots = links.below(roots)
	keys := list(roots, func(j joint) string { return j.key.fixed() })
	// What holds of the column is the beginning of it, and of it alone an index knows.
	where := b.of() + " AND hasAny(ancestors, [" + keys + "])"
	switch {
	case len(roots) > manyRoots:
		where = b.of() + " AND arrayExists(x -> x IN (" + list(roots, func(j joint) string { return j.key.literal() }) + "), " + links.ancestors() + ")"
	case len(links.cut) > 0:
		where += " AND hasAny(" + links.ancestors() + ", [" + keys + "])"
	}
	if first := earliest(&clock, top.ID); first > 0 {
		where += fmt.Sprintf(" AND (hour >= %d OR hour = 0)", first)
	}
	return where, nil
}

// earliest is the first hour of the wall clock in which those may have begun that the
// process has created, zero where that is not known.
func earliest(clock *store.Clock, id process.ID) int64 {
	if id.Precision == process.StartUnknown {
		return 0
	}
	from := max(windowOf(id).from, 1)
	first := clock.Wall(from)
	for _, step := range clock.Steps {
		if step.From > from {
			if t := clock.Wall(step.From); t.Before(first) {
				first = t
			}
		}
	}
	return hourOf(first)
}
