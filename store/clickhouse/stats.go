package clickhouse

import (
	"context"
	"time"

	"github.com/proclineage/lineage/store"
)

// exactBelow is the number of rows from which on processes are not counted one by one.
const exactBelow = 1_000_000

// Stats returns how much the store holds, each replica counted once. A large one says
// about how many processes: those that were told of lately may be counted twice. Who may
// not read system.parts is told of no bytes.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	if err := s.ready(ctx); err != nil {
		return store.Stats{}, err
	}
	all, err := s.stats(ctx)
	return all, s.failed(ctx, "read from", err)
}

func (s *Store) stats(ctx context.Context) (all store.Stats, err error) {
	parts := "system.parts"
	if s.cluster != "" { // of each shard those of one replica
		parts = "cluster(" + quote(s.cluster) + ", system, parts)"
	}
	var bytes, processes uint64
	query := "SELECT sum(bytes_on_disk) FROM " + parts + " WHERE active AND database = " + quote(s.database)
	if err := s.conn.QueryRow(ctx, query).Scan(&bytes); err != nil {
		if ctx.Err() != nil {
			return all, err
		}
		bytes = 0 // the next question fails too, if it was not for a lack of rights
	}
	count := "SELECT count() FROM " + s.table("processes")
	if err := s.conn.QueryRow(ctx, count).Scan(&processes); err != nil {
		return all, err
	}
	if processes < exactBelow {
		if err := s.conn.QueryRow(ctx, count+" FINAL").Scan(&processes); err != nil {
			return all, err
		}
	}
	oldest, _, err := s.hours(ctx)
	if err != nil {
		return all, err
	}
	if oldest == 0 { // of one that began nobody knows when
		err := s.rows(ctx, "SELECT toUInt32(hour) FROM "+s.table("processes")+" WHERE hour > 0 ORDER BY hour LIMIT 1", func(scan func(...any) error) error {
			return scan(&oldest)
		})
		if err != nil {
			return all, err
		}
	}
	var newest int64
	if err := s.conn.QueryRow(ctx, "SELECT max("+s.nanoseconds("seen")+") FROM "+s.table("marks")).Scan(&newest); err != nil {
		return all, err
	}
	return store.Stats{Processes: int64(processes), Bytes: int64(bytes), Oldest: timeOf(int64(oldest) * int64(time.Second)), Newest: timeOf(newest)}, nil
}

// hours are the first and the last in which a process began, zero where the one of
// which nobody knows when is the first, or there is none.
func (s *Store) hours(ctx context.Context) (first, last uint32, err error) {
	// Without any condition the server looks at its parts alone.
	err = s.conn.QueryRow(ctx, "SELECT toUInt32(min(hour)), toUInt32(max(hour)) FROM "+s.table("processes")).Scan(&first, &last)
	return first, last, err
}
