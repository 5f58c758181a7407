// Package lineage answers, for any process of a Linux host: who started it,
// through whom, in which container, and what became of them.
//
// A [Tree] is the live view. It answers at once and without set-up; what it
// says holds at an instant after the question was asked, and what it cannot
// know it says so. See package process for the words and for how facts are
// known.
package lineage

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/procfs"
)

// Options says how a [Tree] works. The zero value is a good choice.
type Options struct {
	// ProcPath is where procfs is mounted, "/proc" when empty. In a
	// container that shares the PID namespace of the host it is where the
	// host's is mounted, for example "/host/proc".
	ProcPath string
	// Logger takes what the tree has to say while it runs, which is
	// little. Nothing is logged when it is nil.
	Logger *slog.Logger
	// MaxUpdateInterval is the least time between two full updates of
	// [Tree.Run]. Zero means DefaultMaxUpdateInterval.
	MaxUpdateInterval time.Duration
	// Source names the way to learn of processes: "procfs", or "auto" or
	// nothing for the best that works.
	Source string
	// Retention says how long ended processes are kept.
	Retention process.Retention
}

// DefaultMaxUpdateInterval is the MaxUpdateInterval of zero [Options].
const DefaultMaxUpdateInterval = 10 * time.Second

// A Tree is the live view of the processes of the host. It is safe for
// concurrent use, and answers from the moment it is made; [Tree.Run] keeps its
// memory in step with the host.
//
// Every question has a form for a PID, which means the process that holds it
// when asked, or one of whose threads has it as its TID, and a form for a
// [process.ID], which goes on naming a process when its PID is another's.
// A question by ID about a process that has ended is answered from memory for
// as long as [Options.Retention] says.
//
// Where something could not be read, the answer is what is known, and the
// error an [IncompleteError].
type Tree struct {
	proc   *procfs.Source
	source source.Reader
	log    *slog.Logger
	every  time.Duration
	closed atomic.Bool

	mu    sync.RWMutex // held for as long as memory takes, never while reading
	table *process.Table
	hand  process.Ref // where the sweep over the known processes stands

	scanning sync.Mutex      // one scan at a time; it guards these two
	scanned  process.Instant // when the last whole scan began
	partial  error           // why that one could not see all, or nil

	update  chan struct{} // holds the one request for a full update
	updates atomic.Uint64 // full updates made
	walks   sync.Pool     // of *walk
}

// NewTree returns a tree that has read nothing yet. The error wraps
// [procfs.ErrNotProcfs] or [procfs.ErrForeignNamespace] where ProcPath is of
// no use.
func NewTree(o Options) (*Tree, error) {
	switch o.Source {
	case "", "auto", procfs.Name:
	default:
		return nil, fmt.Errorf("source %q: %w; there is %q, and %q for the best that works", o.Source, ErrUnsupported, procfs.Name, "auto")
	}
	proc, err := procfs.Open(procfs.Options{Path: o.ProcPath})
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", procfs.Name, err)
	}
	t := &Tree{
		proc:   proc,
		source: proc,
		log:    o.Logger,
		every:  o.MaxUpdateInterval,
		table:  process.NewTable(o.Retention),
		update: make(chan struct{}, 1),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.every <= 0 {
		t.every = DefaultMaxUpdateInterval
	}
	t.walks.New = func() any { return new(walk) }
	return t, nil
}

// Close frees what the tree holds. Questions fail with [ErrClosed] from then
// on; Close must not be called while one is being answered or [Tree.Run] has
// not returned.
func (t *Tree) Close() error {
	if t.closed.Swap(true) {
		return ErrClosed
	}
	return t.source.Close()
}

// SourceInfo says where a tree has its knowledge from.
type SourceInfo struct {
	// Name is the source in use.
	Name string
	// Limits is what that source cannot tell.
	Limits []source.Limit
}

// Source says where the tree has its knowledge from.
func (t *Tree) Source() SourceInfo {
	return SourceInfo{Name: t.source.Name(), Limits: t.source.Limits()}
}

// Stats is how much a tree holds and has done.
type Stats struct {
	process.Counts
	// Updates counts the full updates that Run has made.
	Updates uint64
	// Descriptors is how many file descriptors are held to pin processes,
	// and MaxDescriptors how many may be.
	Descriptors, MaxDescriptors int
}

// Stats returns how much the tree holds and has done.
func (t *Tree) Stats() Stats {
	t.mu.RLock()
	s := Stats{Counts: t.table.Counts(), Updates: t.updates.Load()}
	t.mu.RUnlock()
	s.Descriptors, s.MaxDescriptors = t.proc.Descriptors()
	return s
}

// Time returns the wall-clock time of an instant on the boot clock, as the
// wall clock stands now.
func (t *Tree) Time(i process.Instant) time.Time {
	return linux.Booted().Add(time.Duration(i))
}

// now returns the present instant on the boot clock.
func now() process.Instant { return process.Instant(linux.Boottime()) }

// Run keeps the memory of the tree in step with the host until ctx ends, and
// then returns nil. A question that finds a PID in another process's hands
// asks Run for a full update; there is at most one in MaxUpdateInterval, and
// requests made meanwhile are one. Run also looks at known processes from
// time to time and forgets those that have ended as Options.Retention says.
//
// One Run at a time is enough; with more, each does a part of the work.
func (t *Tree) Run(ctx context.Context) error {
	if t.closed.Load() {
		return ErrClosed
	}
	ticker := time.NewTicker(t.every)
	defer ticker.Stop()
	var next time.Time // when the next update may begin
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.sweep(sweepSize)
			continue
		case <-t.update:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(next)):
		}
		next = time.Now().Add(t.every)
		if err := t.scan(ctx, now()); err != nil && ctx.Err() == nil {
			t.log.Warn("full update failed, what was known is kept", "error", err)
		}
		t.updates.Add(1)
	}
}

// requestUpdate asks Run for a full update.
func (t *Tree) requestUpdate() {
	select {
	case t.update <- struct{}{}:
	default: // it has been asked already
	}
}

// check returns the error of a question about pid that needs no answer.
func (t *Tree) check(pid int) error {
	if t.closed.Load() {
		return ErrClosed
	}
	if pid < 1 {
		return fmt.Errorf("%d: %w", pid, ErrInvalidPID)
	}
	return nil
}

// about says which process an error of the source is about.
func about(pid int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("process %d: %w", pid, err)
}
