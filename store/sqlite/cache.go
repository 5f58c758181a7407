package sqlite

import (
	"sync"
	"unsafe"
)

const (
	// cachedBlocks, cachedTexts and internedTexts are how many bytes of memory a
	// generation of each takes: there are two.
	cachedBlocks  = 16 << 20
	cachedTexts   = 8 << 20
	internedTexts = 8 << 20
)

// A cache keeps what was used last. It is safe for concurrent use.
//
// It has two generations: what is used is moved to the young one, and when that
// one is full it becomes the old one, whose entries are forgotten.
type cache[K comparable, V any] struct {
	limit int // of the weight of a generation: what is heavier is not kept

	mu         sync.Mutex
	young, old map[K]weighed[V]
	weight     int // of the young
}

type weighed[V any] struct {
	value  V
	weight int
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, young: map[K]weighed[V]{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.young[k]
	if !ok {
		if w, ok = c.old[k]; ok {
			c.add(k, w)
		}
	}
	return w.value, ok
}

// put keeps the value, also where it is kept already and weighs something else now.
func (c *cache[K, V]) put(k K, v V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.weight -= c.young[k].weight
	delete(c.young, k)
	delete(c.old, k)
	c.add(k, weighed[V]{v, weight})
}

func (c *cache[K, V]) add(k K, w weighed[V]) {
	if w.weight > c.limit {
		return
	}
	if c.weight+w.weight > c.limit {
		c.old, c.young, c.weight = c.young, map[K]weighed[V]{}, 0
	}
	c.young[k] = w
	c.weight += w.weight
}

// size is how many bytes of memory the block takes at most, with the parts that
// were read and all of their columns decoded.
func (b *block) size() int {
	b.second.Lock()
	defer b.second.Unlock()
	const number, perNode = 8, int(unsafe.Sizeof(node{}) + unsafe.Sizeof(&node{}) + unsafe.Sizeof(int32(0)))
	n := int(unsafe.Sizeof(*b)) + columns*b.n*number + len(b.rawNodes) + len(b.nodes)*perNode
	for _, raw := range b.raw {
		n += len(raw)
	}
	if b.told { // a number of the rest takes a byte of these or more
		n += len(b.rawRest)*(1+number) + b.n*4
	}
	return n
}
