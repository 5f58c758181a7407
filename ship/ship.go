// Package ship sends the history that one store keeps on to another one: that of a
// host to a fleet's.
//
// The host's own store is written to first and shipped from, so that a fleet's
// store that is down, slow or full costs nothing as long as the host's own one
// keeps what has not been shipped. Nothing is written down of how far that is: the
// other store is asked. What it may have been sent already is sent again, which
// changes nothing in a [store.Store].
package ship

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/proclineage/lineage/store"
)

// A Source is the store that is shipped from, as *sqlite.Store is one.
type Source interface {
	// Changes returns what the store was told of the host after the mark: the next
	// part of it, of about limit processes, nil where there is none. Where the
	// store has the host and nothing of the mark's boot, it fails with
	// [store.ErrNotFound].
	Changes(ctx context.Context, host string, after store.Mark, limit int) (*store.Batch, error)
	// The others are as those of [store.Store].
	Living(ctx context.Context, host string, yield func(*store.Process) bool) error
	Process(ctx context.Context, k store.Key) (store.Process, error)
	Ancestors(ctx context.Context, k store.Key) ([]store.Process, error)
}

// A Sink is the store that is shipped to, as every [store.Store] is one.
type Sink interface {
	Append(ctx context.Context, b *store.Batch) error
	// Last must not tell of a batch that is not there whole: a shipper that begins
	// goes on after it.
	Last(ctx context.Context, host string) (store.Mark, error)
	Living(ctx context.Context, host string, yield func(*store.Process) bool) error
}

// Options says how a shipper works. From and To must be set; of the rest the zero
// value is a good choice.
type Options struct {
	// From is the store that is shipped from, and To the one that is shipped to, to
	// which nobody else writes of the host: where somebody does, it fails with
	// [ErrTwoHosts].
	From Source
	To   Sink
	// Host is whose history is shipped.
	Host string
	// Interval is how often is looked for what is new, less often while To is slow or
	// busy. Zero means [DefaultInterval].
	Interval time.Duration
	// BatchSize is about how many processes a batch has at most. Zero means
	// [DefaultBatchSize].
	BatchSize int
	// Refresh is how often the living processes and those above them are sent
	// again, for a store that forgets what it was not told of for long: for much
	// longer than that. Zero means [DefaultRefresh].
	Refresh time.Duration
	// Logger is told when shipping begins to fail, and when it works again. Nothing
	// is logged when it is nil.
	Logger *slog.Logger
}

const (
	// DefaultInterval is the Interval of zero Options.
	DefaultInterval = time.Second
	// DefaultBatchSize is the BatchSize of zero Options.
	DefaultBatchSize = 10_000
	// DefaultRefresh is the Refresh of zero Options.
	DefaultRefresh = 24 * time.Hour
)

// A Shipper ships the history of one host.
type Shipper struct {
	o        Options
	patience time.Duration // with a call of a store
	goodbye  time.Duration // with what is left at the end
	pause    [2]time.Duration
	still    time.Duration // for which a mark must stand still that nobody here made
	check    time.Duration // how often is asked whether somebody else writes

	// Of Run alone.
	begun   bool
	asked   time.Time  // when the other store was asked where it is, zero for never
	mark    store.Mark // where the other store is
	tried   store.Mark // where it may be, after a batch that it has not acknowledged
	own     string     // the boot of the last batch that it has, empty for none yet
	again   bool       // the mark's batch is to be sent again
	found   store.Mark // where it was at the beginning
	strange stranger
	told    *idSet        // those that it was told of since, with those above them
	name    string        // of the host
	lost    store.Gap     // the last gap of what was forgotten before it was sent
	size    int           // of a batch: smaller after one that failed
	took    time.Duration // for the last batch to be taken
	hard    uint          // how often in a row those that live there could not be read
	refresh refresh

	mu     sync.Mutex
	stats  Stats
	since  time.Time // when Run began
	ok     bool      // all there was has been shipped
	looked time.Time // when that was all
}

// Stats is what a shipper has done.
type Stats struct {
	// Shipped and Batches are how many processes and batches were sent, those that
	// were sent again included.
	Shipped, Batches uint64
	// Gaps is how many times there were of which something had been forgotten
	// before it could be sent.
	Gaps uint64
	// Failed is how often something failed, and Err why the last time, nil if it
	// has worked since.
	Failed uint64
	Err    error
	// Unrefreshed is how often the living could not be sent again, which does not
	// count as Failed.
	Unrefreshed uint64
	// Mark is how far the other store is, zero where that is not known.
	Mark store.Mark
	// Behind is zero where all that there was when the shipper looked last has been
	// sent, or for how long it has not looked where that is more than two intervals;
	// else it is the age of Mark, and with a zero Mark for how long the shipper has
	// run.
	Behind time.Duration
}

// New returns a shipper.
func New(o Options) *Shipper {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.BatchSize <= 0 {
		o.BatchSize = DefaultBatchSize
	}
	if o.Refresh <= 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Shipper{
		o: o, patience: 30 * time.Second, goodbye: 5 * time.Second, pause: [2]time.Duration{time.Second, time.Minute},
		still: max(2*o.Interval, 30*time.Second), check: 10 * time.Minute,
		told: newIDSet("", mostTold), size: o.BatchSize,
	}
}

// Stats returns what the shipper has done. It is safe for concurrent use.
func (s *Shipper) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	switch {
	case s.since.IsZero():
	case s.ok:
		if ago := time.Since(s.looked); ago > 2*s.o.Interval {
			stats.Behind = ago
		}
	case stats.Mark.Wall.IsZero():
		stats.Behind = time.Since(s.since)
	default:
		stats.Behind = max(time.Since(stats.Mark.Wall), 1) // also where the clock is wrong
	}
	return stats
}
