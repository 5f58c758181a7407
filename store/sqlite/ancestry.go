package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// mostKnown is of how many processes an ancestry remembers what it has found.
const mostKnown = 1 << 18

// An ancestry says which processes have one of a name above them by creation.
type ancestry struct {
	s        *Store
	v        view
	named    store.Filter
	matchers map[*day]*matcher
	// known has whether a process has the name, or one above it.
	known map[above]bool
}

func (s *Store) ancestry(v view, name string) (*ancestry, error) {
	term, err := store.ParseTerm(store.Name, store.Equal, name)
	if err != nil {
		return nil, err
	}
	return &ancestry{s: s, v: v, named: store.Filter{term}, matchers: map[*day]*matcher{}, known: map[above]bool{}}, nil
}

// holds reports whether one above the process at the place has the name.
func (a *ancestry) holds(ctx context.Context, b *block, i int) (bool, error) {
	var path []above
	is, n := false, b.creator(i)
	if flag(b.col(colFlags)[i], flagCreator) == 0 {
		return false, nil
	}
	if len(a.known) > mostKnown {
		clear(a.known)
	}
	for n != nil {
		at := above{b.boot, n.id}
		known, ok := a.known[at]
		if ok {
			is = known
			break
		}
		a.known[at] = false // a circle ends here
		path = append(path, at)
		var err error
		if is, n, err = a.look(ctx, at); err != nil {
			return false, err
		}
		if is {
			break
		}
	}
	for _, at := range path {
		a.known[at] = is
	}
	return is, nil
}

// look reports whether the process has the name, and returns who created it, nil
// where that is nobody or not known.
func (a *ancestry) look(ctx context.Context, of above) (is bool, creator *node, err error) {
	if r, d := a.memory(of); r != nil {
		defer d.users.Done()
		return a.row(ctx, d, r)
	}
	d, _, b, i, err := a.s.seek(ctx, a.v, of.boot, of.id)
	if err == nil {
		if is, err = a.matcher(d.day).program(ctx, b.col(colName)[i], b.col(colCommand)[i]); err == nil && !is && flag(b.col(colFlags)[i], flagCreator) != 0 {
			creator = b.creator(i)
		}
		return is, creator, errors.Join(err, b.sane(d.day))
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, nil, err
	}
	// It is a copy, or has come into a block since the question was asked.
	h, err := a.s.find(ctx, of.boot, of.id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	defer h.done()
	return a.row(ctx, h.day, h.row)
}

// memory returns the row in memory of the process, nil where there is none, and its
// day, which is in use then.
func (a *ancestry) memory(of above) (*row, *day) {
	a.s.mu.RLock()
	defer a.s.mu.RUnlock()
	r, d := a.s.rowOf(of.boot, of.id)
	if r == nil || a.s.closed {
		return nil, nil
	}
	d.users.Add(1)
	return r, d
}

func (a *ancestry) row(ctx context.Context, d *day, r *row) (is bool, creator *node, err error) {
	is, err = a.matcher(d).program(ctx, r.cell[colName], r.cell[colCommand])
	if err == nil && !is && r.flag(flagCreator) != process.Unknown {
		creator = r.creator
	}
	return is, creator, err
}

func (a *ancestry) matcher(d *day) *matcher {
	m := a.matchers[d]
	if m == nil {
		m = a.s.matcher(d, a.named, time.Time{})
		a.matchers[d] = m
	}
	return m
}
