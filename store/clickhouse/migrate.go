package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// ErrSchema is wrapped by the errors of [Open] where the database's schema is not
// the one that this program works with, and of [Init] where it is a later one.
var ErrSchema = errors.New("not the schema that this lineage works with")

// A migration makes one version of the schema from the one before it. [Init] does all
// of its statements each time, also where they were done: so what broke off goes on, and
// what is missing is made anew, as on a server that joins the cluster.
type migration func(p *place) []string

var migrations = []migration{
	func(p *place) []string {
		var all []string
		for _, t := range tables {
			all = append(all, p.statements(t)...)
		}
		return all
	},
}

// DefaultRetention is for how long a process is kept that nobody tells of any more.
const DefaultRetention = 30 * 24 * time.Hour

// InitOptions say how the schema is made.
type InitOptions struct {
	// Cluster is the name of a cluster, as remote_servers in the servers'
	// configuration has it, all servers of which have the macros shard and
	// replica. Where it is empty the schema is made on one server.
	Cluster string
	// Retention is for how long a process is kept since it was told of last. Zero leaves
	// that as it is, which is [DefaultRetention] for a new schema. Less than zero is for
	// ever; daemons tell of the living once a day, so less than [MinRetention] is refused.
	Retention time.Duration
}

// MinRetention is the shortest.
const MinRetention = 48 * time.Hour

// A Schema is what is there after [Init].
type Schema struct {
	// Version is that of the schema, and Made says that there was none before.
	Version int
	Made    bool
	// Retention is for how long a process is kept since it was told of last, zero for
	// ever.
	Retention time.Duration
	// Old says that the server is too old to forget anything by itself.
	Old bool
}

// Init makes the schema, or brings it to the version that this program works with,
// and sets for how long processes are kept. The database is made where there is none.
// What is there stays, and what is missing of it is made. The name is as in [Open].
func Init(ctx context.Context, dsn string, o InitOptions) (Schema, error) {
	if o.Retention > 0 && o.Retention < MinRetention {
		return Schema{}, fmt.Errorf("a retention of %v: daemons tell of the living once a day, so it must be at least %v", o.Retention, MinRetention)
	}
	options, err := parse(dsn)
	if err != nil {
		return Schema{}, err
	}
	where := describe(options)
	p := &place{database: options.Auth.Database, cluster: o.Cluster, keep: o.Retention}
	options.Auth.Database = "default"
	c, d, err := connect(ctx, options)
	if err != nil {
		return Schema{}, fmt.Errorf("make the schema in %s: %w", where, failure(ctx, err))
	}
	p.dialect = d
	done, err := p.migrate(ctx, c)
	if closing := c.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return Schema{}, fmt.Errorf("make the schema in %s: %w", where, failure(ctx, err))
	}
	return done, nil
}

func (p *place) migrate(ctx context.Context, c driver.Conn) (Schema, error) {
	done := Schema{Version: len(migrations), Old: p.old}
	version, cluster, err := versionOf(ctx, c, p.database)
	switch {
	case err != nil:
		return done, err
	case version > 0 && cluster != p.cluster:
		return done, fmt.Errorf("%w: it was made for the cluster %q, not for %q; keep to that one, or take another database", ErrSchema, cluster, p.cluster)
	case version > len(migrations):
		return done, newer(version)
	}
	done.Made = version == 0
	change := p.keep != 0
	switch {
	case !change && done.Made:
		p.keep = DefaultRetention
	case !change:
		if p.keep, err = p.kept(ctx, c); err != nil {
			return done, err
		}
	}
	if err := p.replicates(ctx, c); err != nil {
		return done, err
	}
	if err := p.create(ctx, c, version); err != nil {
		return done, err
	}
	if change {
		if err := p.expire(ctx, c); err != nil {
			return done, err
		}
	}
	if !p.old {
		done.Retention = max(p.keep, 0)
	}
	return done, nil
}

// create does all migrations, and takes note of those after the version.
func (p *place) create(ctx context.Context, c driver.Conn, version int) error {
	var found uint64
	if err := c.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = "+quote(p.database)).Scan(&found); err != nil {
		return err
	}
	if found == 0 || p.cluster != "" {
		if err := p.exec(ctx, c, "CREATE DATABASE IF NOT EXISTS "+identifier(p.database)+p.onCluster()); err != nil {
			return err
		}
	}
	if err := p.exec(ctx, c, p.history()); err != nil {
		return err
	}
	for i, m := range migrations {
		for _, statement := range m(p) {
			if err := p.exec(ctx, c, statement); err != nil {
				return fmt.Errorf("version %d: %w", i+1, err)
			}
		}
	}
	if err := p.distributed(ctx, c); err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		done := fmt.Sprintf("INSERT INTO %s (version, cluster) SELECT toUInt32(%d), %s", p.name("migrations"), version+1, quote(p.cluster))
		if err := c.Exec(ctx, done); err != nil {
			return err
		}
	}
	return nil
}

// exec does a statement that may be done again. On a cluster the servers do it in turn
// and one waits until all have: where that takes too long, for one of them is slow or
// what it has said was missed, it is asked again.
func (p *place) exec(ctx context.Context, c driver.Conn, statement string) error {
	if p.cluster == "" {
		return c.Exec(ctx, statement)
	}
	ctx = driver.Context(ctx, driver.WithSettings(driver.Settings{"distributed_ddl_task_timeout": 30}))
	err := c.Exec(ctx, statement)
	for range 2 {
		var told *driver.Exception
		if !errors.As(err, &told) || told.Code != timeoutExceeded {
			break
		}
		err = c.Exec(ctx, statement)
	}
	return err
}

// history is the table of what was done.
func (p *place) history() string {
	engine := "MergeTree()"
	if p.cluster != "" { // one for all shards
		engine = fmt.Sprintf("ReplicatedMergeTree(%s, '{shard}-{replica}')", quote("/clickhouse/tables/"+p.database+"/migrations"))
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s (version UInt32, cluster String, applied DateTime DEFAULT now()) ENGINE = %s ORDER BY version",
		p.name("migrations"), p.onCluster(), engine)
}

// versionOf returns the version of the schema, zero for none, and the cluster that
// it was made for.
func versionOf(ctx context.Context, c driver.Conn, database string) (version int, cluster string, err error) {
	var found uint64
	if err := c.QueryRow(ctx, "SELECT count() FROM system.tables WHERE name = 'migrations' AND database = "+quote(database)).Scan(&found); err != nil || found == 0 {
		return 0, "", err
	}
	var v uint32
	if err := c.QueryRow(ctx, "SELECT max(version), any(cluster) FROM "+identifier(database)+".migrations").Scan(&v, &cluster); err != nil {
		return 0, "", err
	}
	return int(v), cluster, nil
}

// check returns an error where the schema is not this program's, and the cluster that
// it was made for.
func check(ctx context.Context, c driver.Conn, database string) (cluster string, err error) {
	version, cluster, err := versionOf(ctx, c, database)
	switch {
	case err != nil:
		return "", err
	case version == 0:
		return "", fmt.Errorf("%w: there is none: make it with lineage fleet init", ErrSchema)
	case version < len(migrations):
		return "", fmt.Errorf("%w: it is version %d, and this one works with %d: bring it up to that with lineage fleet init", ErrSchema, version, len(migrations))
	case version > len(migrations):
		return "", newer(version)
	}
	return cluster, nil
}

func newer(version int) error {
	return fmt.Errorf("%w: it is version %d, of a later lineage, and this one works with %d: update this one", ErrSchema, version, len(migrations))
}
