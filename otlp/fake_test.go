package otlp

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// A scripted tree tells what a test has it tell.
type scripted struct {
	events chan lineage.Event
	source string
	known  map[process.ID]process.Process
	detail process.Details
}

func newScripted() *scripted {
	return &scripted{events: make(chan lineage.Event), source: bpf, known: map[process.ID]process.Process{}}
}

func (s *scripted) Events(context.Context) (<-chan lineage.Event, error) { return s.events, nil }
func (s *scripted) Source() lineage.SourceInfo                           { return lineage.SourceInfo{Name: s.source} }
func (s *scripted) Details(process.ID) (process.Details, error)          { return s.detail, nil }
func (s *scripted) Container(p *process.Process) container.Membership {
	return container.Of(p.Cgroup, nil)
}
func (s *scripted) Time(i process.Instant) time.Time { return epoch.Add(time.Duration(i)) }
func (s *scripted) Host() (hostID, bootID string)    { return "host-1", "boot-1" }
func (s *scripted) ProcessByID(id process.ID) (process.Process, error) {
	if p, ok := s.known[id]; ok {
		return p, nil
	}
	return process.Process{}, lineage.ErrNotFound
}

// epoch is when the host of a scripted tree has booted.
var epoch = time.Date(2026, 11, 23, 16, 58, 23, 0, time.UTC)

// born is the event of a process with the PID.
func born(pid int) lineage.Event {
	at := process.Instant(pid) * process.Instant(time.Second)
	return lineage.Event{Kind: process.Fork, Time: at, Process: process.Process{
		ID:   process.ID{PID: pid, Start: at, Precision: process.Exact},
		Name: "child", State: process.Alive, Evidence: process.Observed,
	}}
}

// A run is an exporter that runs.
type run struct {
	*Exporter
	t    *testing.T
	end  context.CancelFunc
	done chan error
}

// start runs an exporter.
func start(t *testing.T, o Options) *run {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	x, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	r := &run{Exporter: x, t: t, end: end, done: make(chan error, 1)}
	go func() { r.done <- x.Run(ctx) }()
	t.Cleanup(end)
	return r
}

// stop ends it and returns what became of the records.
func (r *run) stop() Stats {
	r.t.Helper()
	r.end()
	if s, ok := r.o.Tree.(*scripted); ok {
		close(s.events)
	}
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	s := r.Stats()
	if s.Waiting != 0 || s.Sent+s.Lost != s.Records {
		r.t.Errorf("records that are neither sent nor lost: %+v", s)
	}
	return s
}

// tell has the tree tell an event.
func (s *scripted) tell(t *testing.T, e lineage.Event) {
	t.Helper()
	select {
	case s.events <- e:
	case <-time.After(time.Minute):
		t.Fatal("nobody takes the event")
	}
}
