package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// least is how long a sample of a question takes at least that takes
// microseconds: longer than a turn of the scheduler.
const least = 20 * time.Millisecond

// contestants is who answers questions about one population.
type contestants struct {
	ctx context.Context
	of  *population
	// notes is who was left out and why.
	notes []string
	opens []io.Closer
}

func (c *contestants) Close() error {
	var err error
	for _, o := range c.opens {
		err = errors.Join(err, o.Close())
	}
	return err
}

// A peer is a way to read /proc, in this program or in another one.
type peer struct {
	name    string
	lacks   string // what its answers lack
	outside bool
	impl    any // a walker or a scanner, or both
}

func (c *contestants) peers() ([]peer, error) {
	tree, err := newTreePeer()
	if err != nil {
		return nil, err
	}
	c.opens = append(c.opens, tree)
	raw, err := newRawPeer()
	if err != nil {
		return nil, err
	}
	c.opens = append(c.opens, raw)
	fs, err := newProcfsPeer()
	if err != nil {
		return nil, err
	}
	return []peer{
		{name: lineageName, impl: tree},
		{name: "lineage, a new Tree each time", impl: &freshPeer{}},
		{name: rawName, impl: raw},
		{name: psName, outside: true, impl: newPSPeer(c.ctx)},
		{name: "gopsutil v4", impl: &gopsutilPeer{}},
		{name: "prometheus/procfs", impl: fs},
		{name: "mitchellh/go-ps", lacks: "no cgroups", impl: &gopsPeer{}},
	}, nil
}

// questions returns the questions to the peers, each of whose answers was
// compared with the truth. Rounds is how often the scans are asked for.
func (c *contestants) questions(rounds int) ([]question, error) {
	peers, err := c.peers()
	if err != nil {
		return nil, err
	}
	asked := c.of.asked()
	n := len(c.of.parents())
	inTurn := question{text: inTurnText, processes: n, rounds: 3 * rounds, turn: len(asked), least: least}
	same := question{text: sameText, processes: n, rounds: 3 * rounds, turn: len(asked), least: least}
	scan := question{text: scanText, processes: n, rounds: rounds, turn: 1}
	for _, p := range peers {
		if w, ok := p.impl.(walker); ok {
			if err := c.of.verifyWalker(w, p.lacks != ""); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			inTurn.contenders = append(inTurn.contenders, p.contender(walk(w, asked)))
			same.contenders = append(same.contenders, p.contender(walk(w, asked[:1])))
		}
		if s, ok := p.impl.(scanner); ok {
			if err := c.of.verifyScanner(s, p.lacks == "" && !p.outside); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			scan.contenders = append(scan.contenders, p.contender(repeat(s.scan)))
		}
	}
	return []question{inTurn, same, scan}, nil
}

func (p *peer) contender(ask func(int) error) contender {
	return contender{name: p.name, lacks: p.lacks, outside: p.outside, ask: ask}
}

// walk asks about the processes in turn.
func walk(w walker, pids []int) func(int) error {
	dst := make([]int, 0, 64)
	next := 0
	return func(n int) (err error) {
		for range n {
			if dst, err = w.appendSameGroup(dst[:0], pids[next]); err != nil {
				return err
			}
			if next++; next == len(pids) {
				next = 0
			}
		}
		return nil
	}
}

func repeat(do func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

// trees returns the questions to the commands that draw the whole tree, of
// which tree is lineage.
func (c *contestants) trees(tree string, rounds int) ([]question, error) {
	commands := []command{
		{ctx: c.ctx, name: tree, args: []string{"tree"}},
		{ctx: c.ctx, name: "pstree", args: []string{"-p"}},
		{ctx: c.ctx, name: "ps", args: []string{"-ef", "--forest"}},
	}
	n := len(c.of.parents())
	silent := question{text: treeText, processes: n, rounds: rounds, turn: 1}
	piped := question{text: pipedText, processes: n, rounds: rounds, turn: 1}
	for i, cmd := range commands {
		if err := c.of.verifyTree(&cmd); err != nil {
			err = fmt.Errorf("%s: %w", &cmd, err)
			if i == 0 {
				return nil, err
			}
			c.notes = append(c.notes, err.Error())
		}
		name := cmd.String()
		silent.contenders = append(silent.contenders, contender{name: name, outside: true, ask: repeat(cmd.run)})
		cmd.piped = true
		piped.contenders = append(piped.contenders, contender{name: name, outside: true, ask: repeat(cmd.run)})
	}
	return []question{silent, piped}, nil
}
