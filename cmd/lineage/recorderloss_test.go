package main

import (
	"io"
	"maps"
	"math"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/source/bpf"
)

// TestRecorderLoss has a recorder ask the tree what it was not told, and be told of
// some of it late.
func TestRecorderLoss(t *testing.T) {
	root, ended, between, below := knownProcess(2, 1, "root"), knownProcess(3, 2, "ended"), knownProcess(4, 3, "between"), knownProcess(5, 4, "below")
	stranger, old, late := knownProcess(6, 1, "stranger"), knownProcess(7, 2, "old"), knownProcess(8, 3, "late")
	events := []lineage.Event{
		{Kind: process.Fork, Time: 20, Process: root}, {Kind: process.Fork, Time: 30, Process: ended}, {Kind: process.Fork, Time: 70, Process: old},
	}
	root.Exec = process.Command{File: "/bin/root", Args: []string{"root", "x"}, At: 75}
	for i, p := range []*process.Process{&ended, &between} {
		p.State, p.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: process.Instant(90 + i), Status: syscall.WaitStatus(i << 8)}
	}
	tree := &knownTree{procs: []process.Process{root, below, stranger, ended, between}, living: 3} // old was forgotten
	late.State, late.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 88}
	old.State, old.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 89, Status: 9}
	rec := recordedEvents(t, tree, append(events,
		lineage.Event{Kind: process.Loss, Since: 70, Time: 80},
		lineage.Event{Kind: process.Exec, Time: 75, Process: root},
		lineage.Event{Kind: process.Fork, Time: 81, Process: late},
		lineage.Event{Kind: process.Exited, Time: 88, Process: late},
		lineage.Event{Kind: process.Exited, Time: 89, Process: old},
		lineage.Event{Kind: process.Exited, Time: 90, Process: ended},
		lineage.Event{Kind: process.Exited, Time: 91, Process: between},
		lineage.Event{Kind: process.Exec, Time: math.MaxUint64, Process: root}, // from here on all is told
		lineage.Event{Kind: process.Fork, Time: math.MaxUint64, Process: knownProcess(9, ended.ID.PID, "no more")},
	)...)
	if got := recordTree(rec); got != "root(ended(between(below) late) old)" {
		t.Errorf("%s", got)
	}
	for i := range rec.Processes {
		p := &rec.Processes[i]
		want, ok := map[string]process.Exit{"ended": ended.Exit, "between": between.Exit, "late": late.Exit, "old": old.Exit}[p.Name]
		if p.Exit != want || ok != (p.End == want.At && p.End != 0) || p.Found {
			t.Errorf("%+v", p)
		}
	}
	if x := rec.Processes[0].Execs; len(x) != 2 || x[0].At != 75 || len(rec.Losses) != 1 {
		t.Errorf("%+v, losses %+v", x, rec.Losses)
	}
}

// event is an event of a process that the tree knows, which is as it is then.
func (t *knownTree) event(kind process.Kind, at process.Instant, p process.Process) lineage.Event {
	steps, _ := t.LineageByID(p.ID)
	before(&p, at)
	e := lineage.Event{Kind: kind, Time: at, Process: p}
	for _, s := range steps {
		e.Chain = append(e.Chain, process.Ancestor{Link: s.Process.Creator})
	}
	return e
}

