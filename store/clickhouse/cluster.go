package clickhouse

import (
	"context"
	"fmt"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// replicates returns an error where the cluster has what is written to a Distributed
// table sent to each replica, which Replicated tables do themselves. An old server does
// not say.
func (p *place) replicates(ctx context.Context, c driver.Conn) error {
	const column = "internal_replication"
	if p.cluster == "" {
		return nil
	}
	var told, wrong uint64
	if err := c.QueryRow(ctx, "SELECT count() FROM system.columns WHERE database = 'system' AND table = 'clusters' AND name = "+quote(column)).Scan(&told); err != nil || told == 0 {
		return err
	}
	if err := c.QueryRow(ctx, "SELECT count() FROM system.clusters WHERE "+column+" = 0 AND replica_num > 1 AND cluster = "+quote(p.cluster)).Scan(&wrong); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("the shards of the cluster %q have %s false: set it to true in remote_servers of the servers' configuration", p.cluster, column)
	}
	return nil
}

// distributed returns an error where a table of the cluster is one of a server.
func (p *place) distributed(ctx context.Context, c driver.Conn) error {
	if p.cluster == "" {
		return nil
	}
	for _, t := range tables {
		var engine string
		if err := c.QueryRow(ctx, "SELECT engine FROM system.tables WHERE database = "+quote(p.database)+" AND name = "+quote(t.name)).Scan(&engine); err != nil {
			return err
		}
		if engine != "Distributed" {
			return fmt.Errorf("%w: the table %s is there with the engine %s, and not with Distributed; take another database", ErrSchema, t.name, engine)
		}
	}
	return nil
}
