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
