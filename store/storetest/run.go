// Package storetest is what every store passes: the same questions to it and to a
// model that answers them from all that was ever appended.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Options say what store is tested.
type Options struct {
	// Open opens the store that the directory stands for: an empty one for an
	// empty directory, and else as it was when it was closed or its program was
	// killed.
	Open func(dir string) (store.Store, error)
	// Disk says that it is kept in the directory, which may be full.
	Disk bool
	// Slow says that a question takes milliseconds, as of a server: then fewer are
	// asked, and answers come in fewer pages.
	Slow bool
	// Ahead says that of the batch that was being written when the program was killed
	// all may be there although Last does not tell of it.
	Ahead bool
}

// some is how many questions are asked, of as many.
func (o Options) some(questions int) int {
	if o.Slow {
		return questions / 6
	}
	return questions
}

// batches is how many batches are appended, of as many.
func (o Options) batches(n int) int {
	if o.Slow {
		return n / 2
	}
	return n
}

// newModel returns a model, which asks for answers in so many pages.
func (o Options) newModel() *model {
	m := newModel()
	if m.pages = 20; o.Slow {
		m.pages = 4
	}
	return m
}

// Run tests the store. The test binary must call [Child] in its TestMain.
func Run(t *testing.T, o Options) {
	t.Run("Model", func(t *testing.T) {
		seeds := uint64(3)
		if o.Slow {
			seeds = 1
		}
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { o.model(t, seed) })
		}
	})
	t.Run("Hostile", o.hostile)
	t.Run("Chain", o.chain)
	t.Run("Errors", o.errors)
	t.Run("Cancelled", o.cancelled)
	t.Run("Expire", o.expire)
	t.Run("Readers", o.readers)
	t.Run("Killed", o.killed)
	if o.Disk {
		t.Run("FullDisk", o.fullDisk)
		t.Run("FullDiskAtMidnight", o.fullDiskAtMidnight)
	}
}

