package process

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"unsafe"
)

func TestMovedBetweenForkAndExec(t *testing.T) {
	a := at(10, 2)
	host := Cgroup{"0::/host\n", "/host"}
	box := Cgroup{"0::/box\n", "/box"}
	born := fork(2, a, initID)
	born.Cgroup = host
	events := []Event{born, {Kind: Moved, Time: 3 * sec, ID: a, Cgroup: box}, {Kind: Exec, Time: 4 * sec, ID: a, Name: "app"}}
	for range 2 {
		tab := table(t, events...)
		if p := tab.lookup(t, a); p.Cgroup != box || p.Name != "app" || p.Evidence != Observed {
			t.Errorf("%+v", p)
		}
		slices.Reverse(events)
	}
}

func TestFactsThatAreNotToldAreKept(t *testing.T) {
	a := at(10, 2)
	full := seen(3, a, initID)
	full.Cgroup, full.GroupID, full.SessionID, full.TTY = Cgroup{"0::/\n", "/"}, 10, 9, 8
	full.Kernel = true
	tab := table(t, full, Event{Kind: Seen, Time: 4 * sec, ID: a})
	p := tab.lookup(t, a)
	want := Process{ID: a, Name: "prog", State: Alive, Kernel: true, Parent: Link{initID, Scanned}, GroupID: 10,
		SessionID: 9, TTY: 8, Cgroup: full.Cgroup, Evidence: Scanned, AsOf: 4 * sec}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
}

func TestLatestFactsHold(t *testing.T) {
	a := at(10, 2)
	root, user := Owner{Known: true}, Owner{Known: true, UID: 7, EffectiveUID: 8, GID: 9, EffectiveGID: 10}
	born := fork(2, a, initID)
	born.Owner, born.NamespacePIDs = root, []int{10, 3}
	first := Event{Kind: Exec, Time: 3 * sec, ID: a, File: "/bin/sh", Args: []string{"sh", ""}}
	last := Event{Kind: Exec, Time: 5 * sec, ID: a, File: "/bin/x", Args: []string{"x", "-a", "b"}, ArgsCut: true,
		GroupID: 4, SessionID: 5, TTY: 6, Owner: user}
	read := seen(4, a, initID)
	read.Owner, read.GroupID = root, 3
	events := []Event{born, first, read, last}
	want := Process{Exec: Command{"/bin/x", []string{"x", "-a", "b"}, true, 5 * sec}, Owner: user, NamespacePIDs: []int{10, 3}}
	for i := range 24 {
		order := slices.Clone(events)
		for j := range order { // the ith permutation
			k := j + i%(len(order)-j)
			i /= len(order) - j
			order[j], order[k] = order[k], order[j]
		}
		p := table(t, order...).lookup(t, a)
		if !reflect.DeepEqual(p.Exec, want.Exec) || p.Owner != user || !slices.Equal(p.NamespacePIDs, want.NamespacePIDs) ||
			p.GroupID != 4 || p.SessionID != 5 || p.TTY != 6 {
			t.Errorf("%+v", p)
		}
	}
	unknown := Event{Kind: Exec, Time: 6 * sec, ID: a}
	if x := table(t, append(events, unknown)...).lookup(t, a).Exec; !reflect.DeepEqual(x, Command{At: 6 * sec}) {
		t.Errorf("of an exec of which nothing else is known: %+v", x)
	}
}

func TestNothingOfAnEventIsKept(t *testing.T) {
	text := []byte("/bin/sh sh -c 0::/box")
	s := unsafe.String(&text[0], len(text))
	args, pids := []string{s[8:10], s[11:13]}, []int{10, 2}
	tab := table(t,
		Event{Kind: Seen, Time: 3 * sec, ID: at(10, 2), Name: s[8:10], Cgroup: Cgroup{s[14:], s[17:]}, NamespacePIDs: pids},
		Event{Kind: Exec, Time: 4 * sec, ID: at(10, 2), File: s[:7], Args: args})
	before := fmt.Sprintf("%+v", tab.lookup(t, at(10, 2)))
	clear(text)
	clear(args)
	clear(pids)
	if after := fmt.Sprintf("%+v", tab.lookup(t, at(10, 2))); after != before {
		t.Errorf("was %s\nis  %s", before, after)
	}
}

