package clickhouse_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// A listener takes note of what is asked of ClickHouse.
type listener struct {
	slog.Handler
	mu    sync.Mutex
	asked []string
}

func (l *listener) Enabled(context.Context, slog.Level) bool { return true }

func (l *listener) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *listener) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "sql" && strings.HasPrefix(a.Value.String(), "SELECT") {
			l.asked = append(l.asked, a.Value.String())
		}
		return true
	})
	return nil
}

// The history that is asked about: as many hours with as many processes in each, a
// granule each, of which every hundredth created those up to the next one, and every
// tenth is called sh. The first of all lives on, and of each tenth hour the first is
// called nginx.
const (
	hours   = 120
	perHour = 1 << 13
)

func fillHours(t *testing.T, dsn string) {
	t.Helper()
	c := connect(t, dsn)
	execute(t, c, fmt.Sprintf(`INSERT INTO processes (hour, host, boot, id, version, batch, seen, pid, start, precision, began, ended, name, program,
		creator_pid, creator_start, creator_precision, creator_evidence, ancestors, ancestors_end, plain, exit, exit_at)
	WITH toUInt64(intDiv(number, %[1]d) * 3600e9 + number %% %[1]d * 1000000 + 1000000000) AS begin,
		toUInt64(begin - number %% 100 * 1000000) AS made,
		toUInt32(number %% %[1]d + 2) AS p,
		unhex(concat(lpad(hex(begin), 16, '0'), '02', lpad(hex(p), 6, '0'), '00000000')) AS key,
		unhex(concat(lpad(hex(made), 16, '0'), '02', lpad(hex(toUInt32(p - number %% 100)), 6, '0'), '00000000')) AS maker,
		toInt64(%[2]d) + toInt64(begin) AS wall
	SELECT toDateTime(intDiv(intDiv(wall, 1000000000), 3600) * 3600), 'h', 'b', key, begin * 2 + 1, 1, fromUnixTimestamp64Nano(wall), p, begin, 2,
		fromUnixTimestamp64Nano(wall), if(number = 0, fromUnixTimestamp64Nano(0), fromUnixTimestamp64Nano(wall + 500)),
		multiIf(number %% (%[1]d * 10) = 0, 'nginx', number %% 10 = 0, 'sh', concat('p', toString(number %% 50))) AS called, called AS program,
		if(number %% 100 = 0, 0, p - number %% 100), if(number %% 100 = 0, 0, made), if(number %% 100 = 0, 0, 2), if(number %% 100 = 0, 'scanned', 'observed'),
		if(number %% 100 = 0, [], [maker]), 'all', 1, if(number = 0, 'unknown', 'observed'), if(number = 0, 0, begin + 500)
	FROM numbers(%[3]d)`, perHour, epoch.UnixNano(), hours*perHour),
		fmt.Sprintf("INSERT INTO clocks (host, boot, since, ahead) VALUES ('h', 'b', 1, %d)", epoch.UnixNano()),
		"OPTIMIZE TABLE processes FINAL")
}

// filled is the ID of the nth process of the hour.
func filled(hour, n int) process.ID {
	start := process.Instant(hour)*process.Instant(time.Hour) + process.Instant(n)*1e6 + 1e9
	return process.ID{PID: n + 2, Start: start, Precision: process.Exact}
}

// A question reads its own granules, and not the table.
func TestQuestionsReadTheirOwn(t *testing.T) {
	dsn := clickhousetest.Today(t)
	initialize(t, dsn, clickhouse.InitOptions{})
	fillHours(t, dsn)
	l := &listener{Handler: slog.DiscardHandler}
	s, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{Log: slog.New(l)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	key := func(hour, n int) store.Key { return store.Key{Host: "h", Boot: "b", ID: filled(hour, n)} }
	at := func(hour int) time.Time { return epoch.Add(time.Duration(hour) * time.Hour) }
	named := func(name string) store.Filter {
		term, err := store.ParseTerm(store.Name, store.Equal, name)
		if err != nil {
			t.Fatal(err)
		}
		return store.Filter{term}
	}
	for _, q := range []struct {
		name string
		most int // granules that one of its questions reads
		ask  func() (int, error)
		want int
	}{
		{"a process", 2, func() (int, error) {
			p, err := s.Process(ctx, key(50, 117))
			return p.ID.PID, err
		}, 119},
		{"ancestors", 2, func() (int, error) {
			above, err := s.Ancestors(ctx, key(50, 117))
			return len(above), err
		}, 1},
		{"who held a PID", 6, func() (int, error) {
			p, err := s.Holder(ctx, "h", 119, at(50).Add(1117*time.Millisecond+200))
			return p.ID.PID, err
		}, 119},
		{"an hour", 8, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Since: at(50), Until: at(51), Limit: store.MaxLimit})
			return len(page.Processes), err
		}, perHour + 1},
		{"the latest", 3, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{})
			return len(page.Processes), err
		}, store.DefaultLimit},
		{"what used most of an hour", 8, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Since: at(50), Until: at(51), Order: store.ByCPU})
			return len(page.Processes), err
		}, store.DefaultLimit},
		{"descendants in an hour", 8, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Since: at(50), Until: at(51), Under: key(50, 100)})
			return len(page.Processes), err
		}, 99},
		{"descendants", 12, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Under: key(50, 100)})
			return len(page.Processes), err
		}, 99},
		{"shells under an nginx, of an hour", hours/10*3 + 3, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Since: at(50), Until: at(51), Filter: named("sh"), Ancestors: []string{"nginx"}})
			return len(page.Processes), err
		}, 9},
		{"shells under a shell, of an hour", hours, func() (int, error) {
			page, err := s.Select(ctx, &store.Query{Since: at(50), Until: at(51), Filter: named("sh"), Ancestors: []string{"sh"}})
			return len(page.Processes), err
		}, store.DefaultLimit},
	} {
		l.mu.Lock()
		l.asked = nil
		l.mu.Unlock()
		got, err := q.ask()
		if err != nil || got != q.want {
			t.Errorf("%s: %d, %v, and not %d", q.name, got, err, q.want)
		}
		l.mu.Lock()
		asked := l.asked
		l.mu.Unlock()
		for _, sql := range asked {
			plan := explain(t, dsn, sql)
			read, all := granules(plan)
			t.Logf("%s: %d of %d granules:\n%.300s", q.name, read, all, sql)
			if read > q.most {
				t.Errorf("%s: %d of %d granules are read, at most %d would do:\n%s\n%s", q.name, read, all, q.most, sql, plan)
			}
		}
	}
}

func explain(t *testing.T, dsn, sql string) string {
	t.Helper()
	c := connect(t, dsn)
	ctx := driver.Context(t.Context(), driver.WithSettings(driver.Settings{
		"max_query_size": 64 << 20, "use_skip_indexes_if_final": 1, "use_skip_indexes_if_final_exact_mode": 1, "do_not_merge_across_partitions_select_final": 1,
	}))
	rows, err := c.Query(ctx, "EXPLAIN indexes = 1 "+sql)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		b.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var granulesLine = regexp.MustCompile(`Granules: (\d+)/(\d+)`)

// granules are how many of the table's a plan reads, as the last index leaves them.
func granules(plan string) (read, all int) {
	for _, table := range strings.Split(plan, "ReadFromMergeTree")[1:] {
		found := granulesLine.FindAllStringSubmatch(table, -1)
		if len(found) == 0 || !strings.Contains(table, "processes") {
			continue
		}
		n, _ := strconv.Atoi(found[len(found)-1][1])
		of, _ := strconv.Atoi(found[0][2])
		read, all = max(read, n), max(all, of)
	}
	return read, all
}
