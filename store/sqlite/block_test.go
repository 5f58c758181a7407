package sqlite

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"github.com/proclineage/lineage/process"
)

// rowsOf makes rows at random, each of which one before it may have created.
func rowsOf(n int) []*row {
	random := rand.New(rand.NewPCG(7, 7))
	at := &boot{}
	rows := make([]*row, n)
	for i := range rows {
		r := &row{boot: at}
		for c := range r.cell {
			r.cell[c] = random.Int64N(1<<random.IntN(62)+1) - random.Int64N(1<<20)
		}
		r.cell[colFlags] = random.Int64N(1 << 12)
		r.cell[colNamespaces], r.cell[colExecs] = random.Int64N(3), random.Int64N(4)
		for range r.cell[colNamespaces] + 2*max(r.cell[colExecs]-1, 0) {
			r.rest = append(r.rest, random.Int64())
		}
		r.cell[colCreator], r.cell[colParent] = 0, 0
		if i > 0 && random.IntN(4) > 0 {
			up := rows[random.IntN(i)]
			r.creator = &node{id: up.id(), up: up.creator, final: true}
			if random.IntN(2) == 0 {
				r.parent = r.creator
			}
		}
		rows[i] = r
	}
	return rows
}

func TestBlock(t *testing.T) {
	rows := rowsOf(500)
	first, second := encodeBlock(rows)
	b, err := parseBlock(newEntry(rows), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.tell(func() ([]byte, error) { return second, nil }); err != nil {
		t.Fatal(err)
	}
	for i, want := range rows {
		got := b.row(i)
		got.cell[colCreator], got.cell[colParent] = 0, 0
		if got.cell != want.cell || len(got.rest) != len(want.rest) || len(got.rest) > 0 && !reflect.DeepEqual(got.rest, want.rest) {
			t.Fatalf("row %d is %v, and not %v", i, got, want)
		}
		for g, w := got.creator, want.creator; g != nil || w != nil; g, w = g.up, w.up {
			if g == nil || w == nil || g.id != w.id || g.final != w.final {
				t.Fatalf("row %d: above it is %v, and not %v", i, g, w)
			}
		}
	}
	if b.bad.Load() {
		t.Error("what was written makes no sense")
	}
}

// TestEndlessChain has more above a process than a block names: the rest is looked
// up.
func TestEndlessChain(t *testing.T) {
	rows := rowsOf(1)
	var top *node
	for i := range blockNodes + 100 {
		top = &node{id: process.ID{PID: i + 1, Start: process.Instant(i + 1), Precision: process.Exact}, up: top, final: true}
	}
	rows[0].creator = top
	first, _ := encodeBlock(rows)
	b, err := parseBlock(newEntry(rows), first)
	if err != nil {
		t.Fatal(err)
	}
	n, length := b.creator(0), 0
	for ; n.up != nil; n = n.up {
		length++
	}
	if length >= blockNodes || length < blockNodes/2 || n.final {
		t.Errorf("%d are named, and the last is final: %v", length, n.final)
	}
}

// FuzzBlock reads what nobody has written.
func FuzzBlock(f *testing.F) {
	first, second := encodeBlock(rowsOf(20))
	f.Add(first[:len(first)-4], second[:len(second)-4])
	e := newEntry(rowsOf(20))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b, err := parseBlock(e, sealed(first))
		if err != nil {
			return
		}
		if b.tell(func() ([]byte, error) { return sealed(second), nil }) != nil {
			return
		}
		for i := range b.n {
			r := b.row(i)
			for n := r.creator; n != nil; n = n.up {
				b.place(n.id, nil)
			}
		}
	})
}

// TestInterner gives texts the same numbers for as long as it knows them, and those
// that were not written none.
func TestInterner(t *testing.T) {
	in := newInterner(1)
	a := in.id([]byte("a"))
	in.written()
	b := in.id([]byte("b"))
	if in.id([]byte("a")) != a || in.id(nil) != 0 || b == a {
		t.Errorf("the numbers are %d and %d", a, b)
	}
	in.undo()
	if c := in.id([]byte("c")); c != b {
		t.Errorf("the number of what was not written is lost: %d, and not %d", c, b)
	}
	if again := in.id([]byte("b")); again == b {
		t.Error("what was not written has a number still")
	}
	in.written()
	for i := range 100_000 {
		in.id([]byte("a long command line that many others are like, number " + strconv.Itoa(i) + string(make([]byte, 300))))
		in.fresh = nil
	}
	if in.bytes > internedTexts || len(in.young)+len(in.old) > 100_000 {
		t.Errorf("%d bytes and %d texts are kept", in.bytes, len(in.young)+len(in.old))
	}
}
