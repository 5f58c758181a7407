package ship

import (
	"context"
	"errors"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// complete puts into the batch, before those that they made, the processes above its
// own that are not among those that the other store was told of.
func (s *Shipper) complete(ctx context.Context, b *store.Batch, told *idSet) error {
	own := map[int][]int{} // by PID
	for i := range b.Processes {
		own[b.Processes[i].ID.PID] = append(own[b.Processes[i].ID.PID], i)
	}
	find := func(id process.ID) int {
		i := slices.IndexFunc(own[id.PID], func(i int) bool { return b.Processes[i].ID.Same(id) })
		if i < 0 {
			return -1
		}
		return own[id.PID][i]
	}
	all, here := make([]store.Process, 0, len(b.Processes)), newIDSet(b.Boot, 0)
	add := func(p store.Process) {
		if !here.has(p.ID) {
			here.put(p.ID)
			all = append(all, p)
		}
	}
	for i := range b.Processes {
		p := &b.Processes[i]
		if l := p.Creator; linked(l) && !here.has(l.ID) && (find(l.ID) >= 0 || !told.has(l.ID)) {
			above, err := s.o.From.Ancestors(ctx, store.Key{Host: b.Host, Boot: b.Boot, ID: p.ID})
			if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
				return err
			}
			for _, a := range slices.Backward(above) {
				if i := find(a.ID); i >= 0 {
					a = b.Processes[i]
				} else if told.has(a.ID) {
					continue
				}
				add(a)
			}
		}
		add(*p)
	}
	b.Processes = all
	contain(b)
	return nil
}

// linked reports whether the link leads to somebody.
func linked(l process.Link) bool { return l.Evidence != process.Unknown && l.ID.Known() }

// contain puts into the batch the containers of its processes.
func contain(b *store.Batch) {
	told := map[string]bool{}
	for i := range b.Containers {
		told[b.Containers[i].ID] = true
	}
	for i := range b.Processes {
		if c := b.Processes[i].Stored; c != nil && !told[c.ID] {
			told[c.ID] = true
			b.Containers = append(b.Containers, *c)
		}
	}
}
