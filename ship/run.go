package ship

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proclineage/lineage/store"
)

// leastBatch is down to how many processes batches become smaller that fail.
const leastBatch = 100

// rest is for how many times as long as a batch took longer than the interval a shipper
// leaves the other store alone. So the busier that is, the fewer and larger the batches
// are.
const rest = 4

// Run ships until ctx ends, then what is left, for which it takes a few seconds at
// most. It returns nil where all was shipped, and why not where something is left:
// that is shipped when the next shipper runs. What fails is tried again, after a
// second and then ever longer, up to a minute. It must be called once, and the
// stores be open until it has returned.
func (s *Shipper) Run(ctx context.Context) error {
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	// What is under way when ctx ends is not broken off at once.
	until, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(s.goodbye, stop) })()
	pause, busy := s.pause[0], false
	for ctx.Err() == nil {
		wait := s.o.Interval
		switch err := s.ship(until, ctx.Done()); {
		case errors.Is(err, errUnsure): // it is looked at again
		case errors.Is(err, ErrTwoHosts):
			wait = s.pause[1]/2 + rand.N(s.pause[1]/2+1)
		case err != nil:
			wait = pause/2 + rand.N(pause/2+1)
			pause = min(2*pause, s.pause[1])
			busy = errors.Is(err, store.ErrBusy)
		default:
			wait = max(wait, min(rest*(s.took-wait), s.pause[1]))
			if busy = busy && pause > s.pause[0]; busy { // it has taken one, and would not take many
				pause = max(pause/2, s.pause[0])
				wait = max(wait, pause)
			} else {
				pause = s.pause[0]
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	if err := s.ship(until, nil); err != nil {
		return fmt.Errorf("ship what is left of the history: %w", err)
	}
	return nil
}

// ship ships all there is, and begins no other batch once quit is closed.
func (s *Shipper) ship(ctx context.Context, quit <-chan struct{}) error {
	err := s.all(ctx, quit)
	if err != nil {
		s.begun = false // how far the other store is has to be asked
	}
	if err != nil && !errors.Is(err, errUnsure) && !errors.Is(err, ErrTwoHosts) {
		s.size = s.smaller(s.size, err)
	}
	if ctx.Err() == nil && !errors.Is(err, errUnsure) {
		s.note(err)
	}
	return err
}

// smaller is the size of batches after one of that size that failed: where the other
// store was only busy the same.
func (s *Shipper) smaller(size int, err error) int {
	if errors.Is(err, store.ErrBusy) {
		return size
	}
	return max(size/2, min(leastBatch, s.o.BatchSize))
}

func (s *Shipper) all(ctx context.Context, quit <-chan struct{}) error {
	s.took = 0
	looked := time.Now()
	if !s.begun || time.Since(s.asked) >= s.check {
		if err := s.begin(ctx); err != nil {
			return err
		}
	}
	for {
		most := s.size
		b, err := s.next(ctx)
		if err != nil {
			return err
		}
		// Who is not far behind lets the next batch become larger.
		if b == nil || quit != nil && len(b.Processes) < most/2 && b.Wall.After(looked.Add(-s.o.Interval)) {
			break
		}
		select {
		case <-quit:
			return nil
		default:
		}
	}
	s.mu.Lock()
	s.ok, s.looked = true, looked
	s.mu.Unlock()
	if quit != nil && s.due() {
		s.sendLiving(ctx, quit)
	}
	return nil
}

// begin asks how far the other store is, and goes on from there. Where it is further
// than what it has acknowledged, it goes on from that: the batch may not be there
// whole.
func (s *Shipper) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	mark, err := s.o.To.Last(ctx, s.o.Host)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("ask how far the store is: %w", err)
	}
	if err != nil {
		mark, s.lost = store.Mark{}, store.Gap{}
	}
	ahead := false
	if !s.asked.IsZero() && err == nil {
		if ahead, err = s.ahead(ctx, mark); err != nil {
			return err
		}
	}
	s.begun, s.asked = true, time.Now()
	if ahead {
		return nil
	}
	s.mark, s.again, s.found, s.told, s.refresh.told = mark, true, mark, newIDSet("", mostTold), nil
	s.reached()
	return nil
}

