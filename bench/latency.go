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

// stormy asks about processes in turn while a storm runs on another processor,
// one question after the other and with pauses, in which there comes more and
// more to take in before an answer.
func (s *sheaf) stormy(ctx context.Context, st *storm, n, rounds int, pids []int, w walker) error {
	stormCPU, otherCPU, err := processors()
	if err != nil {
		return err
	}
	pauses := []time.Duration{0, time.Millisecond, 10 * time.Millisecond}
	q := question{text: stormyText, processes: n}
	var samples [][]sample
	for _, pause := range pauses {
		name := "one after another"
		if pause > 0 {
			name = fmt.Sprintf("one each %v", pause)
		}
		q.contenders = append(q.contenders, contender{name: bpfName + ", " + name, outside: true})
	}
	samples = make([][]sample, len(pauses))
	tails := make([][]float64, len(pauses))
	for range rounds {
		for i, pause := range pauses {
			ended := make(chan error, 1)
			go func() {
				_, err := st.run(ctx, forkExecExit, stormCPU)
				ended <- err
			}()
			var l latencies
			var took sample
			err := onProcessor(otherCPU, func() (err error) {
				took, err = l.ask(walk(w, pids), pause, ended)
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
		s.Limits = append(s.Limits, limit{
			Text: fmt.Sprintf("%s, %d processes: %s, 99 of 100 answers", stormyText, n, all[i].Contender),
			Rule: atMost, Bound: float64(50 * time.Microsecond), Unit: nanoseconds, Measured: &tail,
		})
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
