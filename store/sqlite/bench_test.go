package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

// A load is a busy host: a tree of services of depth 8 of which the leaves start
// processes, 2,000 command lines, 40 containers, 12 users.
type load struct {
	*rand.Rand
	now      process.Instant
	step     process.Instant // between two processes
	pid      int
	pids     int // how many are given away, one after the other
	inode    uint64
	services []process.ID
	commands [][]string
	pending  []store.Process // living, to be told of as ended
	last     process.ID
}

var loadEpoch = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func newLoad(perSecond int) *load {
	l := &load{Rand: rand.New(rand.NewPCG(1, 2)), pids: 4_000_000, now: 1e9, step: process.Instant(int(time.Second) / perSecond)}
	for i := range 2000 {
		l.commands = append(l.commands, []string{"/usr/lib/program-" + strconv.Itoa(i%150), "--job", strconv.Itoa(i), "-o", fmt.Sprintf("/var/lib/build/objects/%d/part.o", i), "--flag"})
	}
	return l
}

// firstPID is the first that is given away again: those before are of services.
const firstPID = 2000

// clock is the wall clock of the host.
func (l *load) clock() time.Time { return loadEpoch.Add(time.Duration(l.now)) }

func (l *load) id() process.ID {
	l.now += l.step
	if l.pid++; l.pid == firstPID+l.pids {
		l.pid = firstPID
	}
	l.inode++
	return process.ID{PID: l.pid, Start: l.now, Inode: l.inode, Precision: process.Exact}
}

func (l *load) process(creator process.ID) store.Process {
	p := store.Process{Key: store.Key{ID: l.id()}, Evidence: process.Observed, ExecCount: 1}
	p.Creator = process.Link{ID: creator, Evidence: process.Observed}
	p.Parent = p.Creator
	i := l.IntN(len(l.commands))
	args := l.commands[i]
	p.Name = args[0][9:]
	p.Execs = []process.Command{{File: args[0], Args: args, At: p.ID.Start + 300_000}}
	c := l.IntN(50)
	p.Owner = process.Owner{Known: true, UID: 1000 + c%12, EffectiveUID: 1000 + c%12, GID: 100, EffectiveGID: 100}
	p.User = "user" + strconv.Itoa(c%12)
	p.Unit = "build-" + strconv.Itoa(c%20) + ".service"
	p.Group = "/system.slice/" + p.Unit
	if c < 40 {
		p.Container = fmt.Sprintf("%02d%062d", c, 7)
		p.Group = "/system.slice/docker-" + p.Container + ".scope"
	}
	p.GroupID, p.SessionID = p.ID.PID, 1234
	return p
}

func (l *load) end(p *store.Process) {
	p.Exit = process.Exit{Evidence: process.Observed, At: p.ID.Start + process.Instant(l.IntN(20e6)+500_000)}
	if l.IntN(50) == 0 {
		p.Exit.At += process.Instant(l.Int64N(100e9))
	}
	if l.IntN(100) == 0 {
		p.Exit.Status = 1 << 8
	}
	p.Exit.Usage = process.Usage{Known: true, User: time.Duration(l.IntN(20e6)), System: time.Duration(l.IntN(5e6)), MaxRSS: uint64(l.IntN(50_000)) * 4096}
}

// batch is n processes, of which 30 % are told of as living, and as ended in the
// batch after it.
func (l *load) batch(n int) *store.Batch {
	b := &store.Batch{Host: "h", Boot: "b", Processes: make([]store.Process, 0, n+n/2)}
	if l.services == nil {
		root := store.Process{Key: store.Key{ID: l.id()}, Name: "init", Creator: process.Link{Evidence: process.Scanned}}
		above := []process.ID{root.ID}
		b.Processes = append(b.Processes, root)
		for range 200 {
			at := root.ID
			for depth := range 6 {
				p := l.process(at)
				b.Processes = append(b.Processes, p)
				above = append(above, p.ID)
				at = p.ID
				if depth == 5 {
					l.services = append(l.services, at)
				}
			}
		}
		for i := range 40 {
			b.Containers = append(b.Containers, store.Container{ID: fmt.Sprintf("%02d%062d", i, 7), Name: "web-" + strconv.Itoa(i)})
		}
	}
	for i := range l.pending {
		l.end(&l.pending[i])
	}
	b.Processes = append(b.Processes, l.pending...)
	l.pending = l.pending[:0]
	shell := l.services[l.IntN(len(l.services))]
	for i := range n {
		creator := shell
		if i%5 == 0 {
			creator = l.services[l.IntN(len(l.services))]
		}
		p := l.process(creator)
		if i%5 == 0 {
			shell = p.ID // makes the next four
		}
		if i%10 < 3 {
			l.pending = append(l.pending, p)
		} else {
			l.end(&p)
		}
		b.Processes = append(b.Processes, p)
		l.last = p.ID
	}
	b.Now = l.now
	b.Wall = l.clock()
	return b
}

