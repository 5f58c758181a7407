package main

import (
	"fmt"
	"runtime"
)

// A footprint is trees from before a population was made and from after it,
// and what a tree needs without one.
type footprint struct {
	bare float64
	born *treePeer // saw each process being born
}

// newFootprint begins before the population is made.
func newFootprint() (*footprint, error) {
	f := &footprint{}
	tree, err := newTreePeer(bpfSource)
	if err != nil {
		return nil, err
	}
	if f.bare, err = weigh(&tree); err != nil {
		return nil, err
	}
	f.born, err = newTreePeer(bpfSource)
	return f, err
}

// weigh closes the peer and returns how much less the heap holds after.
func weigh(p **treePeer) (float64, error) {
	with := heap()
	err := (*p).Close()
	*p = nil
	return with - heap(), err
}

func heap() float64 {
	for range 3 { // what a sync.Pool holds outlives one collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// heaps weighs the tree that saw the n processes of the population being born,
// and one that has only scanned them. Neither knows arguments: only the head of
// the population was run as a program.
func (s *sheaf) heaps(f *footprint, n int) error {
	if _, err := f.born.tree.Processes(); err != nil {
		return err
	}
	alive := f.born.tree.Stats().Alive
	seen, err := weigh(&f.born)
	if err != nil {
		return err
	}
	tree, err := newTreePeer(bpfSource)
	if err != nil {
		return err
	}
	scanned, err := weigh(&tree)
	if err != nil {
		return err
	}
	if alive < n {
		return fmt.Errorf("the tree knows %d processes of more than %d", alive, n)
	}
	for _, of := range []struct {
		how  string
		heap float64
	}{{"seen being born", seen}, {"scanned", scanned}} {
		each := (of.heap - f.bare) / float64(n)
		s.Limits = append(s.Limits, limit{
			Text: fmt.Sprintf("heap of a Tree with bpf for each of %d live processes, %s", n, of.how),
			Rule: atMost, Bound: 250, Unit: inBytes, Measured: &spread{each, each, each},
		})
	}
	return nil
}
