package sqlite

import (
	"cmp"
	"context"
	"slices"
)

// fill puts the processes that have ended into blocks, of each pool all or none:
// those of which there are fewer than few wait for others.
func (t *stage) fill(few int) {
	t.inBlock, t.ended = map[*row]bool{}, map[pool][]*row{}
	for p, rows := range t.writer.ended {
		for _, r := range rows {
			if !t.gone[r] {
				t.ended[p] = append(t.ended[p], r)
			}
		}
	}
	for _, r := range t.rows {
		if r.ended() && !t.gone[r] {
			t.ended[poolOf(r)] = append(t.ended[poolOf(r)], r)
		}
	}
	for p, rows := range t.ended {
		if len(rows) < few {
			continue
		}
		delete(t.ended, p)
		// Those that started at about the same time go together: so a moment is in
		// few blocks, and a PID, as they are given out one after the other.
		slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.cell[colStart], b.cell[colStart]) })
		for n := (len(rows) + blockRows - 1) / blockRows; n > 0; n-- {
			of := rows[:len(rows)/n]
			rows = rows[len(of):]
			t.made = append(t.made, madeBlock{newEntry(of), of})
			for _, r := range of {
				t.inBlock[r] = true
			}
		}
	}
}

// writeBlocks writes the blocks, and takes the processes in them from the others.
func (t *stage) writeBlocks(ctx context.Context) error {
	next := int64(1)
	if n := len(t.blocks); n > 0 {
		next = t.blocks[n-1].id + 1
	}
	for _, m := range t.made {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.id = next
		next++
		id := t.id
		if known, ok := t.boots[m.boot]; ok {
			id = known.id
		}
		e := m.entry
		first, second := encodeBlock(m.rows)
		if err := do(ctx, t.writer.block, e.id, id, e.n, e.start[0], e.start[1], e.end[0], e.end[1], e.pid[0], e.pid[1], e.inner[0], e.inner[1],
			e.lived, e.processor, e.memory, first, second, e.asOf[0], e.asOf[1]); err != nil {
			return err
		}
		for _, r := range m.rows {
			if r.home == 0 {
				continue
			}
			if err := do(ctx, t.writer.forget, r.home); err != nil {
				return err
			}
		}
	}
	return nil
}
