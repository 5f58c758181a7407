package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/proclineage/lineage/store"
)

// mostProbed is how long a history that was too slow may take to say that it is there.
const mostProbed = time.Second

// reading has a handler that asks the history say so where that does not answer at all:
// without a live view it is elsewhere, and may be away. The log is told once.
func (s *Server) reading(h handler) handler {
	if s.live || s.o.Candid {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if err == nil || errors.Is(err, store.ErrNotFound) {
			if s.away.Swap(false) {
				s.log.Info("the history answers again")
			}
			return err
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, store.ErrClosed) {
			return err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), mostProbed)
			defer cancel()
			if s.ready(ctx) == nil {
				return err // it was too much
			}
		} else if _, known := problemOf(err); known {
			return err
		}
		if !s.away.Swap(true) {
			s.log.Error("the history does not answer", "error", err)
		}
		return errAway
	}
}
