package process

import (
	"errors"
	"fmt"
	"slices"
)

// Check returns what is wrong inside the table: counts, lists or edges that do
// not agree, or a process that is kept though nothing needs it.
func (t *Table) Check() error {
	refs := make([]int32, t.nodes.end+1)
	free, err := t.checkFree()
	if err != nil {
		return err
	}
	var counts Counts
	parkedN, siblings, listed, bytes := 0, 0, 0, 0
	for r := range t.All() {
		n := t.at(r)
		for _, f := range t.edges(n) {
			if free[f] {
				return fmt.Errorf("%v points at a free node", n.id())
			}
			refs[f]++
		}
		*counts.of(n.state)++
		if n.state != t.lifeState(n) {
			return fmt.Errorf("%v is %v, but what was told says %v", n.id(), n.state, t.lifeState(n))
		}
		if n.is(parked) {
			parkedN++
			bytes += t.cost(n)
		}
		if n.parent != 0 {
			siblings++
		}
		prev := Ref(0)
		for c := n.child; c != 0; c = t.at(c).next {
			if m := t.at(c); m.parent != r || m.prev != prev || m.state == Ended {
				return fmt.Errorf("%v is wrong in the children of %v", m.id(), n.id())
			}
			prev = c
			if listed++; listed > t.Len() {
				return fmt.Errorf("the children of %v run in a circle", n.id())
			}
		}
		was, ev := n.parent, n.evidence(parentEv)
		if t.derive(r); n.parent != was || n.evidence(parentEv) != ev {
			return fmt.Errorf("the parent of %v is not what was told", n.id())
		}
	}
	if siblings != listed {
		return fmt.Errorf("%d have a parent, %d are in the lists", siblings, listed)
	}
	for r := range t.All() {
		n := t.at(r)
		if refs[r] != n.refs {
			return fmt.Errorf("%v has %d refs, should have %d", n.id(), n.refs, refs[r])
		}
		if idle := n.refs == 0 && n.state != Alive && n.state != Zombie; idle != n.is(parked) {
			return fmt.Errorf("%v %v with %d refs: parked %v", n.id(), n.state, n.refs, n.is(parked))
		}
	}
	counts.Reused, counts.Evicted, counts.Losses = t.counts.Reused, t.counts.Evicted, t.counts.Losses
	if counts != t.counts {
		return fmt.Errorf("counts are %+v, should be %+v", t.counts, counts)
	}
	for _, err := range []error{t.checkIdle(parkedN, bytes), t.checkIndex(), t.checkPools(), t.checkKept(), t.checkSameGroup()} {
		if err != nil {
			return err
		}
	}
	return nil
}

// edges returns all that the process leads to, zero for none.
func (t *Table) edges(n *node) []Ref {
	needs := t.needs(n)
	return append(needs[:], n.parent)
}

func (t *Table) checkFree() ([]bool, error) {
	free := make([]bool, t.nodes.end+1)
	for _, r := range t.nodes.free {
		if free[r] || *t.nodes.at(r) != (node{}) {
			return nil, fmt.Errorf("free node %d is free twice or in use", r)
		}
		free[r] = true
	}
	used := 0
	for range t.All() {
		used++
	}
	if used != t.Len() {
		return nil, fmt.Errorf("%d used, %d counted", used, t.Len())
	}
	return free, nil
}

func (t *Table) checkIdle(parkedN, bytes int) error {
	prev, n := Ref(0), 0
	for r := t.idle.head; r != 0 && n <= t.Len(); r = t.at(r).next {
		if !t.at(r).is(parked) || t.at(r).prev != prev {
			return fmt.Errorf("%v is wrong in the idle list", t.at(r).id())
		}
		prev = r
		n++
	}
	if n != parkedN || n != t.idle.n || prev != t.idle.tail || n > t.keep.Count {
		return fmt.Errorf("%d parked, %d idle of at most %d, %d counted", parkedN, n, t.keep.Count, t.idle.n)
	}
	if bytes != t.idle.bytes || bytes > t.keep.Bytes {
		return fmt.Errorf("they take %d bytes of at most %d, %d counted", bytes, t.keep.Bytes, t.idle.bytes)
	}
	return nil
}

func (t *Table) checkIndex() error {
	places := t.index.places.Load()
	n, pids := 0, 0
	if t.index.odd || t.index.seq.Load()%2 != 0 {
		return fmt.Errorf("the index is being changed")
	}
	for i := range places.words {
		word, r := places.words[i].Load(), places.refs[i]
		if word == 0 && r == 0 {
			continue
		}
		pids++
		if r == 0 || word != t.word(r) {
			return fmt.Errorf("the index has %#x for %v, should have %#x", word, t.ID(r), t.word(r))
		}
		pid := t.at(r).pid
		if places.find(pid) != i {
			return fmt.Errorf("PID %d is not found", pid)
		}
		for ; r != 0; r = t.at(r).samePID {
			m := t.at(r)
			if m.pid != pid {
				return fmt.Errorf("%v is among those with PID %d", m.id(), pid)
			}
			if m.samePID != 0 && m.before(t.at(m.samePID)) {
				return fmt.Errorf("%v is before %v", m.id(), t.ID(m.samePID))
			}
			if n++; n > t.Len() {
				return fmt.Errorf("those with PID %d run in a circle", pid)
			}
		}
	}
	if n != t.Len() || pids != t.index.used || 4*pids > 3*len(places.words) {
		return fmt.Errorf("%d have a PID of %d, %d PIDs of %d in %d places", n, t.Len(), pids, t.index.used, len(places.words))
	}
	return nil
}

