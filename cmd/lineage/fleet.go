package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"

	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

func newFleet(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "fleet",
		Short: "The store that many hosts send their histories to",
		Long: `A fleet keeps the histories of many hosts in one ClickHouse. 'lineage fleet init'
prepares it, 'lineage serve --store clickhouse://…' on each host sends to it, and
history, why, tree and 'lineage serve --read-only' with that --store ask it.`,
		Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newFleetInit(a))
	return c
}

func newFleetInit(a *app) *cobra.Command {
	var name, cluster string
	var retention days
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the schema of the fleet's store, or bring it up to date",
		Long: `Make the database and the tables of the fleet's store, or bring those of an earlier
lineage up to date. What is there stays. It may be run again at any time, and while
hosts send.

` + credentialsHelp + `

The user needs the rights to CREATE and ALTER there; hosts need INSERT and SELECT, and
who asks SELECT.

The variable LINEAGE_STORE stands for --store, as of 'lineage serve'. Without
--retention a new schema keeps processes for ` + shortDuration(clickhouse.DefaultRetention) + `, and one that is there stays
as it is in that.`,
		Example: `  lineage fleet init --store clickhouse://admin@fleet:9000/lineage
  lineage fleet init --store clickhouse://admin@fleet:9000/lineage --cluster main --retention 90d`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := notEmpty(c, "store", "cluster"); err != nil {
				return err
			}
			if name == "" {
				name = a.getenv(variable("store"))
			}
			if !isFleet(name) {
				return usagef("--store says which: clickhouse://HOST:9000/DATABASE")
			}
			if retention != 0 && time.Duration(retention) < clickhouse.MinRetention {
				return usagef("--retention %s: hosts tell once a day of what lives, so it is %s at least", retention.String(), shortDuration(clickhouse.MinRetention))
			}
			o := clickhouse.InitOptions{Cluster: cluster, Retention: time.Duration(retention)}
			if c.Flags().Changed("retention") && retention == 0 {
				o.Retention = -1 // for ever
			}
			return a.initFleet(name, o)
		},
	}
	f := c.Flags()
	f.StringVar(&name, "store", "", "the `STORE`: clickhouse://USER@HOST:9000/DATABASE")
	f.StringVar(&cluster, "cluster", "", "make it on all servers of the cluster with that `NAME`, replicated and sharded as that is")
	f.Var(&retention, "retention", "for how long the fleet keeps processes after it heard of them last, as 48h, 30d or 8w; 0 for ever")
	f.Lookup("retention").DefValue = "" // which is not 0
	for _, name := range []string{"store", "cluster", "retention"} {
		must(c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	return c
}

// initFleet makes the schema, and says so.
func (a *app) initFleet(name string, o clickhouse.InitOptions) error {
	ctx, stop := untilStopped()
	defer stop()
	full, err := fullStore(name, a.getenv)
	if err != nil {
		return err
	}
	var made clickhouse.Schema
	if err = reach(ctx, full); err == nil {
		made, err = promptly(ctx, func() (clickhouse.Schema, error) { return clickhouse.Init(ctx, full, o) })
	}
	if err != nil {
		return asked(fleetError(ctx, err, full))
	}
	text := "the store of the fleet is ready: " + safe(shownStore(full))
	if o.Cluster != "" {
		text += ", on the cluster " + safe(o.Cluster)
	}
	switch {
	case made.Old:
		text += "; the server is too old to forget anything by itself"
	case made.Retention > 0:
		text += "; a process is kept for " + shortDuration(made.Retention) + " after its host told of it last"
	default:
		text += "; what is sent to it is kept for ever"
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// openFleet opens the store of a fleet.
func openFleet(ctx context.Context, name string, getenv func(string) string) (store.Store, error) {
	full, err := fullStore(name, getenv)
	if err != nil {
		return nil, err
	}
	if err := reach(ctx, full); err != nil {
		return nil, fleetError(ctx, err, full)
	}
	s, err := promptly(ctx, func() (*clickhouse.Store, error) { return clickhouse.Open(ctx, full, clickhouse.Options{}) })
	if err != nil {
		return nil, fleetError(ctx, err, full)
	}
	return s, nil
}

// mostReached is how long a ClickHouse may take to be connected to.
const mostReached = 5 * time.Second

// reach fails where no ClickHouse takes a connection within that time. What else it
// says when it is spoken to is left to who asks it.
func reach(ctx context.Context, full string) error {
	o, err := driver.ParseDSN(full)
	if err != nil {
		return err
	}
	dialled, cancel := context.WithTimeout(ctx, mostReached)
	defer cancel()
	for _, address := range o.Addr { // one of them is enough
		var c net.Conn
		if c, err = new(net.Dialer).DialContext(dialled, "tcp", address); err == nil {
			_ = c.Close()
			break
		}
	}
	if err != nil {
		return err
	}
	pinged, cancel := context.WithTimeout(ctx, mostReached)
	defer cancel()
	_, err = promptly(pinged, func() (struct{}, error) {
		c, err := driver.Open(o)
		if err == nil {
			_ = c.Ping(pinged) // it answers
			err = c.Close()
		}
		return struct{}{}, err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && pinged.Err() == nil:
		return nil
	case o.Protocol == driver.Native:
		return fmt.Errorf("%s takes the connection and says nothing: if that is its HTTP port, write http://", strings.Join(o.Addr, ","))
	}
	return fmt.Errorf("%s takes the connection and says nothing", strings.Join(o.Addr, ","))
}

// promptly returns what f does, or the error of the context once that ends: the driver
// heeds that only when it has a connection. What f opens after that is closed.
func promptly[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			r := <-done
			if c, ok := any(r.v).(io.Closer); ok && r.err == nil {
				_ = c.Close() // nobody has used it
			}
		}()
		var none T
		return none, ctx.Err()
	}
}

// The codes of ClickHouse's errors about who asks (ErrorCodes.cpp).
var strangers = []int32{
	192, // UNKNOWN_USER
	193, // WRONG_PASSWORD
	194, // REQUIRED_PASSWORD
	497, // ACCESS_DENIED
	516, // AUTHENTICATION_FAILED
}

// fleetError says of an error of ClickHouse what to do about it, and nothing of the
// password.
func fleetError(ctx context.Context, err error, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said := hushed(shortened(err), secretsOf(name))
	refused := false
	for _, code := range strangers {
		if e, ok := errors.AsType[*driver.Exception](err); ok && e.Code == code {
			refused = true
		}
		for _, end := range []string{".", ","} { // over HTTP, today's and that of 18.16
			refused = refused || strings.Contains(err.Error(), fmt.Sprintf("Code: %d%s", code, end))
		}
	}
	var network *net.OpError
	switch {
	case strings.Contains(err.Error(), "[handshake] unexpected packet [72]"): // the H of HTTP
		return fmt.Errorf("%w: that is an HTTP port: write http://", said)
	case refused:
		return permissionf("%w: say who asks in --store, or in CLICKHOUSE_USER and CLICKHOUSE_PASSWORD", said)
	case errors.Is(err, clickhouse.ErrSchema):
		return said
	case errors.As(err, &network):
		return fmt.Errorf("%w: no ClickHouse answers there", said)
	}
	return said
}
