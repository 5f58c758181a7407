package api

import (
	"slices"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/store"
)

// fromInstant is the history as a source of what was at an instant.
var fromInstant = answer.Source{Name: fromHistory.Name, CannotTell: append(slices.Clip(fromHistory.CannotTell),
	"name: of then it is told by execve alone, and empty where that does not tell; one that was set otherwise is the last one",
	"owner, container_group and parent: of then they are not kept; the last ones that are known are told",
)}

// instantOf is the instant that a question is about, zero for one about a window.
func instantOf(q *store.Query) time.Time {
	if q.Since.Equal(q.Until) {
		return q.Since
	}
	return time.Time{}
}

// lasting returns the terms about what is the same at all times, as far as is kept.
func lasting(f store.Filter) (kept store.Filter) {
	for _, t := range f {
		switch t.Field {
		case store.Text, store.Match, store.Name, store.ExitStatus, store.Lived, store.StateIs:
		default:
			kept = append(kept, t)
		}
	}
	return kept
}

// pastOf begins the answer to a question to the history.
func (s *Server) pastOf(c *scope, q *store.Query) Answer {
	a := s.past(c, q.Until)
	if !instantOf(q).IsZero() {
		a.Source = fromInstant
	}
	until, now := q.Until, s.now()
	if until.IsZero() || until.After(now) {
		until = now
	}
	if note := c.silent(until, now); c.one == nil && note != "" {
		a.lack(note)
	}
	return a
}
