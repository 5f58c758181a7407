package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
	"github.com/proclineage/lineage/store/storetest"
)

// follow appends to the store what the other one was told after the mark, and
// returns the last one.
func follow(t *testing.T, from *sqlite.Store, to store.Store, host string, after store.Mark, limit int) store.Mark {
	t.Helper()
	for {
		b, err := from.Changes(t.Context(), host, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return after
		}
		if b.Boot == after.Boot && b.Now <= after.Now {
			t.Fatalf("after %v comes a batch of %v", after, b.Now)
		}
		checkOrder(t, b)
		if err := to.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		after = store.Mark{Boot: b.Boot, Now: b.Now, Wall: b.Wall}
	}
}

// checkOrder checks that in the batch none comes before the one that made it.
func checkOrder(t *testing.T, b *store.Batch) {
	t.Helper()
	byPID := map[int][]process.Link{}
	for i := range b.Processes {
		p := &b.Processes[i]
		for _, l := range byPID[p.ID.PID] {
			if l.ID.Same(p.ID) {
				t.Fatalf("%v comes after one that it made", p.ID)
			}
		}
		if p.Creator.Evidence != process.Unknown {
			byPID[p.Creator.ID.PID] = append(byPID[p.Creator.ID.PID], p.Creator)
		}
	}
}

// TestChanges keeps another store in step with one, in which what is written moves
// from place to place and which is opened again now and then.
func TestChanges(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			from, to := opened(t, dir), opened(t, t.TempDir())
			marks := map[string]store.Mark{}
			var batches []*store.Batch
			for _, b := range storetest.Batches(random, 60) {
				batches = append(batches, b)
				if err := from.Append(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if random.IntN(6) == 0 { // again, which changes nothing
					if err := from.Append(t.Context(), batches[random.IntN(len(batches))]); err != nil {
						t.Fatal(err)
					}
				}
				if random.IntN(8) == 0 {
					if err := from.Close(); err != nil {
						t.Fatal(err)
					}
					from = opened(t, dir)
				}
				if random.IntN(3) > 0 {
					continue
				}
				after := marks[b.Host]
				if last, err := to.Last(t.Context(), b.Host); err == nil && random.IntN(2) == 0 {
					after = last
					after.Now-- // the last batch again
				}
				marks[b.Host] = follow(t, from, to, b.Host, after, 1+random.IntN(2000))
			}
			for _, host := range []string{"h1", "h2"} {
				follow(t, from, to, host, marks[host], 1+random.IntN(2000))
			}
			storetest.Equal(t, to, from)
			// All at once and to an empty store.
			other := opened(t, filepath.Join(t.TempDir(), "other"))
			for _, host := range []string{"h1", "h2"} {
				follow(t, from, other, host, store.Mark{}, 1e6)
			}
			storetest.Equal(t, other, from)
		})
	}
}

func TestChangesOfAnUnknownBoot(t *testing.T) {
	s := opened(t, made(t, noon))
	if _, err := s.Changes(t.Context(), "h", store.Mark{Boot: "other", Now: 1}, 10); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the changes of an unknown boot: %v", err)
	}
	for _, host := range []string{"", "other"} {
		if b, err := s.Changes(t.Context(), host, store.Mark{Boot: "b", Now: 1}, 10); b != nil || err != nil {
			t.Errorf("the changes of the host %q: %v, %v", host, b, err)
		}
	}
}

// downgrade makes of a file what the version before wrote.
func downgrade(t *testing.T, path string) {
	t.Helper()
	change(t, path, `DROP TABLE host; ALTER TABLE boot DROP COLUMN since;
		ALTER TABLE block DROP COLUMN first_as_of; ALTER TABLE block DROP COLUMN last_as_of; ALTER TABLE gap DROP COLUMN as_of;
		ALTER TABLE container DROP COLUMN boot; ALTER TABLE container DROP COLUMN as_of; PRAGMA user_version = 1`)
}

