package main

import "time"

// A result is what one contender took for one question.
type result struct {
	Question  string
	Processes int
	Contender string
	// Lacks is what its answers lack, empty for nothing.
	Lacks string `json:",omitempty"`
	// Nanoseconds is the time of one answer on the clock, CPU the processor
	// time of one, in nanoseconds too.
	Nanoseconds, CPU spread
	// Ratio is how many times as long as lineage it took in the same round.
	Ratio spread
	// Outside says that Allocs and Bytes, per answer, are not known.
	Outside       bool
	Allocs, Bytes uint64
}

// results sums up the samples that measure took.
func results(q question, samples [][]sample) []result {
	var all []result
	for i, c := range q.contenders {
		r := result{Question: q.text, Processes: q.processes, Contender: c.name, Lacks: c.lacks, Outside: c.outside}
		var elapsed, cpu, ratio []float64
		var asked, allocs, bytes uint64
		for round, s := range samples[i] {
			elapsed = append(elapsed, s.each(s.elapsed))
			cpu = append(cpu, s.each(s.cpu))
			base := samples[0][round]
			ratio = append(ratio, s.each(s.elapsed)/base.each(base.elapsed))
			asked += uint64(s.asked)
			allocs += s.allocs
			bytes += s.bytes
		}
		r.Nanoseconds, r.CPU, r.Ratio = newSpread(elapsed), newSpread(cpu), newSpread(ratio)
		if !c.outside && asked > 0 {
			// Whole numbers, as package testing has them: what the
			// runtime allocates now and then is none of an answer.
			r.Allocs, r.Bytes = allocs/asked, bytes/asked
		}
		all = append(all, r)
	}
	return all
}

func (s sample) each(d time.Duration) float64 { return float64(d) / float64(s.asked) }
