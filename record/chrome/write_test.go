package chrome_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/chrome"
	"github.com/proclineage/lineage/record/internal/recordtest"
	"github.com/proclineage/lineage/record/internal/words"
)

// An event is one of traceEvents. A field that the format does not have for the
// events that are written is an error.
type event struct {
	Phase    string         `json:"ph"`
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	TS       *float64       `json:"ts"`
	Dur      *float64       `json:"dur"`
	PID      *int           `json:"pid"`
	TID      *int           `json:"tid"`
	Scope    string         `json:"s"`
	Color    string         `json:"cname"`
	Args     map[string]any `json:"args"`
}

// read reads a trace and holds it to the rules of the Trace Event Format for a
// JSON object with complete, instant and metadata events.
func read(t *testing.T, r *record.Recording) (events []event, other map[string]any) {
	t.Helper()
	var b bytes.Buffer
	if err := chrome.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	var trace struct {
		Events []event        `json:"traceEvents"`
		Unit   string         `json:"displayTimeUnit"`
		Other  map[string]any `json:"otherData"`
	}
	d := json.NewDecoder(&b)
	d.DisallowUnknownFields()
	if err := d.Decode(&trace); err != nil {
		t.Fatal(err)
	}
	if trace.Unit != "ms" || trace.Other == nil {
		t.Errorf("displayTimeUnit %q, otherData %v", trace.Unit, trace.Other)
	}
	named := map[int]bool{}
	for i, e := range trace.Events {
		fail := func(why string) { t.Fatalf("event %d, %+v: %s", i, e, why) }
		if e.PID == nil || e.TID == nil || e.Name == "" || e.Args == nil {
			fail("pid, tid, name or args are missing")
		}
		timed := e.TS != nil && *e.TS >= 0 && !math.IsInf(*e.TS, 0) && e.Category != ""
		switch e.Phase {
		case "M":
			if !slices.Contains([]string{"process_name", "thread_name", "thread_sort_index"}, e.Name) || e.TS != nil {
				fail("no such metadata")
			}
			named[*e.TID] = named[*e.TID] || e.Name == "thread_name"
		case "X":
			if !timed || e.Dur == nil || *e.Dur < 0 || !named[*e.TID] {
				fail("a complete event needs ts, dur and a thread")
			}
		case "i":
			if !timed || e.Dur != nil || !slices.Contains([]string{"g", "p", "t"}, e.Scope) || !named[*e.TID] {
				fail("an instant event needs ts, a scope and a thread")
			}
		default:
			fail("no phase that is written")
		}
		if e.Color != "" && e.Color != "terrible" && e.Color != "bad" {
			fail("no such colour")
		}
	}
	nested(t, trace.Events)
	return trace.Events, trace.Other
}

// nested holds that no two slices of a thread cross, in the numbers that a viewer
// reckons with.
func nested(t *testing.T, events []event) {
	t.Helper()
	threads := map[int][]event{}
	for _, e := range events {
		if e.Phase == "X" {
			threads[*e.TID] = append(threads[*e.TID], e)
		}
	}
	for tid, complete := range threads {
		slices.SortStableFunc(complete, func(a, b event) int {
			return cmp.Or(cmp.Compare(*a.TS, *b.TS), -cmp.Compare(*a.Dur, *b.Dur))
		})
		var open []float64
		for _, e := range complete {
			for len(open) > 0 && open[len(open)-1] <= *e.TS+1e-4 {
				open = open[:len(open)-1]
			}
			end := *e.TS + *e.Dur
			if len(open) > 0 && end > open[len(open)-1] {
				t.Fatalf("thread %d: %s at %f crosses what it lies on", tid, e.Name, *e.TS)
			}
			open = append(open, end)
		}
	}
}

func TestBuild(t *testing.T) {
	r := recordtest.Build(3000)
	events, other := read(t, r)
	if other["command"] != "make -j8 all" || other["unseen_1"] == nil {
		t.Error(other)
	}
	var complete, instants []event
	lanes := map[int]bool{}
	for _, e := range events {
		switch {
		case e.Phase == "X" && strings.HasPrefix(e.Category, "process"):
			complete = append(complete, e)
			lanes[*e.TID] = true
		case e.Phase == "i" && e.Category == "exec":
			instants = append(instants, e)
		}
	}
	if len(complete) != len(r.Processes) {
		t.Fatalf("%d slices for %d processes", len(complete), len(r.Processes))
	}
	if n := len(lanes); n > 100 {
		t.Errorf("%d lanes", n)
	}
	execs := 0
	micros := func(at process.Instant) float64 {
		return float64(at-r.Header.BeganAt) / float64(time.Microsecond)
	}
	for i := range r.Processes {
		p, e := &r.Processes[i], complete[i]
		end := p.End
		if end == 0 {
			end = r.Ended
		}
		if math.Abs(*e.TS-micros(p.Start)) > 1e-4 || math.Abs(*e.TS+*e.Dur-micros(end)) > 1e-4 {
			t.Fatalf("process %d: %f for %f", i, *e.TS, *e.Dur)
		}
		failed := p.Failed()
		if e.Args["pid"] != float64(p.ID.PID) || e.Args["ending"] != words.Ending(p) || (e.Args["open"] == true) != (p.End == 0) {
			t.Errorf("process %d: %v", i, e.Args)
		}
		if failed != (e.Category == "process,failed") || failed != (e.Color == "terrible") || failed != strings.Contains(e.Name, ": ") {
			t.Errorf("process %d: %+v", i, e)
		}
		if n := len(p.Execs); n > 0 && e.Args["command"] != words.Command(p.Execs[n-1].Args, false) {
			t.Errorf("process %d: %v", i, e.Args)
		}
		execs += len(p.Execs)
	}
	if len(instants) != execs {
		t.Errorf("%d instants for %d execs", len(instants), execs)
	}
}

