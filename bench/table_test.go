package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleSheaf is two questions as measured on no machine.
func sampleSheaf() *sheaf {
	samples := func(each ...time.Duration) []sample {
		var all []sample
		for _, d := range each {
			all = append(all, sample{asked: 10, elapsed: 10 * d, cpu: 5 * d, allocs: 23, bytes: 250})
		}
		return all
	}
	none := func(all []sample) []sample {
		for i := range all {
			all[i].allocs, all[i].bytes = 3, 9 // less than one an answer
		}
		return all
	}
	walks := question{text: inTurnText, processes: 1000, contenders: []contender{{name: procfsName}, {name: bpfName}, {name: plainName}, {name: rawName}, {name: "other", lacks: "no cgroups"}}}
	scans := question{text: scanText, processes: 1000, contenders: []contender{{name: procfsName}, {name: psName, outside: true}}}
	trees := question{text: treeText, processes: 1000, contenders: []contender{{name: treeName, outside: true}}}
	const us, ms = time.Microsecond, time.Millisecond
	s := &sheaf{Machine: "Linux 6.1, amd64, 2 CPUs, go1.26", Depth: 8, Notes: []string{"pstree -p: not here"}}
	s.Results = slices.Concat(
		results(walks, [][]sample{none(samples(40*us, 50*us, 60*us)), none(samples(150, 160, 130)), samples(40, 50, 60), samples(200*us, 200*us, 180*us), samples(1*ms, 1*ms, 1*ms)}),
		results(scans, [][]sample{samples(900*ms, 800*ms), samples(time.Second, 1200*ms)}),
		results(trees, [][]sample{samples(time.Second)}))
	s.Limits = append(limits(s.Results),
		limit{Text: "heap: of each process", Rule: atMost, Bound: 250, Unit: inBytes, Measured: &spread{249, 249, 249}},
		limit{Text: "two: of one", Rule: atLeast, Bound: 1.8, Measured: &spread{1.9, 1.7, 1.95}},
		limit{Text: "beside: a figure", Unit: nanoseconds, Measured: &spread{-5, -10, 1200}})
	return s
}

func TestTable(t *testing.T) {
	s := sampleSheaf()
	for name, got := range map[string]string{"table.txt": s.text(), "table.md": s.markdown()} {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is now (go test -update):\n%s", golden, got)
		}
	}
}

var update = flag.Bool("update", false, "write what the tests compare with anew")

func TestLimits(t *testing.T) {
	type want struct {
		text string
		met  bool
	}
	var got []want
	for _, l := range sampleSheaf().Limits {
		_, what, _ := strings.Cut(l.Text, ": ")
		got = append(got, want{what, l.met()})
	}
	wants := []want{
		{"lineage, procfs / " + rawName, true},
		{"lineage, procfs, allocations", true},
		{"lineage, procfs, bytes allocated", true},
		{"lineage, bpf", true},
		{"lineage, bpf / " + plainName, false},
		{"lineage, bpf, allocations", true},
		{"lineage, bpf, bytes allocated", true},
		{"lineage, procfs / " + psName, false},
		{"lineage tree / " + pstreeName, false}, // it was not measured
		{"of each process", true},
		{"of one", true},
		{"a figure", true},
	}
	if !slices.Equal(got, wants) {
		t.Errorf("got %v\nwant %v", got, wants)
	}
	for _, l := range []limit{
		{Rule: atMost, Bound: 0.25},
		{Rule: atMost, Bound: 0.25, Measured: &spread{Median: 0.2501, P10: 0.1, P90: 0.1}},
		{Rule: atLeast, Bound: 0.25, Measured: &spread{Median: 0.2499, P10: 0.3, P90: 0.3}},
	} {
		if l.met() {
			t.Errorf("%v is met", l)
		}
	}
	for _, l := range []limit{
		{Rule: atMost, Bound: 0.25, Measured: &spread{Median: 0.25, P10: 0.1, P90: 9}},
		{Rule: atLeast, Bound: 0.25, Measured: &spread{Median: 0.25, P10: 0.1, P90: 9}},
		{Measured: &spread{Median: 9}},
	} {
		if !l.met() {
			t.Errorf("%v is not met", l)
		}
	}
}

func TestSpread(t *testing.T) {
	numbers := []float64{9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 10}
	if got, want := newSpread(numbers), (spread{5, 1, 9}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if numbers[0] != 9 {
		t.Error("the numbers were put in another order")
	}
	if got, want := newSpread([]float64{1, 2}), (spread{1.5, 1.1, 1.9}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := newSpread(nil); got != (spread{}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0ns", 999: "999ns", 1000: "1.00µs", 12345: "12.3µs", 123456: "123µs",
		999600: "1.00ms", -1000: "-1.00µs", 1.5e9: "1.50s", 61e9: "61.0s",
	} {
		if got := duration(ns); got != want {
			t.Errorf("%v ns: %q, not %q", ns, got, want)
		}
	}
}

// TestMeasure has contenders that only count.
func TestMeasure(t *testing.T) {
	counts := make([]int, 2)
	forgotten := 0
	var last []int
	q := question{rounds: 4, turn: 3}
	for i := range counts {
		q.contenders = append(q.contenders, contender{
			outside: true,
			ask:     func(n int) error { counts[i] += n; last = append(last, i); return nil },
			forget:  func() { forgotten++ },
		})
	}
	samples, err := measure(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range counts {
		if len(samples[i]) != 4 || samples[i][0].asked != 1 {
			t.Errorf("contender %d: samples %v", i, samples[i])
		}
		if counts[i] != 3+1+4 { // a turn, the calibration, four rounds
			t.Errorf("contender %d was asked %d times", i, counts[i])
		}
	}
	if want := []int{0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0}; !slices.Equal(last, want) {
		t.Errorf("asked in the order %v, not %v", last, want)
	}
	if forgotten != len(last) {
		t.Errorf("%d answers were let go of, not %d", forgotten, len(last))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := measure(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	broken := errors.New("broken")
	q.contenders[1].ask = func(int) error { return broken }
	if _, err := measure(t.Context(), q); !errors.Is(err, broken) {
		t.Errorf("a contender that fails: %v", err)
	}
}

// TestRun makes the table of a run, without lineage tree.
func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-only", "peers", "-processes", "30", "-rounds", "1", "-often", "1", "-command", "false", "-json"}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var s sheaf
	if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, n := range contenders() {
		want += n
	}
	if got := len(s.Results); got != want {
		t.Errorf("%d rows, not %d", got, want)
	}
	for _, r := range s.Results {
		if r.Nanoseconds.Median <= 0 || r.Ratio.Median <= 0 {
			t.Errorf("%s: %s: %v", r.Question, r.Contender, r)
		}
	}
	if !slices.ContainsFunc(s.Notes, func(note string) bool { return strings.Contains(note, "false tree") }) {
		t.Errorf("the command that fails is not noted: %q", s.Notes)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-processes", "0"}, {"-processes", "1,x"}, {"-rounds", "0"}, {"-often", "0"}, {"more"}, {"-nothing"}, {"-only", "peers,all"},
		{"-processes", "10,9999999"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v is run", args)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-processes", "10", "-command", "false"}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
