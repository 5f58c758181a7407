package clickhousetest_test

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/proclineage/lineage/internal/clickhousetest"
)

// TestTodayInCluster makes a cluster's tables, asks and drops them.
func TestTodayInCluster(t *testing.T) {
	t.Parallel()
	conn := open(t, clickhousetest.TodayInCluster(t))
	do(t, conn, "CREATE DATABASE own ON CLUSTER fleet")
	do(t, conn, `CREATE TABLE own.part ON CLUSTER 'fleet' (id UInt64, version UInt64)
		ENGINE = ReplicatedReplacingMergeTree('/tables/{shard}/part', '{replica}', version) ORDER BY id`)
	do(t, conn, "CREATE TABLE own.whole ON CLUSTER `fleet` AS own.part ENGINE = Distributed(fleet, own, part, id)")
	if n := number(t, conn, "SELECT count(version) FROM own.part FINAL"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
	if n := number(t, conn, "SELECT count(version) FROM own.whole FINAL"); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
	do(t, conn, "DROP DATABASE own ON CLUSTER fleet SYNC")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := clickhousetest.NewCluster(t)
	first := open(t, c.Nodes[0][0].DSN())
	do(t, first, `CREATE TABLE part ON CLUSTER fleet (id UInt64, version UInt64)
		ENGINE = ReplicatedReplacingMergeTree('/tables/{shard}/part', '{replica}', version) ORDER BY id`)
	do(t, first, `CREATE TABLE whole ON CLUSTER fleet AS part ENGINE = Distributed(fleet, default, part, id)`)
	insert := func(version uint64) {
		t.Helper()
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_distributed_sync": 1}))
		batch, err := first.PrepareBatch(ctx, "INSERT INTO whole (id, version)")
		if err != nil {
			t.Fatal(err)
		}
		for id := range uint64(rows) {
			if err := batch.Append(id, version); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
	}
	insert(1)
	var conns []driver.Conn
	for _, replicas := range c.Nodes {
		for _, server := range replicas {
			conn := open(t, server.DSN())
			do(t, conn, "SYSTEM SYNC REPLICA part")
			conns = append(conns, conn)
		}
	}
	for i, conn := range conns { // a distributed table asks any replica of a shard
		if n := number(t, conn, "SELECT count() FROM part"); n != rows/2 {
			t.Errorf("server %d: %d rows of its shard, want %d", i, n, rows/2)
		}
		if n := number(t, conn, "SELECT count() FROM whole"); n != rows {
			t.Errorf("server %d: %d rows in all, want %d", i, n, rows)
		}
	}

	// While one replica is down the other takes the rows, which it then gets.
	down := c.Nodes[1][1]
	down.Kill()
	insert(2)
	for _, i := range []int{0, 1} {
		do(t, conns[i], "SYSTEM SYNC REPLICA part")
	}
	if n := number(t, first, "SELECT count() FROM whole FINAL WHERE version = 2"); n != rows {
		t.Errorf("%d rows with a replica down, want %d", n, rows)
	}
	down.Start()
	conn := open(t, down.DSN())
	do(t, conn, "SYSTEM SYNC REPLICA part")
	if n := number(t, conn, "SELECT count() FROM part FINAL WHERE version = 2"); n != rows/2 {
		t.Errorf("%d rows in the replica that was down, want %d", n, rows/2)
	}
}
