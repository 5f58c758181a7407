package html_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/chromium"
)

// manyRows expands all and scrolls through it.
func manyRows(t *testing.T, b *chromium.Browser, r *record.Recording) {
	begun := time.Now()
	v := open(t, b, r)
	t.Logf("written and opened in %v", time.Since(begun).Round(time.Millisecond))
	v.press("E")
	v.Wait(fmt.Sprintf(`document.querySelector("#scroll").getAttribute("aria-rowcount") === "%d"`, len(r.Processes)))
	var most, drawn int
	var longest float64
	v.Eval(`(async () => {
		const scroll = document.querySelector("#scroll");
		let most = 0, longest = 0;
		for (let k = 0; k <= 100; k++) {
			scroll.scrollTop = (k / 100) * scroll.scrollHeight;
			await new Promise(requestAnimationFrame);
			const before = performance.now();
			await new Promise(requestAnimationFrame);
			longest = Math.max(longest, performance.now() - before);
			most = Math.max(most, document.querySelectorAll("*").length);
			const rows = [...document.querySelectorAll(".row:not([hidden])")].map((r) => r.getBoundingClientRect());
			const box = scroll.getBoundingClientRect();
			const seen = rows.filter((r) => r.bottom > box.top && r.top < box.bottom);
			if (seen.length < Math.floor(box.height / 24)) throw new Error(seen.length + " rows at " + k);
		}
		window.result = { most, longest };
	})()`, nil)
	v.Eval("result.most", &most)
	v.Eval("result.longest", &longest)
	v.Eval("document.querySelectorAll('.row').length", &drawn)
	t.Logf("at most %d elements, %d rows; the longest frame took %.0f ms", most, drawn, longest)
	if most > 900 {
		t.Errorf("%d elements are in the document", most)
	}
	v.press("G")
	rows := v.shown()
	if last := rows[len(rows)-1]; !strings.Contains(last, ">") {
		t.Errorf("the last row is %q", last)
	}
	if got := v.Text(`document.querySelector(".row.selected").ariaRowIndex`); got != fmt.Sprint(len(r.Processes)) {
		t.Errorf("the selected row is %s", got)
	}
	middle := len(r.Processes) / 2
	v.press("/")
	v.Type(fmt.Sprint(r.Processes[middle].ID.PID))
	v.press("Enter")
	v.Wait(`document.querySelector(".row.hit")`)
}

// storm is a recording of n processes of one creator.
func storm(n int) *record.Recording {
	r := &record.Recording{Header: record.Header{Command: []string{"storm"}, BeganAt: 1}}
	r.Processes = append(r.Processes, record.Process{ID: process.ID{PID: 1, Precision: process.Exact}, Creator: -1, Start: 1, Name: "storm"})
	for i := range n {
		at := process.Instant(1000 + i*1000)
		r.Processes = append(r.Processes, record.Process{
			ID: process.ID{PID: 1000 + i, Start: at, Precision: process.Exact}, CreatorEvidence: process.Observed,
			Start: at, End: at + 5000, Name: "true", Exit: process.Exit{Evidence: process.Observed},
		})
	}
	r.Ended = process.Instant(10_000 + n*1000)
	return r
}
