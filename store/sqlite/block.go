package sqlite

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/proclineage/lineage/process"
)

const (
	// blockRows is how many processes a block has at most, and fewBlockRows how
	// few are not worth one.
	blockRows    = 2048
	fewBlockRows = 1024
	// blockNodes is how many processes a block names as standing above its own.
	blockNodes = 1 << 14
)

// An entry is what is known of a block without reading it.
type entry struct {
	boot *boot
	id   int64
	n    int // processes

	// The least and the most of each, over all processes.
	start, end, pid, inner, asOf [2]int64
	// The most of each.
	lived, processor, memory int64

	// reach is the latest start in it and the blocks before it of the same boot.
	reach int64
	// replaced are the places of processes that are elsewhere as they are known
	// now, in order.
	replaced []int
}

var noBounds = [2]int64{math.MaxInt64, math.MinInt64}

func widen(b *[2]int64, v int64) { b[0], b[1] = min(b[0], v), max(b[1], v) }

func newEntry(rows []*row) *entry {
	e := &entry{boot: rows[0].boot, n: len(rows), start: noBounds, end: noBounds, pid: noBounds, inner: noBounds, asOf: noBounds}
	for _, r := range rows {
		c := &r.cell
		widen(&e.start, c[colStart])
		widen(&e.end, int64(r.end()))
		widen(&e.pid, c[colPID])
		widen(&e.asOf, c[colAsOf])
		if n := c[colNamespaces]; n > 0 {
			widen(&e.inner, r.rest[n-1])
		}
		e.lived = max(e.lived, lived(c[colStart], c[colEnd]))
		e.processor = max(e.processor, c[colUser]+c[colSystem])
		e.memory = max(e.memory, c[colMemory])
	}
	return e
}

// mayHave reports whether the block may have the process.
func (e *entry) mayHave(id process.ID) bool {
	pid, start := int64(id.PID), int64(id.Start)
	return pid >= e.pid[0] && pid <= e.pid[1] &&
		(id.Precision == process.StartUnknown || start >= e.start[0]-int64(process.Tick) && start <= e.start[1]+int64(process.Tick))
}

// A block is processes of one boot, by columns. It is safe for concurrent use.
type block struct {
	boot *boot
	n    int
	bad  atomic.Bool // what was read of it makes no sense

	second sync.Mutex
	told   bool // the second part is there

	rows []*row // where it is of those in memory
	raw  [columns][]byte
	once [columns]sync.Once
	cols [columns][]int64

	rawRest, rawNodes []byte
	restOnce          sync.Once
	restAt            []int32
	rest              []int64
	nodesOnce         sync.Once
	nodes             []*node
	ups               []int32 // of each node who created it, by its place and one, zero for none
}

// gathered returns the rows as a block.
func gathered(at *boot, rows []*row) *block { return &block{boot: at, n: len(rows), rows: rows} }

// col returns a column.
func (b *block) col(c int) []int64 {
	b.once[c].Do(func() {
		col := make([]int64, b.n)
		if b.rows != nil {
			for i, r := range b.rows {
				col[i] = r.cell[c]
			}
		} else {
			b.decode(col, b.raw[c], delta(c))
		}
		b.cols[c] = col
	})
	return b.cols[c]
}

// delta reports whether a column has the differences from the value before.
func delta(c int) bool {
	switch c {
	case colPID, colStart, colInode, colCreator, colSession, colAsOf:
		return true
	}
	return false
}

// decode reads as many numbers as the column has.
func (b *block) decode(col []int64, raw []byte, deltas bool) {
	last := int64(0)
	for i := range col {
		if len(raw) == 0 {
			b.bad.Store(true)
			return
		}
		u, n := uint64(raw[0]), 1
		if u >= 0x80 {
			if len(raw) > 2 && raw[1] < 0x80 {
				u, n = u&0x7f|uint64(raw[1])<<7, 2
			} else if len(raw) > 2 && raw[2] < 0x80 {
				u, n = u&0x7f|uint64(raw[1]&0x7f)<<7|uint64(raw[2])<<14, 3
			} else if u, n = binary.Uvarint(raw); n <= 0 {
				b.bad.Store(true)
				return
			}
		}
		raw = raw[n:]
		v := int64(u>>1) ^ -int64(u&1)
		if deltas {
			v += last
			last = v
		}
		col[i] = v
	}
	if len(raw) > 0 {
		b.bad.Store(true)
	}
}

