package main

import (
	"context"
	"fmt"
	"runtime"
)

// A reader of the storms: lineage in a process of its own, or nobody.
type reader struct {
	name   string
	source string
	cpu    int
	limits bool // that lineage sets itself
}

// shares is how often readers take turns in a round. What else the machine does
// comes and goes in seconds, and so meets all alike.
const shares = 4

// storms has readers come and go in storms that go on, and says by how much
// they slow down and what the readers take.
func (s *sheaf) storms(ctx context.Context, storm *storm, rounds int, progress func(string, ...any)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
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
		g, err := storm.gale(ctx, k, stormCPU)
		if err != nil {
			return err
		}
		err = func() error {
			defer g.end()
			for round := range rounds {
				progress("%s: round %d of %d", q.text, round+1, rounds)
				took, read, err := g.round(ctx, readers, storm.count)
				if err != nil {
					return err
				}
				for i := range readers {
					samples[i] = append(samples[i], took[i])
					readings[i] = append(readings[i], read[i])
				}
			}
			return nil
		}()
		if err != nil {
			return err
		}
		all := results(q, samples)
		s.Results = append(s.Results, all...)
		for i := range readers[1:] {
			s.Limits = append(s.Limits, stormLimits(&readers[i+1], &all[i+1], &all[0], samples[i+1], readings[i+1])...)
		}
	}
	return nil
}

// round has each reader read count processes, in turn with the others.
func (g *gale) round(ctx context.Context, readers []reader, count int) ([]sample, []reading, error) {
	took := make([]sample, len(readers))
	read := make([]reading, len(readers))
	for turn := range shares * len(readers) {
		i := (turn + turn/len(readers)) % len(readers) // another one begins each time
		var t sample
		wait := func() (err error) { t, err = g.next(count / shares); return err }
		var r reading
		var err error
		if readers[i].source == "" {
			err = wait()
		} else {
			r, err = readingDuring(ctx, readers[i].source, readers[i].cpu, wait)
		}
		if err != nil {
			return nil, nil, err
		}
		took[i].add(t)
		read[i].add(r)
	}
	return took, read, nil
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
