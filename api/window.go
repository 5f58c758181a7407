package api

import (
	"context"
	"net/http"
	"time"

	"github.com/proclineage/lineage/store"
)

// window has the query be about a window that is neither open nor too long: until
// now, unless it says otherwise, and from since on.
func (s *Server) window(p *params, q *store.Query, since time.Time) {
	if q.Until.IsZero() || q.Until.After(p.now) {
		q.Until = p.now
	}
	if q.Since.IsZero() {
		q.Since = since
	}
	if q.Until.Before(q.Since) {
		p.fail(malformed("the window ends before it begins"))
	}
	if q.Until.Sub(q.Since) > s.o.Limits.Window {
		p.fail(problem(http.StatusBadRequest, "take a shorter one", "the window is longer than %v", s.o.Limits.Window))
	}
}

// each calls yield with the pages of what a query asks for, until there is no more
// or there have been most processes. It reports whether there were more, and
// why something is missing.
func (s *Server) each(ctx context.Context, v *viewer, q *store.Query, most int, yield func(*store.Page)) (more bool, note string, err error) {
	left := most
	for first := true; first || q.After != ""; first = false {
		q.Limit = min(left, store.MaxLimit)
		if left == 0 {
			return true, note, nil
		}
		asked := *q // which is restricted to what the viewer may see
		var page store.Page
		if page, note, err = s.ask(ctx, v, &asked); err != nil {
			return false, note, err
		}
		if !first {
			page.Gaps = nil
		}
		left -= len(page.Processes)
		q.After = page.Next
		yield(&page)
	}
	return false, note, nil
}
