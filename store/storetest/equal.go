package storetest

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/proclineage/lineage/store"
)

// Batches makes up what happens on some hosts, their boots one after the other, in
// as many batches.
func Batches(random *rand.Rand, n int) []*store.Batch {
	w := newWorld(random)
	all := make([]*store.Batch, n)
	for i := range all {
		all[i] = w.batch(i)
	}
	return all
}

// Processes returns all that the store has, by their keys, and all its gaps.
func Processes(t testing.TB, s store.Store) (map[store.Key]store.Process, []store.Gap) {
	t.Helper()
	all := map[store.Key]store.Process{}
	var gaps []store.Gap
	q := &store.Query{Limit: store.MaxLimit, Order: store.Earliest}
	for {
		page, err := s.Select(t.Context(), q)
		must(t, err)
		for i := range page.Processes {
			p := &page.Processes[i]
			normalize(p)
			all[p.Key] = *p
		}
		if q.After == "" {
			gaps = page.Gaps
		}
		if q.After = page.Next; q.After == "" {
			return all, gaps
		}
	}
}

// Equal fails where the store does not have the hosts, the processes and the gaps of
// the other one, no more and no less.
func Equal(t testing.TB, got, want store.Store) {
	t.Helper()
	processes, gaps := Processes(t, got)
	wanted, wantedGaps := Processes(t, want)
	for k, p := range wanted {
		if g, ok := processes[k]; !ok || !reflect.DeepEqual(g, p) {
			t.Fatalf("there is %v\n%+v\nand not\n%+v", ok, g, p)
		}
	}
	for k, p := range processes {
		if _, ok := wanted[k]; !ok {
			t.Fatalf("there is %+v as well", p)
		}
	}
	for _, g := range wantedGaps {
		if !slices.Contains(gaps, g) {
			t.Fatalf("the gap %+v is missing among %+v", g, gaps)
		}
	}
	if len(gaps) != len(wantedGaps) {
		t.Fatalf("the gaps are %+v, and not %+v", gaps, wantedGaps)
	}
	hosts, err := got.Hosts(t.Context())
	must(t, err)
	wantedHosts, err := want.Hosts(t.Context())
	must(t, err)
	for i := range min(len(hosts), len(wantedHosts)) {
		if hosts[i].Last.Wall.Equal(wantedHosts[i].Last.Wall) {
			hosts[i].Last.Wall = wantedHosts[i].Last.Wall // by the same location
		}
	}
	if !slices.Equal(hosts, wantedHosts) {
		t.Fatalf("the hosts are %+v, and not %+v", hosts, wantedHosts)
	}
}
