package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/proclineage/lineage/process"
)

// simulatedText is the question to tables of processes that there never were:
// more of them than a machine can have.
const simulatedText = "same cgroup, simulated processes in turn"

// A simulation is a table of processes in chains below the first one.
type simulation struct {
	table  *process.Table
	rows   []row
	leaves []int // the last of each chain, which has depth ancestors
}

// simulate makes n processes, spread over the PIDs that Linux has.
func simulate(n int) *simulation {
	s := &simulation{table: process.NewTable(process.Retention{})}
	const pids = 1 << 22 // PID_MAX_LIMIT
	add := func(i int, up process.ID) process.ID {
		id := process.ID{PID: 1 + i*(pids/n), Start: process.Instant(1 + i), Precision: process.Exact}
		group := fmt.Sprintf("/kubepods/pod%d", (i-1)/(5*depth)) // as large as five chains
		if i == 0 {
			group = "/"
		}
		s.table.Apply(&process.Event{
			Kind: process.Seen, Time: 1 + process.Instant(n), ID: id, Parent: up, NoParent: up.IsZero(), Name: "sleeper",
			Cgroup: process.Cgroup{Membership: "0::" + group + "\n", Group: group},
		})
		s.rows = append(s.rows, row{id.PID, up.PID, group})
		return id
	}
	first := add(0, process.ID{})
	up := first
	for i := 1; i < n; i++ {
		id := add(i, up)
		if up = id; i%depth == 0 {
			s.leaves = append(s.leaves, id.PID)
			up = first
		}
	}
	return s
}

var errUncertain = errors.New("the table does not know for certain")

func (s *simulation) appendSameGroup(dst []int, pid int) ([]int, error) {
	dst, ok := s.table.AppendSameGroup(dst, pid)
	if !ok {
		return dst, fmt.Errorf("process %d: %w", pid, errUncertain)
	}
	return dst, nil
}

// some returns so many of the leaves, from all over the table.
func (s *simulation) some(n int) []int {
	pids := make([]int, n)
	for i := range pids {
		pids[i] = s.leaves[i*len(s.leaves)/n]
	}
	return pids
}

// simulated asks a small table and a large one. As many leaves are asked about
// in both, from all over the table: what is measured is the table, and not how
// much of it the processor's cache holds. Beside that, all leaves of each are
// asked about, more than the cache has of the large one.
func (s *sheaf) simulated(ctx context.Context, small, large, short int) error {
	q := question{text: simulatedText, processes: large, rounds: short, turn: large / depth, least: least}
	few := min(leaves, small/depth)
	for _, all := range []bool{false, true} {
		for _, n := range []int{small, large} {
			sim := simulate(n)
			asked := sim.some(few)
			if all {
				asked = sim.leaves
			}
			plain := newPlainPeer(sim.rows)
			if err := agree(sim, plain, asked); err != nil {
				return err
			}
			about := fmt.Sprintf("%d of %d, ", len(asked), n)
			q.contenders = append(q.contenders,
				contender{name: about + "process.Table", ask: walk(sim, asked)},
				contender{name: about + plainName, ask: walk(plain, asked)})
		}
	}
	samples, err := measure(ctx, q)
	if err != nil {
		return err
	}
	rs := results(q, samples)
	s.Results = append(s.Results, rs...)
	for i := range rs {
		if i%4 >= 2 { // of the large one
			continue
		}
		grown := ratio(rs[i+2].rounds, rs[i].rounds)
		l := limit{Text: fmt.Sprintf("%s: %s / %s", simulatedText, rs[i+2].Contender, rs[i].Contender), Measured: &grown}
		if i == 0 {
			l.Rule, l.Bound = atMost, 2
		}
		s.Limits = append(s.Limits, l)
	}
	return nil
}

// agree fails where the two give different answers about a process.
func agree(a, b walker, pids []int) error {
	for _, pid := range pids {
		one, err := a.appendSameGroup(nil, pid)
		if err != nil {
			return err
		}
		other, err := b.appendSameGroup(nil, pid)
		if err != nil {
			return err
		}
		if !slices.Equal(one, other) || len(one) == 0 {
			return fmt.Errorf("wrong answer about %d: %v and %v", pid, one, other)
		}
	}
	return nil
}
