package ship

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/storetest"
)

const day = process.Instant(24 * time.Hour)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func exact(pid int, start process.Instant) process.ID {
	return process.ID{PID: pid, Start: start, Precision: process.Exact}
}

// daily is the batch of a day of a boot that began at noon, that many days after the
// first: it has a job that has come and gone.
func daily(boot string, booted, n int) *store.Batch {
	b := &store.Batch{Host: "h", HostName: "name", Boot: boot, Now: process.Instant(n)*day + 1000, Wall: noon.AddDate(0, 0, booted+n).Add(1000)}
	b.Processes = []store.Process{{Key: store.Key{ID: exact(100, b.Now-500)}, Name: "job", Exit: process.Exit{Evidence: process.Observed, At: b.Now - 400}}}
	return b
}

func living(pid int, creator process.ID) store.Process {
	p := store.Process{Key: store.Key{ID: exact(pid, process.Instant(pid))}, Name: "p", Creator: process.Link{ID: creator, Evidence: process.Observed}}
	if creator.IsZero() {
		p.Creator = process.Link{Evidence: process.Scanned}
	}
	return p
}

func ended(p store.Process, at process.Instant) store.Process {
	p.Exit = process.Exit{Evidence: process.Observed, At: at}
	return p
}

func shipped(t *testing.T, o Options, b *store.Batch) Stats {
	t.Helper()
	s := start(t, o)
	s.await(t, upTo(b))
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	return s.Stats()
}

func drops(t *testing.T, s store.Store) (all []store.Gap) {
	t.Helper()
	_, gaps := storetest.Processes(t, s)
	for _, g := range gaps {
		if g.Reason == store.Dropped {
			all = append(all, g)
		}
	}
	return all
}

