package sqlite

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

func (c *cache[K, V]) total() int {
	n := 0
	for _, generation := range []map[K]weighed[V]{c.young, c.old} {
		for _, w := range generation {
			n += w.weight
		}
	}
	return n
}

func TestCache(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	c := newCache[int, int](100)
	for i := range 10_000 {
		k := random.IntN(40)
		if _, ok := c.get(k); !ok || random.IntN(3) == 0 {
			c.put(k, i, random.IntN(30))
			if v, ok := c.get(k); !ok || v != i {
				t.Fatalf("%d is %d, %v, and not %d", k, v, ok, i)
			}
		}
		if n := c.total(); n > 200 {
			t.Fatalf("the weight is %d", n)
		}
	}
	c.put(1, 1, 101)
	if _, ok := c.get(1); ok {
		t.Error("what is heavier than all is kept")
	}
}

func TestCachesAreBounded(t *testing.T) {
	if n := 2 * (cachedBlocks + cachedTexts + internedTexts); n != 64<<20 {
		t.Errorf("the package's doc says 64 MiB, and it is %d bytes", n)
	}
}

// TestWeights compares what a store takes after heavy queries with what the caches
// say that they hold.
func TestWeights(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	b := &store.Batch{Host: "h", Boot: "b", Now: 1e12, Wall: at}
	const n = 20 * blockRows
	for i := range n {
		p := store.Process{Key: store.Key{ID: process.ID{PID: 1 + i, Start: process.Instant(1e9 + i), Precision: process.Exact}}, Name: strconv.Itoa(i)}
		p.Creator = process.Link{ID: process.ID{PID: 1 + max(i-1, 0)/2, Start: process.Instant(1e9 + max(i-1, 0)/2), Precision: process.Exact}, Evidence: process.Observed}
		for e := range 3 {
			p.Execs = append(p.Execs, process.Command{File: "/bin/true", Args: []string{strings.Repeat("a", 200), strconv.Itoa(i * e)}, At: p.ID.Start})
		}
		p.ExecCount = len(p.Execs)
		p.Exit = process.Exit{Evidence: process.Observed, At: p.ID.Start + 500}
		b.Processes = append(b.Processes, p)
	}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a pool held goes with the second
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, told := heap(), 0
	q := &store.Query{Limit: store.MaxLimit}
	for {
		page, err := s.Select(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		told += len(page.Processes)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if told != n {
		t.Errorf("%d processes were told of, and not %d", told, n)
	}
	check := func(what string, least, weight int) {
		t.Helper()
		took := heap() - before
		if weight < least || took > weight+1<<20 || took < weight/2 {
			t.Errorf("%s take %d bytes, and the cache says %d", what, took, weight)
		}
	}
	check("blocks and texts", 16<<20, s.blocks.total()+s.texts.total())
	s.blocks = newCache[place, *block](cachedBlocks)
	check("texts", 8<<20, s.texts.total())
	texts := s.texts
	s.texts = newCache[textKey, []byte](cachedTexts)
	// Some texts of each page alone, as they are left when the others are forgotten.
	for id, w := range texts.old {
		if id.id%16 == 0 {
			s.texts.put(id, w.value, w.weight)
		}
	}
	check("some texts", 100<<10, s.texts.total())
	runtime.KeepAlive(s)
}
