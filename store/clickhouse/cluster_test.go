package clickhouse_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
	"github.com/proclineage/lineage/store/storetest"
)

// A replicated is a store in a cluster that waits, when it has written, until all
// replicas have that: so who reads, from whichever, finds it.
type replicated struct {
	*clickhouse.Store
	database string
	nodes    []driver.Conn
}

func (r *replicated) Append(ctx context.Context, b *store.Batch) error {
	return errors.Join(r.Store.Append(ctx, b), r.sync())
}

func (r *replicated) Expire(ctx context.Context, before time.Time) error {
	return errors.Join(r.Store.Expire(ctx, before), r.sync())
}

func (r *replicated) sync() error {
	for _, table := range []string{"processes", "links", "marks", "clocks", "gaps", "containers"} {
		for _, c := range r.nodes {
			if err := c.Exec(context.Background(), "SYSTEM SYNC REPLICA "+r.database+"."+table+"_local"); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestCluster is on two shards with two replicas each.
func TestCluster(t *testing.T) {
	c := clickhousetest.NewCluster(t)
	t.Setenv(serverEnv, c.Nodes[0][0].DSN())
	t.Setenv(clusterEnv, clickhousetest.ClusterName)
	var nodes []driver.Conn
	for _, shard := range c.Nodes {
		for _, replica := range shard {
			nodes = append(nodes, connect(t, replica.DSN()))
		}
	}
	storetest.Run(t, storetest.Options{Slow: true, Ahead: true, Open: func(dir string) (store.Store, error) {
		s, err := open(dir)
		if err != nil {
			return nil, err
		}
		dsn, err := nameOf(dir)
		if err != nil {
			return nil, err
		}
		u, err := url.Parse(dsn)
		if err != nil {
			return nil, err
		}
		r := &replicated{s.(*clickhouse.Store), u.Path[1:], nodes}
		return r, r.sync() // what the program has written that was killed
	}})
}

// With a replica of each shard gone, whichever, batches come in and questions are
// answered, and it has all of it when it is there again.
func TestReplicaKilled(t *testing.T) {
	c := clickhousetest.NewCluster(t)
	var addrs []string
	for _, shard := range c.Nodes {
		for _, replica := range shard {
			addrs = append(addrs, replica.Addr())
		}
	}
	dsn := "clickhouse://" + strings.Join(addrs, ",") + "/fleet"
	initialize(t, dsn, clickhouse.InitOptions{Cluster: clickhousetest.ClusterName})
	s := opened(t, dsn)
	n := 0
	add := func() {
		t.Helper()
		n++
		err := s.Append(t.Context(), wide(n))
		for began := time.Now(); err != nil && time.Since(began) < time.Minute; { // as who ships does
			<-time.After(100 * time.Millisecond)
			err = s.Append(t.Context(), wide(n))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add()
	for round := range 4 {
		for _, shard := range c.Nodes {
			for _, replica := range shard { // what only the other one has goes with it
				synced(t, replica)
			}
		}
		for _, shard := range c.Nodes {
			shard[round%2].Kill()
		}
		add()
		add()
		wholly(t, s, n)
		for _, shard := range c.Nodes {
			shard[round%2].Start()
		}
	}
}

// synced waits until the replica has what the others have.
func synced(t *testing.T, replica *clickhousetest.Server) {
	t.Helper()
	execute(t, connect(t, replica.DSN()), "SYSTEM SYNC REPLICA fleet.processes_local", "SYSTEM SYNC REPLICA fleet.marks_local")
}

// The schema of a cluster and every question are also those of today's ClickHouse,
// which has no rows in it.
func TestTodayInCluster(t *testing.T) {
	u, err := url.Parse(clickhousetest.TodayInCluster(t))
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, u.String())
	u.Path = "/fleet"
	// Its Replicated tables take no rows.
	execute(t, c, "CREATE DATABASE fleet", "CREATE TABLE fleet.migrations (version UInt32, cluster String, applied DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY version")
	for range 2 {
		initialize(t, u.String(), clickhouse.InitOptions{Cluster: clickhousetest.ClusterName, Retention: -1})
	}
	s := opened(t, u.String())
	ctx := t.Context()
	// A table of one server in the place of one of the cluster.
	execute(t, c, "CREATE DATABASE plain", "CREATE TABLE plain.migrations AS fleet.migrations", "CREATE TABLE plain.processes AS fleet.processes_local ENGINE = MergeTree ORDER BY hour")
	plain := *u
	plain.Path = "/plain"
	if _, err := clickhouse.Init(ctx, plain.String(), clickhouse.InitOptions{Cluster: clickhousetest.ClusterName}); !errors.Is(err, clickhouse.ErrSchema) || !strings.Contains(err.Error(), "Distributed") {
		t.Errorf("with a table of one server: %v", err)
	}
	copied := *u
	copied.Path = "/copied"
	if _, err := clickhouse.Init(ctx, copied.String(), clickhouse.InitOptions{Cluster: clickhousetest.CopyingName}); err == nil || !strings.Contains(err.Error(), "internal_replication") {
		t.Errorf("a cluster that copies: %v", err)
	}
	has(t, s, 0)
	k := store.Key{Host: "h", Boot: "b", ID: batch(1, "p").Processes[0].ID}
	var terms store.Filter
	for _, text := range []string{"text", "match:x", "pid:1", "name:n", "container:c", "pod:p", "namespace:n", "unit:u", "session:1", "user:0", "exit!=0", "lived>1s", "state:ended"} {
		var q store.Query
		if err := store.ParseQuery(&q, text, time.Now()); err != nil {
			t.Fatal(err)
		}
		terms = append(terms, q.Filter...)
	}
	for _, order := range store.Orders() {
		q := &store.Query{Host: "h", Since: epoch, Until: time.Now(), Filter: terms, Ancestors: []string{"nginx"}, Order: order}
		if _, err := s.Select(ctx, q); err != nil {
			t.Error(err)
		}
		q.Under = k
		if _, err := s.Select(ctx, q); err != nil {
			t.Error(err)
		}
	}
	_, err1 := s.Process(ctx, k)
	_, err2 := s.Ancestors(ctx, k)
	_, err3 := s.Holder(ctx, "h", 1, epoch)
	_, err4 := s.Last(ctx, "h")
	for i, err := range []error{err1, err2, err3, err4} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if _, err := s.Stats(ctx); err != nil {
		t.Error(err)
	}
	if hosts, err := s.Hosts(ctx); err != nil || len(hosts) > 0 {
		t.Errorf("%v, %v", hosts, err)
	}
}
