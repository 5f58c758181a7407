package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
)

// startText is what a start takes.
const startText = "start"

// A start is what one took.
type start struct {
	load sample // bpf.Open
	read sample // a scan of all processes into a table
	tree sample // NewTree, which is both and more
}

// starts loads the programs, reads all processes, and makes trees. What it
// takes a tree to know all processes is what its making takes longer than the
// loading did in the same round.
func (s *sheaf) starts(ctx context.Context, n, rounds int) error {
	q := question{text: startText, processes: n, contenders: []contender{
		{name: "bpf.Open"}, {name: "Scan, Table.Apply and EndUnseen"}, {name: "NewTree with bpf"},
	}}
	samples := make([][]sample, len(q.contenders))
	var beyond []float64
	for range rounds {
		one, err := begin(ctx, n)
		if err != nil {
			return err
		}
		for i, took := range []sample{one.load, one.read, one.tree} {
			samples[i] = append(samples[i], took)
		}
		beyond = append(beyond, float64(one.tree.elapsed-one.load.elapsed))
	}
	all := results(q, samples)
	s.Results = append(s.Results, all...)
	known := newSpread(beyond)
	const load, read = float64(100 * time.Millisecond), float64(30 * time.Millisecond)
	where := fmt.Sprintf("%s, %d processes: ", startText, n)
	s.Limits = append(s.Limits,
		limit{Text: where + "bpf.Open", Rule: atMost, Bound: load, Unit: nanoseconds, Measured: &all[0].Nanoseconds, CPU: &all[0].CPU},
		limit{Text: where + all[1].Contender, Rule: atMost, Bound: read, Unit: nanoseconds, Measured: &all[1].Nanoseconds, CPU: &all[1].CPU},
		limit{Text: where + "NewTree with bpf - bpf.Open", Rule: atMost, Bound: read, Unit: nanoseconds, Measured: &known})
	return nil
}

// begin makes one start of each, of which the reading is to find n processes.
func begin(ctx context.Context, n int) (one start, err error) {
	var source *bpf.Source
	one.load, err = timed(func() (err error) { source, err = bpf.Open(bpf.Options{}); return err })
	if err != nil {
		return one, err
	}
	table := process.NewTable(process.Retention{})
	one.read, err = timed(func() error {
		// All of a scan tells of the same instant.
		var began process.Instant
		err := source.Scan(ctx, func(e *process.Event) { began = e.Time; table.Apply(e) })
		table.EndUnseen(began)
		return err
	})
	if err == nil && table.Counts().Alive < n {
		err = fmt.Errorf("the scan found %d processes of more than %d", table.Counts().Alive, n)
	}
	if err := errors.Join(err, source.Close()); err != nil {
		return one, err
	}
	var tree *lineage.Tree
	one.tree, err = timed(func() (err error) { tree, err = newTree(bpfSource); return err })
	if err != nil {
		return one, err
	}
	return one, tree.Close()
}

// timed takes one sample of do.
func timed(do func() error) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := cpuTime(), time.Now()
	err := do()
	elapsed := time.Since(began)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	return sample{
		asked: 1, elapsed: elapsed, cpu: cpu,
		allocs: after.Mallocs - before.Mallocs, bytes: after.TotalAlloc - before.TotalAlloc,
	}, err
}
