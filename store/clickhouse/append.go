package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Append writes the batch: what is no process first, then the processes as one block,
// and when the server has these the mark that says that the batch is there. What a
// batch that was given before tells changes nothing.
func (s *Store) Append(ctx context.Context, b *store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	k := bootKey{b.Host, b.Boot}
	err := s.settle(ctx, b.Host)
	var at *boot
	if err == nil {
		at, err = s.load(ctx, k)
	}
	if err == nil {
		err = s.append(ctx, at, b)
	}
	if err != nil {
		// The server may have taken the batch all the same: read it anew.
		delete(s.boots, k)
		delete(s.settled, b.Host)
	}
	return s.failed(ctx, "write to", err)
}

// A stage is what a batch changes.
type stage struct {
	*boot
	s    *Store
	asOf process.Instant
	wall int64
	// number grows with each, and batch is the same, or that of the last one where it is
	// that again, or zero where it is an earlier one. It is later where it is neither.
	number, batch int64
	later         bool

	told []*told
	by   map[*node]*told
	// joints are the nodes from which links go on, and whether with others than
	// before.
	joints map[*node]bool
}

// A told is a process that the batch tells of.
type told struct {
	store.Process
	stage *stage
	node  *node
	// above are the keys of those above it, as far as that reaches.
	above []string
	reach int8
}

func (s *Store) append(ctx context.Context, at *boot, b *store.Batch) error {
	wall := b.Wall
	if wall.IsZero() {
		wall = time.Now()
	}
	at.newDay(wall)
	t := &stage{boot: at, s: s, asOf: b.Now, wall: wall.UnixNano(), by: map[*node]*told{}, joints: map[*node]bool{}}
	s.batch = max(s.batch+1, time.Now().UnixNano())
	t.number = s.batch
	switch {
	case at.last == 0 || b.Now > at.mark:
		t.batch, t.later = t.number, true
		if b.HostName != "" {
			at.name = b.HostName
		}
	case b.Now == at.mark:
		t.batch = at.last
	}
	step := at.clock.Set(b.Now, wall)
	if err := t.take(ctx, b); err != nil {
		return err
	}
	if err := t.write(ctx, b, step); err != nil {
		return err
	}
	if t.later {
		at.mark, at.last = b.Now, t.batch
	}
	at.shrink(s.options.Remembered)
	return nil
}

// take works out what the batch changes.
func (t *stage) take(ctx context.Context, b *store.Batch) error {
	if err := t.ask(ctx, b); err != nil {
		return err
	}
	for i := range b.Processes {
		t.process(&b.Processes[i])
	}
	for _, p := range t.told {
		p.node.old = true
		for n := p.node.up; n != nil && !n.old; n = n.up {
			n.old = true
		}
	}
	return nil
}

// ask looks up those that the writer does not know and that may be in the store.
func (t *stage) ask(ctx context.Context, b *store.Batch) error {
	var ids []process.ID
	seen := map[process.ID]bool{}
	ask := func(id process.ID) {
		began := id.Precision != process.StartUnknown && id.Start > t.mark // and is known, if it is there
		if id.Known() && !began && t.stored && !seen[id] && t.find(id) == nil {
			ids = append(ids, id)
		}
		seen[id] = true
	}
	for i := range b.Processes {
		p := &b.Processes[i]
		if !p.ID.Known() {
			return fmt.Errorf("PID %d without a start and an inode: %w", p.ID.PID, store.ErrQuery)
		}
		ask(p.ID)
		if p.Creator.Evidence != process.Unknown {
			ask(p.Creator.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return t.s.lookUp(ctx, t.boot, ids)
}

// process takes in what the batch says of one process.
func (t *stage) process(p *store.Process) {
	n := t.find(p.ID)
	if n == nil {
		n = t.at(keyOf(p.ID))
	}
	if n.version>>1 > uint64(t.asOf) {
		return // it is an earlier batch, again
	}
	if n.version == 0 {
		n.hour = hourOf(t.clock.Wall(n.key.start()))
	}
	kept := store.Kept(p, n.id)
	kept.Host, kept.Boot = t.host, t.boot.boot
	t.know(n, kept.ID)
	n.version = rowVersion(t.asOf, p.Exit.Evidence != process.Unknown)
	was := n.up
	n.up, n.top = t.creator(p.Creator), p.Creator.Evidence != process.Unknown && p.Creator.ID.IsZero()
	if was != n.up && n.up.below(n) {
		n.up = nil // nobody created who created them
	}
	if n.old && n.up != was {
		n.settled = n.settled || was != nil
		t.joints[n] = t.joints[n] || was != nil
	}
	if again := t.by[n]; again != nil {
		again.Process = kept
		return
	}
	t.by[n] = &told{Process: kept, stage: t, node: n}
	t.told = append(t.told, t.by[n])
}

// creator returns the node of the creator, nil where that is not known.
func (t *stage) creator(l process.Link) *node {
	if l.Evidence == process.Unknown || !l.ID.Known() {
		return nil
	}
	n := t.find(l.ID)
	if n == nil {
		n = t.at(keyOf(l.ID))
		t.know(n, l.ID)
	}
	return n
}

// reach returns what stands above the node in its row, and notes from where links go
// on, or who is known as a creator alone.
func (t *stage) reach(n *node) ([]string, int8) {
	keys, end, last := n.chain()
	if last.up != nil {
		t.joint(last)
		t.goOn(last)
	}
	if last.version == 0 && !last.id.IsZero() {
		t.joint(last)
	}
	return keys, end
}

// goOn notes the joints above a joint.
func (t *stage) goOn(n *node) {
	for _, _, last := n.chain(); last.up != nil && !last.linked; _, _, last = last.chain() {
		t.joint(last)
	}
}

func (t *stage) joint(n *node) {
	if n.linked {
		return
	}
	n.linked = true
	if _, noted := t.joints[n]; !noted {
		t.joints[n] = false
	}
}
