package main

import (
	"bytes"
	"math"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/source/bpf"
)

// toldTree is a tree of which nothing is known but what is told.
type toldTree struct{ recorded }

func (toldTree) Source() lineage.SourceInfo { return lineage.SourceInfo{Name: bpf.Name} }

func (toldTree) Process(int) (process.Process, error) {
	return process.Process{}, lineage.ErrNotFound
}

func (toldTree) ProcessByID(process.ID) (process.Process, error) {
	return process.Process{}, lineage.ErrNotFound
}

func (toldTree) Processes() ([]process.Process, error) { return nil, nil }

func (toldTree) Details(process.ID) (process.Details, error) {
	return process.Details{}, lineage.ErrNotFound
}

// followed returns what a recorder makes of the events that tell sends until stop is
// closed, of a command that has ended with 7.
func followed(t *testing.T, tell func(events chan<- lineage.Event, stop <-chan struct{})) *record.Recording {
	t.Helper()
	var file bytes.Buffer
	w, err := record.NewWriter(&file, record.Header{Source: bpf.Name})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan lineage.Event)
	c := &command{pid: 2, done: make(chan struct{}), ended: true, final: ending{status: 7 << 8}}
	close(c.done)
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { tell(events, stop) })
	r := newRecorder(w, toldTree{}, nil, 1, 2)
	r.command, r.started = record.Exec{File: "/bin/root", Args: []string{"root", "-x"}}, 5
	r.follow(t.Context(), &live{events: events}, c, false, func(*command) {})
	close(stop)
	telling.Wait()
	r.finish()
	rec, err := record.Read(&file, record.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestRecorderBehind has a recorder that is told of a command that ended long ago,
// little by little, and one that is never told of its end.
func TestRecorderBehind(t *testing.T) {
	for name, test := range map[string]struct {
		untold bool
		losses int
	}{"slow": {false, 0}, "untold": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := process.Process{ID: process.ID{PID: 2, Start: 10}, Name: "root"}
				root.Creator.ID.PID = 1
				const children = 20
				rec := followed(t, func(events chan<- lineage.Event, stop <-chan struct{}) {
					events <- lineage.Event{Kind: process.Fork, Time: 10, Process: root}
					for i := range children {
						<-time.After(patienceForRoot * 9 / 10) // of the time in the test's bubble
						p := process.Process{ID: process.ID{PID: 3 + i, Start: process.Instant(20 + i)}, Name: "child"}
						p.Creator = process.Link{ID: root.ID, Evidence: process.Observed}
						select {
						case events <- lineage.Event{Kind: process.Fork, Time: p.ID.Start, Process: p}:
						case <-stop:
							return
						}
					}
					root.Exit = process.Exit{Evidence: process.Observed, At: 90, Status: 7 << 8}
					last := lineage.Event{Kind: process.Exited, Time: 90, Process: root}
					if test.untold { // and goes on with what says nothing of the time before
						last = lineage.Event{Kind: process.Moved, Time: math.MaxUint64}
					}
					for {
						select {
						case events <- last:
							<-time.After(patienceForRoot * 9 / 10)
						case <-stop:
							return
						}
					}
				})
				if len(rec.Processes) != 1+children || len(rec.Losses) != test.losses || rec.Processes[0].Exit.Status != syscall.WaitStatus(7<<8) {
					t.Errorf("%d processes, losses: %v, the first: %+v", len(rec.Processes), rec.Losses, rec.Processes[0])
				}
			})
		})
	}
}

// knownTree is a tree that knows more than what is told.
type knownTree struct {
	toldTree
	procs   []process.Process // those that live come first
	living  int
	details map[int]process.Details // by PID
}

func (t *knownTree) ProcessByID(id process.ID) (process.Process, error) {
	for _, p := range t.procs {
		if p.ID.Same(id) {
			return p, nil
		}
	}
	return process.Process{}, lineage.ErrNotFound
}

func (t *knownTree) Processes() ([]process.Process, error) {
	return slices.Clone(t.procs[:t.living]), nil
}

func (t *knownTree) LineageByID(id process.ID) (steps []process.Step, err error) {
	for p, err := t.ProcessByID(id); err == nil; p, err = t.ProcessByID(p.Creator.ID) {
		steps = append(steps, process.Step{Process: p})
	}
	return steps, nil
}

func (t *knownTree) Details(id process.ID) (process.Details, error) {
	d, ok := t.details[id.PID]
	if !ok {
		return d, lineage.ErrNotFound
	}
	return d, nil
}

// knownProcess is a process that began at ten times its PID.
func knownProcess(pid, creator int, name string) process.Process {
	p := process.Process{ID: process.ID{PID: pid, Start: process.Instant(10 * pid), Precision: process.Exact}, Name: name, State: process.Alive, Evidence: process.Observed}
	p.Creator = process.Link{ID: process.ID{PID: creator, Start: process.Instant(10 * creator), Precision: process.Exact}, Evidence: process.Observed}
	return p
}

// recordedEvents returns what a recorder makes of events.
func recordedEvents(t *testing.T, tree recorded, events ...lineage.Event) *record.Recording {
	t.Helper()
	var file bytes.Buffer
	w, err := record.NewWriter(&file, record.Header{Source: bpf.Name})
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(w, tree, nil, 1, 2)
	for i := range events {
		if !r.take(&events[i]) {
			t.Fatal(r.err)
		}
	}
	r.finish()
	rec, err := record.Read(&file, record.ReadOptions{})
	if err != nil || r.err != nil {
		t.Fatal(err, r.err)
	}
	return rec
}

// TestRecorderExec has the arguments read that were cut, and tells as whom a program
// ran.
func TestRecorderExec(t *testing.T) {
	root, other := knownProcess(2, 1, "root"), knownProcess(3, 2, "other")
	root.Owner = process.Owner{Known: true, EffectiveUID: 0}
	tree := &knownTree{details: map[int]process.Details{
		2: {Args: []string{"ld", "-o", "program", "a.o", "b.o"}}, 3: {Args: []string{"another", "program", "since"}},
	}}
	events := []lineage.Event{{Kind: process.Fork, Time: 20, Process: root}, {Kind: process.Fork, Time: 30, Process: other}}
	root.Owner.EffectiveUID = 7
	root.Exec = process.Command{Args: []string{"ld", "-o", "prog"}, ArgsCut: true}
	other.Exec = root.Exec
	events = append(events, lineage.Event{Kind: process.Exec, Time: 40, Process: root}, lineage.Event{Kind: process.Exec, Time: 41, Process: other})
	rec := recordedEvents(t, tree, events...)
	p, q := &rec.Processes[0], &rec.Processes[1]
	if x := p.Execs[0]; len(x.Args) != 5 || x.ArgsCut || p.UID != 0 || p.LastUID() != 7 {
		t.Errorf("%+v", p)
	}
	if x := q.Execs[0]; len(x.Args) != 3 || !x.ArgsCut || x.UID != nil || q.LastUID() != -1 {
		t.Errorf("%+v", q)
	}
}

// TestRecorderStart has the time of a fork be that of the event where the ID has it to
// the tick.
func TestRecorderStart(t *testing.T) {
	root := knownProcess(2, 1, "root")
	root.ID.Precision = process.ToTick
	rec := recordedEvents(t, toldTree{}, lineage.Event{Kind: process.Fork, Time: 27, Process: root})
	if p := rec.Processes[0]; p.Start != 27 || p.ID.Start != 20 || p.ID.Precision != process.ToTick {
		t.Errorf("%+v", p)
	}
}