// TestChangesOfAnEarlierFormat has files of the version before, one of which has
// been forgotten.
func TestChangesOfAnEarlierFormat(t *testing.T) {
	for seed := range uint64(3) {
		dir := t.TempDir()
		from := opened(t, dir)
		batches := storetest.Batches(rand.New(rand.NewPCG(seed, 8)), 50)
		for _, b := range batches {
			b.HostName = "" // which it did not know
			if err := from.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		if err := from.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range days(t, dir) {
			downgrade(t, filepath.Join(dir, name))
		}
		from = opened(t, dir)
		to := opened(t, t.TempDir())
		for _, host := range []string{"h1", "h2"} {
			follow(t, from, to, host, store.Mark{}, 500)
		}
		storetest.Equal(t, to, from)
	}
	dir := made(t, noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 2))
	names := days(t, dir)
	for _, name := range names {
		downgrade(t, filepath.Join(dir, name))
	}
	for _, name := range names[:2] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := opened(t, dir).Changes(t.Context(), "h", store.Mark{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	// The clock was set by a day: what the file says of its beginning is the last
	// instant before its first batch.
	if len(b.Gaps) != 1 || b.Gaps[0].Since != 1 || b.Gaps[0].Until != batch(3, noon).Now-1 {
		t.Errorf("the gaps are %+v", b.Gaps)
	}
}

// TestChangesTellOfGaps has a gap that came with a batch long after it.
func TestChangesTellOfGaps(t *testing.T) {
	s := opened(t, t.TempDir())
	gap := store.Gap{Reason: store.Lost, Since: 5, Until: 9}
	for i := range 4 {
		b := batch(i+1, noon.Add(time.Duration(i)*time.Second))
		if i == 2 {
			b.Gaps = []store.Gap{gap}
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 0} {
		told := 0
		for after := (store.Mark{Boot: "b", Now: batch(max(n, 1), noon).Now - process.Instant(bit(n == 0))}); ; {
			b, err := s.Changes(t.Context(), "h", after, 1)
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			told += len(b.Gaps)
			if after.Now = b.Now; len(b.Gaps) > 0 && b.Now != batch(3, noon).Now {
				t.Errorf("it comes with the batch of %v", b.Now)
			}
		}
		if told != want {
			t.Errorf("after batch %d it is told %d times, and not %d", n, told, want)
		}
	}
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestChangesOfADamagedBlock goes on past a block that cannot be read, and says so.
func TestChangesOfADamagedBlock(t *testing.T) {
	dir := made(t, noon, noon.AddDate(0, 0, 1))
	path := filepath.Join(dir, days(t, dir)[0])
	change(t, path, "UPDATE block SET told = CAST(substr(told, 1, 20) || x'ff' || substr(told, 22) AS BLOB)")
	from, to := opened(t, dir), opened(t, t.TempDir())
	follow(t, from, to, "h", store.Mark{}, 1)
	page, err := to.Select(t.Context(), &store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	lost := batch(1, noon).Processes[1]
	want := store.Gap{Host: "h", Boot: "b", Reason: store.Damaged, Since: lost.ID.Start, Until: lost.Exit.At, Lost: 1}
	if len(page.Gaps) == 1 {
		page.Gaps[0].From, page.Gaps[0].To = time.Time{}, time.Time{}
	}
	if len(page.Processes) != 5 || len(page.Gaps) != 1 || page.Gaps[0] != want {
		t.Errorf("there are %d processes and the gaps %+v, not %+v", len(page.Processes), page.Gaps, want)
	}
}

// TestHostsKeepTheirNames has names that are told once, before days pass.
func TestHostsKeepTheirNames(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir)
	for i := range 4 {
		b := batch(i+1, noon.AddDate(0, 0, i))
		if i == 0 {
			b.HostName = "build-7"
		}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Expire(t.Context(), noon.AddDate(0, 0, 3)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want := store.Host{ID: "h", Name: "build-7", Last: store.Mark{Boot: "b", Now: batch(4, noon).Now, Wall: noon.AddDate(0, 0, 3)}}
		if hosts, err := s.Hosts(t.Context()); err != nil || len(hosts) != 1 || hosts[0] != want {
			t.Errorf("the hosts are %+v, %v, and not %+v", hosts, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = opened(t, dir)
	}
}

// TestChangesWithoutADay lacks a day in the middle, and has marks before it, in it and
// at its end.
func TestChangesWithoutADay(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir)
	nows := []time.Duration{0, 24 * time.Hour, 25 * time.Hour, 48 * time.Hour}
	now := func(n int) process.Instant { return batch(n, noon).Now + process.Instant(nows[n-1]) }
	for n := range 4 {
		b := batch(n+1, noon)
		b.Now, b.Wall = now(n+1), noon.Add(time.Duration(now(n+1)))
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names := days(t, dir)
	if len(names) != 3 {
		t.Fatalf("there are the days %q", names)
	}
	if err := os.Remove(filepath.Join(dir, names[1])); err != nil {
		t.Fatal(err)
	}
	s = opened(t, dir)
	for n, lost := range map[int]bool{1: true, 2: true, 3: false} {
		b, err := s.Changes(t.Context(), "h", store.Mark{Boot: "b", Now: now(n)}, 100)
		if err != nil || b == nil || b.Now != now(4) {
			t.Fatalf("after batch %d: %+v, %v", n, b, err)
		}
		want := store.Gap{Reason: store.Dropped, Since: now(n) + 1, Until: now(3)}
		if len(b.Gaps) != bit(lost) || lost && b.Gaps[0] != want {
			t.Errorf("after batch %d the gaps are %+v", n, b.Gaps)
		}
	}
}
