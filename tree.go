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
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proclineage/lineage/container"
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
	// Source names the way to learn of processes: "bpf", "cnproc" or
	// "procfs", or "auto" or nothing for the best of them that works. Where one
	// fails later, the tree goes on with the next one of these, and with procfs
	// where one was named.
	Source string
	// Buffer is the size in bytes of the buffer between the kernel and a
	// live source (bpf, cnproc). Zero means what that source says; more lets
	// the program stall for longer before events are lost. It may be at most
	// MaxBuffer.
	Buffer int
	// Retention says how long ended processes are kept.
	Retention process.Retention
	// Containers has the names of containers. Without it they are told by
	// their IDs alone.
	Containers container.Resolver
}

func (o *Options) auto() bool { return o.Source == "" || o.Source == "auto" }

// MaxBuffer is the most that Options.Buffer may be: 1 GiB.
const MaxBuffer = 1 << 30

// DefaultMaxUpdateInterval is the MaxUpdateInterval of zero [Options].
const DefaultMaxUpdateInterval = 10 * time.Second

// A Tree is the live view of the processes of the host. It is safe for
// concurrent use, and answers from the moment it is made; [Tree.Run] keeps its
// memory in step with the host.
//
// With the bpf source, memory has all that has happened when it is asked, and
// answers are from it alone. They have the name, the process group, the session
// and the user of a process as of its last fork, exec or scan. With the other
// sources, what is asked for is read anew from /proc.
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
	options Options
	kinds   []kind
	proc    *procfs.Source
	reader  source.Reader // proc, of single processes
	log     *slog.Logger
	every   time.Duration
	closed  atomic.Bool
	live    atomic.Pointer[feed] // nil where proc is all there is

	choosing sync.Mutex // a live source; it guards these two
	feeds    []*feed    // all that have been opened
	passed   []PassedSource

	mu          sync.RWMutex // held for as long as memory takes, never while reading
	table       *process.Table
	hand        process.Ref // where the sweep over the known processes stands
	subscribers []*subscriber
	chain       []process.Ancestor // room for one
	chains      chains
	keeping     bool                // a scan is to be told of before what happens
	kept        eventQueue          // what has happened
	keptLost    process.Instant     // the Time of the last that had no room there
	reread      map[process.ID]bool // whose cgroups the scan found to be others

	subscribed atomic.Int32 // the number of subscribers

	scanning sync.Mutex      // one scan at a time; it guards these two
	scanned  process.Instant // when the last whole scan began
	partial  error           // why that one could not see all, or nil

	running sync.WaitGroup  // the calls of Run; choosing guards its Add
	telling sync.WaitGroup  // the readers of events, while they may drain
	stopped context.Context // which ends them
	endRuns context.CancelFunc

	update  chan struct{} // holds the one request for a full update
	heal    chan struct{} // holds the one request to make good what was lost
	updates atomic.Uint64 // full updates made
	walks   sync.Pool     // of *walk
}

// NewTree returns a tree. With the bpf source, whose programs take some 100 ms
// to load, it knows all processes that there are, and from then on misses none;
// with another one it has read nothing yet. It must be closed when it is no
// longer needed: with the bpf source, programs of the kernel's, some 8 MiB of
// memory and descriptors are held until then, whoever has forgotten the tree.
//
// The error wraps [procfs.ErrNotProcfs] or [procfs.ErrForeignNamespace] where
// ProcPath is of no use, and [ErrUnsupported] or [fs.ErrPermission] where the
// named source does not work here.
func NewTree(o Options) (*Tree, error) { return openTree(o, kinds) }