func appendColumn(b []byte, n int, deltas bool, value func(int) int64) []byte {
	last := int64(0)
	for i := range n {
		v := value(i)
		if deltas {
			last, v = v, v-last
		}
		b = binary.AppendVarint(b, v)
	}
	return b
}

// sought reports whether a column is in the part of a block that is read to find
// processes; the other part is read to tell of them.
func sought(c int) bool {
	switch c {
	case colGroup, colSession, colCommandAt, colMoreExecs, colUser, colSystem, colMemory, colRead, colWritten, colAsOf, colParent, colExecs:
		return false
	}
	return true
}

// encodeBlock returns both parts of what is written of rows that have ended: each
// column with its length before it, and after those of the first part the columns
// of the nodes, after those of the second the rest.
func encodeBlock(rows []*row) (first, second []byte) {
	var nodes []*node
	place := map[*node]int64{nil: 0}
	var chain []*node
	add := func(n *node) int64 {
		chain = chain[:0]
		for at := n; at != nil; at = at.up {
			if _, ok := place[at]; ok || len(nodes)+len(chain) >= blockNodes && at != n {
				break
			}
			chain = append(chain, at)
		}
		for _, at := range slices.Backward(chain) {
			nodes = append(nodes, at)
			place[at] = int64(len(nodes))
		}
		return place[n]
	}
	creators, parents := make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		creators[i] = add(r.creator)
		parents[i] = add(r.parent) - creators[i]
	}
	var scratch []byte
	section := func(b []byte) []byte {
		b = append(binary.AppendUvarint(b, uint64(len(scratch))), scratch...)
		scratch = scratch[:0]
		return b
	}
	for c := range columns {
		value := func(i int) int64 { return rows[i].cell[c] }
		switch c {
		case colCreator:
			value = func(i int) int64 { return creators[i] }
		case colParent:
			value = func(i int) int64 { return parents[i] }
		}
		scratch = appendColumn(scratch, len(rows), delta(c), value)
		if sought(c) {
			first = section(first)
		} else {
			second = section(second)
		}
	}
	for _, value := range [...]func(int) int64{
		func(i int) int64 { return int64(nodes[i].id.PID) },
		func(i int) int64 { return int64(nodes[i].id.Start) },
		func(i int) int64 { return int64(nodes[i].id.Inode) },
		func(i int) int64 {
			up, ok := place[nodes[i].up]
			return int64(nodes[i].id.Precision) | bit(nodes[i].final && ok, 4) | up<<3
		},
	} {
		scratch = appendColumn(scratch, len(nodes), true, value)
	}
	first = section(binary.AppendUvarint(first, uint64(len(nodes))))
	for _, r := range rows {
		for _, v := range r.rest {
			scratch = binary.AppendVarint(scratch, v)
		}
	}
	return sealed(first), sealed(section(second))
}

var errBlock = errors.New("a block of processes makes no sense")

// parseBlock reads the first part of a block. It keeps the bytes.
func parseBlock(e *entry, data []byte) (*block, error) {
	data, err := unsealed(data)
	if err != nil {
		return nil, err
	}
	b, d := &block{boot: e.boot, n: e.n}, decoder{b: data}
	b.sections(&d, true)
	nodes := d.count()
	b.rawNodes = d.bytes()
	if d.bad || len(b.raw[0]) < e.n {
		return nil, errBlock
	}
	b.nodes = make([]*node, nodes)
	return b, nil
}

func (b *block) sections(d *decoder, first bool) {
	for c := range b.raw {
		if sought(c) == first {
			b.raw[c] = d.bytes()
		}
	}
}

