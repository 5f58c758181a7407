package main

import (
	"context"
	"fmt"
)

// A reader of the storms: lineage in a process of its own, or nobody.
type reader struct {
	name   string
	source string
	cpu    int
	limits bool // that lineage sets itself
}

// storms makes storms with readers and without, in turn, and says by how much
// they slow down and what the readers take.
func (s *sheaf) storms(ctx context.Context, storm *storm, rounds int, progress func(string, ...any)) error {
	stormCPU, otherCPU, err := processors()
	if err != nil {
		return err
	}
	readers := []reader{{name: "without lineage"}}
	for _, l := range []struct {
		name, source string
	}{{bpfName, bpfSource}, {cnprocName, cnprocSource}} {
		// Whether it works here.
		tree, err := newTree(l.source)
		if err != nil {
			s.Notes = append(s.Notes, fmt.Sprintf("%s: %v", l.name, err))
			continue
		}
		if err := tree.Close(); err != nil {
			return err
		}
		limits := l.source == bpfSource
		if otherCPU != stormCPU {
			readers = append(readers, reader{l.name + ", on another processor", l.source, otherCPU, limits})
		}
		readers = append(readers, reader{l.name + ", on the storm's processor", l.source, stormCPU, limits})
	}
	if len(readers) == 1 {
		return nil
	}
	for _, k := range []kind{forkExit, forkExecExit} {
		q := question{text: "storm of " + k.String(), processes: storm.count, rounds: rounds}
		for _, r := range readers {
			q.contenders = append(q.contenders, contender{name: r.name, outside: true})
		}
		samples := make([][]sample, len(readers))
		readings := make([][]reading, len(readers))
		for round := range rounds {
			progress("%s: round %d of %d", q.text, round+1, rounds)
			for i := range readers {
				i = (i + round) % len(readers)
				var took sample
				blow := func() (err error) { took, err = storm.run(ctx, k, stormCPU); return err }
				var r reading
				if readers[i].source == "" {
					err = blow()
				} else {
					r, err = readingDuring(ctx, readers[i].source, readers[i].cpu, blow)
				}
				if err != nil {
					return err
				}
				samples[i] = append(samples[i], took)
				readings[i] = append(readings[i], r)
			}
		}
		all := results(q, samples)
		s.Results = append(s.Results, all...)
		for i := range readers[1:] {
			s.Limits = append(s.Limits, stormLimits(&readers[i+1], &all[i+1], &all[0], samples[i+1], readings[i+1])...)
		}
	}
	return nil
}

// stormLimits returns what lineage took of the storms, by what it is limited
// to.
func stormLimits(by *reader, with, without *result, samples []sample, readings []reading) []limit {
	var shares, each, losses []float64
	for i, r := range readings {
		shares = append(shares, float64(r.CPU)/float64(samples[i].cpu))
		each = append(each, float64(r.CPU)/float64(samples[i].asked))
		losses = append(losses, float64(r.Losses))
	}
	where := fmt.Sprintf("%s, %d processes: %s", with.Question, with.Processes, by.name)
	slower, cpu := ratio(with.rounds, without.rounds), ratio(with.cpus, without.cpus)
	share, lost, own := newSpread(shares), newSpread(losses), newSpread(each)
	ls := []limit{
		{Text: where + " / without, time of the storm", Rule: atMost, Bound: 1.03, Measured: &slower, CPU: &cpu},
		{Text: where + ", CPU of lineage / of the storm", Rule: atMost, Bound: 0.05, Measured: &share},
		{Text: where + ", events lost", Rule: atMost, Bound: 0, Measured: &lost},
		{Text: where + ", CPU of lineage for each process", Unit: nanoseconds, Measured: &own},
	}
	if !by.limits {
		for i := range ls {
			ls[i].Rule, ls[i].Bound = "", 0
		}
	}
	return ls
}
