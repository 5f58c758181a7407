package recordtest

import (
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// Evil is an argument that would run a script, if a page took it for HTML or
// for a script: it sets window.owned.
const Evil = `</script><script>window.owned=1</script><img src=x onerror="window.owned=1">`

// Hostile returns a recording whose processes chose their names, arguments and
// containers to do harm, and whose times, links and usage are as wrong as those
// of a damaged file. It was cut short.
func Hostile() *record.Recording {
	evil := []string{Evil, "<!--<script>", "]]>", "\x00\x1b]0;owned\x07", "\xff\xfe", "\u202egnp.exe", "\u2028\u2029", `"'\`, "{{7*7}}", strings.Repeat("A", 100_000), ""}
	r := &record.Recording{
		Header: record.Header{
			Command: evil, Dir: Evil, Began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), BeganAt: began,
			Host: Evil, Kernel: "\n", BootID: Evil, CPUs: -1, Source: Evil, Limits: evil,
		},
		Losses: []record.Loss{{}, {Since: math.MaxUint64 / 2, Until: 1}, {Until: began + 2000}},
	}
	for i, arg := range evil {
		start := began + process.Instant(i%3)*1000
		r.Processes = append(r.Processes, record.Process{
			ID:      process.ID{PID: 100 + i%2, Start: start, Precision: process.Precision(i % 3)},
			Creator: i - 1, CreatorEvidence: process.Evidence(i % 4), Start: start, End: process.Instant(i%2) * (began + 500),
			Name: arg, Container: arg, UID: -1,
			Execs: []record.Exec{{}, {At: math.MaxUint64 / 2, File: arg, Args: []string{arg, arg}, ArgsCut: true}, {At: began, Args: []string{arg}}},
			Exit: process.Exit{Evidence: process.Observed, Status: syscall.WaitStatus(i * 37), Usage: process.Usage{
				Known: true, User: -1, System: math.MaxInt64, MaxRSS: math.MaxUint64, ReadBytes: math.MaxUint64,
			}},
		})
	}
	return r
}
