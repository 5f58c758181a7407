package clickhouse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/store"
)

// A selection is a query that is being answered.
type selection struct {
	s      *Store
	q      *store.Query
	cursor cursor
	after  *spot // the last that was read, nil for none
	where  []string
}

// Select returns a page of the processes that the query asks for. The first page has
// the gaps.
func (s *Store) Select(ctx context.Context, q *store.Query) (store.Page, error) {
	if err := s.ready(ctx); err != nil {
		return store.Page{}, err
	}
	if err := q.Check(); err != nil {
		return store.Page{}, err
	}
	c, err := parseCursor(q, time.Now())
	if err != nil {
		return store.Page{}, err
	}
	sel := &selection{s: s, q: q, cursor: c}
	if q.After != "" {
		sel.after = &c.after
	}
	page, err := sel.page(ctx)
	return page, s.failed(ctx, "read from", err)
}

func (sel *selection) page(ctx context.Context) (store.Page, error) {
	var page store.Page
	var err error
	if sel.after == nil {
		if page.Gaps, err = sel.s.gaps(ctx, sel.q); err != nil {
			return page, err
		}
	}
	none, err := sel.conditions(ctx)
	if none || err != nil {
		return page, err
	}
	hits, err := sel.hits(ctx, sel.q.PageSize()+1)
	if err != nil {
		return page, err
	}
	if len(hits) > sel.q.PageSize() {
		hits = hits[:sel.q.PageSize()]
		sel.cursor.after = hits[len(hits)-1].spot
		page.Next = sel.cursor.String()
	}
	page.Processes = make([]store.Process, len(hits))
	of := make([]*store.Process, len(hits))
	for i := range hits {
		page.Processes[i] = hits[i].Process
		of[i] = &page.Processes[i]
	}
	return page, nil
}

// Holder returns the process that held the PID at the time. Of those that are known
// to have lived then it is the one that began last.
func (s *Store) Holder(ctx context.Context, host string, pid int, at time.Time) (store.Process, error) {
	if err := s.ready(ctx); err != nil {
		return store.Process{}, err
	}
	if pid <= 0 || at.IsZero() {
		return store.Process{}, store.ErrNotFound
	}
	sel := &selection{s: s, q: &store.Query{Host: host, Since: at, Until: at}, cursor: cursor{now: at}}
	_, err := sel.conditions(ctx)
	if err != nil {
		return store.Process{}, s.failed(ctx, "read from", err)
	}
	sel.where = append(sel.where, fmt.Sprintf("pid = %d", pid))
	hits, err := sel.hits(ctx, 1)
	if err != nil {
		return store.Process{}, s.failed(ctx, "read from", err)
	}
	if len(hits) == 0 {
		return store.Process{}, store.ErrNotFound
	}
	return hits[0].Process, nil
}

// conditions makes those that hold for all that is asked for, but for the time. It
// reports whether nothing can be meant.
func (sel *selection) conditions(ctx context.Context) (none bool, err error) {
	q := sel.q
	if q.Host != "" {
		sel.where = append(sel.where, "host = "+quote(q.Host))
	}
	for i := range q.Filter {
		sel.where = append(sel.where, sel.s.term(&q.Filter[i], sel.cursor.now))
	}
	if q.Under != (store.Key{}) {
		under, err := sel.s.under(ctx, q.Under)
		if under == "" || err != nil {
			return true, err
		}
		sel.where = append(sel.where, under)
	}
	if !q.Until.IsZero() {
		op := "<"
		if q.Until.Equal(q.Since) {
			op = "<="
		}
		until := clamped(q.Until)
		sel.where = append(sel.where, fmt.Sprintf("began %s %s", op, sel.s.wall(until)), fmt.Sprintf("hour <= %d", hourOf(q.Until)))
	}
	of := slices.Clone(sel.where)
	if !q.Since.IsZero() {
		of = append(of, sel.s.lasted(q.Since))
	}
	for _, name := range q.Ancestors {
		descends, err := sel.s.descends(ctx, name, q.Host, of)
		if descends == "" || err != nil {
			return true, err
		}
		sel.where = append(sel.where, descends)
	}
	return false, nil
}