// BenchmarkAppend writes batches of half a second of 40,000 processes a second. An
// operation is one batch.
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := newLoad(40_000)
	var slowest time.Duration
	var heap runtime.MemStats
	var most uint64
	n := 0
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		batch := l.batch(20_000)
		b.StartTimer()
		began, before := time.Now(), processor()
		if err := s.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		used += processor() - before
		slowest = max(slowest, time.Since(began))
		b.StopTimer()
		runtime.ReadMemStats(&heap)
		most = max(most, heap.HeapInuse)
		n += 20_000
		b.StartTimer()
	}
	b.StopTimer()
	stats, err := s.Stats(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if want := int64(n + 1201); stats.Processes != want {
		b.Fatalf("%d processes, not %d", stats.Processes, want)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "processes/s")
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-ms")
	b.ReportMetric(float64(used.Nanoseconds())/float64(n), "cpu-ns/process")
	b.ReportMetric(float64(most)/1e6, "heap-MB")
	b.ReportMetric(float64(stats.Bytes)/float64(stats.Processes), "bytes/process")
}

// BenchmarkQuery asks a store of 10,000,000 processes of one day. It makes it in
// the directory that LINEAGE_BENCH_STORE names, where it is not there yet.
func BenchmarkQuery(b *testing.B) {
	dir := os.Getenv("LINEAGE_BENCH_STORE")
	if dir == "" {
		b.Skip("LINEAGE_BENCH_STORE names no directory")
	}
	const all = 10_000_000
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		s, err := sqlite.Open(dir, sqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		l := newLoad(all / 86_000)
		for range all / 20_000 {
			if err := s.Append(context.Background(), l.batch(20_000)); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.Logf("opened in %v", time.Since(began))
	ctx := context.Background()
	stats, err := s.Stats(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d processes, %d bytes, %.1f bytes each", stats.Processes, stats.Bytes, float64(stats.Bytes)/float64(stats.Processes))
	random := rand.New(rand.NewPCG(5, 5))
	at := func() time.Time {
		return stats.Oldest.Add(time.Duration(random.Int64N(int64(stats.Newest.Sub(stats.Oldest) - time.Hour))))
	}
	b.Run("Ancestors", func(b *testing.B) {
		var times []time.Duration
		for b.Loop() {
			b.StopTimer()
			page, err := s.Select(ctx, &store.Query{Until: at(), Limit: 1})
			if err != nil || len(page.Processes) == 0 {
				b.Fatal(err)
			}
			p := page.Processes[0]
			b.StartTimer()
			began := time.Now()
			got, err := s.Holder(ctx, "h", p.ID.PID, p.Began)
			if err != nil || got.ID != p.ID {
				b.Fatal(got, err)
			}
			above, err := s.Ancestors(ctx, got.Key)
			if err != nil || len(above) < 7 {
				b.Fatal(len(above), err)
			}
			times = append(times, time.Since(began))
		}
		spread(b, times)
	})
	page, err := s.Select(ctx, &store.Query{Order: store.Earliest, Limit: 400})
	if err != nil {
		b.Fatal(err)
	}
	service := page.Processes[6*20] // a leaf of the tree
	for name, text := range map[string]string{
		"All": "", "Container": "container:web-7", "Program": "name:program-77", "User": "user:user3", "Failed": "exit!=0", "Text": "objects/1234/part", "Match": "match:objects/12[0-9]4/",
		"Nothing": "unheard-of", "Long": "lived>60s", "PID": "pid:77777", "ContainerFailed": "container:web-7 exit!=0",
	} {
		for _, order := range []store.Order{store.Latest, store.Longest} {
			b.Run("Hour/"+name+"/"+string(order), func(b *testing.B) {
				hour(b, s, at, text, order, store.Key{})
			})
		}
	}
	for _, order := range []store.Order{store.Latest, store.Longest} {
		b.Run("Hour/Under/"+string(order), func(b *testing.B) { hour(b, s, at, "", order, service.Key) })
	}
	b.Run("Day/Failed/duration", func(b *testing.B) {
		for b.Loop() {
			q := &store.Query{Order: store.Longest}
			if err := store.ParseQuery(q, "container:web-7 exit!=0", time.Now()); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Select(ctx, q); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func hour(b *testing.B, s store.Store, at func() time.Time, text string, order store.Order, under store.Key) {
	var times []time.Duration
	used := processor()
	for b.Loop() {
		since := at()
		q := &store.Query{Since: since, Until: since.Add(time.Hour), Order: order, Under: under}
		if err := store.ParseQuery(q, text, time.Now()); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if _, err := s.Select(context.Background(), q); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(began))
	}
	b.ReportMetric(float64((processor()-used).Microseconds())/1000/float64(len(times)), "cpu-ms")
	spread(b, times)
}

// processor is the time of processors that the program has used.
func processor() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func spread(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "slowest-ms")
}

// BenchmarkRotate makes the file of a new day while 20,000 processes live.
func BenchmarkRotate(b *testing.B) {
	s, err := sqlite.Open(b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := newLoad(40_000)
	first := l.batch(67_000)
	for i := range first.Processes {
		if i%3 == 0 {
			first.Processes[i].Exit = process.Exit{}
		}
	}
	if err := s.Append(context.Background(), first); err != nil {
		b.Fatal(err)
	}
	living := 0
	if err := s.Living(context.Background(), "", func(*store.Process) bool { living++; return true }); err != nil {
		b.Fatal(err)
	}
	day := 0
	for b.Loop() {
		day++
		next := &store.Batch{Host: "h", Boot: "b", Now: l.now + process.Instant(day)*process.Instant(24*time.Hour), Wall: first.Wall.AddDate(0, 0, day)}
		if err := s.Append(context.Background(), next); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(living), "living")
}
