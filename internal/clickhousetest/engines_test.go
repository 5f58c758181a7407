package clickhousetest_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// open connects to a server.
func open(t *testing.T, dsn string, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(options)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func do(t *testing.T, conn driver.Conn, query string, args ...any) {
	t.Helper()
	if err := conn.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// number returns what the query says, which is one number.
func number(t *testing.T, conn driver.Conn, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// A row has every type of column that the store's tables have.
type row struct {
	Text   string
	ID     string
	Chain  []string
	Low    string
	U8     uint8
	U16    uint16
	U32    uint32
	U64    uint64
	I64    int64
	Args   [][]string
	Keys   []string
	Values []int64
	At     time.Time // today's alone
	Pairs  [][]any   // today's alone
}

const columns = `text String, id FixedString(16), chain Array(FixedString(16)), low LowCardinality(String),
	u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64, i64 Int64,
	args Array(Array(String)), pairs Nested(key String, value Int64)`

const names = "text, id, chain, low, u8, u16, u32, u64, i64, args, pairs.key, pairs.value"

const todaysColumns = columns + `, at DateTime64(9, 'UTC'), tuples Array(Tuple(String, UInt64))`

func makeRow(i int) row {
	id := func(n int) string { return fmt.Sprintf("%016d", n) }
	r := row{
		Text: fmt.Sprintf("zero \x00, quote ' and newline \n of %d", i), ID: id(i), Low: fmt.Sprint("kind", i%7),
		U8: uint8(i), U16: uint16(i), U32: uint32(i) << 8, U64: uint64(i) << 40, I64: -int64(i),
		Chain: []string{}, Args: [][]string{}, Keys: []string{}, Values: []int64{},
		At: time.Unix(1_700_000_000, int64(i)).UTC(), Pairs: [][]any{},
	}
	for n := range i % 4 {
		r.Chain = append(r.Chain, id(i-n))
		r.Args = append(r.Args, []string{fmt.Sprint(n), ""})
		r.Keys, r.Values = append(r.Keys, fmt.Sprint("k", n)), append(r.Values, int64(n)-1)
		r.Pairs = append(r.Pairs, []any{fmt.Sprint(n), uint64(i)})
	}
	return r
}

func (r *row) fields(todays bool) []any {
	f := []any{r.Text, r.ID, r.Chain, r.Low, r.U8, r.U16, r.U32, r.U64, r.I64, r.Args, r.Keys, r.Values}
	if todays {
		f = append(f, r.At, r.Pairs)
	}
	return f
}

func (r *row) targets(todays bool) []any {
	f := []any{&r.Text, &r.ID, &r.Chain, &r.Low, &r.U8, &r.U16, &r.U32, &r.U64, &r.I64, &r.Args, &r.Keys, &r.Values}
	if todays {
		f = append(f, &r.At, &r.Pairs)
	}
	return f
}

const rows = 100_000

// fill makes the table t and inserts n rows.
func fill(t *testing.T, conn driver.Conn, todays bool, n int) {
	t.Helper()
	kinds, into := columns, names
	if todays {
		kinds, into = todaysColumns, names+", at, tuples"
	}
	do(t, conn, "CREATE TABLE t ("+kinds+") ENGINE = MergeTree ORDER BY u32")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t ("+into+")")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := makeRow(i)
		if err := batch.Append(r.fields(todays)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// verify counts the n rows and reads each tenth back.
func verify(t *testing.T, conn driver.Conn, todays bool, n int) {
	t.Helper()
	if got := number(t, conn, "SELECT count() FROM t"); got != uint64(n) {
		t.Errorf("%d rows, want %d", got, n)
	}
	found, err := conn.Query(t.Context(), "SELECT * FROM t WHERE i64 % 10 = 0 ORDER BY u32")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	i := 0
	for ; found.Next(); i += 10 {
		var got row
		if err := found.Scan(got.targets(todays)...); err != nil {
			t.Fatal(err)
		}
		want := makeRow(i)
		if g, w := got.fields(todays), want.fields(todays); !reflect.DeepEqual(g, w) {
			t.Fatalf("row %d:\ngot  %q\nwant %q", i, g, w)
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	if i != n {
		t.Errorf("rows to number %d, want %d", i, n)
	}
}

func TestToday(t *testing.T) {
	t.Parallel()
	for method, n := range map[clickhouse.CompressionMethod]int{
		clickhouse.CompressionNone: rows / 10, clickhouse.CompressionLZ4: rows,
	} {
		t.Run(method.String(), func(t *testing.T) {
			t.Parallel()
			conn := open(t, clickhousetest.Today(t), func(o *clickhouse.Options) {
				o.Compression = &clickhouse.Compression{Method: method}
			})
			fill(t, conn, true, n)
			verify(t, conn, true, n)
		})
	}
}

// TestTodayAgain kills the front and starts it again with its data.
func TestTodayAgain(t *testing.T) {
	linuxtest.Need(t, linuxtest.Chdb)
	t.Parallel()
	start, kill := clickhousetest.Front(t, t.TempDir())
	fill(t, open(t, start()), true, rows/10)
	kill()
	verify(t, open(t, start()), true, rows/10)
	kill()
}

// TestTodayAnswers asks for what the driver can send beside batches.
func TestTodayAnswers(t *testing.T) {
	t.Parallel()
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4} {
		t.Run(method.String(), func(t *testing.T) {
			t.Parallel()
			conn := open(t, clickhousetest.Today(t), func(o *clickhouse.Options) {
				o.Compression = &clickhouse.Compression{Method: method}
				o.Settings = clickhouse.Settings{"max_threads": 1}
			})
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 123}))
			var threads, size uint64
			row := conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_threads')), toUInt64(getSetting('max_block_size'))")
			if err := row.Scan(&threads, &size); err != nil || threads != 1 || size != 123 {
				t.Errorf("settings: %d, %d, %v", threads, size, err)
			}
			text := "quote ' backslash \\ and `"
			var got string
			ctx = clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"text": text}))
			if err := conn.QueryRow(ctx, "SELECT {text:String}").Scan(&got); err != nil || got != text {
				t.Errorf("a parameter: %q, %v", got, err)
			}
			do(t, conn, "CREATE TABLE t (n UInt64, low LowCardinality(Nullable(String)), kind Enum8('a' = 1, 'b' = 2)) ENGINE = MergeTree ORDER BY n")
			do(t, conn, "INSERT INTO t VALUES (1, NULL, 'a'), (2, 'x', 'b')")
			do(t, conn, "INSERT INTO t SELECT number + 3, 'y', 'a' FROM numbers(1000)")
			if n := number(t, conn, "SELECT count() FROM t WHERE n > ?", 2); n != 1000 {
				t.Errorf("%d rows, want 1000", n)
			}
			none, err := conn.Query(t.Context(), "SELECT n FROM t WHERE n = 0")
			if err != nil {
				t.Fatal(err)
			}
			if none.Next() {
				t.Error("a row that is not there")
			}
			if err := errors.Join(none.Err(), none.Close()); err != nil {
				t.Errorf("no rows: %v", err)
			}
			for query, code := range map[string]int32{
				"SELECT * FROM nowhere":     60,
				"SELEC 1":                   62,
				"INSERT INTO t VALUES (1":   62,
				"SELECT throwIf(1)":         395,
				"CREATE TABLE t (n UInt64)": 57,
			} {
				err := conn.Exec(t.Context(), query)
				var thrown *clickhouse.Exception
				if !errors.As(err, &thrown) || thrown.Code != code {
					t.Errorf("%s: %v, want code %d", query, err, code)
				}
			}
			if err := open(t, clickhousetest.Today(t)+"_not").Ping(t.Context()); err == nil {
				t.Error("a database that is not there answers")
			}
		})
	}
}

