package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/ship"
	"github.com/proclineage/lineage/store"
)

// A Fleet is a store for the histories of many hosts, to which the history is sent.
type Fleet struct {
	// From has the history, and is the Store of the Options.
	From ship.Source
	// Name is what the store is called in answers and in the log, without a password.
	Name string
	// Interval is how long what was written may wait to be sent, zero for
	// [ship.DefaultInterval].
	Interval time.Duration
	// Open opens the store, which outlives the context. Where it fails it is called
	// again.
	Open func(context.Context) (store.Store, error)
}

// shipping sends the history to the store of a fleet, which may be down.
type shipping struct {
	fleet *Fleet
	host  string
	log   *slog.Logger
	began time.Time
	// patience is how long an attempt to open the store may take.
	patience time.Duration

	mu       sync.Mutex
	shipper  *ship.Shipper // nil until the store was opened
	err      error         // why it was not, nil once it was
	attempts uint64        // that failed
}

// errUnopened says that the store was not opened yet.
var errUnopened = errors.New("the store of the fleet is being opened")

func newShipping(f *Fleet, host string, log *slog.Logger) *shipping {
	return &shipping{fleet: f, host: host, log: log, began: time.Now(), err: errUnopened, patience: 30 * time.Second}
}

// The time between two attempts to open the store.
const (
	leastWait = time.Second
	mostWait  = 30 * time.Second
)

// run sends what there is and what comes until ctx ends, and then for a few seconds
// what is left.
func (s *shipping) run(ctx context.Context) {
	to := s.open(ctx)
	if to == nil {
		return
	}
	shipper := ship.New(ship.Options{From: s.fleet.From, To: to, Host: s.host, Interval: s.fleet.Interval, Logger: s.log})
	s.mu.Lock()
	s.shipper, s.err = shipper, nil
	s.mu.Unlock()
	s.log.Info("shipping", "to", s.fleet.Name)
	if err := shipper.Run(ctx); err != nil {
		s.log.Warn("not all was shipped; the rest is at the next start", "to", s.fleet.Name, "error", err)
	}
	if err := to.Close(); err != nil {
		s.log.Warn("closing the store of the fleet", "to", s.fleet.Name, "error", err)
	}
}

// open opens the store, as soon as that can be done. It returns nil where ctx ends
// before.
func (s *shipping) open(ctx context.Context) store.Store {
	for wait := leastWait; ; wait = min(2*wait, mostWait) {
		attempt, cancel := context.WithTimeout(ctx, s.patience)
		to, err := s.fleet.Open(attempt)
		cancel()
		if err == nil {
			return to
		}
		if ctx.Err() != nil {
			return nil
		}
		s.mu.Lock()
		another := s.err.Error() != err.Error()
		s.err = err
		s.attempts++
		s.mu.Unlock()
		if another {
			s.log.Error("the store of the fleet cannot be opened; what happens is kept here meanwhile", "to", s.fleet.Name, "error", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// stats is how it goes.
func (s *shipping) stats() api.Shipping {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := api.Shipping{To: s.fleet.Name, Err: s.err, Behind: time.Since(s.began), Failures: s.attempts}
	if s.shipper != nil {
		y := s.shipper.Stats()
		x.Err, x.Behind, x.Shipped, x.Last = y.Err, y.Behind, y.Shipped, y.Mark.Wall
		x.Failures += y.Failed
	}
	return x
}

var (
	behindDesc  = prometheus.NewDesc("lineage_ship_behind_seconds", "How long what is not yet in the store of the fleet has waited.", nil, nil)
	shippedDesc = prometheus.NewDesc("lineage_ship_processes_total", "Processes that were sent to the store of the fleet; one that changes later counts again.", nil, nil)
	failedDesc  = prometheus.NewDesc("lineage_ship_errors_total", "How often the store of the fleet took nothing.", nil, nil)
	shipUpDesc  = prometheus.NewDesc("lineage_ship_up", "Whether the store of the fleet takes what is sent.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (s *shipping) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{behindDesc, shippedDesc, failedDesc, shipUpDesc} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *shipping) Collect(to chan<- prometheus.Metric) {
	x := s.stats()
	up := 0.0
	if x.Err == nil {
		up = 1
	}
	to <- prometheus.MustNewConstMetric(behindDesc, prometheus.GaugeValue, x.Behind.Seconds())
	to <- prometheus.MustNewConstMetric(shippedDesc, prometheus.CounterValue, float64(x.Shipped))
	to <- prometheus.MustNewConstMetric(failedDesc, prometheus.CounterValue, float64(x.Failures))
	to <- prometheus.MustNewConstMetric(shipUpDesc, prometheus.GaugeValue, up)
}
