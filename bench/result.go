package main

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
	// Ratio is how many times as long as the first contender it took in the
	// same round.
	Ratio spread
	// Outside says that Allocs and Bytes, per answer, are not known.
	Outside       bool
	Allocs, Bytes uint64

	rounds, cpus []float64 // the times of one answer in each round
}

// results sums up the samples that measure took.
func results(q question, samples [][]sample) []result {
	var all []result
	for i, c := range q.contenders {
		r := result{Question: q.text, Processes: q.processes, Contender: c.name, Lacks: c.lacks, Outside: c.outside}
		var allocs, bytes []float64
		for _, s := range samples[i] {
			n := float64(s.asked)
			r.rounds = append(r.rounds, float64(s.elapsed)/n)
			r.cpus = append(r.cpus, float64(s.cpu)/n)
			// Whole numbers, as package testing has them: what the
			// runtime allocates now and then is none of an answer.
			allocs = append(allocs, float64(s.allocs/uint64(s.asked)))
			bytes = append(bytes, float64(s.bytes/uint64(s.asked)))
		}
		r.Nanoseconds, r.CPU = newSpread(r.rounds), newSpread(r.cpus)
		if !c.outside {
			r.Allocs, r.Bytes = uint64(newSpread(allocs).Median), uint64(newSpread(bytes).Median)
		}
		all = append(all, r)
	}
	for i := range all {
		all[i].Ratio = ratio(all[i].rounds, all[0].rounds)
	}
	return all
}

// ratio returns how many times as much as b a is in the same round.
func ratio(a, b []float64) spread {
	var each []float64
	for i := range a {
		each = append(each, a[i]/b[i])
	}
	return newSpread(each)
}
