package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// pairText is the question whether two that ask at once are in each other's
// way.
const pairText = "same cgroup, asked by one and by two at once"

// pair lets one goroutine ask about processes in turn, and then two at once.
// Beside lineage the bare walk does: more than that gains of a second
// processor, nothing can.
func (s *sheaf) pair(ctx context.Context, n, rounds int, pids []int, peers []peer) error {
	const asked = 50_000 // some milliseconds: most have no other's time in them
	q := question{text: pairText, processes: n}
	var samples [][]sample
	for _, p := range peers {
		q.contenders = append(q.contenders, contender{name: p.name + ", one"}, contender{name: p.name + ", two"})
		samples = append(samples, nil, nil)
	}
	for range rounds {
		for i, p := range peers {
			for two := range 2 {
				if err := ctx.Err(); err != nil {
					return err
				}
				took, err := together(p.impl.(walker), pids, 1+two, asked)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				samples[2*i+two] = append(samples[2*i+two], took)
			}
		}
	}
	all := results(q, samples)
	s.Results = append(s.Results, all...)
	for i, p := range peers {
		gain, cpu := ratio(all[2*i].rounds, all[2*i+1].rounds), ratio(all[2*i].cpus, all[2*i+1].cpus)
		// What it would be if both had a processor to themselves.
		cpu = spread{2 * cpu.Median, 2 * cpu.P10, 2 * cpu.P90}
		l := limit{Text: fmt.Sprintf("%s, %d processes: %s, answers of two / of one", pairText, n, p.name), Measured: &gain, CPU: &cpu}
		if p.name == bpfName {
			l.Rule, l.Bound = atLeast, 1.8
		}
		s.Limits = append(s.Limits, l)
	}
	return nil
}

// together lets some goroutines ask so often each, all at once.
func together(w walker, pids []int, askers, each int) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	begin, errs := make(chan struct{}), make(chan error, askers)
	asks := make([]func(int) error, askers)
	for i := range asks {
		asks[i] = walk(w, pids)
	}
	for _, ask := range asks {
		go func() {
			<-begin
			errs <- ask(each)
		}()
	}
	runtime.ReadMemStats(&before)
	cpu, began := cpuTime(), time.Now()
	close(begin)
	var err error
	for range askers {
		if e := <-errs; e != nil {
			err = e
		}
	}
	elapsed := time.Since(began)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	return sample{
		asked: askers * each, elapsed: elapsed, cpu: cpu,
		allocs: after.Mallocs - before.Mallocs, bytes: after.TotalAlloc - before.TotalAlloc,
	}, err
}
