package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// least is how long a sample of short answers takes. There are many of them:
// shorter than the scheduler lets a program run, so that most have no other's
// time in them.
const least = time.Millisecond

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
	var peers []peer
	for _, l := range []struct{ name, source string }{{procfsName, procfsSource}, {bpfName, bpfSource}, {cnprocName, cnprocSource}} {
		tree, err := newTreePeer(l.source)
		if err != nil {
			c.notes = append(c.notes, fmt.Sprintf("%s: %v", l.name, err))
			continue
		}
		c.opens = append(c.opens, tree)
		peers = append(peers, peer{name: l.name, impl: tree})
	}
	peers = append(peers, peer{name: freshName, impl: &freshPeer{source: procfsSource}})
	if slices.ContainsFunc(peers, func(p peer) bool { return p.name == bpfName }) {
		// One question shows what a start costs.
		peers = append(peers, peer{name: newBPFName, impl: struct{ scanner }{&freshPeer{source: bpfSource}}})
	}
	raw, err := newRawPeer()
	if err != nil {
		return nil, err
	}
	c.opens = append(c.opens, raw)
	rows, err := rawRows()
	if err != nil {
		return nil, err
	}
	fs, err := newProcfsPeer()
	if err != nil {
		return nil, err
	}
	return append(peers,
		peer{name: plainName, impl: newPlainPeer(rows)},
		peer{name: rawName, impl: raw},
		peer{name: psName, outside: true, impl: newPSPeer(c.ctx)},
		peer{name: "gopsutil v4", impl: &gopsutilPeer{}},
		peer{name: "prometheus/procfs", impl: fs},
		peer{name: "mitchellh/go-ps", lacks: "no cgroups", impl: &gopsPeer{}},
	), nil
}

// questions returns the questions to the peers, each of whose answers was
// compared with the truth. Rounds is how often the scans are asked for, and
// short how often all else.
func (c *contestants) questions(rounds, short int) ([]question, error) {
	peers, err := c.peers()
	if err != nil {
		return nil, err
	}
	asked := c.of.asked()
	n := len(c.of.parents())
	inTurn := question{text: inTurnText, processes: n, rounds: short, turn: len(asked), least: least}
	same := question{text: sameText, processes: n, rounds: short, turn: len(asked), least: least}
	scan := question{text: scanText, processes: n, rounds: rounds, turn: 1}
	for _, p := range peers {
		if w, ok := p.impl.(walker); ok {
			if err := c.of.verifyWalker(w, p.lacks != ""); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			inTurn.contenders = append(inTurn.contenders, p.contender(walk(w, asked), nil))
			same.contenders = append(same.contenders, p.contender(walk(w, asked[:1]), nil))
		}
		if s, ok := p.impl.(scanner); ok {
			if err := c.of.verifyScanner(s, p.lacks == "" && !p.outside); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			scan.contenders = append(scan.contenders, p.contender(repeat(s.scan), s.forget))
		}
	}
	return []question{inTurn, same, scan}, nil
}

func (p *peer) contender(ask func(int) error, forget func()) contender {
	return contender{name: p.name, lacks: p.lacks, outside: p.outside, ask: ask, forget: forget}
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
		{ctx: c.ctx, name: tree, args: []string{"tree", "--pids", "--all"}}, // like pstree -p
		{ctx: c.ctx, name: "pstree", args: []string{"-p"}},
		{ctx: c.ctx, name: "ps", args: []string{"-ef", "--forest"}},
	}
	n := len(c.of.parents())
	silent := question{text: treeText, processes: n, rounds: rounds, turn: 1}
	piped := question{text: pipedText, processes: n, rounds: rounds, turn: 1}
	for i, cmd := range commands {
		verify := c.of.verifyTree
		if i == 0 {
			verify = runs // it draws leaves that look the same once, without PIDs
		}
		if err := verify(&cmd); err != nil {
			err = fmt.Errorf("%s: %w", &cmd, err)
			if cmd.name == tree {
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

func runs(c *command) error { return c.run() }
