package process

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestIDText(t *testing.T) {
	for _, test := range []struct {
		id   ID
		text string
	}{
		{ID{PID: 1, Precision: ToTick}, "1@0.00"},
		{ID{PID: 48213, Start: 17123450000000, Precision: ToTick}, "48213@17123.45"},
		{ID{PID: 48213, Start: 17123450000000, Precision: ToTick, Inode: 90122}, "48213@17123.45~90122"},
		{ID{PID: 7, Start: 5000000009, Precision: Exact}, "7@5.000000009"},
		{ID{PID: math.MaxInt32, Start: math.MaxUint64, Precision: Exact, Inode: math.MaxUint64},
			"2147483647@18446744073.709551615~18446744073709551615"},
	} {
		if got := test.id.String(); got != test.text {
			t.Errorf("%#v is written %q, want %q", test.id, got, test.text)
		}
		if got, err := ParseID(test.text); err != nil || got != test.id {
			t.Errorf("%q is read as %#v, %v", test.text, got, err)
		}
		var back ID
		if b, err := json.Marshal(test.id); err != nil || json.Unmarshal(b, &back) != nil || back != test.id {
			t.Errorf("%#v comes back from JSON as %#v, %v", test.id, back, err)
		}
	}
	if got := (ID{PID: 3, Inode: 4}).String(); got != "3@?~4" {
		t.Errorf("a start that is not known is written %q", got)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1@", "@1.00", "1@?", "1@1", "1@1.0", "1@1.000", "01@1.00", "+1@1.00", "-1@1.00", "1@01.00", "1@1.+1",
		"1@1.00~", "1@1.00~0", "1@1.00~01", "1@1.00~x", "1@1.00 ", " 1@1.00", "2147483648@1.00", "1@1.00@1.00",
		"1@18446744073.709551616", "1@18446744074.00", "1@99999999999999999999.00", "1@1.00~18446744073709551616",
	} {
		if id, err := ParseID(s); !errors.Is(err, ErrSyntax) || id != (ID{}) {
			t.Errorf("%q is read as %#v, %v", s, id, err)
		}
	}
	id := ID{PID: 5}
	if err := id.UnmarshalText([]byte("x")); err == nil || id.PID != 5 {
		t.Errorf("UnmarshalText left %#v, %v", id, err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("48213@17123.45")
	f.Add("48213@17123.45~90122")
	f.Add("7@5.000000009")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && id.String() != s {
			t.Errorf("%q is read as %#v, which is written %q", s, id, id)
		}
		if err == nil && (!id.Known() || !id.Same(id)) {
			t.Errorf("%q is read as %#v, which is not itself", s, id)
		}
	})
}

func TestSame(t *testing.T) {
	tick := ID{PID: 9, Start: FromTicks(500), Precision: ToTick}
	exact := ID{PID: 9, Start: FromTicks(500) + 7, Precision: Exact}
	with := func(id ID, inode uint64) ID { id.Inode = inode; return id }
	for _, test := range []struct {
		name string
		a, b ID
		want bool
	}{
		{"itself", exact, exact, true},
		{"another PID", tick, ID{PID: 8, Start: tick.Start, Precision: ToTick}, false},
		{"the tick of an exact start", tick, exact, true},
		{"the tick before", ID{PID: 9, Start: FromTicks(499), Precision: ToTick}, exact, false},
		{"another nanosecond of the tick", exact, ID{PID: 9, Start: exact.Start + 1, Precision: Exact}, false},
		{"another inode in the tick", with(tick, 1), with(tick, 2), false},
		{"the same inode", with(tick, 1), with(exact, 1), true},
		{"the same inode, no start", with(tick, 1), ID{PID: 9, Inode: 1}, true},
		{"an inode on one side", with(tick, 1), exact, true},
		{"a start on one side, an inode on the other", tick, ID{PID: 9, Inode: 1}, false},
		{"a PID alone", ID{PID: 9}, ID{PID: 9}, false},
		{"nothing", ID{}, ID{}, false},
	} {
		if got := test.a.Same(test.b); got != test.want {
			t.Errorf("%s: %v and %v: %v", test.name, test.a, test.b, got)
		}
		if got := test.b.Same(test.a); got != test.want {
			t.Errorf("%s, turned round: %v", test.name, got)
		}
	}
}

func TestYoungerThan(t *testing.T) {
	at := func(start Instant, p Precision) ID { return ID{PID: 1, Start: start, Precision: p} }
	for _, test := range []struct {
		a, b ID
		want bool
	}{
		{at(FromTicks(5)+1, Exact), at(FromTicks(5), Exact), true},
		{at(FromTicks(5), Exact), at(FromTicks(5), Exact), false},
		{at(FromTicks(5)+9, Exact), at(FromTicks(5), ToTick), false}, // the tick is rounded down
		{at(FromTicks(6), ToTick), at(FromTicks(5)+9, Exact), true},
		{at(FromTicks(6), ToTick), at(FromTicks(5), ToTick), true},
		{at(FromTicks(6), StartUnknown), at(FromTicks(5), ToTick), false},
	} {
		if got := test.a.youngerThan(test.b); got != test.want {
			t.Errorf("%v younger than %v: %v", test.a, test.b, got)
		}
	}
}

func TestRefine(t *testing.T) {
	tick := ID{PID: 9, Start: FromTicks(500), Precision: ToTick, Inode: 4}
	exact := ID{PID: 9, Start: FromTicks(500) + 7, Precision: Exact}
	want := ID{PID: 9, Start: exact.Start, Precision: Exact, Inode: 4}
	for _, pair := range [][2]ID{{tick, exact}, {exact, tick}, {want, tick}, {want, exact}} {
		if got := pair[0].refine(pair[1]); got != want {
			t.Errorf("%v refined by %v is %v", pair[0], pair[1], got)
		}
	}
}

func TestKnown(t *testing.T) {
	for id, want := range map[ID]bool{
		{}:                            false,
		{PID: 1}:                      false,
		{PID: 1, Inode: 2}:            true,
		{PID: 1, Precision: ToTick}:   true,
		{PID: 1, Precision: Exact}:    true,
		{PID: 1, Start: FromTicks(1)}: false,
	} {
		if id.Known() != want {
			t.Errorf("%#v known: %v", id, !want)
		}
	}
	if !(ID{}).IsZero() || (ID{PID: 1}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestNames(t *testing.T) {
	for v, want := range map[interface{ String() string }]string{
		Fork: "fork", Loss: "loss", Kind(0): "Kind(0)", Kind(99): "Kind(99)",
		Unseen: "unseen", Ended: "ended", State(9): "State(9)",
		Unknown: "unknown", Observed: "observed", Evidence(9): "Evidence(9)",
	} {
		if v.String() != want {
			t.Errorf("%T: %q, want %q", v, v, want)
		}
		b, err := v.(interface{ MarshalText() ([]byte, error) }).MarshalText()
		if err != nil || string(b) != want {
			t.Errorf("%T in text: %q, %v", v, b, err)
		}
	}
}
