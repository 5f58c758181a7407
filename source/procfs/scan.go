package procfs

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Scan implements [source.Reader].
func (s *Source) Scan(ctx context.Context, emit func(*process.Event)) error {
	began := process.Instant(linux.Boottime())
	pids, err := s.List()
	if err != nil {
		return err
	}
	known := s.scanned.Load()
	events, err := s.readAll(ctx, pids, known)
	found := scan{Source: s, began: began, events: events, byPID: make(map[int]int, len(events))}
	for i := range events {
		found.byPID[events[i].ID.PID] = i
	}
	// Parents that were not in the listing are read as they are met, and
	// appended.
	for i := 0; i < len(found.events); i++ {
		if e := ctx.Err(); e != nil {
			return e
		}
		if parentErr := found.resolve(i); parentErr != nil {
			err = errors.Join(err, parentErr)
		}
		if e := &found.events[i]; e.ID.Known() {
			emit(e)
		}
	}
	s.scanned.Store(settled(found.events))
	return err
}

// ids are identities by their PID.
type ids map[int]process.ID

// settled returns the IDs of the processes that were alive when the tick in
// which they began was over: a process with such a PID and start is this one,
// without a look at its inode.
func settled(events []process.Event) *ids {
	known := make(ids, len(events))
	for i := range events {
		if e := &events[i]; e.ID.Known() && e.Time >= e.ID.Start+process.Instant(process.Tick) {
			known[e.ID.PID] = e.ID
		}
	}
	return &known
}

// List returns the PIDs in the mount, in ascending order. The kernel goes
// through them by number (next_tgid), so it passes over none that is there
// from the beginning to the end.
func (s *Source) List() ([]int, error) {
	dir, err := linux.OpenAt(s.root, []byte(".\x00"), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	return entries(dir)
}

// readAll reads the processes, on all processors, and leaves out those that
// are gone or hidden. Each parent has only its PID. Those that are known need
// no pidfd.
func (s *Source) readAll(ctx context.Context, pids []int, known *ids) ([]process.Event, error) {
	const chunk = 64
	var (
		events = make([]process.Event, len(pids))
		next   atomic.Int64
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed error
	)
	for range min(runtime.GOMAXPROCS(0), len(pids)/chunk+1) {
		wg.Go(func() {
			b := newBuffers()
			for ctx.Err() == nil {
				end := int(next.Add(chunk))
				if end-chunk >= len(pids) {
					return
				}
				for i := end - chunk; i < min(end, len(pids)); i++ {
					if known != nil && s.readKnown((*known)[pids[i]], b, &events[i]) {
						continue
					}
					if err := s.readOne(pids[i], b, &events[i]); err != nil {
						mu.Lock()
						failed = errors.Join(failed, err)
						mu.Unlock()
						return
					}
				}
			}
		})
	}
	wg.Wait()
	events = slices.DeleteFunc(events, func(e process.Event) bool { return !e.ID.Known() })
	return events, errors.Join(failed, ctx.Err())
}

// readOne reads a process and pins nothing. A process that is gone or hidden
// is no error and leaves e without an ID.
func (s *Source) readOne(pid int, b *buffers, e *process.Event) error {
	err := s.read(pid, b, e)
	switch {
	case err == nil:
		if e.ID.PID != pid {
			*e = process.Event{} // the PID has become a TID since it was listed
		}
		return nil
	case errors.Is(err, source.ErrGone), errors.Is(err, source.ErrHidden):
		*e = process.Event{}
		return nil
	}
	return err
}

// scan is what one scan has found so far.
type scan struct {
	*Source
	began  process.Instant
	events []process.Event
	byPID  map[int]int
}

// resolve finds out which process the parent of events[i] is, or takes
// events[i] out where it has ended meanwhile.
//
// A parent began no later than its children, whether it made or adopted them:
// all who may adopt stand above the one who made them, or are the first of
// their namespace. So the process that was read as the holder of the parent's
// PID is the parent if it began no later than the child, and the child before
// the scan: who held that PID before or after it, while the scan ran, would be
// younger than the child. Where that is not certain, the child is asked once
// more who its parent is after that one has been read.
func (f *scan) resolve(i int) error {
	e := &f.events[i]
	if e.NoParent || !e.ID.Known() {
		return nil
	}
	const tick = process.Instant(process.Tick)
	if p, ok := f.byPID[e.Parent.PID]; ok {
		parent := f.events[p].ID // unknown if it has ended since
		if parent.Known() && parent.Start <= e.ID.Start && e.ID.Start+tick < f.began {
			e.Parent = parent
			return nil
		}
	}
	b := f.buffers.Get().(*buffers)
	defer f.buffers.Put(b)
	for range maxTries {
		var parent process.Event
		if err := f.readOne(e.Parent.PID, b, &parent); err != nil {
			return err
		}
		child := *e
		if err := f.readOne(e.ID.PID, b, &child); err != nil {
			return err
		}
		if !child.ID.Same(e.ID) {
			*e = process.Event{} // it has ended
			return nil
		}
		settled := child.Parent.PID == e.Parent.PID
		*e = child
		switch {
		case child.NoParent:
			return nil
		case settled && parent.ID.Known():
			e.Parent = parent.ID
			if p, ok := f.byPID[parent.ID.PID]; !ok || !f.events[p].ID.Same(parent.ID) {
				f.byPID[parent.ID.PID] = len(f.events)
				f.events = append(f.events, parent)
			}
			return nil
		case settled && !f.visible(e.Parent.PID, b):
			return nil // hidden: the PID is all that is known
		}
	}
	return nil
}

// maxTries bounds how often a child is asked for its parent while one parent
// after the other ends.
const maxTries = 100

// visible reports whether the process may be read, or has ended.
func (s *Source) visible(pid int, b *buffers) bool {
	var e process.Event
	return !errors.Is(s.read(pid, b, &e), source.ErrHidden)
}
