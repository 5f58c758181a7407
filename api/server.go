// Package api serves what lineage knows over HTTP: what runs now, what ran, and
// what happens. openapi.yaml describes it, and is served.
//
// A client is let in by whom the kernel says it is, over a Unix socket, or by a
// token or a certificate over TCP; see [Listen]. Whatever it asks, what it may take
// of the server's time and memory is bounded, see [Limits].
package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/redact"
)

// A Server answers about the processes of a host. It is safe for concurrent use.
type Server struct {
	o          Options
	log        *slog.Logger
	mux        *http.ServeMux
	started    time.Time
	live       bool // there is a live view, of the host and the boot
	host, boot string

	describers sync.Pool // of *answer.Describer, with the names of now
	historians sync.Pool // the same for the history
	commands   commands
	ring       *ring
	metrics    *metrics

	working, heavy *places
	unsent         *room // bytes
	streams        *room
	rates          rates
	holding        holding
	now            func() time.Time
	away           atomic.Bool // the history does not answer
}

// New returns a server. What it tells of events begins with [Server.Run].
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	live := o.Tree != nil
	if !live {
		o.Tree = noTree{}
	}
	s := &Server{
		o: o, live: live, log: o.Logger, mux: http.NewServeMux(), started: time.Now(), now: time.Now,
		commands: commands{known: map[commandKey]command{}},
		ring:     newRing(o.Limits.Recent),
		working:  newPlaces(o.Limits.Working),
		heavy:    newHeavyPlaces(o.Limits.Heavy),
		unsent:   newRoom(o.Limits.Unsent, o.Limits.Unsent/2),
		streams:  newRoom(int64(o.Limits.Streams), int64(o.Limits.StreamsEach)),
		rates:    newRates(o.Limits.Rate, o.Limits.Burst),
		holding:  holding{turn: make(chan struct{}, 1)},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.host, s.boot = o.Tree.Host()
	s.describers.New = func() any {
		if o.Names == nil {
			return answer.NewDescriber(o.Tree, nil)
		}
		return answer.NewDescriber(o.Tree, o.Names)
	}
	s.historians.New = func() any { return answer.NewDescriber(o.Tree, nil) }
	s.metrics = newMetrics(s)
	s.routes()
	return s
}

// Run takes in what happens, for those that read events, until ctx ends. Without it
// there are none to be read.
func (s *Server) Run(ctx context.Context) error { return s.takeEvents(ctx) }

// A handler answers a request, or says what is wrong.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *Server) routes() {
	light, heavy := s.working, s.heavy
	for pattern, h := range map[string]handler{
		"/v1/processes":                  s.limited("processes", light, s.o.Limits.Query, s.reading(s.processes)),
		"/v1/processes/{id}":             s.limited("process", light, s.o.Limits.Query, s.reading(s.process)),
		"/v1/processes/{id}/ancestors":   s.limited("ancestors", light, s.o.Limits.Query, s.reading(s.ancestors)),
		"/v1/processes/{id}/lineage":     s.limited("lineage", light, s.o.Limits.Query, s.reading(s.lineage)),
		"/v1/processes/{id}/descendants": s.limited("descendants", heavy, s.o.Limits.Query, s.reading(s.descendants)),
		"/v1/tree":                       s.limited("tree", heavy, s.o.Limits.Query, s.reading(s.tree)),
		"/v1/hosts":                      s.limited("hosts", light, s.o.Limits.Query, s.reading(s.listHosts)),
		"/v1/containers":                 s.limited("containers", light, s.o.Limits.Query, s.reading(s.containers)),
		"/v1/history":                    s.limited("history", light, s.o.Limits.Query, s.reading(s.history)),
		"/v1/counts":                     s.limited("counts", heavy, s.o.Limits.Query, s.reading(s.counts)),
		"/v1/events":                     s.events,
		"/v1/export":                     s.limited("export", heavy, s.o.Limits.Export, s.reading(s.export)),
		"/v1/status":                     s.limited("status", light, s.o.Limits.Query, s.status),
		"/metrics":                       s.limited("metrics", light, s.o.Limits.Query, s.metrics.serve),
		"/openapi.yaml":                  s.openapi,
	} {
		s.handle(pattern, h)
	}
	s.mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { s.finish(w, r, s.healthz(w, r)) })
	s.mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) { s.finish(w, r, s.readyz(w, r)) })
	s.mux.HandleFunc("/", s.page)
}

// handle serves what only clients that were let in may ask.
func (s *Server) handle(pattern string, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if _, err := viewerOf(r); err != nil {
			s.fail(w, r, err)
			return
		}
		s.finish(w, r, h(w, r))
	})
}

func (s *Server) finish(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.fail(w, r, err)
	}
}

// limited has only so many be at work at a time, each for only so long.
func (s *Server) limited(op string, at *places, most time.Duration, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		began := time.Now()
		ctx, cancel := context.WithTimeout(r.Context(), most)
		defer cancel()
		give, err := at.take(ctx, sees(r))
		if err != nil {
			if r.Context().Err() != nil {
				return r.Context().Err()
			}
			return errBusy
		}
		give = sync.OnceFunc(give)
		defer give()
		err = h(w, r.WithContext(context.WithValue(ctx, placeKey{}, give)))
		s.metrics.queried(op, time.Since(began))
		return err
	}
}

// placeKey is the key of what gives back the place of a request.
type placeKey struct{}

// made gives back the place of the request: its answer needs only to be sent.
func made(r *http.Request) {
	if give, ok := r.Context().Value(placeKey{}).(func()); ok {
		give()
	}
}

// maxURL is how long the path and query of a request may be, in bytes.
const maxURL = 8 << 10

// ServeHTTP implements [http.Handler]. Requests must come through [Server.Serve],
// which says who asks.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	admitted, err := s.admit(w, r)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case admitted != nil: // else it has been answered
		s.mux.ServeHTTP(w, admitted)
	}
}

// check refuses what no request of the API is.
func check(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Connection", "close") // and what it sends is not read
		return problem(http.StatusMethodNotAllowed, "use GET", "the method is not allowed")
	case len(r.RequestURI) > maxURL:
		return problem(http.StatusRequestURITooLong, "ask for less in one request", "the address has more than %d bytes", maxURL)
	case r.ContentLength != 0:
		w.Header().Set("Connection", "close")
		return problem(http.StatusRequestEntityTooLarge, "send no body", "the request has a body")
	}
	return nil
}

// pagePolicy is what the page may do: run its own scripts, and ask this server.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page serves the page, and says of what is not there that it is not.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if _, err := viewerOf(r); err != nil {
		s.fail(w, r, err)
		return
	}
	if s.o.Page == nil || strings.HasPrefix(r.URL.Path, "/v1/") {
		s.fail(w, r, problem(http.StatusNotFound, "see /openapi.yaml", "there is nothing at this address"))
		return
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Del("Cache-Control")
	s.allow(w)
	s.o.Page.ServeHTTP(w, r)
}

// redact returns the arguments as they may be told.
func (s *Server) redact(args []string) []string {
	if s.o.ShowSecrets {
		return args
	}
	args, _ = redact.Args(args)
	return args
}
