package ship

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
	"github.com/proclineage/lineage/store/storetest"
)

var (
	_ Source = (*sqlite.Store)(nil)
	_ Sink   = (store.Store)(nil)
)

func TestMain(m *testing.M) {
	// One check opens three stores: so many take seconds. The command line may say
	// another number.
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func opened(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func appended(t testing.TB, s store.Store, batches ...*store.Batch) {
	t.Helper()
	for _, b := range batches {
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// A fleet is a store with troubles.
type fleet struct {
	store.Store

	mu    sync.Mutex
	fails error // what every call fails with
	late  error // what Append fails with when it has written the batch
	hangs bool  // whether Append waits for the end of its context
	calls int
	asked chan struct{} // is told of each Append, where somebody listens
}

var errDown = errors.New("connection refused")

func newFleet(s store.Store) *fleet { return &fleet{Store: s, asked: make(chan struct{})} }

func (f *fleet) set(change func(*fleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fleet) trouble() (fails, late error, hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails, f.late, f.hangs
}

func (f *fleet) Append(ctx context.Context, b *store.Batch) error {
	f.set(func(f *fleet) { f.calls++ })
	select {
	case f.asked <- struct{}{}:
	default:
	}
	fails, late, hangs := f.trouble()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if fails != nil {
		return fails
	}
	if err := f.Store.Append(ctx, b); err != nil {
		return err
	}
	return late
}

func (f *fleet) Last(ctx context.Context, host string) (store.Mark, error) {
	if fails, _, _ := f.trouble(); fails != nil {
		return store.Mark{}, fails
	}
	return f.Store.Last(ctx, host)
}

// shipping is a shipper at work that does not wait for long.
type shipping struct {
	*Shipper
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, o Options) *shipping {
	t.Helper()
	if o.Interval == 0 {
		o.Interval = time.Millisecond
	}
	s := &shipping{Shipper: New(o), ended: make(chan error, 1)}
	s.pause, s.still = [2]time.Duration{time.Millisecond, 2 * time.Millisecond}, 0
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- s.Run(ctx) }()
	t.Cleanup(stop)
	return s
}

// end ends the shipper and returns what Run does.
func (s *shipping) end() error {
	s.stop()
	return <-s.ended
}

// await waits until it is so.
func (s *shipping) await(t *testing.T, is func(Stats) bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	tooLong := time.After(30 * time.Second)
	for !is(s.Stats()) {
		select {
		case <-tooLong:
			t.Fatalf("it does not come: %+v", s.Stats())
		case <-ticker.C:
		}
	}
}

func upTo(b *store.Batch) func(Stats) bool {
	return func(s Stats) bool {
		return s.Mark.Boot == b.Boot && s.Mark.Now == b.Now && s.Behind == 0 && s.Err == nil
	}
}

func ofHost(host string, all []*store.Batch) (own []*store.Batch) {
	for _, b := range all {
		if b.Host == host {
			own = append(own, b)
		}
	}
	return own
}

// TestShips ships while batches come in.
func TestShips(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(1, 1)), 60))
	s := start(t, Options{From: from, To: to, Host: "h1", BatchSize: 500})
	for i, b := range all {
		appended(t, from, b)
		if i%10 == 0 {
			s.await(t, upTo(b))
		}
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, to, from)
	if stats := s.Stats(); stats.Batches == 0 || stats.Shipped == 0 || stats.Failed != 0 {
		t.Errorf("%+v", stats)
	}
}

// TestTroubles has a store that is down, that writes and says that it has not, and
// that hangs.
func TestTroubles(t *testing.T) {
	for name, trouble := range map[string]func(*fleet){
		"down":  func(f *fleet) { f.fails = errDown },
		"late":  func(f *fleet) { f.late = errDown },
		"hangs": func(f *fleet) { f.hangs = true },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := opened(t, t.TempDir()), newFleet(opened(t, t.TempDir()))
			all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(2, 2)), 30))
			var log lines
			s := New(Options{From: from, To: to, Host: "h1", BatchSize: 100, Interval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			s.pause = [2]time.Duration{time.Millisecond, 2 * time.Millisecond}
			if name == "hangs" {
				s.patience = time.Second
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			at := &shipping{Shipper: s, stop: stop, ended: ended}
			appended(t, from, all[0])
			at.await(t, upTo(all[0]))
			to.set(trouble)
			appended(t, from, all[1:len(all)-1]...)
			at.await(t, func(s Stats) bool { return s.Failed > 3 && s.Err != nil })
			if s.Stats().Behind == 0 {
				t.Errorf("it is not behind: %+v", s.Stats())
			}
			to.set(func(f *fleet) { f.fails, f.late, f.hangs = nil, nil, false })
			appended(t, from, all[len(all)-1])
			at.await(t, upTo(all[len(all)-1]))
			if err := at.end(); err != nil {
				t.Fatal(err)
			}
			storetest.Equal(t, to, from)
			if n := strings.Count(log.String(), "cannot be shipped"); name != "hangs" && n != 1 || !strings.Contains(log.String(), "shipped again") {
				t.Errorf("it logs\n%s", log.String())
			}
		})
	}
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestEnd ends a shipper whose store hangs, and one that has something left.
func TestEnd(t *testing.T) {
	from, to := opened(t, t.TempDir()), newFleet(opened(t, t.TempDir()))
	all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(3, 3)), 50))
	appended(t, from, all[:10]...)
	to.set(func(f *fleet) { f.hangs = true })
	s := start(t, Options{From: from, To: to, Host: "h1", BatchSize: 50})
	s.goodbye = 20 * time.Millisecond // Run looks when its context ends
	<-to.asked
	if err := s.end(); !errors.Is(err, context.Canceled) {
		t.Errorf("with a store that hangs it ends with %v", err)
	}
	to.set(func(f *fleet) { f.hangs = false })
	s = start(t, Options{From: from, To: to, Host: "h1", BatchSize: 50, Interval: time.Hour})
	s.goodbye = time.Minute
	s.await(t, upTo(all[9]))
	appended(t, from, all[10:]...) // which nobody looks for before the hour is over
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, to, from)
}

