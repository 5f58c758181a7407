package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// Stats is what an exporter has done.
type Stats struct {
	// Records is how many records were made. Each is Waiting, Sent or Lost.
	Records uint64
	// Waiting is how many wait for the collector, or are on their way.
	Waiting int
	// Sent is how many the collector has taken.
	Sent uint64
	// Lost is how many it has not, or may not have, and never gets.
	Lost uint64
	// Losses is how many times events were lost before there were records of
	// them, here or in the kernel.
	Losses uint64
	// Failed is how many attempts have failed, and Err why the last one did, nil
	// if the last one has not. What the collector has asked to be sent again
	// later counts once it has been given up.
	Failed uint64
	Err    error
	// Last is when the collector last took something, or Run began.
	Last time.Time
}

const (
	// firstPause is how long a batch that could not be sent waits, and longestPause
	// how long it does after many attempts.
	firstPause   = 500 * time.Millisecond
	longestPause = 15 * time.Second
	// reading is how long an event may wait for room once Run is to end. The tree
	// gives up a reader after a second.
	reading = 500 * time.Millisecond
)

// A delivery hands batches to the exporter of the SDK and sees to what becomes of
// them. The SDK's processor calls it from one goroutine. It never has to drop
// anything, since there is a place in room for each record that it holds.
type delivery struct {
	next  sdklog.Exporter
	log   *slog.Logger
	room  chan struct{}
	ended chan struct{} // closed once nothing is to be sent any more
	full  bool          // nothing more is admitted

	mu     sync.Mutex
	stats  Stats
	untold lost   // what the collector has not been told of
	left   uint64 // how many were lost at the end
}

// errEnded is why records that are left at the end are lost.
var errEnded = errors.New("there is no more time to send them")

// lost is records that the collector did not take.
type lost struct {
	records      int64
	since, until time.Time // of the first and the last
}

func (d *delivery) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Last = time.Now()
}

func (d *delivery) now() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// admit waits until there is room for a record. When ctx has ended it does not wait
// for long, and reports false, of a record that is lost.
func (d *delivery) admit(ctx context.Context, loss bool) bool {
	ok := d.place(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Records++
	if loss {
		d.stats.Losses++
	}
	if ok {
		d.stats.Waiting++
	} else {
		d.stats.Lost++
		d.left++
	}
	return ok
}

func (d *delivery) place(ctx context.Context) bool {
	if d.full {
		return false
	}
	select {
	case d.room <- struct{}{}:
		return true
	case <-ctx.Done():
	}
	select {
	case d.room <- struct{}{}:
		return true
	case <-time.After(reading):
		d.full = true
		return false
	}
}

// Export implements [sdklog.Exporter]. It returns nil in any case: what is to be
// said it says itself.
func (d *delivery) Export(ctx context.Context, records []sdklog.Record) error {
	err := d.send(ctx, d.withLoss(records))
	n := len(records)
	d.mu.Lock()
	d.stats.Waiting -= n
	switch {
	case err == nil:
		d.stats.Sent += uint64(n)
		d.untold = lost{}
	case errors.Is(err, errEnded):
		d.stats.Lost += uint64(n)
		d.left += uint64(n)
	default:
		d.stats.Lost += uint64(n)
		if d.untold.records == 0 {
			d.untold.since = records[0].Timestamp()
		}
		d.untold.records += int64(n)
		d.untold.until = records[n-1].Timestamp()
		d.log.Warn("records are lost", "records", n, "error", err)
	}
	d.mu.Unlock()
	for range n {
		<-d.room
	}
	return nil
}

// send sends a batch, again and again where it does not get through, which the
// exporter takes for final: it tries again what the collector answers is to be. It
// fails with errEnded once nothing is to be sent any more.
func (d *delivery) send(ctx context.Context, records []sdklog.Record) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-d.ended:
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		select {
		case <-d.ended:
			return errEnded
		default:
		}
		err := d.next.Export(ctx, records)
		if err != nil && errors.Is(context.Cause(ctx), errEnded) {
			return errEnded
		}
		d.attempted(err)
		var broken *url.Error
		if err == nil || !errors.As(err, &broken) {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errEnded) {
				return errEnded
			}
			return err
		case <-time.After(pause):
		}
	}
}

// attempted takes down how an attempt went, and logs what is news.
func (d *delivery) attempted(err error) {
	d.mu.Lock()
	before := d.stats.Err
	d.stats.Err = err
	if err != nil {
		d.stats.Failed++
	} else {
		d.stats.Last = time.Now()
	}
	d.mu.Unlock()
	switch {
	case err == nil && before != nil:
		d.log.Info("the collector takes records again")
	case err != nil && (before == nil || before.Error() != err.Error()):
		d.log.Warn("the collector does not take records", "error", err)
	}
}

// withLoss returns the records with one more, about those that the collector did
// not take, where there are such.
func (d *delivery) withLoss(records []sdklog.Record) []sdklog.Record {
	d.mu.Lock()
	u := d.untold
	d.mu.Unlock()
	if u.records == 0 {
		return records
	}
	r := records[0].Clone() // with the resource
	r.SetEventName(Loss)
	r.SetTimestamp(u.until)
	r.SetObservedTimestamp(time.Now())
	r.SetSeverity(log.SeverityWarn)
	r.SetSeverityText(log.SeverityWarn.String())
	r.SetBody(attribute.StringValue(fmt.Sprintf("%d records are lost", u.records)))
	r.SetAttributes(LossSinceKey.String(timestamp(u.since)), LossRecordsKey.Int64(u.records))
	return append(slices.Clip(records), r)
}

// finish logs what was lost at the end.
func (d *delivery) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left > 0 {
		d.log.Warn("records are lost", "records", d.left, "error", errEnded)
	}
}

// Shutdown implements [sdklog.Exporter].
func (d *delivery) Shutdown(ctx context.Context) error { return d.next.Shutdown(ctx) }

// ForceFlush implements [sdklog.Exporter].
func (d *delivery) ForceFlush(ctx context.Context) error { return d.next.ForceFlush(ctx) }
