package perfetto_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/recordtest"
	"github.com/proclineage/lineage/record/internal/words"
	"github.com/proclineage/lineage/record/perfetto"
)

func write(t *testing.T, r *record.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := perfetto.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const firstProcess = 16

// TestBuild compares each process of a recording with its track.
func TestBuild(t *testing.T) {
	r := recordtest.Build(1500)
	tracks := draw(t, decode(t, write(t, r)))
	if len(tracks) != 3+len(r.Processes) {
		t.Fatalf("%d tracks for %d processes", len(tracks), len(r.Processes))
	}
	failed, open := 0, 0
	for i := range r.Processes {
		p := &r.Processes[i]
		track := tracks[firstProcess+uint64(i)]
		parent := uint64(1)
		if p.Creator >= 0 {
			parent = firstProcess + uint64(p.Creator)
		}
		if want := fmt.Sprint(p.Name, " ", p.ID.PID); track.name != want || track.parent != parent {
			t.Fatalf("process %d: track %q below %d, want %q below %d", i, track.name, track.parent, want, parent)
		}
		if len(track.slices) != 1+len(p.Execs) {
			t.Fatalf("process %d has %d slices and %d execs", i, len(track.slices), len(p.Execs))
		}
		life := track.slices[0]
		if life.begin != uint64(p.Start) || life.end != uint64(p.End) || life.args["pid"] != strconv.Itoa(p.ID.PID) {
			t.Fatalf("process %d: %+v", i, life)
		}
		if got, want := life.args["ending"], words.Ending(p); got != want {
			t.Errorf("process %d: %q, want %q", i, got, want)
		}
		if p.Exit.Usage.Known && life.args["user_time_ns"] != strconv.FormatInt(int64(p.Exit.Usage.User), 10) {
			t.Errorf("process %d: %v", i, life.args)
		}
		if p.CreatorEvidence != process.Observed && life.args["creator_evidence"] != p.CreatorEvidence.String() {
			t.Errorf("process %d: %v", i, life.args)
		}
		if p.End == 0 {
			open++
		}
		if p.Failed() {
			failed++
		}
		if got := slices.Contains(life.categories, "failed"); got != p.Failed() || got != strings.Contains(life.name, ": ") || got != (life.args["failed"] == "true") {
			t.Errorf("process %d: %+v", i, life)
		}
		for j, e := range p.Execs {
			s := track.slices[1+j]
			if s.begin != uint64(e.At) || s.depth != 1 || s.end != uint64(p.End) || s.args["command"] != words.Command(e.Args, false) || s.args["file"] != e.File {
				t.Errorf("process %d, exec %d: %+v", i, j, s)
			}
		}
	}
	if failed < 10 || open != 1 {
		t.Errorf("%d have failed and %d go on", failed, open)
	}
	running := tracks[3].counts
	if last := running[len(running)-1]; slices.Max(running) < 20 || last != int64(open) {
		t.Errorf("at most %d ran, and %d in the end", slices.Max(running), last)
	}
}

// TestUnseen looks for what could not be seen.
func TestUnseen(t *testing.T) {
	r := recordtest.Build(8)
	tracks := draw(t, decode(t, write(t, r)))
	var limits, losses int
	for _, s := range tracks[2].slices {
		switch {
		case s.instant:
			limits++
		case s.begin == uint64(r.Losses[0].Since) && s.end == uint64(r.Losses[0].Until):
			losses++
		}
	}
	if limits != len(words.Unseen(r)) || losses != 1 {
		t.Errorf("%d limits and %d losses are shown", limits, losses)
	}
	r.Losses, r.Header.Limits = nil, nil
	if _, ok := draw(t, decode(t, write(t, r)))[2]; ok {
		t.Error("all was seen, yet there is a track of what was not")
	}
}

func TestSeveralExecs(t *testing.T) {
	r := &record.Recording{Header: record.Header{BeganAt: 1}, Processes: []record.Process{{
		ID: process.ID{PID: 7}, Creator: -1, Start: 10, End: 100, Name: "c",
		Execs: []record.Exec{{At: 20, File: "/bin/a"}, {At: 30, File: "/bin/b"}, {At: 30, File: "/bin/c"}, {At: 500, File: "/bin/d"}},
	}}, Ended: 120}
	var got []string
	for _, s := range draw(t, decode(t, write(t, r)))[firstProcess].slices {
		got = append(got, fmt.Sprint(s.depth, " ", s.name, " ", s.begin, "-", s.end))
	}
	if want := []string{"0 c 10-100", "1 a 20-30", "1 b 30-30", "1 c 30-100", "1 d 100-100"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHostile(t *testing.T) {
	decode(t, write(t, recordtest.Hostile()))
	decode(t, write(t, &record.Recording{}))
}

// TestForgets writes more text than is kept to be referred to.
func TestForgets(t *testing.T) {
	r := recordtest.Build(80)
	for i := range r.Processes {
		for j := range r.Processes[i].Execs {
			e := &r.Processes[i].Execs[j]
			e.Args = []string{e.Args[0], strconv.Itoa(i), strings.Repeat("x", 128<<10)}
		}
	}
	trace := write(t, r)
	cleared := 0
	m := decode(t, trace)
	m.each("packet", func(p message) { cleared += int(p.uint("sequence_flags") & 1) })
	if cleared < 3 {
		t.Errorf("the state was cleared %d times", cleared)
	}
	draw(t, m)
}

func TestWriteError(t *testing.T) {
	if err := perfetto.Write(&recordtest.Disk{Room: 100_000}, recordtest.Build(3000)); !errors.Is(err, recordtest.ErrFull) {
		t.Error(err)
	}
}

// BenchmarkWrite writes 50,000 processes.
func BenchmarkWrite(b *testing.B) {
	r := recordtest.Build(50_000)
	b.ReportAllocs()
	for b.Loop() {
		var n recordtest.Count
		if err := perfetto.Write(&n, r); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "B")
	}
}
