package process

import (
	"fmt"
	"testing"
)

// The question for the ancestors in the same container group, of processes all
// over the tree, and beside it the bare walk up the same processes.
func BenchmarkSameGroup(b *testing.B) {
	for _, n := range []int{1000, 20_000, 100_000} {
		tab, deepest := living(n)
		room := make([]int, 0, 16)
		b.Run(fmt.Sprint("walk/", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				pids := room
				for r := tab.ByPID(deepest[i%len(deepest)].PID); r != 0; r, _ = tab.Parent(r) {
					pids = append(pids, int(tab.at(r).pid))
				}
				if len(pids) != 9 {
					b.Fatal(pids)
				}
			}
		})
		b.Run(fmt.Sprint("one/", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if pids, ok := tab.AppendSameGroup(room, deepest[i%len(deepest)].PID); !ok || len(pids) != 7 {
					b.Fatal(pids)
				}
			}
		})
		b.Run(fmt.Sprint("all/", n), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				room := make([]int, 0, 16)
				for i := 0; pb.Next(); i++ {
					if pids, ok := tab.AppendSameGroup(room, deepest[i%len(deepest)].PID); !ok || len(pids) != 7 {
						panic(pids)
					}
				}
			})
		})
	}
}
