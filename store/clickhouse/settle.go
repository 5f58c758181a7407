package clickhouse

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// settleTime is for how long Append waits for what others have sent.
var settleTime = 10 * time.Second

// sent is a context for inserts of the host, by which settle knows them.
func sent(ctx context.Context, host string) context.Context {
	return driver.Context(ctx, driver.WithQueryID(sentOf(host)+rand.Text()))
}

func sentOf(host string) string { return "lineage-" + host + "-" }

// settle waits, before the first batch of a host, until what the writer before has sent
// of that is in: one that was killed may have left a batch behind, of which the server
// has all.
func (s *Store) settle(ctx context.Context, host string) error {
	if s.settled[host] {
		return nil
	}
	left, err := s.sending(ctx, host)
	if err != nil {
		return err
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	until := time.Now().Add(settleTime)
	for len(left) > 0 {
		if time.Now().After(until) {
			return fmt.Errorf("another writer's batch of the host %s is not in after %v", host, settleTime)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
		now, err := s.sending(ctx, host)
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(id string) bool { return !slices.Contains(now, id) })
	}
	s.settled[host] = true
	return nil
}

// sending are the IDs of the inserts of the host that are being done.
func (s *Store) sending(ctx context.Context, host string) ([]string, error) {
	var ids []string
	err := s.rows(ctx, "SELECT query_id FROM system.processes WHERE startsWith(query_id, "+quote(sentOf(host))+")", func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}
