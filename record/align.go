package record

import (
	"hash/maphash"
	"strings"
)

// alignment is which process of one recording is which of the other.
type alignment struct {
	of  []int32 // by place in a, that in b, -1 for none
	in  []int32 // by place in b, that in a
	why []Likeness
	a   alignee
	b   alignee
}

// alignee is what processes are aligned by.
type alignee struct {
	*timeline
	// exact and loose are what each ran: its command lines as they are, and
	// without what differs from run to run.
	exact, loose []uint64
	// below is, of each, what it and all below it ran, whatever the order.
	below []uint64
	// program is what each ran last.
	program []uint64
}

func newAlignee(t *timeline, seed maphash.Seed) alignee {
	n := len(t.spans)
	a := alignee{timeline: t, exact: make([]uint64, n), loose: make([]uint64, n), below: make([]uint64, n), program: make([]uint64, n)}
	w := worder{seed: seed, dir: t.r.Header.Dir}
	for i := range t.r.Processes {
		a.program[i] = w.text(t.programs[i])
		a.exact[i], a.loose[i] = a.program[i], a.program[i]
		for k := range t.r.Processes[i].Execs {
			e := &t.r.Processes[i].Execs[k]
			w.exec(&a.exact[i], e, false)
			w.exec(&a.loose[i], e, true)
		}
	}
	for i := n - 1; i >= 0; i-- { // those that it made come after it
		a.below[i] = mix(a.below[i], a.loose[i])
		if c := t.r.Processes[i].Creator; c >= 0 {
			a.below[c] += mix(a.below[i], 1)
		}
	}
	return a
}

// mix returns a hash of two.
func mix(h, n uint64) uint64 {
	h = (h ^ n) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	return h * 0xd6e8feb86659fd93
}

// worder makes hashes of what was run.
type worder struct {
	seed maphash.Seed
	dir  string
}

func (w *worder) text(s string) uint64 { return maphash.String(w.seed, s) }

// exec takes an exec into the hash.
func (w *worder) exec(h *uint64, e *Exec, loose bool) {
	*h = mix(*h, w.word(e.File, loose))
	for _, arg := range e.Args {
		*h = mix(*h, w.word(arg, loose))
	}
}

func (w *worder) word(s string, loose bool) uint64 {
	if loose {
		s = settled(s, w.dir)
	}
	return w.text(s)
}

// settled returns an argument without what differs from run to run: the
// directory that the command was started in, and what a file in a directory for
// temporary ones is called, up to its extension.
func settled(s, dir string) string {
	if len(dir) > 1 && strings.Contains(s, dir) {
		s = strings.ReplaceAll(s, dir, ".")
	}
	const temporary = "/tmp/"
	i := strings.Index(s, temporary)
	if i < 0 {
		return s
	}
	var b strings.Builder
	for i >= 0 {
		b.WriteString(s[:i+len(temporary)])
		s = s[i+len(temporary):]
		end := strings.IndexAny(s, "./ :,;=\"'")
		if end < 0 {
			end = len(s)
		}
		b.WriteByte('*')
		s = s[end:]
		i = strings.Index(s, temporary)
	}
	b.WriteString(s)
	return b.String()
}

func align(x, y *timeline) *alignment {
	seed := maphash.MakeSeed()
	al := &alignment{of: make([]int32, len(x.spans)), in: make([]int32, len(y.spans)), why: make([]Likeness, len(x.spans)),
		a: newAlignee(x, seed), b: newAlignee(y, seed)}
	for i := range al.of {
		al.of[i] = -1
	}
	for i := range al.in {
		al.in[i] = -1
	}
	if len(al.of) == 0 || len(al.in) == 0 {
		return al
	}
	al.pair(0, 0, Same)
	if al.a.loose[0] != al.b.loose[0] {
		al.why[0] = Altered
	}
	al.descend(false)
	al.moved()
	al.descend(true)
	al.along()
	return al
}

func (al *alignment) pair(i, k int32, why Likeness) { al.of[i], al.in[k], al.why[i] = k, i, why }

// descend aligns what the processes made that are aligned, and those of which
// nobody knows who made them. A creator comes before what it made, so those are
// aligned by then. With altered, also those go together that ran something else.
func (al *alignment) descend(altered bool) {
	al.level(al.a.made.of(-1), al.b.made.of(-1), altered)
	for i := range al.of {
		if k := al.of[i]; k >= 0 {
			al.level(al.a.made.of(i), al.b.made.of(int(k)), altered)
		}
	}
}

