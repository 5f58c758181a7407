package ship

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/storetest"
)

// torn is a store that writes of some batches the mark and half of the processes, and
// fails.
type torn struct {
	store.Store
	tear int // one of so many
	n    int
}

func (s *torn) Append(ctx context.Context, b *store.Batch) error {
	if s.n++; s.n%s.tear != 0 || len(b.Processes) < 2 {
		return s.Store.Append(ctx, b)
	}
	half := *b
	half.Processes = b.Processes[:len(b.Processes)/2]
	return errors.Join(errDown, s.Store.Append(ctx, &half))
}

// TestTornBatches has the other store tell of batches that are not there whole, each
// of which is of many of the own one.
func TestTornBatches(t *testing.T) {
	for seed := range uint64(4) {
		from, to := opened(t, t.TempDir()), &torn{Store: opened(t, t.TempDir()), tear: 2}
		all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(seed, 9)), 60))
		appended(t, from, all...)
		s := start(t, Options{From: from, To: to, Host: "h1", BatchSize: 400, Refresh: time.Hour})
		s.await(t, upTo(all[len(all)-1]))
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		if s.Stats().Failed == 0 {
			t.Fatal("no batch was torn")
		}
		storetest.Equal(t, to, from)
	}
}

// A clone is one of two hosts with the same machine-id.
type clone struct {
	*Shipper
	boot string
	from store.Store
	to   store.Store
	init store.Process
}

// cloned is a clone, whose boot began that long after the first one's, and which
// ships only when it is told to.
func cloned(t *testing.T, to store.Store, boot string, later time.Duration, log *slog.Logger) *clone {
	t.Helper()
	from := opened(t, t.TempDir())
	c := &clone{New(Options{From: from, To: to, Host: "h", Logger: log}), boot, from, to, living(1, process.ID{})}
	appended(t, from, c.batch(later, 1))
	return c
}

func (c *clone) batch(later time.Duration, n int) *store.Batch {
	b := &store.Batch{Host: "h", Boot: c.boot, Now: process.Instant(n) * process.Instant(time.Minute), Wall: noon.Add(later + time.Duration(n)*time.Minute)}
	b.Processes = []store.Process{c.init}
	return b
}

// looks has it ship what there is.
func (c *clone) looks(t *testing.T, want error) {
	t.Helper()
	if err := c.ship(t.Context(), t.Context().Done()); !errors.Is(err, want) {
		t.Fatalf("%s ships with %v, and not with %v", c.boot, err, want)
	}
}

// lives checks that the other store has its init as living.
func (c *clone) lives(t *testing.T) {
	t.Helper()
	p, err := c.to.Process(t.Context(), store.Key{Host: "h", Boot: c.boot, ID: c.init.ID})
	if err != nil || p.Exit.Evidence != process.Unknown {
		t.Fatalf("the init of %s is %+v, %v", c.boot, p.Exit, err)
	}
}

// TestTwoHosts has two hosts with the same machine-id, whose boots began after one
// another or are at the same time.
func TestTwoHosts(t *testing.T) {
	to := opened(t, t.TempDir())
	var log bytes.Buffer
	a := cloned(t, to, "a", 0, slog.New(slog.DiscardHandler))
	a.looks(t, nil)
	b := cloned(t, to, "b", 2*time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	for range 2 {
		b.looks(t, errUnsure)
		if stats := b.Stats(); stats.Failed != 0 || stats.Batches != 0 {
			t.Fatalf("%+v", stats)
		}
	}
	appended(t, a.from, a.batch(0, 2))
	a.looks(t, nil)
	for range 2 {
		b.looks(t, ErrTwoHosts)
	}
	if stats := b.Stats(); !errors.Is(stats.Err, ErrTwoHosts) || stats.Failed != 2 || stats.Batches != 0 {
		t.Fatalf("%+v", stats)
	}
	if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "machine-id") {
		t.Fatalf("it logs\n%s", log.String())
	}
	during := cloned(t, to, "during", time.Minute, slog.New(slog.DiscardHandler))
	during.looks(t, ErrTwoHosts)
	a.lives(t)

	// It ends when one of them does: what the other one has comes.
	b.still, during.still = 0, 0
	b.looks(t, nil)
	b.lives(t)
	appended(t, a.from, a.batch(0, 3))
	a.check = 0 // it asks before it goes on
	a.looks(t, ErrTwoHosts)
	b.lives(t)
	if p, err := to.Process(t.Context(), store.Key{Host: "h", Boot: "a", ID: a.init.ID}); err != nil || p.Exit.Evidence != process.Inferred {
		t.Errorf("the init of a is %+v, %v", p.Exit, err)
	}
}
