package main

import (
	"context"
	"errors"
	"fmt"
)

// The sizes of the simulated tables.
const (
	smallTable = 1_000
	largeTable = 100_000
)

// live measures what the bpf source is limited to beside n processes.
func (s *sheaf) live(ctx context.Context, n, rounds, short int, st *storm, progress func(string, ...any)) (err error) {
	f, err := newFootprint()
	if err != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: %v", bpfName, err))
		return nil
	}
	progress("making %d processes", n)
	p, err := newSleepers(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	s.Depth = p.depth()
	progress("%d processes: heap", n)
	if err := s.heaps(f, n); err != nil {
		return err
	}
	progress("%d processes: %s", n, startText)
	if err := s.starts(ctx, n, 4*rounds+1); err != nil {
		return err
	}
	progress(simulatedText)
	if err := s.simulated(ctx, smallTable, largeTable, short); err != nil {
		return err
	}

	rows, err := rawRows()
	if err != nil {
		return err
	}
	tree, err := newTreePeer(bpfSource)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	peers := []peer{{name: bpfName, impl: tree}, {name: plainName, impl: newPlainPeer(rows)}}
	for _, peer := range peers {
		if err := p.verifyWalker(peer.impl.(walker), false); err != nil {
			return fmt.Errorf("%s: %w", peer.name, err)
		}
	}
	progress("%d processes: %s", n, pairText)
	if err := s.pair(ctx, n, short, p.asked(), peers); err != nil {
		return err
	}
	progress("%d processes: %s", n, stormyText)
	return s.stormy(ctx, st, n, rounds, p.asked(), peers[0], peers[1])
}
