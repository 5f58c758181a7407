package process

import (
	"runtime"
	"testing"
)

// living returns a table of n living processes in chains of depth 8 below init.
func living(n int) (tab *Table, deepest []ID) {
	tab = NewTable(Retention{})
	tab.Apply(&Event{Kind: Seen, Time: sec, ID: initID, NoParent: true, Name: "init", Adoption: Adopts})
	for pid := 10; tab.Len() < n; pid += 8 {
		ids := chain(tab, 8, pid)
		for _, id := range ids[1:] {
			tab.Apply(&Event{Kind: Moved, Time: 3 * sec, ID: id, Cgroup: Cgroup{"0::/system.slice/x.service\n", "/system.slice/x.service"}})
		}
		deepest = append(deepest, ids[8])
	}
	return tab, deepest
}

func BenchmarkApply(b *testing.B) {
	tab, _ := living(20_000)
	b.ReportAllocs()
	b.ResetTimer()
	storm(tab, b.N, 40_000, initID)
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
