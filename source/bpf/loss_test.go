package bpf

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// A Loss begins before the first record that was dropped since the last one was
// told, also where that is before what was drained last, and not earlier.
func TestLossSince(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 24, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	type loss struct {
		drops               []drop
		before, since, time process.Instant
	}
	for _, test := range []struct {
		name   string
		losses []loss // one after the other
	}{
		{"after the last drain", []loss{{[]drop{{5, 1500, 1600}}, 1000, 1000, 1600}}},
		{"during the last drain", []loss{{[]drop{{5, 700, 1600}}, 1000, 699, 1600}}},
		{"not noted yet", []loss{{nil, 1000, 1000, 1401}}},
		{"told before", []loss{{[]drop{{5, 100, 200}}, 50, 50, 1401}, {[]drop{{5, 100, 200}}, 1401, 1401, 1402}}},
		{"while one was told", []loss{{[]drop{{5, 1500, 1600}}, 1000, 1000, 1600}, {[]drop{{5, 1500, 1700}}, 1600, 1499, 1700}}},
		{"on two processors", []loss{{[]drop{{5, 800, 900}, {5, 700, 1700}}, 1000, 699, 1700}}},
		{"on one of them before", []loss{{[]drop{{5, 100, 200}, {}}, 50, 50, 1401}, {[]drop{{5, 100, 200}, {6, 1500, 1600}}, 1401, 1401, 1600}}},
	} {
		s := &Source{shared: new(shared), decoder: newDecoder(0, nil), drops: newDrops(m, cpus), last: 1400}
		for i, want := range test.losses {
			if len(want.drops) > cpus {
				break
			}
			each := make([]drop, cpus)
			copy(each, want.drops)
			if err := m.Put(uint32(0), each); err != nil {
				t.Fatal(err)
			}
			s.lose(uint64(i+1), want.before, func(e *process.Event) {
				if e.Kind != process.Loss || e.Since != want.since || e.Time != want.time {
					t.Errorf("%s: since %d until %d, want %d and %d", test.name, e.Since, e.Time, want.since, want.time)
				}
			})
			if s.problems != nil || s.shared.told.Load() != uint64(i+1) {
				t.Errorf("%s: %v, %d are told", test.name, s.problems, s.shared.told.Load())
			}
		}
	}
}

// What numbers mean is forgotten when it is too much and none of it was told
// again, and the programs are told to.
func TestSetsAreForgotten(t *testing.T) {
	w := newWatch(t, Options{})
	s := w.src.sets
	fill := func(generation int) {
		for i := range maxSets {
			s.recent[uint64(generation*maxSets+i+1)] = process.Cgroup{Membership: fmt.Sprint(generation)}
		}
	}
	for generation := range 3 {
		fill(generation)
		epoch := w.src.shared.epoch.Load()
		w.drain()
		if now := w.src.shared.epoch.Load(); now <= epoch {
			t.Errorf("epoch %d after %d: the programs do not tell anew", now, epoch)
		}
		if n := len(s.recent) + len(s.old); n > 2*maxSets {
			t.Errorf("%d sets are kept", n)
		}
		if got := s.cgroup(uint64(generation*maxSets + 1)).Membership; got != fmt.Sprint(generation) {
			t.Errorf("a set that records may name still is %q", got)
		}
		if got := s.cgroup(1).Membership; generation == 2 && got != "" {
			t.Errorf("a set of old is %q", got)
		}
	}
	a := linuxtest.Start(t)
	w.check(a.Fork(), a.PID, a.PID)
}
