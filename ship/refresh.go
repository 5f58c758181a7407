package ship

import (
	"context"
	"errors"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A refresh is the living processes being sent again, which what is new does not wait
// for where it fails.
type refresh struct {
	told  *idSet        // those that were sent again, with those above them; nil before the first
	size  int           // of a batch: smaller after one that failed
	pause time.Duration // after one that fails
	next  time.Time     // when it goes on, or begins anew
}

// due reports whether it is time to send the living again, and something new was
// sent, so that the mark is of now.
func (s *Shipper) due() bool {
	return s.mark.Boot != "" && (s.mark.Boot != s.found.Boot || s.mark.Now > s.found.Now) && !time.Now().Before(s.refresh.next)
}

// sendLiving sends the living processes of the mark's boot again, and those above
// them, as of the mark. Where that fails it goes on later, and begins no other batch
// once quit is closed.
func (s *Shipper) sendLiving(ctx context.Context, quit <-chan struct{}) {
	r := &s.refresh
	if r.told == nil || r.told.boot != s.mark.Boot {
		*r = refresh{told: newIDSet(s.mark.Boot, 0), size: s.o.BatchSize, pause: s.pause[0]}
	}
	done, err := s.sendRest(ctx, quit)
	switch {
	case err != nil:
		s.mu.Lock()
		s.stats.Unrefreshed++
		s.mu.Unlock()
		s.o.Logger.Warn("the living processes cannot be sent again; it is tried again", "error", err)
		r.size = s.smaller(r.size, err)
		r.next, r.pause = time.Now().Add(r.pause), min(2*r.pause, s.pause[1])
	case done:
		*r = refresh{next: time.Now().Add(s.o.Refresh)}
	}
}

// sendRest sends those of the living that were not yet sent again.
func (s *Shipper) sendRest(ctx context.Context, quit <-chan struct{}) (done bool, err error) {
	r := &s.refresh
	var living []process.ID
	err = s.o.From.Living(ctx, s.o.Host, func(p *store.Process) bool {
		if p.Boot == s.mark.Boot && !r.told.has(p.ID) {
			living = append(living, p.ID)
		}
		return true
	})
	if err != nil {
		return false, err
	}
	b := s.present()
	for i, id := range living {
		if !r.told.has(id) { // it stands above none that was sent
			p, err := s.o.From.Process(ctx, store.Key{Host: s.o.Host, Boot: s.mark.Boot, ID: id})
			if err == nil {
				b.Processes = append(b.Processes, p)
			} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
				return false, err
			}
		}
		if n := len(b.Processes); n == 0 || n < r.size && i < len(living)-1 {
			continue
		}
		select {
		case <-quit:
			return false, nil
		default:
		}
		if err := s.send(ctx, b, r.told); err != nil {
			return false, err
		}
		b = s.present()
	}
	return true, nil
}

// present is a batch of the mark.
func (s *Shipper) present() *store.Batch {
	return &store.Batch{Host: s.o.Host, Boot: s.mark.Boot, HostName: s.name, Now: s.mark.Now, Wall: s.mark.Wall}
}
