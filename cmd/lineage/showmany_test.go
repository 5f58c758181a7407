package main

import (
	"strings"
	"testing"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// drawnRecording returns what show draws of a recording.
func drawnRecording(t *testing.T, rec *record.Recording, flags showFlags) string {
	t.Helper()
	flags.sort.value = "none"
	return drawn(0, func(s *screen) {
		a := &app{stdout: s.w, columns: func() int { return 0 }, getenv: func(string) string { return "" }}
		a.output.value = "text"
		v, err := newRecordView(a, rec, &flags)
		if err != nil {
			t.Fatal(err)
		}
		v.tree()
		v.foot()
	})
}

// TestShowManyTwins has the PIDs of a few of those that look the same.
func TestShowManyTwins(t *testing.T) {
	rec := smallBuild()
	for i := range 100 {
		twin := rec.Processes[5]
		twin.ID.PID = 200 + i
		rec.Processes = append(rec.Processes, twin)
	}
	if text := drawnRecording(t, rec, showFlags{pids: true}); !strings.Contains(text, "├─ 106 107 200 … true ×102  ") {
		t.Errorf("%s", text)
	}
}

// TestShowDeep says why not all of a chain is drawn.
func TestShowDeep(t *testing.T) {
	rec := smallBuild()
	rec.Processes = rec.Processes[:1]
	for i := range 2*deepest - 1 {
		p := rec.Processes[0]
		p.ID.PID, p.Creator = 200+i, i
		rec.Processes = append(rec.Processes, p)
	}
	for depth, want := range map[int]string{
		0: "500 more deeper than 500 levels: -o json has them\n", 3 * deepest: "500 more deeper than 500 levels: -o json has them\n", 10: "990 more deeper than --depth\n",
	} {
		if text := drawnRecording(t, rec, showFlags{depth: depth}); !strings.Contains(text, want) {
			t.Errorf("--depth %d: %s", depth, text[len(text)-200:])
		}
	}
}

// TestSummaryNames has the parts of the critical path of one name together, whatever
// the path, and says where a name is not known.
func TestSummaryNames(t *testing.T) {
	rec := &record.Recording{Header: record.Header{Version: 1, Command: []string{"x"}, BeganAt: 1e9, CPUs: 1, Source: "cnproc"}, Ended: 2e9}
	for i, file := range []string{"/bin/true", "/usr/bin/true", ""} {
		at := process.Instant(1e9 + i*1e8)
		p := record.Process{ID: process.ID{PID: 10 + i, Start: at, Precision: process.ToTick}, Creator: i - 1, CreatorEvidence: process.Observed, Start: at, End: 2e9 - process.Instant(i)*1e8, UID: -1}
		p.Exit = process.Exit{Evidence: process.Observed, At: p.End}
		p.Execs = []record.Exec{{At: at, File: file}}
		rec.Processes = append(rec.Processes, p)
	}
	rec.Processes[2].Start += 1e6 // the time of its fork was told
	text := drawn(0, func(s *screen) { writeSummary(s, rec) })
	for _, want := range []string{"as slow as: (not known) 60 %, true 40 %\n", "  (not known)\n", "2 whose start is known to 10 ms or less well"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