func openTree(o Options, kinds []kind) (*Tree, error) {
	if o.Source != procfs.Name && !o.auto() && !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == o.Source }) {
		return nil, fmt.Errorf("source %q: %w; there are bpf, cnproc and procfs, and auto for the best that works", o.Source, ErrUnsupported)
	}
	if o.Buffer > MaxBuffer { // else the best source were passed over for it
		return nil, fmt.Errorf("a buffer of %d bytes: at most %d", o.Buffer, MaxBuffer)
	}
	proc, err := procfs.Open(procfs.Options{Path: o.ProcPath})
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", procfs.Name, err)
	}
	t := &Tree{
		options: o,
		kinds:   kinds,
		proc:    proc,
		reader:  proc,
		log:     o.Logger,
		every:   o.MaxUpdateInterval,
		table:   process.NewTable(o.Retention),
		update:  make(chan struct{}, 1),
		heal:    make(chan struct{}, 1),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.every <= 0 {
		t.every = DefaultMaxUpdateInterval
	}
	t.walks.New = func() any { return new(walk) }
	t.stopped, t.endRuns = context.WithCancel(context.Background())
	if err := t.begin(); err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// begin takes the live source in use.
func (t *Tree) begin() error {
	t.choosing.Lock()
	f := t.openLive(0)
	t.choosing.Unlock()
	switch {
	case f == nil && !t.options.auto() && t.options.Source != procfs.Name:
		return fmt.Errorf("source %w", t.passed[0].Err) // which begins with its name
	case f == nil:
		for _, p := range t.passed {
			t.log.Info("source not used", "source", p.Name, "error", p.Err)
		}
		return nil
	case !f.exact:
		t.requestHeal() // questions read what they need
		return nil
	}
	err := t.scan(context.Background(), now())
	if errors.Is(err, ErrIncomplete) {
		return nil
	}
	return err
}

// Close ends [Tree.Run], waits until it has returned, and frees what the tree
// holds. Questions fail with [ErrClosed] from then on; Close must not be called
// while one is being answered.
func (t *Tree) Close() error {
	t.choosing.Lock()
	closed := t.closed.Swap(true)
	t.choosing.Unlock()
	if closed {
		return ErrClosed
	}
	t.endRuns()
	t.running.Wait()
	t.mu.Lock()
	for _, s := range t.subscribers {
		s.cancel()
	}
	t.mu.Unlock()
	t.telling.Wait()
	errs := []error{t.proc.Close()}
	for _, f := range t.feeds {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// SourceInfo says where a tree has its knowledge from.
type SourceInfo struct {
	// Name is the source in use.
	Name string
	// Limits is what that source cannot tell.
	Limits []source.Limit
	// Passed is the better sources that are not in use.
	Passed []PassedSource
}

// PassedSource is a source that does not work, or no more.
type PassedSource struct {
	// Name is what the source is called.
	Name string
	// Err is why.
	Err error
}

// Source says where the tree has its knowledge from.
func (t *Tree) Source() SourceInfo {
	t.choosing.Lock()
	defer t.choosing.Unlock()
	var in source.Source = t.reader
	if f := t.live.Load(); f != nil {
		in = f
	}
	return SourceInfo{Name: in.Name(), Limits: in.Limits(), Passed: slices.Clone(t.passed)}
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

// Run keeps the memory of the tree in step with the host until ctx ends or the
// tree is closed, and then returns nil.
//
// With a live source it takes in what has happened every 10 ms, less often
// while nothing happens and nobody reads [Tree.Events], and has the source tell
// of all processes anew when events were lost.
//
// With procfs, a question that finds a PID in another process's hands asks Run
// for a full update; there is at most one in MaxUpdateInterval, and requests
// made meanwhile are one. Run also looks at known processes from time to time.
//
// One Run at a time is enough; with more, each does a part of the work.
func (t *Tree) Run(ctx context.Context) error {
	t.choosing.Lock()
	closed := t.closed.Load()
	if !closed {
		t.running.Add(1)
	}
	t.choosing.Unlock()
	if closed {
		return ErrClosed
	}
	defer t.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.stopped, cancel)()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { t.follow(ctx) })
	ticker := time.NewTicker(t.every)
	defer ticker.Stop()
	var next, nextHeal time.Time // when these may begin
	patience := firstPatience
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.sweep(sweepSize)
		case <-t.update:
			if pause(ctx, time.Until(next)) {
				next = time.Now().Add(t.every)
				t.fullUpdate(ctx)
			}
		case <-t.heal:
			if pause(ctx, time.Until(nextHeal)) {
				began := time.Now()
				if t.fullUpdate(ctx) {
					patience = firstPatience
					nextHeal = time.Now().Add(time.Since(began)) // half of the time at most
				} else {
					nextHeal = time.Now().Add(patience)
					patience = min(2*patience, t.every)
					t.requestHeal()
				}
			}
		}
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// firstPatience is how long Run waits before it tries again what has failed.
const firstPatience = 100 * time.Millisecond

// fullUpdate reports whether it has read all that the caller may see.
func (t *Tree) fullUpdate(ctx context.Context) bool {
	err := t.scan(ctx, now())
	t.updates.Add(1)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrIncomplete) {
		return true // a loss meanwhile has asked for the next one
	}
	t.log.Warn("full update failed, what was known is kept", "error", err)
	return false
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