// TestLanes draws calls above what called, and what ran beside it on another
// lane.
func TestLanes(t *testing.T) {
	p := func(creator int, start, end process.Instant) record.Process {
		return record.Process{ID: process.ID{PID: 1, Precision: process.Exact}, Creator: creator, CreatorEvidence: process.Observed, Start: start, End: end, Name: "p"}
	}
	r := &record.Recording{Header: record.Header{BeganAt: 10}, Ended: 100, Processes: []record.Process{
		p(-1, 10, 90),
		p(0, 20, 40),
		p(1, 25, 30), // above the one before
		p(0, 35, 60), // beside it
		p(0, 40, 50), // in the first one's place
		p(3, 45, 70), // outlives its creator
		p(0, 65, 90), // ends with it
		p(0, 75, 80),
		p(4, 82, 85), // of one that has ended
		p(0, 76, 77), // out of order
	}}
	late := p(0, 70, 74) // known to the tick: drawn at 82, without a length
	late.ID.Precision = process.ToTick
	r.Processes = append(r.Processes, late)
	events, _ := read(t, r)
	var got []int
	for _, e := range events {
		if e.Phase == "X" && e.Category == "process" {
			got = append(got, *e.TID)
		}
	}
	if want := []int{1, 1, 1, 2, 1, 3, 2, 1, 3, 4, 1}; !slices.Equal(got, want) {
		t.Errorf("lanes %v, want %v", got, want)
	}
}

func TestHostile(t *testing.T) {
	read(t, recordtest.Hostile())
	read(t, &record.Recording{})
}

// TestLanesOfStorm holds that what the lanes need does not grow with what has
// ended.
func TestLanesOfStorm(t *testing.T) {
	r := &record.Recording{Header: record.Header{BeganAt: 1}, Ended: 1 << 40}
	r.Processes = append(r.Processes, record.Process{Creator: -1, Start: 1, End: 1 << 40, Name: "top"})
	for i := range 20_000 {
		at := process.Instant(10 + i*1000)
		r.Processes = append(r.Processes, record.Process{ID: process.ID{PID: i}, CreatorEvidence: process.Observed, Start: at, End: at + 2500, Name: "x"})
	}
	events, _ := read(t, r)
	threads := map[int]bool{}
	for _, e := range events {
		threads[*e.TID] = true
	}
	if len(threads) > 8 {
		t.Error(slices.Sorted(maps.Keys(threads)))
	}
}

func TestWriteError(t *testing.T) {
	if err := chrome.Write(&recordtest.Disk{Room: 100_000}, recordtest.Build(3000)); !errors.Is(err, recordtest.ErrFull) {
		t.Error(err)
	}
}

// BenchmarkWrite writes 50,000 processes.
func BenchmarkWrite(b *testing.B) {
	r := recordtest.Build(50_000)
	b.ReportAllocs()
	for b.Loop() {
		var n recordtest.Count
		if err := chrome.Write(&n, r); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "B")
	}
}

func ExampleWrite() {
	r := &record.Recording{
		Header: record.Header{Command: []string{"true"}, BeganAt: 1000, CPUs: 2},
		Processes: []record.Process{{
			ID: process.ID{PID: 7, Precision: process.Exact}, Creator: -1, CreatorEvidence: process.Observed,
			Start: 1500, End: 4000, Name: "true", UID: -1,
			Exit: process.Exit{Evidence: process.Observed, Status: 1 << 8},
		}},
		Ended: 5000,
	}
	var b strings.Builder
	if err := chrome.Write(&b, r); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "exited") {
			fmt.Print(line)
		}
	}
	// Output: {"ph":"X","name":"true: exited 1","cat":"process,failed","ts":0.500,"dur":2.500,"pid":1,"tid":1,"cname":"terrible","args":{"pid":7,"ending":"exited 1","exit_status":1}}
}
