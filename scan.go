package lineage

import (
	"context"
	"errors"
	"fmt"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// scan reads every process there is, unless another scan has done so that
// began no earlier than since. It takes no lock for longer than one process
// needs, so that questions about single processes go on. On an error, what was
// known stays. An IncompleteError says that not all could be seen.
func (t *Tree) scan(ctx context.Context, since process.Instant) error {
	t.scanning.Lock()
	defer t.scanning.Unlock()
	if t.closed.Load() {
		return ErrClosed
	}
	if t.scanned >= since {
		return t.partial
	}
	began := now()
	var (
		hidden int          // a process that must be there, and is not seen
		found  []process.ID // by this scan
		f      = t.live.Load()
		tell   = f != nil && (f.healed.Load() != 0 || f.successor)
	)
	t.mu.Lock()
	t.keeping = true
	t.mu.Unlock()
	emit := func(e *process.Event) {
		if !e.NoParent && !e.Parent.Known() {
			hidden = e.Parent.PID
		}
		t.mu.Lock()
		if tell && len(t.subscribers) > 0 && t.table.State(t.table.ByID(e.ID)) == process.Unseen {
			found = append(found, e.ID)
		}
		t.applyRead(e)
		t.mu.Unlock()
	}
	var err error
	if f != nil {
		err = t.iterate(ctx, f, began, emit)
	} else if err = t.reader.Scan(ctx, emit); err == nil {
		t.endUnseen(began)
	}
	if tell && err == nil {
		t.publishFound(found, began)
	}
	t.release()
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.table.Expire(now())
	t.table.Shrink()
	// Every PID namespace has a PID 1. Where that is not to be seen, others
	// are hidden too.
	if !there(t.table.State(t.table.ByPID(1))) {
		hidden = 1
	}
	t.mu.Unlock()
	t.scanned, t.partial = began, nil
	switch hides := t.proc.Hides(); {
	case f != nil && !f.inStep():
		t.partial = &IncompleteError{Err: errLost}
	case hides != "" && (f == nil || !f.exact):
		t.partial = &IncompleteError{Err: fmt.Errorf("procfs is mounted with %s: %w", hides, ErrPermission)}
	case hidden != 0:
		t.partial = &IncompleteError{PID: hidden, Err: ErrPermission}
	}
	return t.partial
}

// maxScans bounds how often all processes are read because events were dropped
// meanwhile.
const maxScans = 3

// all brings memory in step with all processes there are.
func (t *Tree) all() error {
	asked := now()
	if !t.drain() {
		var err error
		for range maxScans {
			if err = t.scan(context.Background(), asked); !errors.Is(err, errLost) {
				break
			}
			asked = now()
		}
		return err
	}
	if f := t.live.Load(); f != nil && !f.listed.Load() {
		listed, err := t.proc.List()
		if err == nil {
			err = t.addUnseen(listed, 0)
		}
		if err != nil {
			return err
		}
		f.listed.Store(true)
	}
	t.reap()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !there(t.table.State(t.table.ByPID(1))) {
		return &IncompleteError{PID: 1, Err: ErrPermission}
	}
	return nil
}

// endUnseen looks at the known processes that have not been seen since then.
func (t *Tree) endUnseen(since process.Instant) {
	var unseen []process.ID
	t.mu.RLock()
	for r := range t.table.All() {
		if p := t.table.Process(r); there(p.State) && p.AsOf < since {
			unseen = append(unseen, p.ID)
		}
	}
	t.mu.RUnlock()
	for _, id := range unseen {
		t.look(id)
	}
}

// sweepSize is how many known processes Run looks at in MaxUpdateInterval.
const sweepSize = 1024

// sweep looks at the next n known processes, round and round.
func (t *Tree) sweep(n int) {
	if t.closed.Load() {
		return
	}
	var buf [4]process.ID
	ids := buf[:0]
	if t.live.Load() != nil {
		n = 0 // it tells of ends
	}
	t.mu.Lock()
	for range min(n, t.table.Len()) {
		if t.hand = t.table.After(t.hand); t.hand == 0 {
			t.hand = t.table.After(0)
		}
		if there(t.table.State(t.hand)) {
			ids = append(ids, t.table.ID(t.hand))
		}
	}
	t.table.Expire(now())
	t.table.Shrink()
	t.mu.Unlock()
	for _, id := range ids {
		t.look(id)
	}
}

// look takes in the end of a known process.
func (t *Tree) look(id process.ID) {
	if _, err := t.reader.Check(id, ""); errors.Is(err, source.ErrGone) {
		t.gone(id)
	}
}
