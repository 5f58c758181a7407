package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/ship"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
	"github.com/proclineage/lineage/store/sqlite"
)

// interval is how often a host writes to its own history, as a daemon does.
const interval = 500 * time.Millisecond

// An ingest has hosts write their histories, each ship its own, and looks whether all
// of it has arrived.
type ingest struct {
	hosts, rate int
	length      time.Duration

	mu     sync.Mutex
	delays []time.Duration // from the end of each process until the fleet's store had it
	late   time.Duration   // by how much the last batch of a host was late
}

// A timed is a fleet's store, and takes down when it has each process.
type timed struct {
	*clickhouse.Store
	in    *ingest
	began time.Time // of the host's clock
}

func (t timed) Append(ctx context.Context, b *store.Batch) error {
	if err := t.Store.Append(ctx, b); err != nil {
		return err
	}
	now := time.Now()
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	for i := range b.Processes {
		if x := &b.Processes[i].Exit; x.Evidence != process.Unknown {
			t.in.delays = append(t.in.delays, now.Sub(t.began.Add(time.Duration(x.At))))
		}
	}
	return nil
}

func (in *ingest) run(ctx context.Context, dsn string) error {
	dir, err := os.MkdirTemp("", "lineage-fleet-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the way of nobody
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hosts := make([]*host, in.hosts)
	failed := make(chan error, in.hosts)
	began := time.Now()
	for n := range hosts {
		// Each begins at another moment of the interval.
		h := newHost(n, in.rate, began.Add(time.Duration(n)*interval/time.Duration(in.hosts)))
		hosts[n] = h
		go func() { failed <- in.host(ctx, h, dsn, filepath.Join(dir, h.name)) }()
	}
	for range hosts {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		return err
	}
	return in.report(ctx, dsn, hosts, time.Since(began))
}

// host is one host for the length.
func (in *ingest) host(ctx context.Context, h *host, dsn, dir string) error {
	own, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer own.Close() //nolint:errcheck // all of it has been shipped
	fleet, err := clickhouse.Open(ctx, dsn, clickhouse.Options{})
	if err != nil {
		return err
	}
	defer fleet.Close() //nolint:errcheck // what counts is what has been appended
	shipper := ship.New(ship.Options{From: own, To: timed{fleet, in, h.began}, Host: h.id})
	shipping, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- shipper.Run(shipping)
		close(ended)
	}()
	defer func() { // before the stores are closed
		stop()
		for range ended { // its error counts where all is sent
		}
	}()
	for range in.length / interval { // all of them, however late
		due := h.began.Add(time.Duration(h.now) + interval)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		b := h.batch(process.Instant(due.Sub(h.began)))
		if err := own.Append(ctx, b); err != nil {
			return err
		}
		in.mu.Lock()
		in.late = max(in.late, time.Since(due))
		in.mu.Unlock()
	}
	b := h.last()
	if err := own.Append(ctx, b); err != nil {
		return err
	}
	for shipper.Stats().Mark.Now < b.Now {
		select {
		case err := <-ended:
			return errors.Join(errors.New("the shipper has ended"), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	return <-ended
}

// report compares what has arrived with what was made, and says how long it took.
func (in *ingest) report(ctx context.Context, dsn string, hosts []*host, took time.Duration) error {
	c, err := connect(dsn)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // it was read from
	rows, err := c.Query(ctx, "SELECT host, count(), uniqExact(boot, id), countIf(exit != 'unknown'), sum(toUInt64(pid)), sum(start), sum(exit_status) FROM processes FINAL GROUP BY host")
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err is asked
	arrived := map[string]sums{}
	for rows.Next() {
		var id string
		var s sums
		var unique uint64
		if err := rows.Scan(&id, &s.processes, &unique, &s.ended, &s.pids, &s.starts, &s.status); err != nil {
			return err
		}
		if unique != s.processes {
			return fmt.Errorf("host %s has %d of %d processes twice", id, s.processes-unique, s.processes)
		}
		arrived[id] = s
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var total uint64
	for _, h := range hosts {
		if arrived[h.id] != h.told {
			return fmt.Errorf("of %s have arrived %+v, of %+v", h.name, arrived[h.id], h.told)
		}
		total += h.told.processes
	}
	slices.Sort(in.delays)
	at := func(hundredth int) time.Duration {
		return in.delays[min(len(in.delays)-1, len(in.delays)*hundredth/100)].Round(time.Millisecond)
	}
	fmt.Printf("%d hosts, %d processes in %v, %.0f a second: all there, none twice\n", len(hosts), total, took.Round(time.Millisecond), float64(total)/took.Seconds())
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	own := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	fmt.Printf("the hosts and who ships from them: %.1f µs of processor time a process\n", own.Seconds()*1e6/float64(total))
	fmt.Printf("from the end of a process until the fleet's store has it: median %v, p99 %v, most %v\n", at(50), at(99), at(100))
	fmt.Printf("the hosts' own histories were late by %v at most\n", in.late.Round(time.Millisecond))
	return nil
}
