package clickhouse

import (
	"context"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// kept is for how long rows are kept by the schema that is there, less than zero for
// ever.
func (p *place) kept(ctx context.Context, c driver.Conn) (time.Duration, error) {
	var seconds int64
	query := `SELECT max(toInt64OrZero(extract(create_table_query, 'TTL arrived \\+ toIntervalSecond\\(([0-9]+)\\)'))) FROM system.tables WHERE database = ` + quote(p.database)
	if err := c.QueryRow(ctx, query).Scan(&seconds); err != nil || seconds == 0 {
		return -1, err
	}
	return time.Duration(seconds) * time.Second, nil
}

// expire sets when rows go that nobody has told of.
func (p *place) expire(ctx context.Context, c driver.Conn) error {
	if p.old {
		return nil
	}
	for _, t := range tables {
		if t.lasts {
			continue
		}
		local := p.name(t.name + suffix(p.cluster))
		change := " MODIFY" + p.expiry(p.keep)
		if p.keep < 0 {
			var has uint64
			if err := c.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = "+quote(p.database)+" AND name = "+quote(t.name+suffix(p.cluster))+
				" AND create_table_query LIKE '% TTL %'").Scan(&has); err != nil {
				return err
			}
			if has == 0 {
				continue
			}
			change = " REMOVE TTL"
		}
		if err := p.exec(ctx, c, "ALTER TABLE "+local+p.onCluster()+change); err != nil {
			return err
		}
	}
	return nil
}
