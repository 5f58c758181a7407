package process

import (
	"math/bits"
	"sync/atomic"
)

// maxPID is the greatest PID that Linux gives out (PID_MAX_LIMIT is 1 << 22).
const maxPID = 1<<pidBits - 1

// A place of the index is a word of these: the PID, that of the parent, and
// the number of the container group. A word of zero is a free place.
const (
	pidBits   = 22
	groupBits = 64 - 2*pidBits

	maxGroup = 1<<groupBits - 1
)

// index leads from a PID to the youngest process that had it, and says for
// each that lives what a walk up the tree needs: see Table.word. It is a hash
// table with open addressing. Eight PIDs in a row have one cache line, which
// relatives often share, and the lines of numbers in a row are spread evenly.
//
// Words may be read at any time by anyone (see [Table.AppendSameGroup]), all
// else only by the owner of the table.
type index struct {
	_      [64]byte // what others change is not in the cache line of these two
	seq    atomic.Uint64
	places atomic.Pointer[places]
	_      [64]byte

	used int
	odd  bool // seq is odd: the words are being changed
}

// places is as many words and Refs as there is room for, a power of two.
type places struct {
	words []atomic.Uint64
	refs  []Ref
	shift uint8 // of the hash, so that it is as many bits as there are lines
}

const minPlaces = 64

// lineBits is the number of words in a cache line, as a power of two.
const lineBits = 3

// indexBytes is how much of the index a process takes at most.
const indexBytes = 2 * (8 + 4) * 4 / 3

func newPlaces(n int) *places {
	return &places{words: make([]atomic.Uint64, n), refs: make([]Ref, n), shift: uint8(32 + lineBits - bits.Len(uint(n-1)))}
}

// find returns the place of the PID, or else the free place for it.
func (p *places) find(pid int32) int {
	mask := len(p.words) - 1
	i := p.home(pid)
	for {
		if w := p.words[i].Load(); w == 0 || int32(w>>(pidBits+groupBits)) == pid {
			return i
		}
		i = (i + 1) & mask
	}
}

// home returns the place for the PID if it is free.
func (p *places) home(pid int32) int {
	const golden = 0x9E3779B1 // of 32 bits: numbers in a row are spread evenly
	return int(uint32(pid)>>lineBits*golden>>p.shift)<<lineBits | int(pid)&(1<<lineBits-1)
}

// ref returns the process with the PID, or none.
func (x *index) ref(pid int) Ref {
	if pid <= 0 || pid > maxPID {
		return 0
	}
	p := x.places.Load()
	return p.refs[p.find(int32(pid))]
}

// set makes the PID lead to the process.
func (x *index) set(pid int32, r Ref) {
	p := x.places.Load()
	i := p.find(pid)
	if p.words[i].Load() != 0 {
		p.refs[i] = r
		return
	}
	x.begin()
	if x.used++; 4*x.used > 3*len(p.words) {
		p = x.resize(2 * len(p.words))
		i = p.find(pid)
	}
	p.refs[i] = r
	p.words[i].Store(uint64(pid) << (pidBits + groupBits))
}

// remove takes the PID out. What stands behind it because its place was taken
// moves up.
func (x *index) remove(pid int32) {
	x.begin()
	x.used--
	p := x.places.Load()
	mask := len(p.words) - 1
	hole := p.find(pid)
	for i := hole; ; {
		i = (i + 1) & mask
		w := p.words[i].Load()
		if w == 0 {
			break
		}
		if h := p.home(int32(w >> (pidBits + groupBits))); (i-h)&mask >= (i-hole)&mask {
			p.words[hole].Store(w)
			p.refs[hole] = p.refs[i]
			hole = i
		}
	}
	p.words[hole].Store(0)
	p.refs[hole] = 0
}

// tell sets the word of a process whose PID leads to it.
func (x *index) tell(r Ref, word uint64) {
	p := x.places.Load()
	i := p.find(int32(word >> (pidBits + groupBits)))
	if p.refs[i] == r && p.words[i].Load() != word {
		x.begin()
		p.words[i].Store(word)
	}
}

func (x *index) resize(n int) *places {
	x.begin()
	old, p := x.places.Load(), newPlaces(n)
	for i := range old.words {
		if w := old.words[i].Load(); w != 0 {
			j := p.find(int32(w >> (pidBits + groupBits)))
			p.words[j].Store(w)
			p.refs[j] = old.refs[i]
		}
	}
	x.places.Store(p)
	return p
}

// shrink takes as little room as is enough, for the processes that have moved.
func (x *index) shrink(moved []Ref) {
	refs := x.places.Load().refs
	for i, r := range refs {
		refs[i] = moved[r]
	}
	n := minPlaces
	for 4*x.used > 3*n {
		n *= 2
	}
	x.resize(n)
}

// begin says that the words are being changed, until done.
func (x *index) begin() {
	if !x.odd {
		x.odd = true
		x.seq.Store(x.seq.Load() + 1)
	}
}

// done says that the words agree with each other.
func (x *index) done() {
	if x.odd {
		x.odd = false
		x.seq.Store(x.seq.Load() + 1)
	}
}
