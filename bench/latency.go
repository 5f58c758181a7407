package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// stormyText is the question while a storm runs.
const stormyText = "same cgroup, while a storm of fork+exec+exit runs"

// latencies counts how long answers took, in classes a hundredth wide.
type latencies struct {
	counts [4096]int
	n      int
}

const class = 1.01

func (l *latencies) add(d time.Duration) {
	i := 0
	if d > 1 {
		i = min(int(math.Log(float64(d))/math.Log(class)), len(l.counts)-1)
	}
	l.counts[i]++
	l.n++
}

// quantile returns what the part q of the answers took at most, in
// nanoseconds.
func (l *latencies) quantile(q float64) float64 {
	left := int(math.Ceil(q * float64(l.n)))
	for i, n := range l.counts {
		if left -= n; left <= 0 {
			return math.Pow(class, float64(i+1))
		}
	}
	return 0
}

// An asker asks while a storm runs, one question after the other or with a
// pause before each, in which more and more comes that has to be taken in
// before the answer.
type asker struct {
	of    peer
	pause time.Duration
}

func (a *asker) String() string {
	if a.pause == 0 {
		return a.of.name + ", one after another"
	}
	return fmt.Sprintf("%s, one each %v", a.of.name, a.pause)
}

// stormy asks about processes in turn while a storm runs on another processor.
// Beside lineage the bare walk is asked, for what the machine adds.
func (s *sheaf) stormy(ctx context.Context, st *storm, n, rounds int, pids []int, tree, plain peer) error {
	stormCPU, otherCPU, err := processors()
	if err != nil {
		return err
	}
	askers := []asker{{tree, 0}, {tree, time.Millisecond}, {tree, 10 * time.Millisecond}, {plain, time.Millisecond}}
	q := question{text: stormyText, processes: n}
	for i := range askers {
		q.contenders = append(q.contenders, contender{name: askers[i].String(), outside: true})
	}
	samples := make([][]sample, len(askers))
	tails := make([][]float64, len(askers))
	for range rounds {
		for i, a := range askers {
			ended := make(chan error, 1)
			go func() {
				_, err := st.run(ctx, forkExecExit, stormCPU)
				ended <- err
			}()
			var l latencies
			var took sample
			err := onProcessor(otherCPU, func() (err error) {
				took, err = l.ask(walk(a.of.impl.(walker), pids), a.pause, ended)
				return err
			})
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], took)
			tails[i] = append(tails[i], l.quantile(0.99))
		}
	}
	all := results(q, samples)
	s.Results = append(s.Results, all...)
	for i := range all {
		tail := newSpread(tails[i])
		l := limit{
			Text: fmt.Sprintf("%s, %d processes: %s, 99 of 100 answers", stormyText, n, all[i].Contender),
			Unit: nanoseconds, Measured: &tail,
		}
		if askers[i].of.name == bpfName {
			l.Rule, l.Bound = atMost, float64(50*time.Microsecond)
		}
		s.Limits = append(s.Limits, l)
	}
	return nil
}

// ask asks until the storm has ended.
func (l *latencies) ask(ask func(int) error, pause time.Duration, ended <-chan error) (sample, error) {
	var took sample
	cpu := cpuTime()
	for {
		var failed error
		// A channel is looked at for many answers at once, so that this is
		// no part of them.
		for range 100 {
			if pause > 0 {
				<-time.After(pause)
			}
			began := time.Now()
			err := ask(1)
			d := time.Since(began)
			l.add(d)
			took.elapsed += d
			took.asked++
			failed = errors.Join(failed, err)
			if pause > 0 && len(ended) > 0 {
				break
			}
		}
		select {
		case err := <-ended:
			took.cpu = cpuTime() - cpu
			return took, errors.Join(failed, err)
		default:
		}
		if failed != nil {
			return took, errors.Join(failed, <-ended)
		}
	}
}
