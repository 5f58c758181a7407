package clickhouse

import (
	"context"
	"fmt"
	"time"
)

// Expire forgets the processes that ended before the wall-clock time and that no batch
// told of since, but for those of the last batch of each host and those above others
// that are kept. A ClickHouse of today does that by itself (see [InitOptions]). Nobody may
// append meanwhile, and on a cluster the replicas must have all that was appended.
//
// What is kept is told again first, as of the time. Then all rows go that are of before.
func (s *Store) Expire(ctx context.Context, before time.Time) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	err := s.expire(ctx, s.wall(clamped(before)))
	clear(s.boots) // what it has may be forgotten
	return s.failed(ctx, "forget a part of", err)
}

// expire asks for nothing that it wrote: the next question may be for another replica,
// which does not have that yet.
func (s *Store) expire(ctx context.Context, before string) error {
	var old uint64
	query := "SELECT count() FROM " + s.table("processes") + " WHERE seen < " + before
	if err := s.conn.QueryRow(ctx, query).Scan(&old); err != nil || old == 0 {
		return err
	}
	stays := "(" + s.living() + " OR ended >= " + before +
		" OR batch IN (SELECT max(batch) FROM " + s.local("marks") + " GROUP BY host))"
	above := s.aboveOf("seen >= " + before + " OR " + stays)
	links, err := s.joints(ctx, goesOn)
	if err != nil {
		return err
	}
	kept := stays + " OR " + above
	if len(links.above) > 0 { // there are others above those
		ends, err := s.joined(ctx, "SELECT host, boot, id FROM "+s.table("links")+" FINAL WHERE "+above)
		if err != nil {
			return err
		}
		if further := links.beyond(ends); len(further) > 0 {
			kept += " OR (host, boot, id) IN (" + list(further, joint.literal) + ")"
		}
	}
	if err := s.keep(ctx, &processesTable, before, kept); err != nil {
		return err
	}
	// Also the links that only those need that are forgotten now: until the next time.
	if err := s.keep(ctx, &linksTable, before, s.aboveOf("1")); err != nil {
		return err
	}
	for _, t := range []*table{&processesTable, &linksTable} {
		if err := s.remove(ctx, t, "seen < "+before); err != nil {
			return err
		}
	}
	return nil
}

// keep tells again, as of the time, of the rows from before for which the condition
// holds.
func (s *Store) keep(ctx context.Context, t *table, before, where string) error {
	values := list(t.columns, func(c column) string {
		if c.name == "seen" {
			return before
		}
		return c.name
	})
	return s.conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s FINAL WHERE seen < %s AND (%s)", s.table(t.name), t.names(), values, s.table(t.name), before, where))
}

// remove removes the rows for which the condition holds, and waits until there are none
// to be read. An old server does that in its own time, and no node of a cluster knows
// how far the shards of others are.
func (s *Store) remove(ctx context.Context, t *table, where string) error {
	p := &place{cluster: s.cluster}
	if err := p.exec(ctx, s.conn, "ALTER TABLE "+s.local(t.name)+p.onCluster()+" DELETE WHERE "+where); err != nil || !s.old {
		return err
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		var left uint64
		query := "SELECT count() FROM " + s.table(t.name) + " WHERE " + where
		if err := s.conn.QueryRow(ctx, query).Scan(&left); err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}
