// Package clickhousetest gives tests real ClickHouse servers, of two ages, and
// what befalls them.
//
// [Today] is a database on today's ClickHouse, 26.7: libchdb, the whole engine as
// a library, behind a front that speaks HTTP (tools/chdb). It runs every
// statement, but it is no server: it is not killed and is in no cluster.
//
//	conn, err := clickhouse.Open(options(clickhousetest.Today(t)))
//
// [Old] is Debian's clickhouse-server, 18.16, by the native protocol. It is what
// is stopped, killed, started again, filled up and cut off:
//
//	server := clickhousetest.OldOnDisk(t, 64<<20)
//	server.Fill()
//	server.Free()
//	server.Kill()
//	server.Start()
//	proxy := clickhousetest.NewProxy(t, server.Addr())
//	proxy.Hang()
//	proxy.Mend()
//
// [TodayInCluster] is today's with what a cluster's schema needs.
//
// [NewCluster] is two shards with two replicas each, of 18.16, with ZooKeeper.
//
// All of it listens on 127.0.0.1 alone, has its data in folders of the test, and
// ends with the test, or with the test binary, also when that is killed. A failed
// test shows the servers' logs.
//
// What 18.16 wants otherwise than today's: an INSERT of a batch must name its
// columns; LowCardinality needs the setting allow_experimental_low_cardinality_type,
// which ON CLUSTER does not pass on.
package clickhousetest
