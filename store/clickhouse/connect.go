package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/store"
)

// dialTimeout is for how long a server may take to answer at first, where the name does
// not say. Other answers may take what the driver allows, five minutes, or read_timeout.
var dialTimeout = 5 * time.Second

// parse reads a data source name. Its errors do not tell of the password.
func parse(dsn string) (*driver.Options, error) {
	o, err := driver.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("the name of a ClickHouse, as clickhouse://user:password@host:9000/database: %w", err)
	}
	if o.Auth.Database == "" {
		o.Auth.Database = "default"
	}
	if o.Compression == nil {
		o.Compression = &driver.Compression{Method: driver.CompressionLZ4}
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = dialTimeout
	}
	o.DialStrategy = dial
	return o, nil
}

// dial is the driver's, which does not end with the context while a server is silent
// that has taken the connection.
func dial(ctx context.Context, id int, o *driver.Options, one driver.Dial) (driver.DialResult, error) {
	type dialled struct {
		driver.DialResult
		error
	}
	done := make(chan dialled, 1)
	go func() {
		r, err := driver.DefaultDialStrategy(ctx, id, o, one)
		done <- dialled{r, err}
	}()
	select {
	case <-ctx.Done():
		return driver.DialResult{}, ctx.Err()
	case d := <-done:
		return d.DialResult, d.error
	}
}

// describe says which database of which servers it is.
func describe(o *driver.Options) string {
	return fmt.Sprintf("the database %s of ClickHouse at %s", o.Auth.Database, strings.Join(o.Addr, ","))
}

// connect returns a connection with the settings of the server's version.
func connect(ctx context.Context, o *driver.Options) (driver.Conn, dialect, error) {
	first := *o
	first.Settings = nil
	d, err := ask(ctx, &first)
	if err != nil {
		return nil, d, err
	}
	all := *o
	all.Settings = d.settings(o.Settings)
	c, err := driver.Open(&all)
	return c, d, err
}

// ask asks which dialect the server has.
func ask(ctx context.Context, o *driver.Options) (d dialect, err error) {
	c, err := driver.Open(o)
	if err != nil {
		return d, err
	}
	defer func() {
		if closing := c.Close(); err == nil {
			err = closing
		}
	}()
	var version string
	var exact uint64
	if err := c.QueryRow(ctx, "SELECT version(), countIf(name = "+quote(exactMode)+") FROM system.settings").Scan(&version, &exact); err != nil {
		return d, err
	}
	d = dialectOf(version)
	d.exact = exact > 0
	return d, nil
}

// The codes of errors, as the server names them.
const (
	unknownDatabase            = 81
	timeoutExceeded            = 159
	tooManySimultaneousQueries = 202
	tooManyParts               = 252
	serverOverloaded           = 745
)

// busy reports whether the server takes no more for a while. A block of too many days has
// the same code, and would never be taken.
func busy(e *driver.Exception) bool {
	switch e.Code {
	case tooManyParts:
		return !strings.Contains(e.Message, "partitions for single INSERT block")
	case tooManySimultaneousQueries, serverOverloaded:
		return true
	default:
		return false
	}
}

// failure is the error of a question, the context's where that has ended.
func failure(ctx context.Context, err error) error {
	var told *driver.Exception
	deadline, ok := ctx.Deadline()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case ok && !time.Now().Before(deadline): // the connection had the same
		return context.DeadlineExceeded
	case errors.As(err, &told) && told.Code == unknownDatabase:
		return fmt.Errorf("%w: there is no such database: make it with lineage fleet init", ErrSchema)
	case errors.As(err, &told) && busy(told):
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	}
	return err
}

// failed is an error of the store, nil for nil.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", what, s.where, failure(ctx, err))
}

// rows calls each for the rows of an answer, until it returns an error.
func (s *Store) rows(ctx context.Context, query string, each func(scan func(...any) error) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // which ends the question where not all rows were read
	if s.http {
		ctx = driver.Context(ctx, driver.WithSettings(s.readonly()))
	}
	rows, err := s.conn.Query(ctx, query)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err = ctx.Err(); err == nil {
			err = each(rows.Scan)
		}
		if err != nil {
			cancel()
			_ = rows.Close() // says that it was cancelled
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
