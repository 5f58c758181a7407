package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A question is what several contenders are asked in one interleaved run.
type question struct {
	text      string
	processes int // how many sleepers there are beside all else on the host
	rounds    int
	// turn is how often a contender must ask to have asked about everything
	// once, and to have learnt all that it learns but once.
	turn int
	// least is how long one sample takes at least, zero for one answer.
	least time.Duration
	// contenders are whom all are compared with first, and the others.
	contenders []contender
}

// A contender is one way to answer a question.
type contender struct {
	name string
	// lacks is what its answers lack, empty for nothing.
	lacks string
	// outside says that another process does the work, so that what it
	// allocates is not known.
	outside bool
	// ask asks n times.
	ask func(n int) error
	// forget, if there is one, lets go of the last answer.
	forget func()
}

// A sample is what a number of questions asked in a row took.
type sample struct {
	asked         int
	elapsed, cpu  time.Duration
	allocs, bytes uint64
}

func (s *sample) add(o sample) {
	s.asked += o.asked
	s.elapsed += o.elapsed
	s.cpu += o.cpu
	s.allocs += o.allocs
	s.bytes += o.bytes
}

// measure asks every contender once in each round, each round beginning with
// another one, so that whatever else the host does hits all alike.
func measure(ctx context.Context, q question) ([][]sample, error) {
	samples := make([][]sample, len(q.contenders))
	asked := make([]int, len(q.contenders))
	for i := range q.contenders {
		n, err := calibrate(ctx, q, &q.contenders[i])
		if err != nil {
			return nil, err
		}
		asked[i] = n
	}
	for round := range q.rounds {
		for i := range q.contenders {
			i = (i + round) % len(q.contenders)
			s, err := take(ctx, q, &q.contenders[i], asked[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

// calibrate lets the contender ask about everything, and returns how often it
// asks for one sample.
func calibrate(ctx context.Context, q question, c *contender) (int, error) {
	if _, err := take(ctx, q, c, q.turn); err != nil {
		return 0, err
	}
	// A few answers also take long where others have the processor meanwhile,
	// but not each time.
	const tries = 8
	for n := 1; ; n *= 2 {
		for try := 1; ; try++ {
			s, err := take(ctx, q, c, n)
			if err != nil {
				return 0, err
			}
			if s.elapsed < q.least {
				break
			}
			if try == tries || q.least == 0 {
				return n, nil
			}
		}
	}
}

// take takes one sample. A collection before it leaves nothing to collect of
// what others have allocated; what that takes from a sync.Pool is made again
// by an answer that does not count, unless answers take long.
func take(ctx context.Context, q question, c *contender, n int) (sample, error) {
	if err := ctx.Err(); err != nil {
		return sample{}, err
	}
	if !c.outside {
		runtime.GC()
	}
	if q.least > 0 {
		if err := c.ask(1); err != nil {
			return sample{}, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, began := cpuTime(), time.Now()
	err := c.ask(n)
	elapsed := time.Since(began)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	if c.forget != nil {
		c.forget()
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", c.name, err)
	}
	return sample{
		asked:   n,
		elapsed: elapsed,
		cpu:     cpu,
		allocs:  after.Mallocs - before.Mallocs,
		bytes:   after.TotalAlloc - before.TotalAlloc,
	}, nil
}

// cpuTime returns the processor time that this program and the children that
// it has waited for have had.
func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var use unix.Rusage
		if unix.Getrusage(who, &use) == nil {
			sum += time.Duration(use.Utime.Nano() + use.Stime.Nano())
		}
	}
	return sum
}

// A spread is the median of numbers and the tenth and ninetieth of a hundred.
type spread struct{ Median, P10, P90 float64 }

// newSpread returns the spread of the numbers. Of none it is zero.
func newSpread(numbers []float64) spread {
	numbers = slices.Sorted(slices.Values(numbers))
	return spread{quantile(numbers, 0.5), quantile(numbers, 0.1), quantile(numbers, 0.9)}
}

// quantile returns the number that the part q of the sorted numbers is below,
// on the line between the two nearest.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
