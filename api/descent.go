package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A descent tells whether those that a question names ([store.Query.Ancestors]) stand
// above a process.
type descent struct {
	names []string // 64 at most
	// look returns a process as the viewer may see it, with an error that is
	// ErrNotFound for one that is not to be had.
	look func(store.Key) (store.Process, error)
	// up is who stands above one, zero where nobody is known.
	up func(*store.Process) process.ID
	// known has which of the names one or those above it have, a bit each.
	known map[store.Key]uint64
}

// of reports whether all of the names stand above the process.
func (d *descent) of(p *store.Process) (bool, error) {
	if len(d.names) == 0 {
		return true, nil
	}
	type step struct {
		key  store.Key
		bits uint64
	}
	var path []step
	bits := uint64(0)
	for id := d.up(p); !id.IsZero() && len(path) < mostAbove; {
		key := store.Key{Host: p.Host, Boot: p.Boot, ID: id}
		if known, ok := d.known[key]; ok {
			bits = known
			break
		}
		above, err := d.look(key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		one := step{key: key}
		path = append(path, one)
		if err != nil {
			break
		}
		for n, name := range d.names {
			if above.Named(name) {
				path[len(path)-1].bits |= 1 << n
			}
		}
		id = d.up(&above)
	}
	for _, one := range slices.Backward(path) {
		bits |= one.bits
		d.known[one.key] = bits
	}
	return bits == 1<<len(d.names)-1, nil
}

// descentNow is that of what lives now: by creation, or by parent where it is not
// known who made one.
func (s *Server) descentNow(v *viewer, d *answer.Describer, names []string) *descent {
	return &descent{
		names: names, known: map[store.Key]uint64{},
		look: func(k store.Key) (store.Process, error) {
			p, err := s.o.Tree.ProcessByID(k.ID)
			if err != nil {
				return store.Process{}, store.ErrNotFound
			}
			s.complete(&p)
			o := s.stored(&p, d)
			if !s.conceal(v, &o, time.Time{}) {
				return o, store.ErrNotFound
			}
			return o, nil
		},
		up: func(p *store.Process) process.ID {
			if p.Creator.Evidence != process.Unknown {
				return p.Creator.ID
			}
			return p.Parent.ID
		},
	}
}

// descentPast is that of the processes of the history, by creation. It asks for those
// above them a level at a time.
func (s *Server) descentPast(ctx context.Context, v *viewer, names []string, list []store.Process) (*descent, error) {
	d := &descent{names: names, known: map[store.Key]uint64{}, up: func(p *store.Process) process.ID {
		if p.Creator.Evidence == process.Unknown {
			return process.ID{}
		}
		return p.Creator.ID
	}}
	g := newGrove(false)
	d.look = func(k store.Key) (store.Process, error) {
		if at := g.place(k); at >= 0 {
			return g.nodes[at].Process, nil
		}
		return store.Process{}, store.ErrNotFound
	}
	if len(names) == 0 {
		return d, nil
	}
	for level := list; len(level) > 0; {
		var keys []store.Key
		asked := map[store.Key]bool{}
		for i := range level {
			p := &level[i]
			if k := (store.Key{Host: p.Host, Boot: p.Boot, ID: d.up(p)}); !k.ID.IsZero() && !asked[k] && g.place(k) < 0 {
				asked[k] = true
				keys = append(keys, k)
			}
		}
		level = nil
		for part := range slices.Chunk(keys, mostAtOnce) {
			found, err := s.o.History.Processes(ctx, part)
			if err != nil {
				return nil, err
			}
			for i := range found {
				if p := &found[i]; g.place(p.Key) < 0 && s.conceal(v, p, time.Time{}) {
					g.add(p, stateOf(p), false)
					level = append(level, *p)
				}
			}
		}
	}
	return d, nil
}
