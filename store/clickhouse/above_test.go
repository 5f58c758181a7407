package clickhouse_test

import (
	"slices"
	"testing"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// What is known later of who created whom, also if it is another one or nobody any
// more, counts for those below as well that were told of before, and after the writer
// began anew.
func TestCreatorsLater(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		initialize(t, dsn, clickhouse.InitOptions{})
		b := batch(1, "first", "mid", "low", "leaf")
		other := batch(1, "first", "2", "3", "4", "5").Processes[4]
		other.Name, other.Creator = "other", process.Link{Evidence: process.Scanned}
		b.Processes = append(b.Processes, other)
		mid := b.Processes[1]
		n := 1
		tell := func(creator process.Link) *clickhouse.Store {
			t.Helper()
			s := opened(t, dsn)
			n++
			next := batch(n)
			mid.Creator = creator
			next.Processes = []store.Process{mid}
			if err := s.Append(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			// One more below it, of which the writer knows by what it has read.
			n++
			s = opened(t, dsn)
			next = batch(n, "new")
			next.Processes[0].Creator = process.Link{ID: b.Processes[2].ID, Evidence: process.Observed}
			if err := s.Append(t.Context(), next); err != nil {
				t.Fatal(err)
			}
			return s
		}
		below := func(s *clickhouse.Store, top int, want ...string) {
			t.Helper()
			k := store.Key{Host: b.Host, Boot: b.Boot, ID: b.Processes[top].ID}
			for _, q := range []*store.Query{{Under: k}, {Ancestors: []string{b.Processes[top].Name}}} {
				page, err := s.Select(t.Context(), q)
				var got []string
				for i := range page.Processes {
					got = append(got, page.Processes[i].Name)
				}
				slices.Sort(got)
				slices.Sort(want)
				if err != nil || !slices.Equal(slices.Compact(got), want) {
					t.Errorf("below %s are %q, %v, and not %q", b.Processes[top].Name, got, err, want)
				}
			}
		}
		s := opened(t, dsn)
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		below(s, 0, "mid", "low", "leaf")
		below(s, 4)
		const all = 3
		for range all {
			s = tell(process.Link{ID: other.ID, Evidence: process.Observed})
			below(s, 0)
			below(s, 4, "mid", "low", "leaf", "new")
			s = tell(process.Link{})
			below(s, 0)
			below(s, 4)
			below(s, 1, "low", "leaf", "new")
			s = tell(process.Link{ID: b.Processes[0].ID, Evidence: process.Inferred})
			below(s, 0, "mid", "low", "leaf", "new")
			below(s, 4)
		}
	})
}

// The ancestors of a process say where they end.
func TestWhereAncestorsEnd(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		initialize(t, dsn, clickhouse.InitOptions{})
		s, c := opened(t, dsn), connect(t, dsn)
		b := batch(1, slices.Repeat([]string{"p"}, clickhouse.MaxAncestors+3)...)
		stranger := b.Processes[1]
		stranger.ID.PID, stranger.Name = 5000, "stranger"
		stranger.Creator = process.Link{ID: process.ID{PID: 4999, Start: 5, Precision: process.Exact}, Evidence: process.Observed}
		orphan := stranger
		orphan.ID.PID, orphan.Name, orphan.Creator = 5001, "orphan", process.Link{}
		b.Processes = append(b.Processes, stranger, orphan)
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			pid, ancestors uint64
			end            string
		}{{1, 0, "all"}, {2, 1, "all"}, {clickhouse.MaxAncestors + 1, clickhouse.MaxAncestors, "all"}, {clickhouse.MaxAncestors + 2, clickhouse.MaxAncestors, "cut"},
			{5000, 1, "unknown"}, {5001, 0, "unknown"}} {
			var n uint64
			var end string
			if err := c.QueryRow(t.Context(), "SELECT length(ancestors), toString(ancestors_end) FROM processes FINAL WHERE pid = "+numeral(want.pid)).Scan(&n, &end); err != nil {
				t.Fatal(err)
			}
			if n != want.ancestors || end != want.end {
				t.Errorf("PID %d has %d ancestors, %s, and not %d, %s", want.pid, n, end, want.ancestors, want.end)
			}
		}
	})
}