// level aligns processes that have the same place: the alike first.
func (al *alignment) level(a, b []int32, altered bool) {
	a, b = al.leftOf(a, b)
	for _, by := range []func(*alignee, int32) uint64{
		func(x *alignee, i int32) uint64 { return mix(x.below[i], x.exact[i]) },
		func(x *alignee, i int32) uint64 { return x.exact[i] },
		func(x *alignee, i int32) uint64 { return x.below[i] },
		func(x *alignee, i int32) uint64 { return x.loose[i] },
	} {
		if len(a) == 0 || len(b) == 0 {
			return
		}
		al.match(a, b, by, Same, false)
		a, b = al.leftOf(a, b)
	}
	if altered {
		al.match(a, b, func(x *alignee, i int32) uint64 { return x.program[i] }, Altered, true)
	}
}

// leftOf returns those that are not aligned.
func (al *alignment) leftOf(a, b []int32) (leftA, leftB []int32) {
	for _, i := range a {
		if al.of[i] < 0 {
			leftA = append(leftA, i)
		}
	}
	for _, k := range b {
		if al.in[k] < 0 {
			leftB = append(leftB, k)
		}
	}
	return leftA, leftB
}

// match aligns those with the same key, in order; with alone only where there is
// one of each.
func (al *alignment) match(a, b []int32, key func(*alignee, int32) uint64, why Likeness, alone bool) {
	if len(a) == 0 || len(b) == 0 {
		return
	}
	type queue struct{ first, last, n int32 }
	waiting := make(map[uint64]queue, len(b))
	next := make([]int32, len(b)) // of the place in b, the next one with its key
	for at, k := range b {
		h := key(&al.b, k)
		q, ok := waiting[h]
		if ok {
			next[q.last] = int32(at)
		} else {
			q.first = int32(at)
		}
		q.last, q.n = int32(at), q.n+1
		next[at] = -1
		waiting[h] = q
	}
	var many map[uint64]int
	if alone {
		many = make(map[uint64]int, len(a))
		for _, i := range a {
			many[key(&al.a, i)]++
		}
	}
	for _, i := range a {
		h := key(&al.a, i)
		q, ok := waiting[h]
		if !ok || q.first < 0 || alone && (q.n > 1 || many[h] > 1) {
			continue
		}
		al.pair(i, b[q.first], why)
		q.first = next[q.first]
		waiting[h] = q
	}
}

// moved aligns those that have no other in their place: first by what they and
// their creators ran, then by what they ran themselves. What they made is in
// its place then.
func (al *alignment) moved() {
	creator := func(x *alignee, i int32) uint64 {
		if c := x.r.Processes[i].Creator; c >= 0 {
			return x.loose[c]
		}
		return 0
	}
	for _, by := range []func(*alignee, int32) uint64{
		func(x *alignee, i int32) uint64 { return mix(mix(x.below[i], x.exact[i]), creator(x, i)) },
		func(x *alignee, i int32) uint64 { return mix(x.exact[i], creator(x, i)) },
		func(x *alignee, i int32) uint64 { return mix(x.loose[i], creator(x, i)) },
		func(x *alignee, i int32) uint64 { return x.exact[i] },
		func(x *alignee, i int32) uint64 { return x.loose[i] },
	} {
		a, b := al.runners()
		if len(a) == 0 || len(b) == 0 {
			return
		}
		al.match(a, b, by, Moved, false)
		al.descend(false)
	}
}

// along makes those the same that only came along with their creator.
func (al *alignment) along() {
	for i, k := range al.of {
		if k < 0 || al.why[i] != Moved {
			continue
		}
		a, b := al.a.r.Processes[i].Creator, al.b.r.Processes[k].Creator
		if a >= 0 && b >= 0 && int(al.of[a]) == b {
			al.why[i] = Same
		}
	}
}

// runners returns those that are not aligned and ran something of their own:
// of the others one is as good as another.
func (al *alignment) runners() (a, b []int32) {
	own := func(x *alignee, other []int32) (left []int32) {
		for i, k := range other {
			if k < 0 && len(x.r.Processes[i].Execs) > 0 {
				left = append(left, int32(i))
			}
		}
		return left
	}
	return own(&al.a, al.of), own(&al.b, al.in)
}