func (x *index) words() []uint64 {
	var words []uint64
	for i := range x.places.Load().words {
		words = append(words, x.places.Load().words[i].Load())
	}
	return words
}

func (t *Table) checkPools() error {
	var names, members, commands, owners, groups []int32
	endings, levels := 0, 0
	for r := range t.All() {
		n := t.at(r)
		names, members, commands = append(names, n.name), append(members, n.membership, n.birthplace), append(commands, n.command)
		owners = append(owners, n.owner)
		if n.levels != 0 {
			levels++
		}
		if n.ending != 0 {
			endings++
		}
	}
	for place := int32(1); place < t.memberships.items.end; place++ {
		if m := t.memberships.at(place); m.Membership != "" {
			groups = append(groups, m.group)
		}
	}
	if endings != t.endings.used() || levels != t.levels.two.used()+t.levels.more.used() {
		return fmt.Errorf("%d endings are kept, %d have one; levels %d, %d",
			t.endings.used(), endings, t.levels.two.used()+t.levels.more.used(), levels)
	}
	return errors.Join(checkPool("names", &t.names, names), checkPool("memberships", &t.memberships, members),
		checkPool("commands", &t.commands, commands), checkPool("owners", &t.owners, owners),
		checkPool("groups", &t.groups, groups))
}

// checkPool finds what is not so in a pool whose facts are had at the places.
func checkPool[F fact[F]](what string, p *pool[F], had []int32) error {
	refs := map[int32]int32{}
	for _, place := range had {
		if place != 0 {
			refs[place]++
		}
	}
	n := 0
	for b := range p.buckets {
		for place := p.buckets[b]; place != 0; place = p.items.at(place).next {
			n++
			it := p.items.at(place)
			if it.refs != refs[place] || it.hash != uint32(it.fact.hash(p.seed)) || p.bucket(it.hash) != uint32(b) {
				return fmt.Errorf("%s: %v has %d refs, should have %d", what, it.fact, it.refs, refs[place])
			}
			if it.refs == 0 && !slices.Contains(p.released[:], place) {
				return fmt.Errorf("%s: nothing has %v, yet it is kept", what, it.fact)
			}
			delete(refs, place)
		}
	}
	if n != p.items.used() || len(refs) != 0 {
		return fmt.Errorf("%s: %d are found of %d, %d are missing", what, n, p.items.used(), len(refs))
	}
	return nil
}

// checkSameGroup holds AppendSameGroup against what else the table says.
func (t *Table) checkSameGroup() error {
	for r := range t.All() {
		pid := t.ID(r).PID
		if t.ByPID(pid) != r {
			continue
		}
		want, wantOK := t.sameGroup(r)
		got, ok := t.AppendSameGroup([]int{-7}, pid)
		if ok != wantOK || !slices.Equal(got, append([]int{-7}, want...)) {
			return fmt.Errorf("in the same group as %d are %v, %v, should be %v, %v", pid, got, ok, want, wantOK)
		}
	}
	return nil
}

func (t *Table) sameGroup(r Ref) (pids []int, ok bool) {
	group := t.Cgroup(r).Group
	for up := r; ; {
		p, ev := t.Parent(up)
		switch {
		case t.State(up) != Alive, t.Dying(up), ev <= Inferred, p == 0 && t.Process(up).Parent.ID.PID != 0,
			t.Cgroup(up).Membership == "", t.lost(t.at(up), t.at(up).cgroupAt), t.ByPID(t.ID(up).PID) != up:
			return nil, false
		case up != r && t.Cgroup(up).Group == group:
			pids = append(pids, t.ID(up).PID)
		}
		if p == 0 {
			return pids, true
		}
		up = p
	}
}

// checkKept finds what is kept though neither a living process nor one that
// may be forgotten leads to it: a circle.
func (t *Table) checkKept() error {
	kept := make([]bool, t.nodes.end+1)
	var todo []Ref
	for r := range t.All() {
		if n := t.at(r); n.state == Alive || n.state == Zombie || n.is(parked) {
			kept[r] = true
			todo = append(todo, r)
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		for _, p := range t.edges(t.at(todo[0])) {
			if p != 0 && !kept[p] {
				kept[p] = true
				todo = append(todo, p)
			}
		}
	}
	for r := range t.All() {
		if !kept[r] {
			return fmt.Errorf("nothing needs %v, yet it is kept", t.ID(r))
		}
	}
	return nil
}
