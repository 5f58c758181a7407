package ship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// forgotten reports whether it is the time of what was forgotten before it could be
// sent. Where a host dropped processes itself it says how many.
func forgotten(g *store.Gap) bool { return g.Reason == store.Dropped && g.Lost == 0 }

// has reports whether the other store was told of that gap, which goes on until the
// first batch that is not forgotten.
func (s *Shipper) has(boot string, g *store.Gap) bool {
	return s.lost.Boot == boot && s.lost.Since <= g.Since && s.lost.Until == g.Until
}

// leave ends the boot that the mark is of, after which the batch comes: the ends of
// those that lived then came with none of its batches. Where that boot is forgotten,
// what it had after the mark is missing, up to where the batch's one began.
func (s *Shipper) leave(ctx context.Context, next *store.Batch) error {
	last := &store.Batch{Host: s.o.Host, Boot: s.mark.Boot, HostName: next.HostName, Now: s.mark.Now, Wall: s.mark.Wall}
	_, err := s.o.From.Changes(ctx, s.o.Host, s.mark, 1)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil {
		if err := s.abandoned(next); err != nil {
			return err
		}
		until := s.mark.Now + process.Instant(max(booted(next).Sub(s.mark.Wall), 0))
		last.Gaps = []store.Gap{{Reason: store.Dropped, Since: s.mark.Now, Until: until}}
	}
	if last.Processes, err = s.ended(ctx, s.mark.Boot, s.mark.Now, true); err != nil {
		return err
	}
	if len(last.Processes) == 0 && len(last.Gaps) == 0 {
		return nil
	}
	return s.sendNew(ctx, last)
}

// booted is when the boot of the batch began.
func booted(b *store.Batch) time.Time { return b.Wall.Add(-time.Duration(b.Now)) }

// settle puts into a batch that tells of a time which was not watched, or is
// forgotten, the ends of those of which it cannot tell: they lived before that, and
// are gone.
func (s *Shipper) settle(ctx context.Context, b *store.Batch) error {
	until := process.Instant(0)
	for i := range b.Gaps {
		if b.Gaps[i].Reason == store.Away || forgotten(&b.Gaps[i]) {
			until = max(until, b.Gaps[i].Until)
		}
	}
	if until == 0 {
		return nil
	}
	gone, err := s.ended(ctx, b.Boot, until, false)
	b.Processes = append(gone, b.Processes...)
	return err
}

// ended returns the processes of the boot that the other store has as living and the
// own one has forgotten, which it never does of one that lives: they have ended by
// that instant. With those that the own one has as ended, if these are wanted.
func (s *Shipper) ended(ctx context.Context, boot string, at process.Instant, known bool) ([]store.Process, error) {
	var living, ended []store.Process
	// What takes too long has more time when it is tried again.
	soon, cancel := context.WithTimeout(ctx, s.patience<<min(s.hard, 7))
	defer cancel()
	err := s.o.To.Living(soon, s.o.Host, func(p *store.Process) bool {
		if p.Boot == boot {
			living = append(living, *p)
		}
		return true
	})
	if err != nil {
		s.hard++
		return nil, fmt.Errorf("ask which processes live: %w", err)
	}
	s.hard = 0
	slices.SortFunc(living, func(a, b store.Process) int { return cmp.Compare(a.ID.Start, b.ID.Start) })
	for i := range living {
		p := &living[i]
		now, err := s.o.From.Process(ctx, store.Key{Host: s.o.Host, Boot: boot, ID: p.ID})
		switch {
		case errors.Is(err, store.ErrNotFound):
			p.Exit = process.Exit{Evidence: process.Inferred, At: max(at, p.ID.Start)}
			ended = append(ended, *p)
		case errors.Is(err, store.ErrCorrupt): // nothing is known of it
		case err != nil:
			return nil, err
		case known && now.Exit.Evidence != process.Unknown:
			ended = append(ended, now)
		}
	}
	return ended, nil
}