// tell has the second part ready, which read reads.
func (b *block) tell(read func() ([]byte, error)) error {
	if b.rows != nil {
		return nil
	}
	b.second.Lock()
	defer b.second.Unlock()
	if b.told {
		return nil
	}
	data, err := read()
	if err == nil {
		data, err = unsealed(data)
	}
	if err != nil {
		return err
	}
	d := decoder{b: data}
	b.sections(&d, false)
	b.rawRest = d.bytes()
	if d.bad {
		return errBlock
	}
	b.told = true
	return nil
}

// node returns one of the nodes by its place and one.
func (b *block) node(place int64) *node {
	b.nodesOnce.Do(b.decodeNodes)
	if place <= 0 || place > int64(len(b.nodes)) {
		b.bad.Store(b.bad.Load() || place != 0)
		return nil
	}
	return b.nodes[place-1]
}

func (b *block) decodeNodes() {
	n := len(b.nodes)
	made := make([]node, n)
	b.ups = make([]int32, n)
	d := decoder{b: b.rawNodes}
	column := func(set func(*node, int64)) {
		last := int64(0)
		for i := range made {
			last += d.varint()
			set(&made[i], last)
		}
	}
	column(func(n *node, v int64) { n.id.PID = int(v) })
	column(func(n *node, v int64) { n.id.Start = process.Instant(v) })
	column(func(n *node, v int64) { n.id.Inode = uint64(v) })
	at := 0
	column(func(n *node, v int64) {
		n.id.Precision, n.final = process.Precision(v&3), v&4 != 0
		if up := int(v >> 3); up > 0 && up <= at { // those above come before
			n.up, b.ups[at] = &made[up-1], int32(up)
		} else if up != 0 {
			d.bad = true
		}
		b.nodes[at] = n
		at++
	})
	if d.bad {
		b.bad.Store(true)
	}
}

// creator returns who created the process at a place, nil for a zero ID.
func (b *block) creator(i int) *node {
	if b.rows != nil {
		return b.rows[i].creator
	}
	return b.node(b.col(colCreator)[i])
}

// restOf returns the rest of the row at a place.
func (b *block) restOf(i int) []int64 {
	if b.rows != nil {
		return b.rows[i].rest
	}
	b.restOnce.Do(func() {
		names, execs := b.col(colNamespaces), b.col(colExecs)
		b.restAt = make([]int32, b.n+1)
		for i := range b.n {
			n := names[i] + 2*max(execs[i]-1, 0)
			if n < 0 || int64(b.restAt[i])+n > int64(len(b.rawRest)) {
				b.bad.Store(true)
				n = 0
			}
			b.restAt[i+1] = b.restAt[i] + int32(n)
		}
		b.rest = make([]int64, b.restAt[b.n])
		b.decode(b.rest, b.rawRest, false)
	})
	return b.rest[b.restAt[i]:b.restAt[i+1]:b.restAt[i+1]]
}

// row returns the row at a place.
func (b *block) row(i int) *row {
	if b.rows != nil {
		return b.rows[i]
	}
	r := &row{boot: b.boot}
	for c := range columns {
		r.cell[c] = b.col(c)[i]
	}
	r.creator, r.parent = b.creator(i), b.node(r.cell[colCreator]+r.cell[colParent])
	r.rest = b.restOf(i)
	if !r.sound() {
		b.bad.Store(true)
		r.rest, r.cell[colNamespaces], r.cell[colExecs] = nil, 0, 0
	}
	return r
}

// place returns where the process is, and false where it is not.
func (b *block) place(id process.ID, replaced []int) (int, bool) {
	pids, starts, inodes, flags := b.col(colPID), b.col(colStart), b.col(colInode), b.col(colFlags)
	for i, pid := range pids {
		if pid == int64(id.PID) && id.Same(process.ID{PID: id.PID, Start: process.Instant(starts[i]), Inode: uint64(inodes[i]),
			Precision: process.Precision(flag(flags[i], flagPrecision))}) && !contains(replaced, i) {
			return i, true
		}
	}
	return 0, false
}

func contains(places []int, i int) bool {
	_, ok := slices.BinarySearch(places, i)
	return ok
}