func (o Options) open(t testing.TB, dir string) store.Store {
	t.Helper()
	s, err := o.Open(dir)
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

// model appends what happens in a made-up world, some of it twice, opens the store
// again now and then, and asks.
func (o Options) model(t *testing.T, seed uint64) {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(seed, 6))
	s, m, w := o.open(t, dir), o.newModel(), newWorld(random)
	var batches []*store.Batch
	for i := range o.batches(45) {
		b := w.batch(i)
		batches = append(batches, b)
		again := 1
		if random.IntN(4) == 0 {
			again = 2
		}
		for range again {
			must(t, s.Append(t.Context(), b))
			m.append(b)
		}
		if random.IntN(6) == 0 {
			earlier := batches[random.IntN(len(batches))]
			must(t, s.Append(t.Context(), earlier))
			m.append(earlier)
		}
		if random.IntN(8) == 0 {
			must(t, s.Close())
			s = o.open(t, dir)
		}
		if random.IntN(5) == 0 {
			m.ask(t, s, random, o.some(10))
		}
		if t.Failed() {
			t.Fatalf("seed %d, after batch %d", seed, i)
		}
	}
	m.ask(t, s, random, o.some(60))
	must(t, s.Close())
	s = o.open(t, dir)
	m.ask(t, s, random, o.some(20))
	if t.Failed() {
		t.Fatalf("seed %d, at the end", seed)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hostile appends what nobody sane would call a process.
func (o Options) hostile(t *testing.T) {
	dir := t.TempDir()
	s, m := o.open(t, dir), o.newModel()
	long := strings.Repeat("a", 4096)
	b := emptyBatch(1000)
	for i, args := range [][]string{
		nil, {}, {""}, {"", "", ""}, {"\xff\xfe\x00", "'; DROP TABLE text; --"}, {long}, {long, long + "b"}, {"a\nb\tc", "<script>"}, {"\"quoted\"", "%s%n"},
		make([]string, 500),
	} {
		p := store.Process{Key: store.Key{ID: process.ID{PID: 100 + i, Start: process.Instant(1e9 + i), Inode: uint64(1 + i), Precision: process.Exact}}, Evidence: process.Observed}
		p.Execs = []process.Command{{File: long[:i*10], Args: args, At: p.ID.Start + 5, ArgsCut: i%2 == 0}}
		p.Name, p.User, p.Unit, p.Group = "\xf0\x28 "+string(rune('a'+i)), "\x80user", "\"u\".service", "/x\xff/\n"
		p.Container, p.TTY, p.GroupID, p.SessionID = strings.Repeat("\xfe", 64), -1, 1<<30, -5
		p.Owner = process.Owner{Known: true, UID: math.MaxInt, EffectiveUID: -1}
		p.NamespacePIDs = []int{100 + i, 7, 1 << 22}
		p.Exit = process.Exit{Evidence: process.Observed, At: p.ID.Start + 1<<40, Status: 0x7f, Usage: process.Usage{Known: true, MaxRSS: 1<<64 - 1, ReadBytes: 1 << 63, User: 1<<63 - 1}}
		for len(p.Execs) < 3*i {
			p.Execs = append(p.Execs, process.Command{File: strings.Repeat("x", len(p.Execs))})
		}
		p.ExecCount = len(p.Execs) + i
		b.Processes = append(b.Processes, p)
	}
	b.Containers = []store.Container{{ID: strings.Repeat("\xfe", 64), Name: "\xff'\"", Image: long}}
	must(t, s.Append(t.Context(), b))
	m.append(b)
	m.check(t, s, &store.Query{Limit: 3})
	for _, text := range []string{"drop table", "\xff", "\"", long} {
		term, err := store.ParseTerm(store.Text, store.Equal, text)
		must(t, err)
		m.check(t, s, &store.Query{Filter: store.Filter{term}})
	}
	// A day later all of it is in another place.
	next := emptyBatch(1000 + process.Instant(25*time.Hour))
	must(t, s.Append(t.Context(), next))
	m.append(next)
	must(t, s.Close())
	s = o.open(t, dir)
	m.check(t, s, &store.Query{Limit: 3})
}

// chain asks for those above the last one of a thousand.
func (o Options) chain(t *testing.T) {
	const length = 1000
	s, m := o.open(t, t.TempDir()), o.newModel()
	b := emptyBatch(1e12)
	id := func(i int) process.ID {
		return process.ID{PID: 1 + i, Start: process.Instant(1 + i*1000), Precision: process.Exact}
	}
	for i := range length {
		p := store.Process{Key: store.Key{ID: id(i)}, Name: "link", Creator: process.Link{Evidence: process.Scanned}}
		if i > 0 {
			p.Creator = process.Link{ID: id(i - 1), Evidence: process.Observed}
		}
		if i < length-1 {
			p.Exit = process.Exit{Evidence: process.Observed, At: p.ID.Start + 2000}
		}
		b.Processes = append(b.Processes, p)
	}
	last := store.Key{Host: b.Host, Boot: b.Boot, ID: id(length - 1)}
	for day := range process.Instant(3) {
		next := emptyBatch(b.Now + day*process.Instant(24*time.Hour))
		if day == 0 {
			next = b
		}
		must(t, s.Append(t.Context(), next))
		m.append(next)
		must(t, s.Expire(t.Context(), next.Wall.Add(-time.Hour))) // all stand above who lives
		above, err := s.Ancestors(t.Context(), last)
		must(t, err)
		if len(above) != length-1 || above[length-2].ID != id(0) {
			t.Fatalf("day %d: %d stand above the last one, not %d", day, len(above), length-1)
		}
		m.check(t, s, &store.Query{Under: store.Key{Host: b.Host, Boot: b.Boot, ID: id(500)}})
	}
}

func (o Options) errors(t *testing.T) {
	ctx := t.Context()
	s := o.open(t, t.TempDir())
	if _, err := s.Last(ctx, "h1"); !errors.Is(err, store.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Last of an empty store: %v", err)
	}
	if page, err := s.Select(ctx, &store.Query{}); err != nil || len(page.Processes) > 0 || page.Next != "" {
		t.Errorf("an empty store answers %v, %v", page, err)
	}
	b := emptyBatch(1e12)
	for i := range 3 {
		b.Processes = append(b.Processes, store.Process{Key: store.Key{ID: process.ID{PID: i + 1, Start: 1e9, Precision: process.Exact}}, Name: "p"})
	}
	must(t, s.Append(ctx, b))
	for _, k := range []store.Key{
		{Host: b.Host, Boot: b.Boot, ID: process.ID{PID: 1, Start: 2e9, Precision: process.Exact}},
		{Host: b.Host, Boot: "another", ID: b.Processes[0].ID},
		{Host: "another", Boot: b.Boot, ID: b.Processes[0].ID},
		{Host: b.Host, Boot: b.Boot, ID: process.ID{PID: 1}},
	} {
		if _, err := s.Process(ctx, k); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Process of %v: %v", k, err)
		}
		if _, err := s.Ancestors(ctx, k); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Ancestors of %v: %v", k, err)
		}
	}
	if _, err := s.Holder(ctx, b.Host, 9, b.Wall); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Holder of a PID that nobody had: %v", err)
	}
	first, err := s.Select(ctx, &store.Query{Limit: 1})
	must(t, err)
	for name, q := range map[string]*store.Query{
		"end before start":           {Since: b.Wall, Until: b.Wall.Add(-time.Second)},
		"order":                      {Order: "sideways"},
		"limit":                      {Limit: -1},
		"cursor":                     {After: "?"},
		"cursor of nothing":          {After: "AAAA"},
		"cursor of another order":    {After: first.Next, Order: store.Longest},
		"cursor of another question": {After: first.Next, Since: b.Wall.Add(-time.Hour)},
	} {
		if _, err := s.Select(ctx, q); !errors.Is(err, store.ErrQuery) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobody := emptyBatch(b.Now + 1)
	nobody.Processes = []store.Process{{Name: "new"}, {Key: store.Key{ID: process.ID{PID: 7}}}}
	if err := s.Append(ctx, nobody); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a process without an ID: %v", err)
	}
	must(t, s.Close())
	must(t, s.Close())
	for name, err := range map[string]error{
		"Append": s.Append(ctx, b), "Expire": s.Expire(ctx, b.Wall),
		"Living": s.Living(ctx, "", func(*store.Process) bool { return true }),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
	if _, err := s.Select(ctx, &store.Query{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Select of a closed store: %v", err)
	}
	if _, err := s.Process(ctx, store.Key{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Process of a closed store: %v", err)
	}
}

func (o Options) cancelled(t *testing.T) {
	s, m := o.open(t, t.TempDir()), o.newModel()
	w := newWorld(rand.New(rand.NewPCG(1, 1)))
	for i := range 5 {
		b := w.batch(i)
		must(t, s.Append(t.Context(), b))
		m.append(b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := w.batch(6)
	k := m.all()[0].Key
	_, err1 := s.Process(ctx, k)
	_, err2 := s.Ancestors(ctx, k)
	_, err3 := s.Select(ctx, &store.Query{})
	_, err4 := s.Holder(ctx, "", 1, b.Wall)
	_, err5 := s.Stats(ctx)
	_, err6 := s.Last(ctx, "")
	_, err8 := s.Processes(ctx, []store.Key{k})
	_, err7 := s.Hosts(ctx)
	for i, err := range []error{s.Append(ctx, b), s.Expire(ctx, b.Wall), s.Living(ctx, "", func(*store.Process) bool { return true }), err1, err2, err3, err4, err5, err6, err7, err8} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d with an ended context: %v", i, err)
		}
	}
	// A context that ends at any moment leaves a batch out or in.
	random := rand.New(rand.NewPCG(2, 2))
	for i := range o.batches(40) {
		b := w.batch(7 + i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(3000))*time.Microsecond)
		err := s.Append(ctx, b)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err != nil {
			must(t, s.Append(t.Context(), b))
		}
		m.append(b)
	}
	m.ask(t, s, random, o.some(20))
}

// expire forgets a week day by day.
func (o Options) expire(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := o.open(t, dir)
	const day = process.Instant(24 * time.Hour)
	id := func(pid int, at process.Instant) process.ID {
		return process.ID{PID: pid, Start: at, Precision: process.Exact}
	}
	root, shell, daemon := id(1, 1), id(2, 100), id(3, 200)
	first := emptyBatch(day)
	first.Processes = []store.Process{
		{Key: store.Key{ID: root}, Name: "init", Creator: process.Link{Evidence: process.Scanned}},
		{Key: store.Key{ID: shell}, Name: "shell", Creator: process.Link{ID: root, Evidence: process.Observed}, Exit: process.Exit{Evidence: process.Observed, At: 300}},
		{Key: store.Key{ID: daemon}, Name: "daemon", Creator: process.Link{ID: shell, Evidence: process.Observed}, Container: "c1"},
	}
	first.Containers = []store.Container{{ID: "c1", Name: "web"}}
	key := func(i process.ID) store.Key { return store.Key{Host: first.Host, Boot: first.Boot, ID: i} }
	count := func() int64 {
		stats, err := s.Stats(ctx)
		must(t, err)
		page, err := s.Select(ctx, &store.Query{Limit: store.MaxLimit})
		must(t, err)
		if stats.Processes != int64(len(page.Processes)) {
			t.Fatalf("%d are counted and %d listed", stats.Processes, len(page.Processes))
		}
		return stats.Processes
	}
	var last *store.Batch
	for n := range process.Instant(8) {
		b := emptyBatch((1+n)*day + 1)
		if n == 0 {
			b = first
		}
		b.Processes = append(b.Processes, store.Process{Key: store.Key{ID: id(10, n*day+500)}, Name: "job", Creator: process.Link{ID: daemon, Evidence: process.Observed},
			Exit: process.Exit{Evidence: process.Observed, At: n*day + 600}})
		must(t, s.Append(ctx, b))
		last = b
		if got, want := count(), int64(n)+4; got != want {
			t.Fatalf("day %d: %d processes, not %d", n, got, want)
		}
	}
	before, err := s.Stats(ctx)
	must(t, err)
	for n := range process.Instant(8) {
		must(t, s.Expire(ctx, wallOf((1+n)*day+1).Add(time.Hour)))
		if n == 4 {
			must(t, s.Close())
			s = o.open(t, dir)
		}
		if got, want := count(), int64(max(8-n-1, 1))+3; got != want {
			t.Fatalf("%d days forgotten: %d processes, not %d", n+1, got, want)
		}
		above, err := s.Ancestors(ctx, key(daemon))
		if err != nil || len(above) != 2 || above[0].Name != "shell" || above[1].Name != "init" {
			t.Fatalf("%d days forgotten: above the daemon are %v, %v", n+1, above, err)
		}
		if p, err := s.Process(ctx, key(daemon)); err != nil || p.Stored == nil || p.Stored.Name != "web" {
			t.Fatalf("%d days forgotten: the daemon is %v, %v", n+1, p, err)
		}
		_, err = s.Process(ctx, key(id(10, n*day+500)))
		if n < 7 && !errors.Is(err, store.ErrNotFound) || n == 7 && err != nil {
			t.Fatalf("%d days forgotten: the job of that day: %v", n+1, err)
		}
		if p, err := s.Holder(ctx, first.Host, 3, wallOf(3*day)); err != nil || p.ID != daemon {
			t.Fatalf("%d days forgotten: PID 3 was %v, %v", n+1, p, err)
		}
	}
	// Again, where none has come since but the last one once more.
	must(t, s.Append(ctx, last))
	must(t, s.Expire(ctx, wallOf(8*day+1).Add(2*time.Hour)))
	if got := count(); got != 4 {
		t.Fatalf("%d processes after the last were forgotten twice, not 4", got)
	}
	after, err := s.Stats(ctx)
	must(t, err)
	if after.Bytes >= before.Bytes {
		t.Errorf("%d bytes after a week was forgotten, %d before", after.Bytes, before.Bytes)
	}
}

// readers ask all the time while batches come in.
func (o Options) readers(t *testing.T) {
	s := o.open(t, t.TempDir())
	w := newWorld(rand.New(rand.NewPCG(3, 3)))
	done := make(chan error, 3)
	ctx, cancel := context.WithCancel(t.Context())
	for n := range uint64(3) {
		go func() {
			random := rand.New(rand.NewPCG(n, 4))
			for ctx.Err() == nil {
				if err := browse(ctx, s, random); err != nil && ctx.Err() == nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	m := o.newModel()
	for i := range o.batches(60) {
		b := w.batch(i)
		must(t, s.Append(t.Context(), b))
		m.append(b)
		if i%20 == 19 {
			must(t, s.Expire(t.Context(), b.Wall.AddDate(0, 0, -3)))
		}
	}
	cancel()
	for range 3 {
		must(t, <-done)
	}
}

// browse goes through some pages, each process of which must be there only once.
func browse(ctx context.Context, s store.Store, random *rand.Rand) error {
	q := &store.Query{Limit: 1 + random.IntN(200), Order: store.Orders()[random.IntN(2)]}
	seen := map[store.Key]bool{}
	for range 5 {
		page, err := s.Select(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Processes {
			p := &page.Processes[i]
			if seen[p.Key] {
				return errors.New(p.ID.String() + " is listed twice")
			}
			seen[p.Key] = true
			if random.IntN(20) != 0 {
				continue
			}
			if _, err := s.Ancestors(ctx, p.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	return nil
}
