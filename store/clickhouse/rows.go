package clickhouse

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	batches "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/proclineage/lineage/store"
)

// insert writes rows, all or none but for those of several days.
func (s *Store) insert(ctx context.Context, host string, t *table, fill func(batches.Batch) error) error {
	batch, err := s.conn.PrepareBatch(sent(ctx, host), "INSERT INTO "+s.table(t.name)+" ("+t.names()+")")
	if err == nil {
		if err = fill(batch); err != nil {
			_ = batch.Abort() // the first error counts
		} else {
			err = batch.Send()
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return nil
}

// write writes all that the batch changes, and the mark when the rest is there.
func (t *stage) write(ctx context.Context, b *store.Batch, step bool) error {
	for _, p := range t.told {
		p.above, p.reach = t.reach(p.node)
	}
	for _, facts := range []struct {
		*table
		rows [][]any
	}{{&containersTable, t.containers(b)}, {&clocksTable, t.clocks(step)}, {&gapsTable, t.gaps(b)}, {&linksTable, t.links()}} {
		if err := t.writeRows(ctx, facts.table, facts.rows); err != nil {
			return err
		}
	}
	if err := t.writeProcesses(ctx); err != nil || !t.later {
		return err
	}
	return t.writeRows(ctx, &marksTable, [][]any{{t.host, t.boot.boot, uint64(t.batch), uint64(t.asOf), t.wall, t.name}})
}

// writeRows writes rows of a table that is not that of processes.
func (t *stage) writeRows(ctx context.Context, to *table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return t.s.insert(ctx, t.host, to, func(batch batches.Batch) error {
		for _, r := range rows {
			for i := range r {
				if to.columns[i].kind == wallKind {
					r[i] = t.s.wallCell(r[i].(int64))
				}
			}
			if err := batch.Append(r...); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeProcesses writes the processes, as one block. The token says which one it is, so
// that a server that has it already leaves it alone: what is told of a process at an
// instant is the same each time, so the keys and whether each has ended are enough.
func (t *stage) writeProcesses(ctx context.Context) error {
	if len(t.told) == 0 {
		return nil
	}
	digest := fnv.New64a()
	for _, p := range t.told {
		digest.Write([]byte(p.node.key))
		digest.Write([]byte{byte(p.node.version)})
	}
	token := fmt.Sprintf("%s %s %d %x", t.host, t.boot.boot, t.asOf, digest.Sum64())
	ctx = driver.Context(ctx, driver.WithSettings(t.s.once(token)))
	return t.s.insert(ctx, t.host, &processesTable, func(batch batches.Batch) error {
		for i := range processesTable.columns {
			c := &processesTable.columns[i]
			if err := t.s.fill(batch.Column(i), c, c.from(t.told)); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		return nil
	})
}

// fill adds the cells to a column of a batch.
func (s *Store) fill(to batches.BatchColumn, c *column, cells any) error {
	switch cells := cells.(type) {
	case []int64:
		switch c.kind {
		case hourKind:
			return to.Append(times(cells))
		case wallKind:
			return to.Append(s.walls(cells))
		default:
			return to.Append(cells)
		}
	case [][]string: // one by one, which the driver does without reflection
		return appendRows(to, cells)
	case [][]uint64:
		return appendRows(to, cells)
	case [][]int64:
		return appendRows(to, cells)
	case [][]uint8:
		return appendRows(to, cells)
	default:
		return to.Append(cells)
	}
}

func appendRows[T any](to batches.BatchColumn, cells [][]T) error {
	for _, c := range cells {
		if err := to.AppendRow(c); err != nil {
			return err
		}
	}
	return nil
}

func times(seconds []int64) []time.Time {
	all := make([]time.Time, len(seconds))
	for i, s := range seconds {
		all[i] = time.Unix(s, 0).UTC()
	}
	return all
}

func (t *stage) containers(b *store.Batch) (rows [][]any) {
	if t.batch == 0 {
		return nil // it is an earlier batch, again
	}
	for _, c := range b.Containers {
		if t.boot.containers[c.ID] == c {
			continue
		}
		t.boot.containers[c.ID] = c
		rows = append(rows, []any{t.host, c.ID, uint64(t.number), t.wall, c.Runtime, c.Name, c.Image, c.PodUID, c.PodName, c.Namespace, c.Workload, c.Service, c.Project})
	}
	return rows
}

func (t *stage) clocks(step bool) [][]any {
	if !step {
		return nil
	}
	last := t.clock.Steps[len(t.clock.Steps)-1]
	return [][]any{{t.host, t.boot.boot, uint64(last.From), int64(last.Offset)}}
}

func (t *stage) gaps(b *store.Batch) (rows [][]any) {
	for _, g := range b.Gaps {
		rows = append(rows, []any{t.host, t.boot.boot, uint64(g.Since), uint64(g.Until), string(g.Reason), g.Lost,
			nanos(t.clock.Wall(g.Since)), nanos(t.clock.Wall(g.Until)), t.wall})
	}
	return rows
}

// links are the rows of what goes on from joints.
func (t *stage) links() (rows [][]any) {
	for n := range t.joints {
		t.goOn(n)
	}
	for n, instead := range t.joints {
		above, _, _ := n.chain()
		rows = append(rows, []any{t.host, t.boot.boot, string(n.key), bit(instead), uint64(t.number), t.wall,
			int64(n.id.PID), uint64(n.id.Start), n.id.Inode, uint8(n.id.Precision), above})
	}
	return rows
}
