package process

import (
	"runtime"
	"testing"
)

// living returns a table of n living processes in chains of depth 8 below init.
func living(n int) (tab *Table, deepest []ID) {
	tab = NewTable(Retention{})
	tab.Apply(&Event{Kind: Seen, Time: sec, ID: initID, NoParent: true, Name: "init", Adoption: Adopts, Cgroup: Cgroup{"0::/init.scope\n", "/init.scope"}})
	for pid := 10; tab.Len() < n; pid += 8 {
		ids := chain(tab, 8, pid)
		for _, id := range ids[1:] {
			tab.Apply(&Event{Kind: Moved, Time: 3 * sec, ID: id, Cgroup: Cgroup{"0::/system.slice/x.service\n", "/system.slice/x.service"}})
		}
		deepest = append(deepest, ids[8])
	}
	return tab, deepest
}

// One fork, exec and exit, with 20,000 processes alive.
func BenchmarkApply(b *testing.B) {
	tab, _ := living(20_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := 10*sec + Instant(i)*1000
		id := ID{PID: 30_000 + i%30_000, Start: now, Precision: Exact}
		tab.Apply(&Event{Kind: Fork, Time: now + 1, ID: id, Creator: initID, Parent: initID, Name: "worker"})
		tab.Apply(&Event{Kind: Exec, Time: now + 2, ID: id, Name: "job"})
		tab.Apply(&Event{Kind: Exited, Time: now + 3, ID: id, Adopter: initID})
	}
}

func BenchmarkForkExit(b *testing.B) {
	tab, _ := living(20_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		forkAndExit(tab, i)
	}
}

// forkAndExit applies the ith of many short lives, told as fully as it can be.
func forkAndExit(tab *Table, i int) {
	now := 10*sec + Instant(i)*1000
	id := ID{PID: 30_000 + i%30_000, Start: now, Precision: Exact}
	tab.Apply(&Event{Kind: Fork, Time: now + 1, ID: id, Creator: initID, Parent: initID, Name: "worker", GroupID: 7, SessionID: 7,
		Owner: Owner{Known: true}, Cgroup: Cgroup{"0::/system.slice/x.service\n", "/system.slice/x.service"}})
	tab.Apply(&Event{Kind: Exited, Time: now + 3, ID: id, Adopter: initID, Usage: Usage{Known: true}})
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	tab, _ := living(1000)
	tab.keep.Count = 1000
	i := 0
	live := func() {
		for range 100 {
			forkAndExit(tab, i)
			i++
		}
	}
	for range 300 {
		live()
	}
	if n := testing.AllocsPerRun(100, live); n != 0 {
		t.Errorf("%v allocations for 100 processes", n)
	}
}

// The first scan of 20,000 processes, a process.
func BenchmarkFirstScan(b *testing.B) {
	tab := NewTable(Retention{})
	for i := 0; b.Loop(); i++ {
		if i%20_000 == 0 {
			tab = NewTable(Retention{})
		}
		n := i % 20_000
		tab.Apply(&Event{Kind: Seen, Time: sec, ID: ID{PID: 1 + n, Start: Instant(1 + n), Inode: uint64(n), Precision: Exact},
			Parent: ID{PID: 1 + n/8, Start: Instant(1 + n/8), Inode: uint64(n / 8), Precision: Exact}, Name: "worker", GroupID: 7,
			Cgroup: Cgroup{"0::/system.slice/x.service\n", "/system.slice/x.service"}, Owner: Owner{Known: true}, Adoption: AdoptsNone})
	}
}

func BenchmarkWalk(b *testing.B) {
	tab, deepest := living(20_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := 0
		for r := tab.ByPID(deepest[i%len(deepest)].PID); r != 0; r, _ = tab.Parent(r) {
			n++
		}
		if n != 9 {
			b.Fatalf("%d steps", n)
		}
	}
}

func BenchmarkAppendLineage(b *testing.B) {
	tab, deepest := living(20_000)
	b.ReportAllocs()
	var steps []Step
	for i := 0; b.Loop(); i++ {
		steps = tab.AppendLineage(steps[:0], tab.ByID(deepest[i%len(deepest)]))
		if len(steps) != 9 {
			b.Fatalf("%d steps", len(steps))
		}
	}
}

func BenchmarkBytesPerProcess(b *testing.B) {
	var used, n int64
	for b.Loop() {
		before := heap()
		tab, _ := living(100_000)
		used, n = used+heap()-before, n+int64(tab.Len())
		runtime.KeepAlive(tab)
	}
	b.ReportMetric(float64(used)/float64(n), "B/process")
}
