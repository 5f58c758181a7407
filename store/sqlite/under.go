package sqlite

import (
	"context"
	"errors"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// An under says which processes stand below one by creation.
type under struct {
	s     *Store
	at    *boot
	id    process.ID
	found map[*node]bool
	// looked has what was looked up, by who it was.
	looked map[process.ID]bool
}

func (s *Store) under(at *boot, id process.ID) *under {
	return &under{s: s, at: at, id: id, found: map[*node]bool{}, looked: map[process.ID]bool{}}
}

// holds reports whether the process is the one or below it.
func (u *under) holds(ctx context.Context, n *node) (bool, error) {
	var path []*node
	var ids []process.ID
	is := false
	for n != nil {
		known, ok := u.found[n]
		if ok {
			is = known
			break
		}
		path = append(path, n)
		if n.id.Same(u.id) {
			is = true
			break
		}
		if n.final {
			n = n.up
			continue
		}
		// What is known of it now may be more than when this was written.
		if known, ok = u.looked[n.id]; ok {
			is = known
			break
		}
		u.looked[n.id] = false // a circle ends here
		ids = append(ids, n.id)
		h, err := u.s.find(ctx, u.at, n.id)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return false, err
		}
		n = nil
		if h.creatorKnown() {
			n = h.creator
		}
		h.done()
	}
	for _, n := range path {
		u.found[n] = is
	}
	for _, id := range ids {
		u.looked[id] = is
	}
	return is, nil
}

// A below says of the processes of one block whether they stand below the one.
type below struct {
	u *under
	b *block
	// is has for each node of the block, by its place and one, whether it is the
	// one or below it.
	is []bool
}

func (o *below) holds(ctx context.Context, i int) (bool, error) {
	if flag(o.b.col(colFlags)[i], flagCreator) == 0 {
		return false, nil
	}
	if o.b.rows != nil {
		return o.u.holds(ctx, o.b.creator(i))
	}
	if o.is == nil {
		if err := o.work(ctx); err != nil {
			return false, err
		}
	}
	place := o.b.col(colCreator)[i]
	return place > 0 && place < int64(len(o.is)) && o.is[place], nil
}

// work finds out of all nodes: those above a node come before it.
func (o *below) work(ctx context.Context) error {
	o.b.node(0)
	o.is = make([]bool, len(o.b.nodes)+1)
	for i, n := range o.b.nodes {
		switch {
		case n.id.Same(o.u.id):
			o.is[i+1] = true
		case n.final:
			o.is[i+1] = o.is[o.b.ups[i]]
		default:
			is, err := o.u.holds(ctx, n)
			if err != nil {
				return err
			}
			o.is[i+1] = is
		}
	}
	return nil
}