// A move and an exec that do not tell to what leave nothing that was true
// before, whichever comes first.
func TestChangeToSomethingUnknown(t *testing.T) {
	id := ID{PID: 7, Start: 1, Precision: Exact}
	seen := Event{Kind: Seen, Time: 10, ID: id, NoParent: true, Name: "sh", Cgroup: Cgroup{"0::/a\n", "/a"}}
	moved := Event{Kind: Moved, Time: 20, ID: id}
	ran := Event{Kind: Exec, Time: 30, ID: id}
	for _, events := range [][]Event{{seen, moved, ran}, {ran, moved, seen}} {
		tab := NewTable(Retention{})
		for i := range events {
			tab.Apply(&events[i])
		}
		p := tab.Process(tab.ByID(id))
		if p.Name != "" || p.Cgroup != (Cgroup{}) || p.Evidence != Unknown {
			t.Errorf("what is not known is told: %+v", p)
		}
		if pids, ok := tab.AppendSameGroup(nil, 7); ok {
			t.Errorf("in the same group as one whose group is not known: %v", pids)
		}
		if err := tab.Check(); err != nil {
			t.Error(err)
		}
		tab.Apply(&Event{Kind: Moved, Time: 40, ID: id, Cgroup: Cgroup{"0::/b\n", "/b"}})
		tab.Apply(&Event{Kind: Exec, Time: 50, ID: id, Name: "ls"})
		if p := tab.Process(tab.ByID(id)); p.Name != "ls" || p.Cgroup.Group != "/b" || p.Evidence != Observed {
			t.Errorf("what is known again is told as %+v", p)
		}
	}
}

// A process can be forgotten while it holds its PID. Who reads it then knows
// that it does.
func TestZombieThatWasForgotten(t *testing.T) {
	tab := NewTable(Retention{Count: -1})
	id := ID{PID: 7, Start: 1, Precision: Exact}
	tab.Apply(&Event{Kind: Fork, Time: 2, ID: id, NoParent: true})
	tab.Apply(&Event{Kind: Exited, Time: 3, ID: id})
	if tab.ByID(id) != 0 {
		t.Fatal("it is kept")
	}
	tab.Apply(&Event{Kind: Seen, Time: 4, ID: id, NoParent: true, Zombie: true})
	if s := tab.State(tab.ByID(id)); s != Zombie {
		t.Errorf("a zombie that was read is %v", s)
	}
	tab.Apply(&Event{Kind: Gone, Time: 5, ID: id})
	tab.Apply(&Event{Kind: Seen, Time: 4, ID: id, NoParent: true, Zombie: true})
	if s := tab.State(tab.ByID(id)); s == Zombie {
		t.Errorf("late news of one that is gone make it %v", s)
	}
}

func TestAppendChain(t *testing.T) {
	tab := NewTable(Retention{})
	at := func(i int) ID { return ID{PID: i, Start: Instant(i), Precision: Exact} }
	tab.Apply(&Event{Kind: Seen, Time: 1, ID: at(1), NoParent: true, Name: "init"})
	for i := 2; i <= 10; i++ {
		tab.Apply(&Event{Kind: Fork, Time: Instant(10 * i), ID: at(i), Parent: at(i - 1), Creator: at(i - 1), Name: "sh"})
	}
	for _, test := range []struct {
		most, want int
		cut        bool
	}{{100, 9, false}, {9, 9, false}, {8, 8, true}, {0, 0, true}} {
		chain, cut := tab.AppendChain(nil, tab.ByPID(10), test.most)
		if len(chain) != test.want || cut != test.cut {
			t.Errorf("of at most %d: %d, cut %t, want %d and %t", test.most, len(chain), cut, test.want, test.cut)
		}
		for i, a := range chain {
			if a.ID != at(9-i) || a.Evidence != Observed || a.State != Alive || a.Name == "" {
				t.Errorf("number %d is %+v", i, a)
			}
		}
	}
}
