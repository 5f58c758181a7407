package clickhouse

import (
	"fmt"
	"strings"
	"time"
)

// A column is one of a table.
type column struct {
	name    string
	kind    kind
	codec   string
	comment string
	// from makes the cells of as many processes, nil in other tables.
	from func([]*told) any
}

// A table is one of the schema.
type table struct {
	name    string
	columns []column
	// version is the column of which the row with the greatest value stands for all
	// that are alike in order.
	version   string
	partition string
	order     string
	indexes   []string
	// lasts says that its rows do not expire.
	lasts bool
}

const (
	inSteps = "Delta, ZSTD(1)"
	inTime  = "DoubleDelta, ZSTD(1)"
	packed  = "ZSTD(1)"
	narrow  = "T64, ZSTD(1)"
)

var tables = []*table{&processesTable, &linksTable, &marksTable, &clocksTable, &gapsTable, &containersTable}

// names are those of the columns, with commas between them.
func (t *table) names() string { return list(t.columns, func(c column) string { return c.name }) }

// A place is where a schema is made.
type place struct {
	dialect
	database string
	// cluster is the name of a cluster, empty for a single server.
	cluster string
	keep    time.Duration
}

// onCluster is the clause that has a statement done everywhere.
func (p *place) onCluster() string {
	if p.cluster == "" {
		return ""
	}
	return " ON CLUSTER " + identifier(p.cluster)
}

// suffix is that of the names of tables of one server, beside which there are those
// of the cluster.
func suffix(cluster string) string {
	if cluster == "" {
		return ""
	}
	return "_local"
}

// statements make the table.
func (p *place) statements(t *table) []string {
	var b strings.Builder
	local := p.name(t.name + suffix(p.cluster))
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s%s (%s%s", local, p.onCluster(), list(t.columns, func(c column) string { return p.define(&c) }), p.arrival())
	if !p.old {
		for _, index := range t.indexes {
			b.WriteString(", INDEX " + index)
		}
	}
	engine := "ReplacingMergeTree("
	if p.cluster != "" {
		engine = fmt.Sprintf("ReplicatedReplacingMergeTree(%s, '{replica}'", quote("/clickhouse/tables/{shard}/"+p.database+"/"+t.name))
		if t.version != "" {
			engine += ", "
		}
	}
	fmt.Fprintf(&b, ") ENGINE = %s%s)", engine, t.version)
	if t.partition != "" {
		b.WriteString(" PARTITION BY " + t.partition)
	}
	b.WriteString(" ORDER BY (" + t.order + ")")
	if !t.lasts {
		b.WriteString(p.expiry(p.keep))
	}
	all := []string{b.String()}
	if p.cluster != "" {
		all = append(all, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s ENGINE = Distributed(%s, %s, %s, cityHash64(host))",
			p.name(t.name), p.onCluster(), local, quote(p.cluster), quote(p.database), quote(t.name+suffix(p.cluster))))
	}
	return all
}

func (p *place) name(table string) string { return identifier(p.database) + "." + table }

// identifier quotes a name.
func identifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}
