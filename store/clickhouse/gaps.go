package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/proclineage/lineage/store"
)

// mostGaps is how many gaps are told of one by one.
const mostGaps = 10_000

// gaps are those of the time that the query asks for, the earliest first. Where there are
// more than mostGaps, the first one stands for all but the latest.
func (s *Store) gaps(ctx context.Context, q *store.Query) ([]store.Gap, error) {
	where := ofHost(q.Host)
	if !q.Until.IsZero() {
		where += " AND began <= " + s.wall(clamped(q.Until))
	}
	if !q.Since.IsZero() {
		since := s.wall(clamped(q.Since))
		where += fmt.Sprintf(" AND (ended >= %s OR ended = %s OR began >= %s)", since, s.wall(0), since)
	}
	var all []store.Gap
	began, ended, covering := s.nanoseconds("began"), s.nanoseconds("ended"), s.table("gaps")+" FINAL WHERE "+where
	query := fmt.Sprintf("SELECT host, boot, since, until, reason, lost, %s, %s FROM %s ORDER BY %s DESC LIMIT %d", began, ended, covering, began, mostGaps+1)
	err := s.rows(ctx, query, func(scan func(...any) error) error {
		var g store.Gap
		var since, until uint64
		var reason string
		var from, to int64
		if err := scan(&g.Host, &g.Boot, &since, &until, &reason, &g.Lost, &from, &to); err != nil {
			return err
		}
		g.Since, g.Until, g.Reason, g.From, g.To = instant(since), instant(until), store.GapReason(reason), timeOf(from), timeOf(to)
		all = append(all, g)
		return nil
	})
	if err == nil && len(all) > mostGaps {
		first := &all[mostGaps]
		var from, to int64
		var lost uint64
		query := fmt.Sprintf("SELECT min(%s), max(%s), sum(lost) FROM %s AND %s <= %d", began, ended, covering, began, nanos(first.From))
		err = s.conn.QueryRow(ctx, query).Scan(&from, &to, &lost)
		*first = store.Gap{Host: q.Host, Reason: store.Dropped, From: timeOf(from), To: timeOf(to), Lost: lost}
	}
	slices.Reverse(all)
	return slices.DeleteFunc(all, func(g store.Gap) bool { return !q.Covers(g.From, g.To) }), err
}
