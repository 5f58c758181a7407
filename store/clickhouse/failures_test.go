package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// wide is the nth batch, of many processes.
func wide(n int) *store.Batch {
	names := make([]string, 2000)
	for i := range names {
		names[i] = fmt.Sprintf("batch-%d", n)
	}
	b := batch(n, names...)
	for i := range b.Processes {
		b.Processes[i].Creator = b.Processes[0].Creator
		b.Processes[i].User = fmt.Sprintf("user-%d-%d", n, i)
	}
	return b
}

// wholly checks that the store has the batches from 1 to n, each process once.
func wholly(t *testing.T, s store.Store, n int) {
	t.Helper()
	counts := map[string]int{}
	q := &store.Query{Limit: store.MaxLimit}
	for {
		page, err := s.Select(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Processes {
			counts[page.Processes[i].Name]++
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for i := 1; i <= n; i++ {
		if name := fmt.Sprintf("batch-%d", i); counts[name] != 2000 {
			t.Errorf("%s has %d processes", name, counts[name])
		}
	}
	if len(counts) != n {
		t.Errorf("%d batches are there, and not %d", len(counts), n)
	}
	if last, err := s.Last(t.Context(), "h"); err != nil || last.Now != batch(n).Now {
		t.Errorf("the last batch is of %v, %v", last.Now, err)
	}
}

// A server that is killed at any moment has each batch that it took, and takes those
// that it may have lost once more.
func TestServerKilled(t *testing.T) {
	server, random := clickhousetest.Old(t), rand.New(rand.NewPCG(1, 7))
	initialize(t, server.DSN(), clickhouse.InitOptions{})
	s := opened(t, server.DSN())
	n, killed := 0, 0
	for killed < 5 {
		done := make(chan int)
		go func() { // which fails sooner or later
			for b := n + 1; ; b++ {
				if s.Append(context.Background(), wide(b)) != nil {
					done <- b
					return
				}
			}
		}()
		select {
		case <-time.After(time.Duration(random.IntN(300)) * time.Millisecond):
		case b := <-done:
			t.Fatalf("batch %d failed", b)
		}
		server.Kill()
		failed := <-done
		killed++
		server.Start()
		if err := s.Append(t.Context(), wide(failed)); err != nil {
			t.Fatal(err)
		}
		n = failed
		wholly(t, s, n)
	}
}

// A server without room refuses a batch whole, and takes it when there is some again.
func TestServerFull(t *testing.T) {
	server := clickhousetest.OldOnDisk(t, 64<<20)
	initialize(t, server.DSN(), clickhouse.InitOptions{})
	s := opened(t, server.DSN())
	if err := s.Append(t.Context(), wide(1)); err != nil {
		t.Fatal(err)
	}
	server.Fill()
	for range 3 {
		if err := s.Append(t.Context(), wide(2)); err == nil {
			t.Fatal("a full disk takes a batch")
		}
	}
	server.Free()
	for n := 2; n <= 4; n++ {
		if err := s.Append(t.Context(), wide(n)); err != nil {
			t.Fatal(err)
		}
	}
	wholly(t, s, 4)
}

// Where the network is cut or silent, calls end with an error or with their context.
func TestNetwork(t *testing.T) {
	server := clickhousetest.Old(t)
	proxy := clickhousetest.NewProxy(t, server.Addr())
	dsn := clickhousetest.DSN(proxy.Addr())
	initialize(t, dsn, clickhouse.InitOptions{})
	s := opened(t, dsn)
	if err := s.Append(t.Context(), wide(1)); err != nil {
		t.Fatal(err)
	}
	for n := 2; n <= 4; n++ {
		proxy.Cut()
		if err := s.Append(t.Context(), wide(n)); err == nil {
			t.Error("a batch goes where there is no network")
		}
		proxy.Mend()
		if err := s.Append(t.Context(), wide(n)); err != nil {
			t.Fatal(err)
		}
		proxy.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		go func() { done <- s.Append(ctx, wide(n)) }()
		go func() { _, err := s.Select(ctx, &store.Query{}); done <- err }()
		go func() { _, err := clickhouse.Open(ctx, dsn, clickhouse.Options{}); done <- err }()
		time.AfterFunc(50*time.Millisecond, cancel)
		for range cap(done) {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("a silent server: %v", err)
			}
		}
		proxy.Mend()
		wholly(t, s, n)
	}
}

// A server that merges too slowly says that it is busy, and takes the batch later.
func TestServerBusy(t *testing.T) {
	dsn := clickhousetest.Today(t)
	initialize(t, dsn, clickhouse.InitOptions{})
	s := opened(t, dsn)
	if err := s.Append(t.Context(), wide(1)); err != nil {
		t.Fatal(err)
	}
	c := connect(t, dsn)
	execute(t, c, "ALTER TABLE processes MODIFY SETTING parts_to_throw_insert = 1")
	if err := s.Append(t.Context(), wide(2)); !errors.Is(err, store.ErrBusy) {
		t.Errorf("a busy server: %v", err)
	}
	execute(t, c, "ALTER TABLE processes RESET SETTING parts_to_throw_insert")
	if err := s.Append(t.Context(), wide(2)); err != nil {
		t.Fatal(err)
	}
	wholly(t, s, 2)
}

// A batch that comes again is not stored again, and has its mark even if the server
// ended before it wrote that.
func TestDeliveredAgain(t *testing.T) {
	dsn := clickhousetest.Today(t)
	initialize(t, dsn, clickhouse.InitOptions{})
	c := connect(t, dsn)
	// As Replicated tables have it.
	execute(t, c, "ALTER TABLE processes MODIFY SETTING non_replicated_deduplication_window = 100", "SYSTEM STOP MERGES processes")
	rows := func(table string) (n uint64) {
		t.Helper()
		if err := c.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	b := wide(1)
	for range 3 {
		s := opened(t, dsn) // which does not know what was written
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if n := rows("processes"); n != uint64(len(b.Processes)) {
			t.Errorf("%d rows of %d processes", n, len(b.Processes))
		}
		wholly(t, s, 1)
		execute(t, c, "TRUNCATE TABLE marks")
	}
	// What is told at the same instant and is not the same comes in.
	other := wide(1)
	for i := range other.Processes {
		other.Processes[i].ID.PID += 10_000
	}
	s := opened(t, dsn)
	if err := s.Append(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if n := rows("processes"); n != uint64(2*len(b.Processes)) {
		t.Errorf("%d rows of %d processes", n, 2*len(b.Processes))
	}
}

// Of a batch without its mark the processes are known, also where the batch that comes in
// its place knows more of them.
func TestUnmarked(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		initialize(t, dsn, clickhouse.InitOptions{})
		c := connect(t, dsn)
		ended := func(n int, names ...string) *store.Batch {
			b := batch(n, names...)
			for i := range b.Processes {
				b.Processes[i].Exit = process.Exit{Evidence: process.Observed, At: b.Now - 1}
			}
			return b
		}
		for n := 1; n <= 2; n++ { // of the boot the first, and a later one
			b := ended(n, fmt.Sprint("a", n), fmt.Sprint("b", n))
			b.Processes[1].ID.Start -= b.Processes[1].ID.Start % process.Instant(process.Tick)
			b.Processes[1].ID.Precision, b.Processes[1].ID.Inode = process.ToTick, uint64(n)
			if err := opened(t, dsn).Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			execute(t, c, "CREATE TABLE others AS marks", fmt.Sprintf("INSERT INTO others SELECT * FROM marks WHERE now < %d", b.Now), "DROP TABLE marks", "RENAME TABLE others TO marks")
			s := opened(t, dsn)
			if last, err := s.Last(t.Context(), "h"); n == 1 && !errors.Is(err, store.ErrNotFound) || n > 1 && last.Now != batch(n-1).Now+1 {
				t.Fatalf("the last batch is %v, %v", last, err)
			}
			b = ended(n, fmt.Sprint("a", n), fmt.Sprint("b", n), fmt.Sprint("c", n))
			b.Processes[1].ID.Inode = uint64(n)
			b.Now++
			if err := s.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			has(t, s, 3*n)
			if last, err := s.Last(t.Context(), "h"); err != nil || last.Now != b.Now {
				t.Errorf("the last batch is %v, %v", last, err)
			}
			above, err := s.Ancestors(t.Context(), store.Key{Host: "h", Boot: "b", ID: b.Processes[2].ID})
			if err != nil || len(above) != 2 || above[0].ID != b.Processes[1].ID {
				t.Errorf("above are %v, %v", above, err)
			}
		}
	})
}

// Very many gaps are told of as the latest and one that covers the rest.
func TestManyGaps(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		initialize(t, dsn, clickhouse.InitOptions{})
		s := opened(t, dsn)
		b := batch(10_000, "p")
		const all = 10_500
		for i := range process.Instant(all) {
			b.Gaps = append(b.Gaps, store.Gap{Reason: store.Lost, Since: 1e9 + i*1e6, Until: 1e9 + i*1e6 + 1e5, Lost: 1})
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		page, err := s.Select(t.Context(), &store.Query{Host: "h"})
		if err != nil || len(page.Gaps) != 10_001 {
			t.Fatalf("%d gaps, %v", len(page.Gaps), err)
		}
		var lost uint64
		for _, g := range page.Gaps {
			lost += g.Lost
		}
		first, second := page.Gaps[0], page.Gaps[1]
		if lost != all || first.Lost != all-10_000 || first.From.After(epoch.Add(time.Second)) || first.To.After(second.From) || first.Host != "h" {
			t.Errorf("%d were lost in all, and the first gap is %+v, before %+v", lost, first, second)
		}
	})
}

// A question that nobody waits for any more ends on the server as well.
func TestQuestionEndsOnServer(t *testing.T) {
	dsn := clickhousetest.Old(t).DSN()
	initialize(t, dsn, clickhouse.InitOptions{})
	s, c := opened(t, dsn), connect(t, dsn)
	// With this no answer is ever complete.
	execute(t, c, "DROP TABLE processes", "CREATE VIEW processes AS SELECT toDateTime(number) AS hour FROM system.numbers")
	running := func(want uint64) {
		t.Helper()
		for n := want + 1; n != want; {
			if err := c.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE 'SELECT toUInt32(min(hour))%'").Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Select(ctx, &store.Query{})
		done <- err
	}()
	running(1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	running(0)
}

// Those that live are told of until the context ends.
func TestLivingEndsWithContext(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		initialize(t, dsn, clickhouse.InitOptions{})
		s := opened(t, dsn)
		if err := s.Append(t.Context(), wide(1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err := s.Living(ctx, "", func(*store.Process) bool {
			n++
			cancel()
			return true
		})
		if n != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("after %d it ends with %v", n, err)
		}
		n = 0
		if err := s.Living(t.Context(), "", func(*store.Process) bool { n++; return n < 5 }); n != 5 || err != nil {
			t.Errorf("after %d it ends with %v", n, err)
		}
	})
}