// TestRecorderOverlooked has members be made and end between a loss and the moment in
// which the tree is asked, which is told after that.
func TestRecorderOverlooked(t *testing.T) {
	root, outer, inner := knownProcess(2, 1, "root"), knownProcess(3, 2, "outer"), knownProcess(4, 3, "inner")
	late, short, stranger, child := knownProcess(6, 4, "late"), knownProcess(7, 2, "short"), knownProcess(8, 1, "stranger"), knownProcess(9, 2, "child")
	for _, p := range []struct {
		*process.Process
		end process.Instant
	}{{&outer, 85}, {&inner, 97}, {&late, 96}, {&short, 93}, {&child, 95}} {
		p.State, p.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: p.end}
	}
	inner.Evidence = process.Scanned // as a zombie
	inner.Exec = process.Command{File: "/bin/inner", Args: []string{"inner", "x"}, At: 88}
	tree := &knownTree{procs: []process.Process{root, outer, inner, late, short, stranger, child}, living: 1}
	rec := recordedEvents(t, tree,
		tree.event(process.Fork, 20, root),
		lineage.Event{Kind: process.Loss, Since: 20, Time: 90},
		tree.event(process.Exec, 91, stranger),
		tree.event(process.Fork, 92, late),
		tree.event(process.Exited, 93, short),
		tree.event(process.Fork, 94, child),
		tree.event(process.Exited, 95, child),
		tree.event(process.Exited, 96, late),
		tree.event(process.Exited, 97, inner),
		tree.event(process.Exec, math.MaxUint64, root),
	)
	if got := recordTree(rec); got != "root(outer(inner(late)) short child)" {
		t.Errorf("%s", got)
	}
	for i := range rec.Processes {
		p := &rec.Processes[i]
		if q, err := tree.ProcessByID(p.ID); err != nil || p.Exit != q.Exit || p.Name != "root" && len(p.Execs) != min(1, len(q.Exec.Args)) {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// TestRecorderLossThenTold has a member and one that is found run two programs after the
// loss and before the tree is asked, which knows the last, and then is told of both.
func TestRecorderLossThenTold(t *testing.T) {
	root, known, found := knownProcess(2, 1, "root"), knownProcess(3, 2, "known"), knownProcess(7, 2, "found")
	tree := &knownTree{procs: []process.Process{root, known, found}, living: 3}
	events := []lineage.Event{tree.event(process.Fork, 20, root), tree.event(process.Fork, 30, known), {Kind: process.Loss, Since: 30, Time: 90}}
	for i := range 2 {
		for j := range tree.procs[1:] {
			p := &tree.procs[1+j]
			p.Exec = process.Command{File: "/bin/x", Args: []string{"x"}, At: process.Instant(92 + 2*i + j)}
			events = append(events, tree.event(process.Exec, p.Exec.At, *p))
		}
	}
	rec := recordedEvents(t, tree, append(events, tree.event(process.Exec, math.MaxUint64, root))...)
	if got := recordTree(rec); got != "root(known found)" {
		t.Fatal(got)
	}
	for _, p := range rec.Processes[1:] {
		if len(p.Execs) != 2 {
			t.Errorf("%+v", p)
		}
	}
}

// TestRecorderOverlookedReused has one that was overlooked have had the PID of one that
// lived when the tree was asked, made before the loss or after it.
func TestRecorderOverlookedReused(t *testing.T) {
	for _, start := range []process.Instant{70, 91} {
		root, old, young := knownProcess(2, 1, "root"), knownProcess(7, 2, "old"), knownProcess(7, 2, "young")
		old.ID.Start, young.ID.Start = start, 95
		old.State, old.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 93, Status: 9}
		tree := &knownTree{procs: []process.Process{root, young, old}, living: 2}
		events := []lineage.Event{tree.event(process.Fork, 20, root), {Kind: process.Loss, Since: 20, Time: 90}}
		if start > 90 {
			events = append(events, tree.event(process.Fork, start, old))
		}
		rec := recordedEvents(t, tree, append(events,
			tree.event(process.Exited, 93, old),
			tree.event(process.Fork, 95, young),
			tree.event(process.Exec, math.MaxUint64, root),
		)...)
		if got := recordTree(rec); got != "root(old young)" {
			t.Errorf("old made at %d: %s", start, got)
			continue
		}
		for i := range rec.Processes {
			want := process.Exit{}
			if p := &rec.Processes[i]; p.Name == "old" {
				want = old.Exit
			}
			if p := &rec.Processes[i]; p.Exit != want {
				t.Errorf("old made at %d: %+v", start, p)
			}
		}
	}
}

// TestRecorderOverlookedLost has the end of one that was overlooked be lost, whose PID
// another one has by then.
func TestRecorderOverlookedLost(t *testing.T) {
	root, old, young := knownProcess(2, 1, "root"), knownProcess(7, 2, "old"), knownProcess(7, 2, "young")
	young.ID.Start = 95
	old.State, old.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 93}
	tree := &knownTree{procs: []process.Process{root, young, old}, living: 2}
	rec := recordedEvents(t, tree,
		tree.event(process.Fork, 20, root),
		lineage.Event{Kind: process.Loss, Since: 20, Time: 90},
		tree.event(process.Exec, 92, old),
		lineage.Event{Kind: process.Loss, Since: 92, Time: 94},
		tree.event(process.Fork, 95, young),
		tree.event(process.Exec, math.MaxUint64, root),
	)
	if got := recordTree(rec); got != "root(old young)" {
		t.Fatal(got)
	}
	for i := range rec.Processes {
		if p := &rec.Processes[i]; (p.Exit.Evidence == process.Inferred) != (p.Name == "old") {
			t.Errorf("%+v", p)
		}
	}
}

