// Package history keeps in a [store.Store] what processes a host has: what a
// [lineage.Tree] tells is written down in batches, and of what could not be
// watched or written it is written down that it is missing.
package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A Tree is what a keeper asks a [lineage.Tree].
type Tree interface {
	Events(context.Context) (<-chan lineage.Event, error)
	Processes() ([]process.Process, error)
	ProcessByID(process.ID) (process.Process, error)
	Details(process.ID) (process.Details, error)
	Container(*process.Process) container.Membership
	Host() (hostID, bootID string)
}

// Options says how a keeper works. Tree and Store must be set; of the rest the
// zero value is a good choice.
type Options struct {
	// Tree tells of processes. [lineage.Tree.Run] must run, for its events, until
	// [Keeper.Run] has returned.
	Tree Tree
	// Store is written to by the keeper alone.
	Store store.Store
	// Args returns what is written of the arguments of a command, such as
	// [redact.Args]. It may return its argument. Nil for all of them.
	Args func([]string) []string
	// User returns the name of a user, nil for names that are not asked for.
	User func(uid int) string
	// HostName is what the host is called, empty for the node name of uname(2).
	HostName string
	// Interval is how long what happened may wait to be written, and without a
	// live source how often processes are looked at. Zero means
	// [DefaultInterval].
	Interval time.Duration
	// Retention is for how long processes are kept, zero for ever.
	Retention time.Duration
	// MaxPending is how many processes that have ended may wait for the store;
	// of more it is written that they are missing. Zero means
	// [DefaultMaxPending].
	MaxPending int
	// Logger takes the errors of the store, one each time that another one
	// comes. Nothing is logged when it is nil.
	Logger *slog.Logger
}

const (
	// DefaultInterval is the Interval of zero Options.
	DefaultInterval = 500 * time.Millisecond
	// DefaultMaxPending is the MaxPending of zero Options. Some 1 KiB is taken by
	// each.
	DefaultMaxPending = 200_000
)

// A Keeper keeps a store in step with a tree.
type Keeper struct {
	o          Options
	log        *slog.Logger
	host, boot string
	places     places

	mu      sync.Mutex
	living  map[int]*life       // by PID
	found   map[process.ID]bool // to have ended, by the last scan
	changed []*life             // of the living and the ended, in the order in which they came
	waiting int                 // how many of these have ended and may be left out
	gaps    []store.Gap
	dropped *store.Gap // which goes on
	stats   Stats
}

// A life is a process that is not yet forgotten by the keeper: one that lives, or
// has ended and waits to be written.
type life struct {
	p       store.Process
	changed bool // it stands in Keeper.changed
	ended   bool
	// written says that the store has it, or may have it, as a living one: its end
	// is never left out, and there are no more of these than live at a time.
	written bool
}

// Stats is what a keeper has done.
type Stats struct {
	// Living is how many processes live, Pending how many wait to be written.
	Living, Pending int
	// Batches and Written are how many batches and processes were written: one
	// that changes later counts again.
	Batches, Written uint64
	// Dropped is how many processes were not written because too many waited.
	Dropped uint64
	// Gaps is how many times there were of which something is missing, by why.
	Gaps map[store.GapReason]uint64
	// Failed is how often the store failed, and Err why the last time, nil if it
	// has worked since.
	Failed uint64
	Err    error
	// Took is how long the last batch took.
	Took time.Duration
	// Last is when the last batch was written, or the keeper began.
	Last time.Time
}

// New returns a keeper.
func New(o Options) *Keeper {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.MaxPending <= 0 {
		o.MaxPending = DefaultMaxPending
	}
	if o.Args == nil {
		o.Args = func(args []string) []string { return args }
	}
	if o.User == nil {
		o.User = func(int) string { return "" }
	}
	k := &Keeper{o: o, log: o.Logger, living: map[int]*life{}, found: map[process.ID]bool{}, stats: Stats{Gaps: map[store.GapReason]uint64{}}, places: newPlaces(o.Tree)}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	k.host, k.boot = o.Tree.Host()
	return k
}

