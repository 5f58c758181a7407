package clickhouse_test

import (
	"strconv"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// epoch is what the wall clock shows at the instant zero.
var epoch = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// batch is the nth one of the host h, of the processes with these names, each of which
// was created by the one before, and the first by nobody.
func batch(n int, names ...string) *store.Batch {
	b := &store.Batch{Host: "h", Boot: "b", HostName: "h.test", Now: process.Instant(n) * process.Instant(time.Minute)}
	b.Wall = epoch.Add(time.Duration(b.Now))
	for i, name := range names {
		p := store.Process{Name: name, Evidence: process.Observed, Creator: process.Link{Evidence: process.Scanned}}
		p.ID = process.ID{PID: 1 + i, Start: b.Now - process.Instant(time.Second) + process.Instant(i), Precision: process.Exact}
		if i > 0 {
			p.Creator = process.Link{ID: b.Processes[i-1].ID, Evidence: process.Observed}
		}
		b.Processes = append(b.Processes, p)
	}
	return b
}

func numeral(n uint64) string { return strconv.FormatUint(n, 10) }
