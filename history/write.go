package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

const (
	// patience is how long the store may take for a batch.
	patience = 30 * time.Second
	// goodbye is the same for what is left at the end.
	goodbye = 5 * time.Second
	// mostTogether is how many processes are written at once.
	mostTogether = 50_000
	// between is how often is looked for what is too old.
	between = 10 * time.Minute
)

// writeOn writes what has changed, every interval, until ctx ends.
func (k *Keeper) writeOn(ctx context.Context) {
	ticker := time.NewTicker(k.o.Interval)
	defer ticker.Stop()
	var looked time.Time
	for {
		for more := true; more && ctx.Err() == nil; {
			soon, cancel := context.WithTimeout(ctx, patience)
			more = k.write(soon)
			cancel()
		}
		if k.o.Retention > 0 && time.Since(looked) >= between {
			looked = time.Now()
			soon, cancel := context.WithTimeout(ctx, patience)
			if err := k.o.Store.Expire(soon, looked.Add(-k.o.Retention)); err != nil {
				k.failed(err)
			}
			cancel()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// last writes what is left.
func (k *Keeper) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	for k.write(ctx) {
	}
	if s := k.Stats(); s.Pending > 0 {
		return fmt.Errorf("what was known of %d processes is not written: %w", s.Pending, s.Err)
	}
	return nil
}

// write writes a batch. It reports whether that went well and more is left.
func (k *Keeper) write(ctx context.Context) (more bool) {
	b, lives, fresh := k.batch()
	if len(b.Processes) == 0 && len(b.Containers) == 0 && len(b.Gaps) == 0 {
		return false
	}
	began := time.Now()
	err := k.o.Store.Append(ctx, b)
	k.failed(err)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) { // else it may have been written
			k.unwritten(fresh)
		}
		k.putBack(lives, b.Gaps)
		return false
	}
	k.places.wrote(b.Containers)
	k.stats.Batches++
	k.stats.Written += uint64(len(lives))
	k.stats.Took, k.stats.Last = time.Since(began), time.Now()
	return len(k.changed) > 0 && len(lives) == mostTogether
}

// failed takes in how the store has fared.
func (k *Keeper) failed(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil && k.stats.Err != nil:
		k.log.Info("the store works again")
	case err != nil && (k.stats.Err == nil || k.stats.Err.Error() != err.Error()):
		k.log.Error("the store fails; what happens meanwhile is kept in memory", "error", err)
	}
	k.stats.Err = err
	if err != nil {
		k.stats.Failed++
	}
}

// batch returns what is to be written, whose lives it is of, and which of them
// the store is to have as living for the first time.
func (k *Keeper) batch() (b *store.Batch, lives, fresh []*life) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.changed), mostTogether)
	lives = k.changed[:n:n]
	k.changed = k.changed[n:]
	b = &store.Batch{
		Host: k.host, Boot: k.boot, HostName: k.hostName(), Now: process.Instant(linux.Boottime()), Wall: time.Now(),
		Processes: make([]store.Process, n), Containers: k.places.news(), Gaps: k.gaps,
	}
	for i, l := range lives {
		b.Processes[i] = l.p
		l.changed = false
		switch {
		case l.written:
		case l.ended:
			k.waiting--
		default:
			l.written = true
			fresh = append(fresh, l)
		}
	}
	if k.dropped != nil {
		b.Gaps = append(b.Gaps, *k.dropped)
	}
	k.gaps, k.dropped = nil, nil
	return b, lives, fresh
}

// hostName is what the host is called.
func (k *Keeper) hostName() string {
	name, _ := os.Hostname() // uname cannot fail
	return cmp.Or(k.o.HostName, name)
}

// unwritten takes back that the store has these lives.
func (k *Keeper) unwritten(lives []*life) {
	for _, l := range lives {
		l.written = false
		if l.ended && l.changed {
			k.waiting++
		}
	}
}

// putBack keeps what could not be written for later, before what has changed
// since. Of what has ended too much may be left.
func (k *Keeper) putBack(lives []*life, gaps []store.Gap) {
	k.gaps = append(gaps, k.gaps...)
	back := make([]*life, 0, len(lives)+len(k.changed))
	for _, l := range lives {
		if l.changed {
			continue // it has changed since, and stands there
		}
		l.changed = true
		if l.ended && !l.written {
			k.waiting++
		}
		back = append(back, l)
	}
	k.changed = append(back, k.changed...)
	k.drop()
}

// drop forgets what has ended and was not written, the oldest first, down to what
// may wait.
func (k *Keeper) drop() {
	if k.waiting <= k.o.MaxPending {
		return
	}
	kept := k.changed[:0]
	for _, l := range k.changed {
		if !l.ended || l.written || k.waiting <= k.o.MaxPending {
			kept = append(kept, l)
			continue
		}
		k.waiting--
		k.stats.Dropped++
		if k.dropped == nil {
			k.dropped = &store.Gap{Reason: store.Dropped, Since: l.p.ID.Start}
			k.stats.Gaps[store.Dropped]++
		}
		k.dropped.Lost++
		k.dropped.Since = min(k.dropped.Since, l.p.ID.Start)
		k.dropped.Until = max(k.dropped.Until, l.p.Exit.At)
	}
	clear(k.changed[len(kept):])
	k.changed = kept
}