// TestForgotten has days forgotten before they could be shipped.
func TestForgotten(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	o := Options{From: from, To: to, Host: "h"}
	first := daily("a", 0, 1)
	root, shell := living(1, process.ID{}), living(2, exact(1, 1))
	first.Processes = append(first.Processes, root, shell, living(3, shell.ID), living(4, shell.ID))
	appended(t, from, first)
	if stats := shipped(t, o, first); stats.Gaps != 0 || len(drops(t, to)) != 0 {
		t.Fatalf("%+v, gaps %+v", stats, drops(t, to))
	}
	second := daily("a", 0, 2)
	second.Processes = append(second.Processes, ended(living(3, shell.ID), second.Now-1), ended(shell, second.Now-1))
	last := daily("a", 0, 4)
	appended(t, from, second, daily("a", 0, 3), last)
	if err := from.Expire(t.Context(), last.Wall.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if stats := shipped(t, o, last); stats.Gaps != 1 {
		t.Errorf("%+v", stats)
	}
	want := store.Gap{Host: "h", Boot: "a", Reason: store.Dropped, Since: first.Now, Until: 3*day + 1000, From: first.Wall, To: noon.AddDate(0, 0, 3).Add(1000)}
	if got := drops(t, to); len(got) != 1 || got[0] != want {
		t.Errorf("the gaps are %+v, and not %+v", got, want)
	}
	for pid, end := range map[int]process.Evidence{1: process.Unknown, 2: process.Observed, 3: process.Inferred, 4: process.Unknown} {
		p, err := to.Process(t.Context(), store.Key{Host: "h", Boot: "a", ID: exact(pid, process.Instant(pid))})
		if err != nil || p.Exit.Evidence != end || end == process.Inferred && p.Exit.At != want.Until {
			t.Errorf("%d is %+v, %v", pid, p.Exit, err)
		}
	}
	jobs := map[process.Instant]bool{1: true, 2: false, 3: false, 4: true}
	for n, is := range jobs {
		_, err := to.Process(t.Context(), store.Key{Host: "h", Boot: "a", ID: exact(100, n*day+500)})
		if is != (err == nil) {
			t.Errorf("the job of day %d: %v", n, err)
		}
	}
	// Sent again it is the same.
	if stats := shipped(t, o, last); stats.Gaps != 0 || len(drops(t, to)) != 1 {
		t.Errorf("again: %+v, gaps %+v", stats, drops(t, to))
	}
}

// TestForgottenBefore has a history of which the beginning was forgotten before
// anything was shipped.
func TestForgottenBefore(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	last := daily("a", 0, 4)
	appended(t, from, daily("a", 0, 2), daily("a", 0, 3), last)
	if err := from.Expire(t.Context(), last.Wall.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	shipped(t, Options{From: from, To: to, Host: "h"}, last)
	if got := drops(t, to); len(got) != 1 || got[0].Since != 1 || got[0].Until != 3*day+1000 {
		t.Errorf("the gaps are %+v", got)
	}
}

// TestForgottenBoot has a boot forgotten with what was not shipped of it, and one
// that nothing was shipped of.
func TestForgottenBoot(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	o := Options{From: from, To: to, Host: "h"}
	first := daily("a", 0, 1)
	first.Processes = append(first.Processes, living(1, process.ID{}))
	appended(t, from, first)
	shipped(t, o, first)
	gone := daily("a", 0, 2)
	gone.Processes = append(gone.Processes, ended(living(1, process.ID{}), gone.Now-1))
	last := daily("c", 5, 1)
	appended(t, from, gone, daily("b", 2, 1), daily("b", 2, 2), daily("c", 5, 0), last)
	if err := from.Expire(t.Context(), last.Wall.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	shipped(t, o, last)
	var a, b, c bool
	for _, g := range drops(t, to) {
		a = a || g.Boot == "a" && g.Since == first.Now && g.To.Equal(noon.AddDate(0, 0, 5))
		b = b || g.Boot == "b" && g.Since == 1 && g.Until == 2*day+1000
		c = c || g.Boot == "c" && g.Since == 1 && g.Until == 1000
	}
	if !a || b || !c {
		t.Errorf("the gaps are %+v", drops(t, to))
	}
	p, err := to.Process(t.Context(), store.Key{Host: "h", Boot: "a", ID: exact(1, 1)})
	if err != nil || p.Exit.Evidence != process.Inferred || p.Exit.At != first.Now {
		t.Errorf("it lives on: %+v, %v", p, err)
	}
}

// TestEndsOfABoot ends what lived at a reboot, as of the last batch of the boot.
func TestEndsOfABoot(t *testing.T) {
	from, to := opened(t, t.TempDir()), opened(t, t.TempDir())
	o := Options{From: from, To: to, Host: "h"}
	first := daily("a", 0, 1)
	first.Processes = append(first.Processes, living(1, process.ID{}))
	appended(t, from, first)
	s := start(t, o)
	s.await(t, upTo(first))
	end := &store.Batch{Host: "h", Boot: "a", Now: first.Now, Wall: first.Wall, Processes: []store.Process{ended(living(1, process.ID{}), first.Now)}}
	next := daily("b", 2, 1)
	appended(t, from, end, next)
	s.await(t, upTo(next))
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	storetest.Equal(t, to, from)
}

// TestRandomHistory appends, ships, forgets and fails in any order. In the end the
// store has what one has that nothing is ever forgotten of, or says what it lacks.
func TestRandomHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		root := t.TempDir()
		from, truth, to := opened(t, filepath.Join(root, "from")), opened(t, filepath.Join(root, "truth")), newFleet(opened(t, filepath.Join(root, "to")))
		batches := ofHost("h1", storetest.Batches(rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "world"), 0)), 40))
		asOf := map[store.Key]process.Instant{}
		begin := func() *Shipper {
			s := New(Options{From: from, To: to, Host: "h1", BatchSize: rapid.SampledFrom([]int{1, 30, 500}).Draw(r, "size"), Refresh: time.Nanosecond})
			s.still, s.check = 0, 0
			return s
		}
		s := begin()
		var done []*store.Batch
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				if len(batches) == 0 {
					r.Skip()
				}
				b := batches[0]
				batches, done = batches[1:], append(done, b)
				appended(t, from, b)
				appended(t, truth, b)
				for i := range b.Processes {
					p, err := truth.Process(t.Context(), store.Key{Host: b.Host, Boot: b.Boot, ID: b.Processes[i].ID})
					if err != nil {
						r.Fatal(err)
					}
					asOf[p.Key] = b.Now
				}
			},
			"ship": func(r *rapid.T) {
				trouble := rapid.SampledFrom([]error{nil, nil, errDown}).Draw(r, "trouble")
				late := rapid.Bool().Draw(r, "late")
				to.set(func(f *fleet) {
					f.fails, f.late = trouble, nil
					if late {
						f.fails, f.late = nil, trouble
					}
				})
				if err := s.ship(t.Context(), t.Context().Done()); err != nil && !errors.Is(err, trouble) {
					r.Fatal(err)
				}
				to.set(func(f *fleet) { f.fails, f.late = nil, nil })
			},
			"restart": func(*rapid.T) { s = begin() },
			"expire": func(r *rapid.T) {
				if len(done) == 0 {
					r.Skip()
				}
				at := done[rapid.IntRange(0, len(done)-1).Draw(r, "batch")].Wall
				if err := from.Expire(t.Context(), at); err != nil {
					r.Fatal(err)
				}
			},
		})
		if err := s.ship(t.Context(), nil); err != nil {
			r.Fatal(err)
		}
		accounted(t, r, to, truth, asOf)
		if err := errors.Join(from.Close(), truth.Close(), to.Close()); err != nil {
			r.Fatal(err)
		}
	})
}

// accounted checks that of every process the store has the latest, or a gap that
// says why not.
func accounted(t *testing.T, r *rapid.T, to, truth store.Store, asOf map[store.Key]process.Instant) {
	got, _ := storetest.Processes(t, to)
	want, _ := storetest.Processes(t, truth)
	gaps := drops(t, to)
	boots := map[string]bool{}
	for k := range got {
		boots[k.Boot] = true
	}
	missing := func(k store.Key) bool {
		for _, g := range gaps {
			if g.Boot == k.Boot && g.Since <= asOf[k] {
				return true
			}
			if !boots[k.Boot] && g.Boot < k.Boot {
				return true // all of its boot
			}
		}
		return false
	}
	for k, p := range want {
		g, ok := got[k]
		if p.Stored != nil && g.Stored != nil {
			g.Stored = p.Stored // which may have been told of in what is missing
		}
		if ok && reflect.DeepEqual(g, p) {
			continue
		}
		if !missing(k) {
			r.Fatalf("of %v, told of at %v, there is\n%+v\nand not\n%+v\nand the gaps are %+v", k, asOf[k], g, p, gaps)
		}
		if g, err := to.Process(t.Context(), k); err == nil && g.Exit.Evidence == process.Unknown && p.Exit.Evidence != process.Unknown {
			r.Fatalf("%v lives on as %+v", k, g)
		}
	}
	for k, p := range got {
		known, err := truth.Process(t.Context(), k) // whose ID may be known better
		if err != nil || known.Key != k && !missing(known.Key) {
			r.Fatalf("there is %+v as well: %v", p, err)
		}
	}
}
