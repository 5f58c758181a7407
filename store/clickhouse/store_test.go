package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
	"github.com/proclineage/lineage/store/storetest"
)

const (
	// serverEnv has the server, for the program that is killed as well.
	serverEnv = "LINEAGE_CLICKHOUSETEST_SERVER"
	// clusterEnv has the name of the cluster, empty for none.
	clusterEnv = "LINEAGE_CLICKHOUSETEST_CLUSTER"
)

// nameOf is the data source name of the database that a directory stands for, on that
// server.
func nameOf(dir string) (string, error) {
	u, err := url.Parse(os.Getenv(serverEnv))
	h := fnv.New64a()
	h.Write([]byte(dir))
	u.Path = fmt.Sprintf("/dir_%x", h.Sum64())
	return u.String(), err
}

// open opens the store that a directory stands for.
func open(dir string) (store.Store, error) {
	dsn, err := nameOf(dir)
	if err != nil {
		return nil, err
	}
	opening := openings.Add(1)
	if strings.HasPrefix(dsn, "http:") && opening%4 >= 2 {
		dsn += "?use_skip_indexes_if_final=0" // as before 25.6
	}
	s, err := clickhouse.Open(context.Background(), dsn, clickhouse.Options{Remembered: 100})
	if errors.Is(err, clickhouse.ErrSchema) {
		if _, err := clickhouse.Init(context.Background(), dsn, clickhouse.InitOptions{Cluster: os.Getenv(clusterEnv)}); err != nil {
			return nil, err
		}
		s, err = clickhouse.Open(context.Background(), dsn, clickhouse.Options{Remembered: 100})
	}
	if err != nil {
		return nil, err
	}
	if opening%2 == 0 {
		s.LookAnew()
	}
	return s, nil
}

// openings counts those of stores.
var openings atomic.Int64

func TestMain(m *testing.M) {
	storetest.Child(open)
	os.Exit(m.Run())
}

// TestToday is on today's ClickHouse, by HTTP.
func TestToday(t *testing.T) {
	t.Setenv(serverEnv, clickhousetest.Today(t))
	storetest.Run(t, storetest.Options{Open: open, Slow: true, Ahead: true})
}

// TestOld is on Debian's, by the native protocol.
func TestOld(t *testing.T) {
	t.Setenv(serverEnv, clickhousetest.Old(t).DSN())
	storetest.Run(t, storetest.Options{Open: open, Slow: true, Ahead: true})
}