// clamped is the time in nanoseconds since the epoch, or the nearest that these reach
// and that the wall clock of a host can show.
func clamped(t time.Time) int64 {
	switch {
	case t.Year() < 1970:
		return 0
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// A hit is a process that is asked for.
type hit struct {
	spot
	store.Process
}

// hits are the next ones of the answer, at most as many.
func (sel *selection) hits(ctx context.Context, most int) ([]*hit, error) {
	var all []*hit
	spans, err := sel.spans(ctx) // of which one after the other is looked at
	if err != nil {
		return nil, err
	}
	for len(spans) > 0 && len(all) < most {
		need := most - len(all)
		spots, err := sel.spots(ctx, spans[0], need)
		if err != nil {
			return nil, err
		}
		hits, err := sel.fetch(ctx, spots)
		if err != nil {
			return nil, err
		}
		all = append(all, hits...)
		if len(spots) < need {
			spans = spans[1:]
			continue
		}
		sel.after = &spots[len(spots)-1].spot
	}
	return all, nil
}

// A candidate is a row that may be asked for.
type candidate struct {
	spot
	hour int64
}

// spots are the places of the next rows that may be meant, in the order of the answer,
// of those that began in one of the spans.
func (sel *selection) spots(ctx context.Context, of []span, most int) ([]candidate, error) {
	order := " ORDER BY sort_by DESC, sort_began DESC, host, boot, id LIMIT " + strconv.Itoa(most)
	if sel.q.Order == store.Earliest {
		order = " ORDER BY sort_began, host, boot, id LIMIT " + strconv.Itoa(most)
	}
	query := list(of, func(s span) string { return sel.question(s) + order })
	if len(of) > 1 {
		parts := make([]string, len(of))
		for i, s := range of {
			parts[i] = "SELECT * FROM (" + sel.question(s) + order + ")"
		}
		query = "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ")" + order
	}
	var all []candidate
	err := sel.s.rows(ctx, query, func(scan func(...any) error) error {
		var c candidate
		var hour uint32
		var id string
		if err := scan(&hour, &c.host, &c.boot, &id, &c.by, &c.began); err != nil {
			return err
		}
		c.hour, c.key = int64(hour), key(id)
		all = append(all, c)
		return nil
	})
	return all, err
}

// question asks for the places of rows that may be meant.
func (sel *selection) question(of span) string {
	s := sel.s
	by := sel.by()
	where := slices.Clone(sel.where)
	if sel.after != nil {
		where = append(where, sel.beyond(by))
	}
	where = append(where, of.conditions(s)...)
	if !sel.q.Since.IsZero() {
		if since := clamped(sel.q.Since); of.to == 0 || of.to > since/1e9 {
			where = append(where, s.lasted(sel.q.Since))
		} else { // none began since then
			where = append(where, fmt.Sprintf("(ended > %s OR ended = %s)", s.wall(since), s.wall(0)))
		}
	}
	if len(where) == 0 {
		where = []string{"1"}
	}
	return fmt.Sprintf("SELECT toUInt32(hour) AS begun, host, boot, id, %s AS sort_by, %s AS sort_began FROM %s FINAL WHERE %s",
		by, s.nanoseconds("began"), s.table("processes"), strings.Join(where, " AND "))
}

// lasted is the condition that a process was there at the time or later.
func (s *Store) lasted(since time.Time) string {
	at := s.wall(clamped(since))
	return fmt.Sprintf("(ended > %s OR ended = %s OR began >= %s)", at, s.wall(0), at)
}

// by is what the answer is sorted by, besides when they began.
func (sel *selection) by() string {
	switch sel.q.Order {
	case store.Longest:
		return sel.s.lived(sel.cursor.now)
	case store.ByCPU:
		return "toInt64(user_time + system_time)"
	case store.ByMemory:
		return "toInt64(least(max_rss, " + fmt.Sprint(uint64(math.MaxInt64)) + "))"
	default:
		return "toInt64(0)"
	}
}

// beyond is the condition for what comes after the last row that was read.
func (sel *selection) beyond(by string) string {
	a := sel.after
	began := sel.s.wall(a.began)
	rest := fmt.Sprintf("began = %s AND (host, boot, id) > (%s, %s, %s)", began, quote(a.host), quote(a.boot), a.key.fixed())
	if sel.q.Order == store.Earliest {
		return fmt.Sprintf("(began > %s OR %s)", began, rest)
	}
	return fmt.Sprintf("(%s < %d OR %s = %d AND (began < %s OR %s))", by, a.by, by, a.by, began, rest)
}

// fetch reads the processes, and leaves out those that are not asked for.
func (sel *selection) fetch(ctx context.Context, spots []candidate) ([]*hit, error) {
	s := sel.s
	byKey := make(map[joint]*row, len(spots))
	if len(spots) > 0 {
		err := s.readKeys(ctx, among(spots), func(r *row) error {
			byKey[joint{bootKey{r.Host, r.Boot}, r.key}] = r
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var all []*hit
	var of []*store.Process
	for i := range spots {
		c := &spots[i]
		if r := byKey[joint{bootKey{c.host, c.boot}, c.key}]; r != nil {
			h := &hit{c.spot, r.Process}
			all, of = append(all, h), append(of, &h.Process)
		}
	}
	if err := s.contain(ctx, of); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(h *hit) bool {
		return !sel.q.Covers(h.Began, h.Ended) || !sel.q.Filter.Holds(&h.Process, sel.cursor.now)
	}), nil
}

// among is the condition that a row is one of the candidates.
func among(all []candidate) string {
	b := bootKey{all[0].host, all[0].boot}
	hours := make([]int64, len(all))
	for i := range all {
		if (bootKey{all[i].host, all[i].boot}) != b {
			return "(hour, host, boot, id) IN (" + list(all, candidate.literal) + ")"
		}
		hours[i] = all[i].hour
	}
	return b.of() + " AND hour IN (" + numerals(sorted(hours)) + ") AND id IN (" + list(all, func(c candidate) string { return c.key.literal() }) + ")"
}

func (c candidate) literal() string {
	return fmt.Sprintf("(%d, %s, %s, %s)", c.hour, quote(c.host), quote(c.boot), c.key.literal())
}