// strict is a store that takes a process only where it has been told of the one
// that made it.
type strict struct {
	*fleet
	from *sqlite.Store
	t    *testing.T
}

func (s *strict) Append(ctx context.Context, b *store.Batch) error {
	here := newIDSet(b.Boot, 0)
	for i := range b.Processes {
		p := &b.Processes[i]
		here.put(p.ID)
		if !linked(p.Creator) || here.has(p.Creator.ID) {
			continue
		}
		k := store.Key{Host: b.Host, Boot: b.Boot, ID: p.Creator.ID}
		if _, err := s.from.Process(ctx, k); err != nil {
			continue // nobody knows it
		}
		if _, err := s.fleet.Process(ctx, k); err != nil {
			s.t.Errorf("%v comes before %v, which made it: %v", p.ID, p.Creator.ID, err)
		}
	}
	return s.fleet.Append(ctx, b)
}

// TestCreatorsComeFirst ships so few at a time that the creators of many have ended
// since, or are in later batches.
func TestCreatorsComeFirst(t *testing.T) {
	for seed := range uint64(4) {
		from := opened(t, t.TempDir())
		to := &strict{newFleet(opened(t, t.TempDir())), from, t}
		all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(seed, 4)), 60))
		appended(t, from, all...)
		s := start(t, Options{From: from, To: to, Host: "h1", BatchSize: 1 + int(seed)*20})
		s.await(t, upTo(all[len(all)-1]))
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		storetest.Equal(t, to, from)
	}
}

// TestRandomTroubles ships with shippers that are ended and begun anew at any
// moment, to a store that fails at any.
func TestRandomTroubles(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			from, to := opened(t, t.TempDir()), newFleet(opened(t, t.TempDir()))
			all := ofHost("h1", storetest.Batches(random, 80))
			s := start(t, Options{From: from, To: to, Host: "h1", BatchSize: 200, Refresh: time.Millisecond})
			for _, b := range all {
				appended(t, from, b)
				switch random.IntN(6) {
				case 0:
					to.set(func(f *fleet) { f.fails, f.late = nil, errDown })
				case 1:
					to.set(func(f *fleet) { f.fails, f.late = errDown, nil })
				case 2:
					to.set(func(f *fleet) { f.fails, f.late = nil, nil })
				case 3:
					_ = s.end() // what is left is shipped by the next one
					s = start(t, Options{From: from, To: to, Host: "h1", BatchSize: 1 + random.IntN(300), Refresh: time.Hour})
				}
			}
			to.set(func(f *fleet) { f.fails, f.late = nil, nil })
			s.await(t, upTo(all[len(all)-1]))
			if err := s.end(); err != nil {
				t.Fatal(err)
			}
			storetest.Equal(t, to, from)
		})
	}
}

// TestRefresh sends the living again, and those above them.
func TestRefresh(t *testing.T) {
	from, to := opened(t, t.TempDir()), newFleet(opened(t, t.TempDir()))
	all := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(6, 6)), 30))
	appended(t, from, all...)
	s := start(t, Options{From: from, To: to, Host: "h1"})
	s.await(t, upTo(all[len(all)-1]))
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	var living []store.Key
	boot := all[len(all)-1].Boot
	if err := from.Living(t.Context(), "h1", func(p *store.Process) bool {
		if p.Boot == boot {
			living = append(living, p.Key)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	// The other store has forgotten everything but how far it is.
	empty := newFleet(opened(t, t.TempDir()))
	mark := s.Stats().Mark
	appended(t, empty, &store.Batch{Host: "h1", Boot: mark.Boot, Now: mark.Now - 1, Wall: mark.Wall})
	next := *all[len(all)-1]
	next.Now, next.Wall, next.Processes, next.Gaps = next.Now+1e9, next.Wall.Add(time.Second), nil, nil
	s = start(t, Options{From: from, To: empty, Host: "h1", BatchSize: 7})
	s.await(t, func(s Stats) bool { return s.Behind == 0 && s.Mark.Boot != "" })
	appended(t, from, &next)
	s.await(t, upTo(&next))
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	for _, k := range living {
		got, err := empty.Process(t.Context(), k)
		if err != nil || got.Exit.Evidence != process.Unknown {
			t.Fatalf("%v lives, and is %+v, %v", k.ID, got, err)
		}
		want, err := from.Ancestors(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		above, err := empty.Ancestors(t.Context(), k)
		if err != nil || len(above) != len(want) {
			t.Fatalf("above %v are %d, %v, and not %d", k.ID, len(above), err, len(want))
		}
	}
	if len(living) == 0 {
		t.Fatal("nobody lives")
	}
}
