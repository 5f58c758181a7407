package main

import (
	"context"
	"errors"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// The names of the sources of lineage.
const (
	bpfSource    = "bpf"
	cnprocSource = "cnproc"
	procfsSource = "procfs"
)

// treePeer is lineage as a program uses it that runs for long: one Tree, and
// its Run.
type treePeer struct {
	tree  *lineage.Tree
	found []process.Process
	stop  context.CancelFunc
	ran   chan error
}

func newTree(source string) (*lineage.Tree, error) {
	return lineage.NewTree(lineage.Options{Source: source})
}

func newTreePeer(source string) (*treePeer, error) {
	tree, err := newTree(source)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &treePeer{tree: tree, stop: stop, ran: make(chan error, 1)}
	go func() { p.ran <- tree.Run(ctx) }()
	return p, nil
}

func (p *treePeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	return p.tree.AppendAllAncestorProcessIDsInSameCgroup(dst, pid)
}

func (p *treePeer) scan() (err error) {
	p.found, err = p.tree.AppendProcesses(p.found[:0])
	return err
}

func (p *treePeer) rows() ([]row, error) {
	rows := make([]row, 0, len(p.found))
	for _, f := range p.found {
		rows = append(rows, row{f.ID.PID, f.Parent.ID.PID, f.Cgroup.Group})
	}
	return rows, nil
}

func (p *treePeer) Close() error {
	p.stop()
	return errors.Join(<-p.ran, p.tree.Close())
}

// freshPeer is lineage as a program uses it that asks once: a new Tree for
// each question.
type freshPeer struct {
	source string
	found  []process.Process
}

func (p *freshPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	tree, err := newTree(p.source)
	if err != nil {
		return dst, err
	}
	defer tree.Close()
	return tree.AppendAllAncestorProcessIDsInSameCgroup(dst, pid)
}

func (p *freshPeer) scan() error {
	tree, err := newTree(p.source)
	if err != nil {
		return err
	}
	defer tree.Close()
	p.found, err = tree.Processes()
	return err
}

func (p *freshPeer) rows() ([]row, error) {
	known := treePeer{found: p.found}
	return known.rows()
}

func (*treePeer) forget() {}

func (p *freshPeer) forget() { p.found = nil }