// ahead reports whether the other store is where it has acknowledged to be, or
// further. It fails where somebody else has written to it.
func (s *Shipper) ahead(ctx context.Context, mark store.Mark) (bool, error) {
	if mark.Boot == s.mark.Boot && mark.Now <= s.mark.Now {
		return mark.Now == s.mark.Now, nil
	}
	if mark.Boot == s.tried.Boot && mark.Now <= s.tried.Now {
		return true, nil
	}
	_, err := s.o.From.Changes(ctx, s.o.Host, mark, 1)
	if errors.Is(err, store.ErrNotFound) {
		return false, s.strange.met(mark, 10*s.still, ErrTwoHosts)
	}
	return mark.Boot == s.mark.Boot, err
}

// reached takes note of how far the other store is.
func (s *Shipper) reached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Mark, s.ok = s.mark, false
}

// next sends the next batch, and returns it where there is one.
func (s *Shipper) next(ctx context.Context) (*store.Batch, error) {
	b, err := s.changes(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	if s.mark.Boot != "" && b.Boot != s.mark.Boot {
		if err := s.leave(ctx, b); err != nil {
			return nil, err
		}
	}
	b.Gaps = slices.DeleteFunc(b.Gaps, func(g store.Gap) bool { return forgotten(&g) && s.has(b.Boot, &g) })
	if err := s.settle(ctx, b); err != nil {
		return nil, err
	}
	s.tried = store.Mark{Boot: b.Boot, Now: b.Now, Wall: b.Wall}
	if err := s.sendNew(ctx, b); err != nil {
		return nil, err
	}
	s.mark, s.own, s.again = s.tried, b.Boot, false
	s.size, s.name = min(2*s.size, s.o.BatchSize), b.HostName
	s.reached()
	return b, nil
}

// changes returns what is to be sent next, nil for nothing.
func (s *Shipper) changes(ctx context.Context) (*store.Batch, error) {
	after := s.mark
	if s.again && after.Now > 0 {
		after.Now--
	}
	b, err := s.o.From.Changes(ctx, s.o.Host, after, s.size)
	if !errors.Is(err, store.ErrNotFound) {
		return b, err
	}
	return s.o.From.Changes(ctx, s.o.Host, store.Mark{}, s.size) // the boot is forgotten
}

// sendNew sends a batch to the other store.
func (s *Shipper) sendNew(ctx context.Context, b *store.Batch) error {
	if b.Boot != s.told.boot {
		s.told = newIDSet(b.Boot, mostTold)
	}
	return s.send(ctx, b, s.told)
}

// send appends a batch to the other store, with the processes above its own that are
// not among those told of, to which it adds them.
func (s *Shipper) send(ctx context.Context, b *store.Batch, told *idSet) error {
	if err := s.complete(ctx, b, told); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	began := time.Now()
	if err := s.o.To.Append(ctx, b); err != nil {
		return err
	}
	s.took = time.Since(began)
	for i := range b.Processes {
		told.put(b.Processes[i].ID)
		if c := b.Processes[i].Creator; linked(c) {
			told.put(c.ID) // of whom no more is known, where it was not among them
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Batches++
	s.stats.Shipped += uint64(len(b.Processes))
	for _, g := range b.Gaps {
		if forgotten(&g) {
			s.lost, s.lost.Boot = g, b.Boot
			s.stats.Gaps++
			s.o.Logger.Warn("a part of the history was forgotten before it could be shipped", "boot", b.Boot, "since", g.Since, "until", g.Until)
		}
	}
	return nil
}

// note takes in how it has fared.
func (s *Shipper) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch was := s.stats.Err; {
	case err == nil && was != nil:
		s.o.Logger.Info("the history is shipped again")
	case errors.Is(err, ErrTwoHosts) && !errors.Is(was, ErrTwoHosts):
		s.o.Logger.Error("nothing is shipped: give each host a machine-id of its own", "host", s.o.Host, "error", err)
	case err != nil && was == nil:
		s.o.Logger.Error("the history cannot be shipped; it is tried again, and the host's own history keeps it until then", "error", err)
	}
	s.stats.Err = err
	if err != nil {
		s.stats.Failed++
		s.ok = false
	}
}
