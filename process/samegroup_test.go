package process

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// inGroup returns the event of a move to a container group.
func inGroup(when Instant, id ID, group string) Event {
	return Event{Kind: Moved, Time: when * sec, ID: id, Cgroup: Cgroup{"0::" + group + "\n", group}}
}

// box returns a Seen of one in the container group /box.
func box(when Instant, id, parent ID) Event {
	e := seen(when, id, parent)
	e.Cgroup = Cgroup{"0::/box\n", "/box"}
	return e
}

func TestAppendSameGroup(t *testing.T) {
	a, b, c := at(10, 2), at(11, 3), at(12, 4)
	for name, test := range map[string]struct {
		then []Event
		want []int // nil where the table cannot tell
	}{
		"all in one":              {nil, []int{11, 10, 1}},
		"one in another":          {[]Event{inGroup(8, b, "/other")}, []int{10, 1}},
		"it in another":           {[]Event{inGroup(8, c, "/other")}, []int{}},
		"two paths of one group":  {[]Event{{Kind: Moved, Time: 8 * sec, ID: b, Cgroup: Cgroup{"1:cpu:/box\n0::/x\n", "/box"}}}, []int{11, 10, 1}},
		"no group":                {[]Event{inGroup(8, c, ""), inGroup(9, a, "")}, []int{10}},
		"adopted, by whom":        {[]Event{exit(8, b, initID)}, nil},
		"adopted":                 {[]Event{exit(8, b, initID), box(9, c, initID)}, []int{1}},
		"parent is dying":         {[]Event{exit(8, b, initID), box(9, c, b)}, nil},
		"it is dying":             {[]Event{exit(8, c, initID), box(9, c, b)}, nil},
		"adopter is not known":    {[]Event{exit(8, b, ID{})}, nil},
		"parent was not seen":     {[]Event{box(8, b, at(9, 1))}, nil},
		"parent is only a PID":    {[]Event{box(8, b, ID{PID: 99})}, nil},
		"parent's PID is reused":  {[]Event{fork(8, at(11, 8), initID)}, nil},
		"it has ended":            {[]Event{exit(8, c, b)}, nil},
		"it is a zombie":          {[]Event{exit(8, c, b), {Kind: Seen, Time: 9 * sec, ID: c, Parent: b, Zombie: true}}, nil},
		"its PID is reused":       {[]Event{fork(8, at(12, 8), initID)}, nil},
		"loss":                    {[]Event{{Kind: Loss, Time: 8 * sec}}, nil},
		"loss, not all is told":   {[]Event{{Kind: Loss, Time: 8 * sec}, box(9, c, b), box(9, b, a), box(9, initID, ID{})}, nil},
		"loss, membership is not": {[]Event{{Kind: Loss, Time: 8 * sec}, box(9, c, b), seen(9, b, a), box(9, a, initID), box(9, initID, ID{})}, nil},
		"loss, all is told again": {[]Event{{Kind: Loss, Time: 8 * sec}, box(9, c, b), box(9, b, a), box(9, a, initID), box(9, initID, ID{})}, []int{11, 10, 1}},
		"loss, parents are known to live": {[]Event{{Kind: Loss, Time: 8 * sec}, inGroup(9, c, "/box"), inGroup(9, b, "/box"),
			inGroup(9, a, "/box"), inGroup(9, initID, "/box")}, []int{11, 10, 1}},
	} {
		tab := table(t, append([]Event{box(6, initID, ID{}), box(6, a, initID), box(6, b, a), box(6, c, b)}, test.then...)...)
		got, ok := tab.AppendSameGroup([]int{7}, 12)
		if ok != (test.want != nil) || !slices.Equal(got, append([]int{7}, test.want...)) {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, test.want)
		}
	}
	tab := table(t)
	for _, pid := range []int{-1, 0, 2, maxPID, maxPID + 1, math.MaxInt} {
		if got, ok := tab.AppendSameGroup(nil, pid); ok || got != nil {
			t.Errorf("PID %d: %v", pid, got)
		}
	}
}

func TestAppendSameGroupDoesNotAllocate(t *testing.T) {
	tab, deepest := living(1000)
	room := make([]int, 0, 16)
	if n := testing.AllocsPerRun(100, func() { room, _ = tab.AppendSameGroup(room[:0], deepest[5].PID) }); n != 0 || len(room) != 7 {
		t.Errorf("%v allocations for %v", n, room)
	}
}

// A walk that is under way while two processes of the chain move one after the
// other must not see the one before and the other after it: the two are never
// in the same group.
func TestWalkOfOneInstant(t *testing.T) {
	tab := table(t, box(6, initID, ID{}))
	ids := chain(tab, recheck-2, 10)
	for _, id := range ids {
		tab.Apply(new(inGroup(6, id, "/between")))
	}
	upper, lower := ids[1], ids[recheck-2]
	steps := []Event{inGroup(7, upper, "/b"), inGroup(7, lower, "/a")}
	for _, group := range []string{"/c", "/b", "/a"} { // (/a, /b), (/c, /b), (/c, /a), (/b, /a), …
		next := map[string]string{"/c": "/a", "/b": "/c", "/a": "/b"}[group]
		steps = append(steps, inGroup(7, lower, group), inGroup(7, upper, next))
	}
	move := func(i int) {
		e := steps[i]
		e.Time = tab.now + 1
		tab.Apply(&e)
	}
	move(0)
	move(1)
	var asked, wrong atomic.Int64
	var end atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			room := make([]int, 0, 8)
			for !end.Load() {
				if got, ok := tab.AppendSameGroup(room, lower.PID); ok && len(got) != 0 {
					wrong.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	for i := 0; i < 30_000 || asked.Load() < 1000; i++ {
		move(2 + i%6)
		if i%1000 == 0 {
			runtime.Gosched()
		}
	}
	end.Store(true)
	readers.Wait()
	if wrong.Load() != 0 {
		t.Errorf("%d of %d answers were of no one instant", wrong.Load(), asked.Load())
	}
}

func TestNoAnswerWhileWordsChange(t *testing.T) {
	tab, deepest := living(50)
	tab.index.begin()
	if got, ok := tab.AppendSameGroup(nil, deepest[0].PID); ok {
		t.Errorf("%v while the words are being changed", got)
	}
	tab.index.done()
	if _, ok := tab.AppendSameGroup(nil, deepest[0].PID); !ok {
		t.Error("no answer after")
	}
}

// Places are taken and freed in all orders, with many PIDs for one place.
func TestIndex(t *testing.T) {
	var x index
	x.places.Store(newPlaces(minPlaces))
	want := map[int32]Ref{}
	for i := range 20_000 {
		pid := int32(uint32(i) * 2654435761 >> 8 % 500 * (1 << (i % 3 * 6)) % maxPID)
		if pid++; want[pid] != 0 && i%3 != 0 {
			x.remove(pid)
			delete(want, pid)
		} else {
			x.set(pid, Ref(i+1))
			want[pid] = Ref(i + 1)
		}
		x.done()
		if i%1000 != 0 {
			continue
		}
		for pid := range int32(maxPID) {
			if want[pid] != x.ref(int(pid)) {
				t.Fatalf("after %d, PID %d leads to %d, want %d", i, pid, x.ref(int(pid)), want[pid])
			}
		}
	}
	if x.used != len(want) || x.seq.Load()%2 != 0 {
		t.Errorf("%d used, want %d", x.used, len(want))
	}
}

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
