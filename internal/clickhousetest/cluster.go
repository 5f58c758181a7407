package clickhousetest

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// ClusterName is the name of the cluster that [NewCluster] starts.
const ClusterName = "fleet"

// A Cluster is two shards with two replicas each, all of Debian's
// clickhouse-server, and their ZooKeeper. Distributed tables leave replication to
// Replicated ones (internal_replication). Each server has the macros cluster,
// shard (1, 2) and replica (1, 2). A server can only be started while ZooKeeper
// runs.
type Cluster struct {
	ZooKeeper *ZooKeeper
	// Nodes are the servers by shard and replica, both counted from zero.
	Nodes [2][2]*Server
}

// NewCluster starts a cluster without data, and returns when all of it is ready.
// It needs [linuxtest.ClickHouse] and [linuxtest.ZooKeeper].
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	linuxtest.Need(t, linuxtest.ClickHouse, linuxtest.ZooKeeper)
	c := &Cluster{ZooKeeper: newZooKeeper(t)}
	const each = 3 // ports
	free := ports(t, 4*each)
	all := &topology{Name: ClusterName, ZooKeeper: c.ZooKeeper.port, Shards: [][]int{
		{free[0], free[each]}, {free[2*each], free[3*each]},
	}}
	for shard := range c.Nodes {
		for replica := range c.Nodes[shard] {
			own := free[(2*shard+replica)*each:]
			c.Nodes[shard][replica] = newServer(t, fmt.Sprintf("clickhouse-server %d-%d", shard, replica), settings{
				Data: filepath.Join(t.TempDir(), "data"),
				TCP:  own[0], HTTP: own[1], Inter: own[2],
				Cluster: all, Shard: shard + 1, Replica: replica + 1,
			}, nil)
		}
	}
	return c
}

// topology is the part of a server's configuration that all of a cluster have.
type topology struct {
	Name      string
	ZooKeeper int     // its port
	Shards    [][]int // the replicas' ports for the native protocol
}
