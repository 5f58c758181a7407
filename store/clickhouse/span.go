package clickhouse

import (
	"context"
	"fmt"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func instant(v uint64) process.Instant { return process.Instant(v) }

// A span is a part of the time in which processes began, in seconds since the epoch:
// from is in it and to is not, and zero is the beginning and the end of all times.
// Spans end a second after a full hour, as a start that becomes better known may move
// on by a tick.
type span struct{ from, to int64 }

// The first span is of an hour, and each other one as many times as long as the one
// before.
const spanGrowth = 16

// conditions are those for what began in the span.
func (s span) conditions(of *Store) []string {
	var all []string
	if s.from != 0 {
		all = append(all, "began >= "+of.wall(s.from*1e9), fmt.Sprintf("(hour >= %d OR hour = 0)", s.from-s.from%hourSeconds))
	}
	if s.to != 0 {
		all = append(all, "began < "+of.wall(s.to*1e9), fmt.Sprintf("hour <= %d", s.to-s.to%hourSeconds))
	}
	return all
}

// spans are the parts of the time of the query that are looked at together, in the
// order of the answer. Where that is sorted by when they began, the first parts are
// short: they may be enough.
func (sel *selection) spans(ctx context.Context) ([][]span, error) {
	switch sel.q.Order {
	case store.Latest, store.Earliest, "":
	default:
		if since := sel.since(); since > 0 {
			return [][]span{{{from: since}, {to: since}}}, nil
		}
		return [][]span{{{}}}, nil
	}
	if sel.after == nil {
		first, last, err := sel.s.hours(ctx)
		if err != nil {
			return nil, err
		}
		sel.cursor.first, sel.cursor.last = int64(first), int64(last)
	}
	one := sel.downward(sel.cursor.first, sel.cursor.last)
	if sel.q.Order == store.Earliest {
		one = sel.upward(sel.cursor.first, sel.cursor.last)
	}
	all := make([][]span, len(one))
	for i := range one {
		all[i] = one[i : i+1]
	}
	return all, nil
}

// since is where the time begins that is asked for, in full hours and a second: of
// those that began before there are only those that lived on. It is zero where all is
// asked for.
func (sel *selection) since() int64 {
	hour := hourOf(sel.q.Since)
	if sel.q.Since.IsZero() || hour < hourSeconds {
		return 0
	}
	return hour - hourSeconds + 1
}

// downward has the latest first.
func (sel *selection) downward(first, last int64) []span {
	top := last
	if !sel.q.Until.IsZero() {
		top = min(top, hourOf(sel.q.Until))
	}
	if sel.after != nil {
		top = min(top, hourOf(timeOf(sel.after.began)))
	}
	since := sel.since()
	var all []span
	s := span{from: top + 1}
	for length := hourSeconds; s.from > first; length *= spanGrowth {
		all = append(all, s)
		s = span{from: s.from - length, to: s.from}
		if s.to > since && s.from < since {
			s.from = since
		}
	}
	return append(all, span{to: s.to})
}

// upward has the earliest first.
func (sel *selection) upward(first, last int64) []span {
	bottom := max(first+1, sel.since())
	s := span{to: bottom}
	if sel.after != nil {
		hour := hourOf(timeOf(sel.after.began))
		s = span{from: max(hour-hourSeconds+1, 0), to: max(bottom, hour+1)}
	}
	if !sel.q.Until.IsZero() {
		last = min(last, hourOf(sel.q.Until))
	}
	var all []span
	for length := hourSeconds; s.to <= last; length *= spanGrowth {
		all = append(all, s)
		s = span{from: s.to, to: s.to + length}
	}
	return append(all, span{from: s.from})
}
