package process_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/proclineage/lineage/internal/simkernel"
	"github.com/proclineage/lineage/process"
)

// pids is how many PIDs the kernel of the readers has.
const pids = 60

// Readers ask while the table changes: each answer is one that the table gives
// at an instant of the call when nobody else is there.
func TestReadersBesideWriter(t *testing.T) {
	changes := history()
	keep := process.Retention{Count: 5}

	tab := process.NewTable(keep)
	answers := [][pids][]int{{}} // nil where the table cannot tell
	for _, change := range changes {
		change(tab)
		var now [pids][]int
		for pid := range now {
			if got, ok := tab.AppendSameGroup([]int{}, pid); ok {
				now[pid] = got
			}
		}
		answers = append(answers, now)
	}

	for range 5 {
		besideWriter(t, process.NewTable(keep), changes, answers)
	}
}

func besideWriter(t *testing.T, tab *process.Table, changes []func(*process.Table), answers [][pids][]int) {
	var begun, done, asked, answered, wrong atomic.Int64
	var readers sync.WaitGroup
	for seed := range uint64(2) {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			room := make([]int, 0, pids)
			for done.Load() < int64(len(changes)) {
				pid := random.IntN(pids)
				first := done.Load()
				got, ok := tab.AppendSameGroup(room, pid)
				last := begun.Load()
				if asked.Add(1)%8 == 0 {
					runtime.Gosched() // to the writer
				}
				if !ok {
					continue
				}
				answered.Add(1)
				if !slices.ContainsFunc(answers[first:last+1], func(then [pids][]int) bool {
					return then[pid] != nil && slices.Equal(then[pid], got)
				}) {
					wrong.Add(1)
				}
			}
		})
	}
	for _, change := range changes {
		for before := asked.Load(); asked.Load() < before+5; {
			runtime.Gosched()
		}
		begun.Add(1)
		change(tab)
		done.Add(1)
	}
	readers.Wait()
	if wrong.Load() != 0 || answered.Load() == 0 {
		t.Errorf("%d of %d answers never were right", wrong.Load(), answered.Load())
	}
	for pid, want := range answers[len(changes)] {
		if got, ok := tab.AppendSameGroup([]int{}, pid); ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("in the end, PID %d: %v, %v, want %v", pid, got, ok, want)
		}
	}
}

// history returns what happens to a table that follows a kernel whose PIDs come
// round quickly, events being lost and made good now and then.
func history() []func(*process.Table) {
	k := simkernel.New(pids-1, began)
	v := simkernel.View{}
	var changes []func(*process.Table)
	tell := func(events []process.Event) {
		for _, e := range events {
			changes = append(changes, func(tab *process.Table) { applyOne(tab, e) })
		}
	}
	scan := func() {
		events, at := v.Scan(k)
		tell(events)
		changes = append(changes, func(tab *process.Table) { tab.EndUnseen(at) })
	}
	scan()
	random := rand.New(rand.NewPCG(1, 2))
	next := 0
	for i := range 4000 {
		op := simkernel.Op{Verb: simkernel.Verb(random.IntN(int(simkernel.Verbs))), Who: uint8(random.Int()), Arg: uint8(random.Int())}
		if len(k.Holders()) < pids/2 {
			op.Verb = simkernel.DoFork
		}
		k.Do(op)
		var events []process.Event
		events, next = v.Events(k, next)
		tell(events)
		switch i % 500 {
		case 100:
			tell([]process.Event{{Kind: process.Loss, Time: k.Stamp()}})
		case 120:
			scan()
		case 200:
			changes = append(changes, (*process.Table).Shrink)
		}
	}
	return changes
}
