package process

import "hash/maphash"

// A fact is what many processes have in common, so that one copy is kept.
type fact[F any] interface {
	hash(maphash.Seed) uint64
	equal(F) bool
	// clone returns a copy that shares no memory with the event it is from.
	clone() F
}

// A pool holds each of the facts that processes have once, with the number of
// those that have it. Facts are named by their places; zero is none.
type pool[F fact[F]] struct {
	seed    maphash.Seed
	items   slab[pooled[F]]
	buckets []int32 // the first of those with one remainder of the hash
	last    int32   // what was asked for last: many in a row have the same
	// released is the places that nothing had any more a short while ago. A
	// fact is forgotten when it drops out of it: it often comes back at once.
	released [16]int32
	hand     int
	freed    func(F) // told of each that is forgotten, unless nil
}

type pooled[F any] struct {
	fact F
	next int32 // in the bucket
	refs int32
	hash uint32
}

func newPool[F fact[F]]() pool[F] {
	return pool[F]{seed: maphash.MakeSeed(), buckets: make([]int32, 16)}
}

// at returns the fact at a place.
func (p *pool[F]) at(place int32) *F { return &p.items.at(place).fact }

// take returns the place of the fact, which one more process has now, and
// whether it is new there.
func (p *pool[F]) take(f F) (place int32, fresh bool) {
	if p.last != 0 {
		if it := p.items.at(p.last); it.fact.equal(f) {
			it.refs++
			return p.last, false
		}
	}
	h := uint32(f.hash(p.seed))
	for place = p.buckets[p.bucket(h)]; place != 0; place = p.items.at(place).next {
		if it := p.items.at(place); it.hash == h && it.fact.equal(f) {
			it.refs++
			p.last = place
			return place, false
		}
	}
	if p.items.used() >= len(p.buckets) {
		p.grow()
	}
	place = p.items.take()
	b := p.bucket(h)
	*p.items.at(place) = pooled[F]{fact: f.clone(), next: p.buckets[b], refs: 1, hash: h}
	p.buckets[b], p.last = place, place
	return place, true
}

// give takes back one take, or nothing where the place is none.
func (p *pool[F]) give(place int32) {
	if place == 0 {
		return
	}
	it := p.items.at(place)
	if it.refs--; it.refs > 0 {
		return
	}
	old := p.released[p.hand]
	p.released[p.hand] = place
	p.hand = (p.hand + 1) % len(p.released)
	// It may be here twice: used again and released again.
	if old == 0 || old == place {
		return
	}
	if p.items.at(old).refs == 0 {
		p.forget(old)
	}
}

func (p *pool[F]) forget(place int32) {
	it := p.items.at(place)
	at := &p.buckets[p.bucket(it.hash)]
	for *at != place {
		at = &p.items.at(*at).next
	}
	*at = it.next
	if p.last == place {
		p.last = 0
	}
	for i := range p.released {
		if p.released[i] == place {
			p.released[i] = 0
		}
	}
	if p.freed != nil {
		p.freed(it.fact)
	}
	p.items.give(place)
}

func (p *pool[F]) bucket(h uint32) uint32 { return h & uint32(len(p.buckets)-1) }

func (p *pool[F]) grow() {
	old := p.buckets
	p.buckets = make([]int32, 2*len(old))
	for _, place := range old {
		for place != 0 {
			it := p.items.at(place)
			b := p.bucket(it.hash)
			p.buckets[b], place, it.next = place, it.next, p.buckets[b]
		}
	}
}
