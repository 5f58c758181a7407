package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// connect opens the database beside the store.
func connect(t testing.TB, dsn string) driver.Conn {
	t.Helper()
	o, err := driver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := driver.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func execute(t testing.TB, c driver.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// engines runs the test on both, in an empty database of its own.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("Today", func(t *testing.T) { test(t, clickhousetest.Today(t)) })
	t.Run("Old", func(t *testing.T) { test(t, clickhousetest.Old(t).DSN()) })
}

func initialize(t *testing.T, dsn string, o clickhouse.InitOptions) {
	t.Helper()
	if _, err := clickhouse.Init(t.Context(), dsn, o); err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, dsn string) *clickhouse.Store {
	t.Helper()
	s, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// refused checks that Open fails, and says what to do.
func refused(t *testing.T, dsn, what string) {
	t.Helper()
	s, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{})
	if err == nil {
		t.Fatal(errors.Join(errors.New("it is opened"), s.Close()))
	}
	if !errors.Is(err, clickhouse.ErrSchema) || !strings.Contains(err.Error(), what) {
		t.Errorf("it says %v, and not %s", err, what)
	}
}

func TestInit(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		c := connect(t, dsn)
		refused(t, dsn, "make it with lineage fleet init")
		initialize(t, dsn, clickhouse.InitOptions{})
		s := opened(t, dsn)
		if err := s.Append(t.Context(), small(1)); err != nil {
			t.Fatal(err)
		}
		// Again, and with another retention, which stays unless another is asked for.
		old := !strings.Contains(t.Name(), "Today")
		for _, step := range []struct{ ask, want time.Duration }{
			{0, clickhouse.DefaultRetention}, {7 * 24 * time.Hour, 7 * 24 * time.Hour}, {0, 7 * 24 * time.Hour}, {-1, 0}, {0, 0}, {clickhouse.MinRetention, clickhouse.MinRetention},
		} {
			want := clickhouse.Schema{Version: 1, Retention: step.want, Old: old}
			if old {
				want.Retention = 0
			}
			if got, err := clickhouse.Init(t.Context(), dsn, clickhouse.InitOptions{Retention: step.ask}); err != nil || got != want {
				t.Errorf("with a retention of %v it is %+v, %v, and not %+v", step.ask, got, err, want)
			}
		}
		if _, err := clickhouse.Init(t.Context(), dsn, clickhouse.InitOptions{Retention: clickhouse.MinRetention - 1}); err == nil || !strings.Contains(err.Error(), "once a day") {
			t.Errorf("a short retention: %v", err)
		}
		has(t, opened(t, dsn), 1)

		if _, err := clickhouse.Init(t.Context(), dsn, clickhouse.InitOptions{Cluster: "another"}); !errors.Is(err, clickhouse.ErrSchema) {
			t.Errorf("for a cluster: %v", err)
		}
		execute(t, c, "INSERT INTO migrations (version, cluster) SELECT toUInt32(max(version) + 1), '' FROM migrations")
		refused(t, dsn, "update this one")
		if _, err := clickhouse.Init(t.Context(), dsn, clickhouse.InitOptions{}); !errors.Is(err, clickhouse.ErrSchema) {
			t.Errorf("a later version: %v", err)
		}
	})
}

// What broke off at any statement goes on.
func TestInitHalfDone(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		c := connect(t, dsn)
		initialize(t, dsn, clickhouse.InitOptions{})
		for _, missing := range []string{"marks", "links", "processes", "migrations"} {
			execute(t, c, "DROP TABLE "+missing)
			if missing != "migrations" {
				execute(t, c, "DROP TABLE migrations")
			}
			refused(t, dsn, "lineage fleet init")
			initialize(t, dsn, clickhouse.InitOptions{})
		}
		execute(t, c, "DROP TABLE processes") // of a schema that is there
		initialize(t, dsn, clickhouse.InitOptions{})
		s := opened(t, dsn)
		if err := s.Append(t.Context(), small(1)); err != nil {
			t.Fatal(err)
		}
		has(t, s, 1)
		if last, err := s.Last(t.Context(), "h"); err != nil || last.Now != small(1).Now {
			t.Errorf("the last batch is %v, %v", last, err)
		}
	})
}

// Errors tell of the server and the database, and never of the password.
func TestErrorsWithoutPassword(t *testing.T) {
	ctx := t.Context()
	for _, dsn := range []string{
		"clickhouse://someone:s3cret@127.0.0.1:1/fleet", "http://someone:s3cret@127.0.0.1:1/fleet", "clickhouse://someone:s3cret@:::/fleet",
		"clickhouse://127.0.0.1:1/fleet?password=s3cret", "clickhouse://someone:s3cret@127.0.0.1:1/fleet?dial_timeout=s3cret!",
	} {
		_, opening := clickhouse.Open(ctx, dsn, clickhouse.Options{})
		_, making := clickhouse.Init(ctx, dsn, clickhouse.InitOptions{})
		for name, err := range map[string]error{"Open": opening, "Init": making} {
			if err == nil || strings.Contains(err.Error(), "s3cret@") || strings.Contains(err.Error(), "password=s3cret") {
				t.Errorf("%s of %s: %v", name, dsn, err)
			}
		}
	}
	_, err := clickhouse.Open(ctx, "clickhouse://someone:s3cret@127.0.0.1:1/fleet", clickhouse.Options{})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "fleet") {
		t.Errorf("it says %v", err)
	}
}

// small is the nth batch with one process that lives.
func small(n int) *store.Batch {
	return batch(n, fmt.Sprint("p", n))
}

// has checks that the store has as many processes.
func has(t *testing.T, s *clickhouse.Store, want int) {
	t.Helper()
	page, err := s.Select(context.Background(), &store.Query{Limit: store.MaxLimit})
	if err != nil || len(page.Processes) != want {
		t.Errorf("%d processes, %v, and not %d", len(page.Processes), err, want)
	}
}
