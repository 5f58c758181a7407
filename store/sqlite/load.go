package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// load reads what is kept in memory of the file. It returns what it tells of
// replaced processes, of this file and others.
func (d *day) load(ctx context.Context, s *Store) (replaced []place, err error) {
	if err := d.read.QueryRowContext(ctx, "SELECT previous, oldest, newest FROM file").Scan(&d.previous, &d.oldest, &d.newest); err != nil {
		return nil, err
	}
	boots := map[int64]*boot{}
	if err := d.each(ctx, "SELECT id, host, boot, now, wall, batch, since FROM boot", func(rows *sql.Rows) error {
		var id, now, since int64
		var host, name []byte
		var last mark
		err := rows.Scan(&id, &host, &name, &now, &last.wall, &last.batch, &since)
		last.now = process.Instant(now)
		b := s.boot(string(host), string(name))
		boots[id], d.boots[b] = b, stay{id, process.Instant(since), last.now}
		if last.batch > b.last.batch {
			b.last = last
		}
		return err
	}); err != nil {
		return nil, err
	}
	at := func(id int64) (*boot, error) {
		if b := boots[id]; b != nil {
			return b, nil
		}
		return nil, fmt.Errorf("%w: no boot %d", store.ErrCorrupt, id)
	}
	if err := d.each(ctx, "SELECT id, name FROM host", func(rows *sql.Rows) error {
		var id, name []byte
		err := rows.Scan(&id, &name)
		s.names[string(id)] = string(name) // the latest file is read last
		return err
	}); err != nil {
		return nil, err
	}
	clocks := map[*boot]*store.Clock{}
	if err := d.each(ctx, "SELECT boot, since, ahead FROM step ORDER BY boot, since", func(rows *sql.Rows) error {
		var id, since, ahead int64
		err := rows.Scan(&id, &since, &ahead)
		b, missing := at(id)
		if missing == nil {
			if clocks[b] == nil {
				clocks[b] = &store.Clock{}
			}
			clocks[b].Steps = append(clocks[b].Steps, store.Step{From: process.Instant(since), Offset: time.Duration(ahead)})
		}
		return errors.Join(err, missing)
	}); err != nil {
		return nil, err
	}
	for b, c := range clocks { // a later file has what the earlier ones have, and more
		b.clock.Store(c)
	}
	if err := d.each(ctx, "SELECT boot, since, until, reason, lost, as_of FROM gap", func(rows *sql.Rows) error {
		var id, since, until, lost, asOf int64
		g := gap{}
		err := rows.Scan(&id, &since, &until, &g.Reason, &lost, &asOf)
		b, missing := at(id)
		g.boot, g.asOf, g.Since, g.Until, g.Lost = b, process.Instant(asOf), process.Instant(since), process.Instant(until), uint64(lost)
		d.gaps = append(d.gaps, g)
		return errors.Join(err, missing)
	}); err != nil {
		return nil, err
	}
	if err := d.each(ctx, "SELECT facts, boot, as_of FROM container", func(rows *sql.Rows) error {
		var b []byte
		var id, asOf int64
		if err := rows.Scan(&b, &id, &asOf); err != nil {
			return err
		}
		c, ok := parseContainer(b)
		if !ok {
			return fmt.Errorf("%w: a container makes no sense", store.ErrCorrupt)
		}
		d.containers[c.ID] = &facts{*c, boots[id], process.Instant(asOf)}
		return nil
	}); err != nil {
		return nil, err
	}
	d.before(s.days)
	if err := d.loadBlocks(ctx, at); err != nil {
		return nil, err
	}
	if err := d.loadRecent(ctx, at); err != nil {
		return nil, err
	}
	err = d.each(ctx, "SELECT day, block, place FROM replaced", func(rows *sql.Rows) error {
		var p place
		err := rows.Scan(&p.day, &p.block, &p.at)
		replaced = append(replaced, p)
		return err
	})
	return replaced, err
}

// before works out where the boots of the file go on from, where it does not say so.
func (d *day) before(earlier []*day) {
	for b, of := range d.boots {
		if int64(of.since) >= 0 {
			continue
		}
		of.since = 0
		if clock := b.clock.Load(); len(clock.Steps) > 0 {
			if first := clock.Instant(timeOf(d.oldest)); first > clock.Steps[0].From {
				of.since = first - 1
			}
		}
		for _, e := range earlier {
			if part, ok := e.boots[b]; ok && e.sequence < d.sequence {
				of.since = part.now
			}
		}
		d.boots[b] = of
	}
}

func (d *day) loadBlocks(ctx context.Context, at func(int64) (*boot, error)) error {
	return d.each(ctx, `SELECT id, boot, processes, first_start, last_start, first_end, last_end, least_pid, most_pid, least_inner_pid, most_inner_pid,
		longest, processor, memory, first_as_of, last_as_of FROM block ORDER BY id`, func(rows *sql.Rows) error {
		e, id := &entry{}, int64(0)
		if err := rows.Scan(&e.id, &id, &e.n, &e.start[0], &e.start[1], &e.end[0], &e.end[1], &e.pid[0], &e.pid[1], &e.inner[0], &e.inner[1],
			&e.lived, &e.processor, &e.memory, &e.asOf[0], &e.asOf[1]); err != nil {
			return err
		}
		var err error
		if e.boot, err = at(id); err != nil {
			return err
		}
		d.add(e)
		return nil
	})
}

// add adds a block.
func (d *day) add(e *entry) {
	e.reach = e.start[1]
	for _, before := range slices.Backward(d.blocks) {
		if before.boot == e.boot {
			e.reach = max(e.reach, before.reach)
			break
		}
	}
	d.blocks = append(d.blocks, e)
	if !d.sealed[e.boot] {
		more := map[*boot]bool{e.boot: true}
		maps.Copy(more, d.sealed)
		d.sealed = more
	}
}

func (d *day) loadRecent(ctx context.Context, at func(int64) (*boot, error)) error {
	if err := d.each(ctx, "SELECT id, boot, origin, process FROM recent", func(rows *sql.Rows) error {
		var home, id, origin int64
		var b []byte
		if err := rows.Scan(&home, &id, &origin, &b); err != nil {
			return err
		}
		of, err := at(id)
		if err != nil {
			return err
		}
		if b, err = unsealed(b); err != nil {
			return err
		}
		r, ok := parseRow(b, of)
		if !ok {
			return errBlock
		}
		r.home, r.origin = home, origin
		d.insert(r)
		return nil
	}); err != nil {
		return err
	}
	d.relate()
	return nil
}

// relate gives the nodes of the rows in memory what stands above them, as far as
// that is in memory.
func (d *day) relate() {
	for _, kept := range []map[int][]*row{d.recent, d.copies} {
		for _, rows := range kept {
			for _, r := range rows {
				if r.creator != nil && r.creatorKnown() {
					c := d.held(r.boot, r.creator.id)
					if c == nil {
						c = d.copied(r.boot, r.creator.id)
					}
					if c != nil {
						r.creator.up, r.creator.final = c.creator, c.creatorKnown()
					}
				}
			}
		}
	}
}
