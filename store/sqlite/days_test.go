package sqlite_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// TestDays has four days of a host that never rests pass, with its PIDs given away
// again every quarter of an hour and all but the last day forgotten: memory and disk
// stay as they are, and who held a PID when is known.
func TestDays(t *testing.T) {
	s := opened(t, t.TempDir())
	l := newLoad(1)
	l.step, l.pids = 2e9, 400
	const perBatch = 150
	between := perBatch * 2 * time.Second
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	held := map[process.ID]process.Instant{} // of the last day, and when
	type size struct {
		heap  uint64
		bytes int64
	}
	var after []size
	const day = 24 * time.Hour
	for n := range int(4 * day / between) {
		b := l.batch(perBatch)
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := s.Expire(t.Context(), b.Wall.Add(-day)); err != nil {
			t.Fatal(err)
		}
		if n%20 == 0 {
			p := &b.Processes[len(b.Processes)-1]
			if p.Exit.Evidence != process.Unknown {
				held[p.ID] = p.ID.Start + (p.Exit.At-p.ID.Start)/2
			}
		}
		if now := l.clock(); now.Sub(loadEpoch) >= day*time.Duration(len(after)+1) {
			stats, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			after = append(after, size{heap(), stats.Bytes})
		}
	}
	if len(after) < 3 {
		t.Fatalf("only %d days have passed", len(after))
	}
	// Of the second day two are kept, and from then on no more.
	for _, later := range after[2:] {
		if later.heap > after[1].heap+4<<20 || later.bytes > after[1].bytes*5/4 {
			t.Errorf("it grows: %+v", after)
		}
	}
	checked := 0
	for id, at := range held {
		when := loadEpoch.Add(time.Duration(at))
		if l.clock().Sub(when) > day {
			continue
		}
		checked++
		if p, err := s.Holder(t.Context(), "h", id.PID, when); err != nil || p.ID != id {
			t.Errorf("%d was held by %v, %v, want %v", id.PID, p.ID, err, id)
		}
	}
	if checked < 5 {
		t.Errorf("only %d holders were asked for", checked)
	}
	page, err := s.Select(t.Context(), &store.Query{Until: loadEpoch.Add(day), Limit: 10})
	if err != nil || len(page.Processes) > 0 && page.Processes[0].Exit.Evidence != process.Unknown {
		t.Errorf("of the first day there is %+v, %v", page.Processes, err)
	}
}
