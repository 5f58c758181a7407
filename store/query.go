package store

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// A Query asks for processes. The zero Query asks for the latest ones of all.
type Query struct {
	// Host is the host, empty for every one that the store has.
	Host string
	// Since and Until are the time: a process is of it that lived at an instant
	// from Since on and before Until. A zero Since is the beginning, and a zero
	// Until the end of all times. Where both are the same it is that instant.
	Since, Until time.Time
	// Filter is what else must hold of each.
	Filter Filter
	// Under, where it is not zero, is a process that must stand above each by
	// creation.
	Under Key
	// Ancestors are names, as of the field [Name], each of which one of those must
	// have that stand above by creation, as far as they are known.
	Ancestors []string
	// Order is how they are sorted.
	Order Order
	// Limit is how many to return at most, zero for [DefaultLimit]. More than
	// [MaxLimit] is MaxLimit.
	Limit int
	// After is where to go on, the Next of the page before of the same query.
	After string
}

const (
	// DefaultLimit is how many processes a page has.
	DefaultLimit = 100
	// MaxLimit is how many it may have.
	MaxLimit = 10_000
)

// PageSize is how many processes the page is to have at most.
func (q *Query) PageSize() int {
	switch {
	case q.Limit <= 0:
		return DefaultLimit
	default:
		return min(q.Limit, MaxLimit)
	}
}

// Check returns an error that wraps ErrQuery where the query makes no sense.
func (q *Query) Check() error {
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
		return fmt.Errorf("%w: it ends before it begins", ErrQuery)
	}
	if q.Limit < 0 {
		return fmt.Errorf("%w: a page of %d processes", ErrQuery, q.Limit)
	}
	if !q.Order.known() {
		return fmt.Errorf("%w: the order %q", ErrQuery, string(q.Order))
	}
	return nil
}

// Fingerprint is a number that differs for queries of which the pages do not go
// together: a store writes it into After, and knows by it the page of another query.
func (q *Query) Fingerprint() uint64 {
	order := q.Order
	if order == "" {
		order = Latest
	}
	var b []byte
	text := func(all ...string) {
		for _, s := range all {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	text(q.Host, string(order), q.Under.Host, q.Under.Boot, q.Under.ID.String())
	for _, t := range [...]time.Time{q.Since, q.Until} {
		b = binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(t.Nanosecond()))
	}
	b = binary.AppendUvarint(b, uint64(len(q.Ancestors)))
	text(q.Ancestors...)
	for _, t := range q.Filter {
		text(string(t.Field), string(t.Op), t.Value)
	}
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// Covers reports whether a process that began and ended then, or lives where ended
// is zero, is of the time that the query asks for.
func (q *Query) Covers(began, ended time.Time) bool {
	if !q.Until.IsZero() && !began.Before(q.Until) && (!q.Until.Equal(q.Since) || began.After(q.Until)) {
		return false
	}
	return q.Since.IsZero() || ended.IsZero() || ended.After(q.Since) || !began.Before(q.Since)
}

// An Order is how processes are sorted. Where two are alike in that, the one that
// started later comes first.
type Order string

const (
	// Latest has those that started last first. It is that of the empty Order.
	Latest Order = "latest"
	// Earliest has those that started first.
	Earliest Order = "earliest"
	// Longest has those that lived longest first, of those that live until now.
	Longest Order = "duration"
	// ByCPU has those first that used most time of processors. That is told at the
	// end of a process, and is zero before.
	ByCPU Order = "cpu"
	// ByMemory has those first with the highest peak of resident memory, which is
	// told at the end as well.
	ByMemory Order = "memory"
)

// Orders are all of them.
func Orders() []Order { return []Order{Latest, Earliest, Longest, ByCPU, ByMemory} }

func (o Order) known() bool {
	return o == "" || slices.Contains(Orders(), o)
}

// A Page is a part of an answer.
type Page struct {
	// Processes are in the order that was asked for.
	Processes []Process
	// Next is what to ask for after them, empty where there is no more.
	Next string
	// Gaps are those of the time that was asked for: what may be missing. Pages after the
	// first need not have them.
	Gaps []Gap
}
