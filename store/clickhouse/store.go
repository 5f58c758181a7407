// Package clickhouse keeps the histories of many hosts in one ClickHouse, behind
// [store.Store]. Sharding, replication and retention are ClickHouse's own work.
//
// A process is a row of the table processes, and what is learned later of it is the
// same row again, newer (ReplacingMergeTree). With each stand the keys of those above
// it by creation, the nearest first, so that neither ancestors nor descendants are
// looked for step by step. Where these end although there is more above, as there are
// more than [MaxAncestors] or as it became known later, the table links goes on.
//
// A store has one writer for each host, which may be in another program for each:
// lineage serve ships its own. Of one host no two may write at the same time.
//
// Batches of 10,000 processes, or of what a second brings, suit ClickHouse best. For
// hundreds of writers that bring less let the server gather them, by
// async_insert=1&wait_for_async_insert=1 in the data source name; without the wait an
// error would be nobody's.
//
// Who only reads needs SELECT on the database and on system.parts, and may have
// readonly=2; with readonly=1 no settings can be sent.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/store"
)

// MaxAncestors is how many of those above a process are kept with it, and in a row of
// the table links.
const MaxAncestors = 64

// Options say how a store is opened.
type Options struct {
	// Remembered is how many processes the writer remembers of each boot besides
	// those that live and those above them, zero for 10,000. Of others it asks
	// ClickHouse.
	Remembered int
	// Log takes what is asked of ClickHouse, at the level of debugging. It may be nil.
	Log *slog.Logger
}

// A Store is one in ClickHouse.
type Store struct {
	dialect
	conn     driver.Conn
	where    string // for errors
	database string
	cluster  string // empty for a single server
	http     bool   // and not the native protocol
	options  Options
	few      int // see fewMeant

	writing sync.Mutex // held by Append and Expire
	boots   map[bootKey]*boot
	settled map[string]bool // by host, see settle
	batch   int64           // number of the last one

	mu     sync.RWMutex
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open opens the store at the data source name, as the driver has it:
// clickhouse://user:password@host:9000/database for the native protocol, with other
// hosts after commas, secure=true for TLS and any setting of the server as a
// parameter; or http:// and https:// for that protocol. Its error wraps [ErrSchema]
// where [Init] has to be called first.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	options, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	options.Logger = o.Log
	if o.Remembered == 0 {
		o.Remembered = 10_000
	}
	s := &Store{where: describe(options), database: options.Auth.Database, http: options.Protocol == driver.HTTP, options: o, few: fewMeant, boots: map[bootKey]*boot{}, settled: map[string]bool{}}
	s.conn, s.dialect, err = connect(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("open the history in %s: %w", s.where, failure(ctx, err))
	}
	if s.cluster, err = check(ctx, s.conn, s.database); err != nil {
		return nil, fmt.Errorf("open the history in %s: %w", s.where, errors.Join(failure(ctx, err), s.conn.Close()))
	}
	return s, nil
}

// table is the name of a table in SQL.
func (s *Store) table(name string) string { return identifier(s.database) + "." + name }

// local is the name for where one server asks for what it has itself, which of a host
// is all.
func (s *Store) local(name string) string { return s.table(name + suffix(s.cluster)) }

// ready returns an error where nothing is answered any more.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// Close frees what the store holds. All that was appended is written.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.conn.Close()
}