// Run keeps the store in step with the tree until ctx ends, then writes what is
// left, for which it takes a few seconds at most, and returns nil. It fails where
// the store cannot be read at the beginning, and where what is left could not be
// written.
func (k *Keeper) Run(ctx context.Context) error {
	k.mu.Lock()
	k.stats.Last = time.Now()
	k.mu.Unlock()
	events, err := k.o.Tree.Events(ctx)
	live := err == nil
	if err != nil && !errors.Is(err, lineage.ErrUnsupported) {
		return err
	}
	if err := k.begin(ctx); err != nil {
		return fmt.Errorf("reading what was written before: %w", err)
	}
	var writing sync.WaitGroup
	until, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	writing.Go(func() { k.writeOn(until) })
	if live {
		for e := range events { // to the last that happened before ctx ended
			k.take(&e)
			if e.Kind == process.Loss {
				k.heal()
			}
		}
	}
	k.poll(ctx) // without a live source, or no longer with one
	stop()
	writing.Wait()
	return k.last(context.WithoutCancel(ctx))
}

// Stats returns what the keeper has done.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Gaps = maps.Clone(s.Gaps)
	s.Living, s.Pending = len(k.living), len(k.changed)
	return s
}

// miss has it written that something is missing.
func (k *Keeper) miss(g store.Gap) {
	k.gaps = append(k.gaps, g)
	k.stats.Gaps[g.Reason]++
}

// booted is the first instant of a boot: zero is none.
const booted process.Instant = 1

// heal takes in what has happened while events were lost, as far as the tree knows
// it. What was born and has ended meanwhile is missing.
func (k *Keeper) heal() {
	k.mu.Lock()
	before := maps.Clone(k.living)
	k.mu.Unlock()
	end := process.Exit{Evidence: process.Scanned, At: process.Instant(linux.Boottime())}
	if err := k.scan(before, end); err != nil {
		k.log.Debug("looking at all processes", "error", err)
	}
}

// begin takes in what there is, and compares it with what the store has.
func (k *Keeper) begin(ctx context.Context) error {
	now := process.Instant(linux.Boottime())
	mark, err := k.o.Store.Last(ctx, k.host)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	away := store.Gap{Reason: store.Away, Since: booted, Until: now}
	if err == nil && mark.Boot == k.boot {
		away.Since = mark.Now
	}
	k.mu.Lock()
	k.miss(away)
	k.mu.Unlock()
	before, err := k.before(ctx, mark)
	if err != nil {
		return err
	}
	if err := k.scan(before, process.Exit{Evidence: process.Scanned, At: now}); err != nil && !errors.Is(err, lineage.ErrIncomplete) {
		return err
	}
	return nil
}

// before returns the processes that the store has as living, by PID. Those of an
// earlier boot are taken to have ended with that.
func (k *Keeper) before(ctx context.Context, mark store.Mark) (map[int]*life, error) {
	list := map[int]*life{}
	old := map[string][]store.Process{}
	err := k.o.Store.Living(ctx, k.host, func(p *store.Process) bool {
		if p.Boot == k.boot {
			list[p.ID.PID] = &life{p: *p, written: true}
			return true
		}
		end := process.Exit{Evidence: process.Inferred, At: p.ID.Start}
		if p.Boot == mark.Boot {
			end.At = mark.Now
		}
		p.Exit = end
		old[p.Boot] = append(old[p.Boot], *p)
		return true
	})
	if err != nil {
		return nil, err
	}
	for boot, procs := range old {
		// The wall clock of the time: that boot's own is not to be set.
		b := store.Batch{Host: k.host, Boot: boot, Processes: procs}
		if boot == mark.Boot {
			b.Now, b.Wall = mark.Now, mark.Wall
		}
		if err := k.o.Store.Append(ctx, &b); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// scan looks at all processes there are. Those of before that are not among them
// have come to the end, unless the tree knows another one.
func (k *Keeper) scan(before map[int]*life, end process.Exit) error {
	procs, err := k.o.Tree.Processes()
	if procs == nil && err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range procs {
		p := &procs[i]
		if p.State != process.Alive {
			continue
		}
		if l := before[p.ID.PID]; l != nil && l.p.ID.Same(p.ID) {
			delete(before, p.ID.PID)
			k.living[p.ID.PID] = l
			k.update(l, p)
			if l.p.ID.Precision < p.ID.Precision {
				l.p.ID = p.ID
				k.note(l)
			}
			continue
		}
		if l := k.living[p.ID.PID]; l == nil || !l.p.ID.Same(p.ID) {
			k.add(p)
		}
	}
	clear(k.found)
	for _, l := range before {
		x := end
		if p, err := k.o.Tree.ProcessByID(l.p.ID); err == nil && p.Exit.Evidence != process.Unknown {
			x = p.Exit
		}
		if k.living[l.p.ID.PID] == nil {
			k.living[l.p.ID.PID] = l
		}
		k.end(l, x)
		k.found[l.p.ID] = true
	}
	return err
}