// TestTodayAtOnce inserts and asks by many connections.
func TestTodayAtOnce(t *testing.T) {
	t.Parallel()
	conn := open(t, clickhousetest.Today(t), func(o *clickhouse.Options) { o.MaxOpenConns = 8 })
	do(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	var all sync.WaitGroup
	for worker := range uint64(8) {
		all.Go(func() {
			for turn := range uint64(10) {
				if err := insertNumbers(t.Context(), conn, 10*worker+turn); err != nil {
					t.Errorf("worker %d, turn %d: %v", worker, turn, err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := number(t, conn, "SELECT uniqExact(n) FROM t"); n != 80_000 {
		t.Errorf("%d rows, want 80000", n)
	}
}

// insertNumbers inserts a thousand numbers that are i above a multiple of 100,
// and asks for one of them.
func insertNumbers(ctx context.Context, conn driver.Conn, i uint64) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO t (n)")
	if err != nil {
		return err
	}
	for n := range uint64(1000) {
		if err := batch.Append(100*n + i); err != nil {
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	var n uint64
	return conn.QueryRow(ctx, "SELECT n FROM t WHERE n = ?", 5000+i).Scan(&n)
}

func TestOld(t *testing.T) {
	t.Parallel()
	server := clickhousetest.Old(t)
	conn := open(t, server.DSN(), func(o *clickhouse.Options) {
		o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
		o.Settings = clickhouse.Settings{"allow_experimental_low_cardinality_type": 1}
	})
	fill(t, conn, false, rows)
	server.Kill()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a killed server answers")
	}
	server.Start()
	verify(t, conn, false, rows)
	server.Stop()
	server.Start()
	if n := number(t, conn, "SELECT count() FROM t"); n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}