// TestRecorderRootLost has it never be told how the command ended, while losses and
// what happens after them go on: wait4(2) tells that.
func TestRecorderRootLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := knownProcess(2, 1, "root")
		rec := followed(t, func(events chan<- lineage.Event, stop <-chan struct{}) {
			events <- lineage.Event{Kind: process.Fork, Time: 20, Process: root}
			root.State, root.Exit = process.Ended, process.Exit{Evidence: process.Scanned, At: 90}
			events <- lineage.Event{Kind: process.Loss, Since: 20, Time: 80}
			events <- lineage.Event{Kind: process.Gone, Time: 90, Process: root}
			for {
				for _, e := range []lineage.Event{{Kind: process.Moved, Time: math.MaxUint64}, {Kind: process.Loss, Time: math.MaxUint64}} {
					select {
					case events <- e:
						<-time.After(patienceForRoot / 2)
					case <-stop:
						return
					}
				}
			}
		})
		if x := rec.Processes[0].Exit; x.Evidence != process.Observed || x.Status != syscall.WaitStatus(7<<8) {
			t.Errorf("%+v", x)
		}
		if x := rec.Processes[0].Execs; len(x) != 1 || x[0].File != "/bin/root" || !slices.Equal(x[0].Args, []string{"root", "-x"}) {
			t.Errorf("%+v: what it ran is known", x)
		}
	})
}

// TestRecorderOverlookedForgotten has the tree know the past of one that was overlooked
// or not: all that is told of it is recorded.
func TestRecorderOverlookedForgotten(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		root, p := knownProcess(2, 1, "root"), knownProcess(7, 2, "p")
		p.State, p.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 95}
		first := p
		first.Exec = process.Command{File: "/bin/a", Args: []string{"a"}, At: 92}
		p.Exec = process.Command{File: "/bin/b", Args: []string{"b"}, At: 94}
		tree := &knownTree{procs: []process.Process{root, p}, living: 1}
		events := []lineage.Event{
			tree.event(process.Fork, 20, root), {Kind: process.Loss, Since: 20, Time: 90},
			tree.event(process.Exec, 92, first), tree.event(process.Exec, 94, p), tree.event(process.Exited, 95, p),
			tree.event(process.Exec, math.MaxUint64, root),
		}
		if forgotten {
			tree.procs = tree.procs[:1]
		}
		rec := recordedEvents(t, tree, events...)
		if got := recordTree(rec); got != "root(p)" {
			t.Errorf("forgotten %v: %s", forgotten, got)
			continue
		}
		if p := &rec.Processes[1]; len(p.Execs) != 2 || p.Execs[0].File != "/bin/a" || p.Execs[1].At != 94 || p.End != 95 {
			t.Errorf("forgotten %v: %+v", forgotten, p)
		}
	}
}

// TestRecorderLossUponLoss has nothing be remembered of who ended before a loss, although
// the next one comes before all is told that the tree knew at the last.
func TestRecorderLossUponLoss(t *testing.T) {
	w, err := record.NewWriter(io.Discard, record.Header{Source: bpf.Name})
	if err != nil {
		t.Fatal(err)
	}
	root := knownProcess(2, 1, "root")
	tree := &knownTree{procs: []process.Process{root}, living: 1}
	r := newRecorder(w, tree, nil, 1, 2)
	take := func(e lineage.Event) {
		t.Helper()
		if !r.take(&e) {
			t.Fatal(r.err)
		}
	}
	take(tree.event(process.Fork, 20, root))
	const children = 100
	at := process.Instant(100)
	for range 5 {
		take(lineage.Event{Kind: process.Loss, Since: at, Time: at + 6})
		for range children {
			at += 10
			p := knownProcess(int(at), root.ID.PID, "p")
			p.ID.Start = at
			take(lineage.Event{Kind: process.Fork, Time: at, Process: p})
			p.State, p.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: at + 5}
			take(lineage.Event{Kind: process.Exited, Time: at + 5, Process: p})
		}
		if len(r.living) != 1 || len(r.faded) > children {
			t.Errorf("%d are living, and %d are remembered that have ended", len(r.living), len(r.faded))
		}
	}
}

// TestRecorderFound has the program read of what was found after a loss, and not
// claimed to be its creator's where it cannot be.
func TestRecorderFound(t *testing.T) {
	tree := &knownTree{procs: []process.Process{knownProcess(2, 1, "root")}, living: 1, details: map[int]process.Details{
		2: {Args: []string{"root"}}, 3: {Args: []string{"cc", "x.c"}, Exe: "/bin/cc (deleted)"}, 4: {Args: []string{"root"}},
	}}
	events := []lineage.Event{{Kind: process.Fork, Time: 20, Process: tree.procs[0]}, {Kind: process.Loss, Time: 60}}
	for pid, name := range map[int]string{3: "cc", 4: "root", 5: "gone"} {
		p := knownProcess(pid, 2, name)
		p.Evidence, p.Creator.Evidence = process.Scanned, process.Inferred
		events = append(events, lineage.Event{Kind: process.Seen, Time: 70, Process: p, Chain: []process.Ancestor{{Link: p.Creator}}})
	}
	rec := recordedEvents(t, tree, events...)
	got := map[string]string{}
	for i := range rec.Processes {
		got[rec.Processes[i].Name] = commandOf(rec, i)
	}
	if want := map[string]string{"cc": "cc x.c", "root": "root", "gone": "gone"}; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
