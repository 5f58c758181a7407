package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/store"
)

// status answers what the daemon is and has.
func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if p := s.paramsOf(r); p.err != nil {
		return p.err
	}
	now := s.now()
	a := Status{
		Version: s.o.Version, Started: wall(s.started), UptimeSeconds: now.Sub(s.started).Seconds(), Sees: "own",
		ReadOnly: !s.live,
		Events:   EventStatus{Live: s.ring.fed(), Streams: int(s.streams.used()), StreamsMax: s.o.Limits.Streams},
	}
	if sees(r).all {
		a.Sees = "all"
	}
	if s.live {
		a.Answer = s.alive()
		live := s.o.Tree.Stats()
		a.Live = &LiveStatus{
			Alive: live.Alive, Zombie: live.Zombie, Ended: live.Ended, Reused: live.Reused, Evicted: live.Evicted, Losses: live.Losses,
		}
	} else {
		c, err := s.about(r.Context(), "")
		a.Answer = s.past(&c, now)
		if err != nil {
			a.lack("which hosts there are is not known")
		}
	}
	if s.o.Shipping != nil {
		a.Shipping = shippingOf(s.o.Shipping())
	}
	if s.o.History != nil {
		stats, err := s.held(r.Context())
		a.Store = &StoreStats{Processes: stats.Processes, Bytes: stats.Bytes, Oldest: moment(stats.Oldest), Newest: moment(stats.Newest)}
		if err == nil && s.live { // of a fleet they may be any number: the history has them
			var page store.Page
			page, err = s.o.History.Select(r.Context(), &store.Query{Host: s.host, Since: now.Add(-24 * time.Hour), Until: now, Limit: 1})
			a.addGaps(page.Gaps)
			if len(page.Gaps) > 0 {
				a.lack("there are gaps in the last day")
			}
		}
		if err != nil {
			a.Store.Error = answer.OneLine(err)
			a.lack("the history does not answer")
		}
		if s.o.Writing != nil {
			writing := s.o.Writing()
			a.Store.Writing = &WritingStatus{Pending: writing.Pending, Last: moment(writing.Last), Dropped: writing.Dropped}
			if writing.Err != nil {
				a.Store.Writing.Error = answer.OneLine(writing.Err)
				a.lack(unwritten(&writing))
			}
		}
	}
	return s.json(w, r, &a)
}

func shippingOf(x Shipping) *ShippingStatus {
	o := &ShippingStatus{To: x.To, BehindSeconds: x.Behind.Seconds(), Shipped: x.Shipped, Failures: x.Failures, Last: moment(x.Last)}
	if x.Err != nil {
		o.Error = answer.OneLine(x.Err)
	}
	return o
}

func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return answer.Optional(wall(t))
}

// healthz answers that the daemon lives.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) error {
	return s.send(w, r, "text/plain; charset=utf-8", []byte("ok\n"))
}

// unwritten says since when the history cannot be written.
func unwritten(w *Writing) string {
	if w.Last.IsZero() {
		return "the history cannot be written: " + answer.OneLine(w.Err)
	}
	return "the history cannot be written since " + wall(w.Last) + ": " + answer.OneLine(w.Err)
}

// mostReady is how long the history may take to say that it answers.
const mostReady = 5 * time.Second

// ready fails where the history does not answer.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, mostReady)
	defer cancel()
	host := s.host
	if host == "" {
		host = "nobody" // any one will do; of all of a fleet's it is more to read
	}
	_, err := s.o.History.Last(ctx, host)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// A holding is how much a history holds, as of a while ago.
type holding struct {
	turn  chan struct{} // has room for the one who asks
	stats store.Stats
	at    time.Time // zero for never
}

// held is how much the history holds. That of a fleet is asked once a minute.
func (s *Server) held(ctx context.Context) (store.Stats, error) {
	if s.live {
		return s.o.History.Stats(ctx)
	}
	h := &s.holding
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return store.Stats{}, ctx.Err()
	}
	if !h.at.IsZero() && time.Since(h.at) < time.Minute {
		return h.stats, nil
	}
	stats, err := s.o.History.Stats(ctx)
	if err == nil {
		h.stats, h.at = stats, time.Now()
	}
	return stats, err
}

// readyz answers whether the daemon can answer, and keep what happens.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.o.History != nil {
		if err := s.ready(r.Context()); err != nil {
			s.log.Error("the history does not answer", "error", err)
			return problem(http.StatusServiceUnavailable, "see the log of the daemon", "the history does not answer")
		}
	}
	if s.o.Writing != nil {
		if writing := s.o.Writing(); writing.Err != nil {
			return problem(http.StatusServiceUnavailable, "see the log of the daemon", "%s", unwritten(&writing))
		}
	}
	return s.healthz(w, r)
}
