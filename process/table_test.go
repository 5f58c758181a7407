package process

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"
)

const sec = Instant(time.Second)

// at returns the exact ID of a process that began at the given second.
func at(pid int, start Instant) ID { return ID{PID: pid, Start: start * sec, Precision: Exact} }

// inTick returns the ID of one that began in a tick, told apart by the inode.
func inTick(pid int, inode uint64) ID {
	return ID{PID: pid, Start: FromTicks(500), Precision: ToTick, Inode: inode}
}

func fork(when Instant, id, by ID) Event {
	return Event{Kind: Fork, Time: when * sec, ID: id, Parent: by, Creator: by, Name: "prog"}
}

func exit(when Instant, id, adopter ID) Event {
	return Event{Kind: Exited, Time: when * sec, ID: id, Adopter: adopter}
}

func seen(when Instant, id, parent ID) Event {
	return Event{Kind: Seen, Time: when * sec, ID: id, Parent: parent, NoParent: parent.IsZero(),
		Name: "prog", Adoption: AdoptsNone}
}

func gone(when Instant, id ID) Event { return Event{Kind: Gone, Time: when * sec, ID: id} }

var initID = ID{PID: 1, Start: 1, Precision: Exact}

// table returns a table that was given the events.
func table(t *testing.T, events ...Event) *Table {
	t.Helper()
	tab := NewTable(Retention{})
	tab.Apply(&Event{Kind: Seen, Time: 1 * sec, ID: initID, NoParent: true, Name: "init", Adoption: Adopts})
	for i := range events {
		before, seq := tab.index.words(), tab.index.seq.Load()
		tab.Apply(&events[i])
		if err := tab.Check(); err != nil {
			t.Fatalf("after event %d: %v", i, err)
		}
		if seq == tab.index.seq.Load() && !slices.Equal(before, tab.index.words()) {
			t.Fatalf("event %d changes what others read, and does not say so", i)
		}
	}
	return tab
}

func (t *Table) lookup(tt *testing.T, id ID) Process {
	tt.Helper()
	r := t.ByID(id)
	if r == 0 {
		tt.Fatalf("%v is not in the table", id)
	}
	return t.Process(r)
}

func wantState(t *testing.T, tab *Table, id ID, want State) {
	t.Helper()
	if p := tab.lookup(t, id); p.State != want {
		t.Errorf("%v is %v, want %v", id, p.State, want)
	}
}

func wantParent(t *testing.T, tab *Table, id ID, want Link) {
	t.Helper()
	if p := tab.lookup(t, id); p.Parent != want {
		t.Errorf("parent of %v is %v %v, want %v %v", id, p.Parent.ID, p.Parent.Evidence, want.ID, want.Evidence)
	}
}

func wantCreator(t *testing.T, tab *Table, id ID, want Link) {
	t.Helper()
	if p := tab.lookup(t, id); p.Creator != want {
		t.Errorf("creator of %v is %v %v, want %v %v", id, p.Creator.ID, p.Creator.Evidence, want.ID, want.Evidence)
	}
}

// lineage writes a lineage as PIDs, with "?" before one that follows a gap.
func lineage(tab *Table, id ID) string {
	var s string
	for _, step := range tab.AppendLineage(nil, tab.ByID(id)) {
		if s != "" {
			s += " "
		}
		if step.Gap {
			s += "?"
		}
		s += fmt.Sprint(step.Process.ID.PID)
	}
	return s
}

func wantLineage(t *testing.T, tab *Table, id ID, want string) {
	t.Helper()
	if got := lineage(tab, id); got != want {
		t.Errorf("lineage of %v is %q, want %q", id, got, want)
	}
}

func wantHolder(t *testing.T, tab *Table, id ID) {
	t.Helper()
	if got := tab.ID(tab.ByPID(id.PID)); got != id {
		t.Errorf("PID %d is held by %v, want %v", id.PID, got, id)
	}
}

func TestLateExitOfOldHolder(t *testing.T) {
	a, b := at(10, 2), at(10, 5)
	tab := table(t, fork(2, a, initID), fork(5, b, initID), exit(4, a, initID))
	wantHolder(t, tab, b)
	wantState(t, tab, b, Alive)
	wantState(t, tab, a, Ended)
	if x := tab.lookup(t, a).Exit; x.Evidence != Observed || x.At != 4*sec {
		t.Errorf("its end is %+v", x)
	}
}

func TestReusedPIDEndsTheOld(t *testing.T) {
	a, b, c := at(10, 2), at(10, 5), at(10, 4)
	tab := table(t, fork(2, a, initID), fork(5, b, initID), fork(4, c, initID))
	wantHolder(t, tab, b)
	for id, end := range map[ID]Instant{a: 4 * sec, c: 5 * sec} {
		if x := tab.lookup(t, id).Exit; x.Evidence != Inferred || x.At != end {
			t.Errorf("the end of %v is %+v", id, x)
		}
	}
	if n := tab.Counts().Reused; n != 2 {
		t.Errorf("%d reused", n)
	}
}

func TestReuseWithinATick(t *testing.T) {
	parent := inTick(9, 1)
	a, b := inTick(10, 2), inTick(10, 3)
	for _, events := range [][]Event{
		{fork(6, a, parent), exit(7, a, initID), fork(8, b, parent)},
		{fork(8, b, parent), exit(7, a, initID), fork(6, a, parent)},
		{fork(8, b, parent), fork(6, a, parent)},
	} {
		tab := table(t, events...)
		wantHolder(t, tab, b)
		wantState(t, tab, a, Ended)
		wantState(t, tab, b, Alive)
	}
}

func TestExitBeforeFork(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	tab := table(t, exit(6, b, initID), exit(5, a, initID), fork(3, b, a), fork(2, a, initID))
	wantState(t, tab, a, Ended)
	wantState(t, tab, b, Ended)
	wantLineage(t, tab, b, "11 10 1")
	wantParent(t, tab, b, Link{ID: initID, Evidence: Observed})
}

func TestChildrenBeforeParents(t *testing.T) {
	a, b, c := at(10, 2), at(11, 3), at(12, 4)
	tab := table(t, fork(4, c, b), fork(3, b, a))
	wantState(t, tab, a, Unseen)
	if p := tab.lookup(t, a); p.Evidence != Unknown || p.Creator.Evidence != Unknown {
		t.Errorf("of one that was only named is said %+v", p)
	}
	tab.Apply(new(fork(2, a, initID)))
	wantLineage(t, tab, c, "12 11 10 1")
}

func TestParentNeverSeenIsAGap(t *testing.T) {
	// The parent ended before anyone looked; init adopted.
	orphan := at(10, 2)
	tab := table(t, seen(5, orphan, initID))
	wantParent(t, tab, orphan, Link{ID: initID, Evidence: Scanned})
	wantCreator(t, tab, orphan, Link{})
	wantLineage(t, tab, orphan, "10 ?1")
}

func TestCreatorInferred(t *testing.T) {
	shell, job, sub := at(10, 2), at(11, 3), at(12, 4)
	subreaper := seen(5, sub, shell)
	subreaper.Adoption = Adopts
	unknown := seen(5, at(13, 5), shell)
	unknown.Adoption = AdoptionUnknown
	tab := table(t, seen(5, shell, initID), seen(5, job, shell), subreaper, seen(6, at(14, 5), sub),
		unknown, seen(6, at(15, 6), at(13, 5)))
	wantCreator(t, tab, job, Link{ID: shell, Evidence: Inferred})
	wantCreator(t, tab, at(14, 5), Link{})           // it may have been adopted
	wantCreator(t, tab, at(15, 6), Link{})           // the flag cannot be read
	wantCreator(t, tab, initID, Link{ID{}, Scanned}) // it has none
	tab.Apply(new(exit(8, shell, initID)))
	wantCreator(t, tab, job, Link{ID: shell, Evidence: Inferred})
	wantParent(t, tab, job, Link{ID: initID, Evidence: Scanned})
}

func TestCreatorOfForkThatTellsOnlyTheParent(t *testing.T) {
	e := fork(3, at(10, 3), initID)
	e.Creator = ID{}
	tab := table(t, e)
	wantCreator(t, tab, e.ID, Link{ID: initID, Evidence: Inferred})
}

func TestCloneParent(t *testing.T) {
	runc, stage1, stage2 := at(10, 2), at(11, 3), at(12, 4)
	e := fork(4, stage2, stage1)
	e.Parent = runc
	tab := table(t, fork(2, runc, initID), fork(3, stage1, runc), e, exit(5, stage1, initID))
	wantParent(t, tab, stage2, Link{ID: runc, Evidence: Observed})
	wantLineage(t, tab, stage2, "12 11 10 1")
}

func TestParentsEnd(t *testing.T) {
	a, b, c := at(10, 2), at(11, 3), at(12, 4)
	tab := table(t, fork(2, a, initID), fork(3, b, a), fork(4, c, b), exit(5, b, a))
	wantParent(t, tab, c, Link{ID: a, Evidence: Observed})
	wantCreator(t, tab, c, Link{ID: b, Evidence: Observed})
	tab.Apply(new(exit(6, a, ID{}))) // nobody knows who adopts
	wantParent(t, tab, c, Link{})
	tab.Apply(new(seen(7, c, initID)))
	wantParent(t, tab, c, Link{ID: initID, Evidence: Scanned})
	wantLineage(t, tab, c, "12 11 10 1")
}

func TestLastParent(t *testing.T) {
	a, b, c := at(10, 2), at(11, 3), at(12, 4)
	birth := []Event{fork(2, a, initID), fork(3, b, a), fork(4, c, b)}
	for name, test := range map[string]struct {
		events []Event
		want   Link
	}{
		"parent ends later":       {[]Event{exit(5, c, b), exit(6, b, a)}, Link{b, Observed}},
		"parent ends before":      {[]Event{exit(5, b, a), exit(6, c, a)}, Link{a, Observed}},
		"both before":             {[]Event{exit(5, b, a), exit(6, a, initID), exit(7, c, initID)}, Link{initID, Observed}},
		"adopter is not known":    {[]Event{exit(5, b, ID{}), exit(6, c, a)}, Link{}},
		"parent found gone later": {[]Event{exit(5, c, b), gone(6, b)}, Link{}},
		"parent lived after":      {[]Event{exit(5, c, b), seen(6, b, a), gone(7, b)}, Link{b, Observed}},
		"end was not observed":    {[]Event{gone(6, c), seen(6, b, a)}, Link{b, Scanned}},
		"nor was the parent's":    {[]Event{gone(6, c), gone(6, b)}, Link{}},
		"loss":                    {[]Event{{Kind: Loss, Time: 5 * sec}, exit(6, c, b)}, Link{}},
		"loss, parent lives":      {[]Event{{Kind: Loss, Time: 5 * sec}, exit(6, c, b), seen(7, b, a)}, Link{b, Observed}},
	} {
		tab := table(t, append(slices.Clone(birth), test.events...)...)
		if p := tab.lookup(t, c); p.State != Ended || p.Parent != test.want {
			t.Errorf("%s: %v, parent %v %v", name, p.State, p.Parent.ID, p.Parent.Evidence)
		}
	}
}

func TestGoneWasWrong(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	tab := table(t, fork(2, a, initID), fork(3, b, a), gone(4, a))
	wantState(t, tab, a, Ended)
	wantParent(t, tab, b, Link{})
	tab.Apply(new(seen(5, a, initID)))
	wantState(t, tab, a, Alive)
	wantParent(t, tab, b, Link{ID: a, Evidence: Observed})
	tab.Apply(new(gone(4, a))) // again
	wantState(t, tab, a, Alive)
	tab.Apply(new(fork(6, at(10, 6), initID)))
	tab.Apply(new(seen(5, a, initID)))
	wantState(t, tab, a, Ended)
}

func TestZombie(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	z := seen(5, a, initID)
	z.Zombie = true
	tab := table(t, fork(2, a, initID), fork(3, b, a), z)
	wantState(t, tab, a, Zombie)
	wantHolder(t, tab, a)
	wantParent(t, tab, b, Link{})
	if p := tab.lookup(t, a); p.Exit.Evidence != Scanned || p.Exit.At != 5*sec || p.AsOf != 3*sec {
		t.Errorf("%+v", p)
	}
	z.Time = 8 * sec
	tab.Apply(&z)
	tab.EndUnseen(7 * sec)
	wantState(t, tab, a, Zombie)
	tab.EndUnseen(9 * sec)
	wantState(t, tab, a, Ended)
	if x := tab.lookup(t, a).Exit; x.At != 5*sec {
		t.Errorf("its end moved: %+v", x)
	}
}

func TestLossMakesDoubtful(t *testing.T) {
	a, b, old := at(10, 2), at(11, 3), at(12, 2)
	tab := table(t, fork(2, old, initID), exit(3, old, initID), fork(4, a, initID), fork(5, b, a),
		Event{Kind: Loss, Since: 5 * sec, Time: 7 * sec})
	wantParent(t, tab, b, Link{})
	for _, id := range []ID{a, b} {
		if p := tab.lookup(t, id); p.Evidence != Unknown {
			t.Errorf("%+v", p)
		}
	}
	if p := tab.lookup(t, old); p.Evidence != Observed || p.Parent.Evidence != Observed {
		t.Errorf("it had ended before: %+v", p)
	}
	wantCreator(t, tab, b, Link{ID: a, Evidence: Observed})
	if n := len(slices.Collect(tab.Children(tab.ByID(a)))); n != 0 {
		t.Errorf("%d children that are not certain", n)
	}
	tab.Apply(new(fork(8, at(13, 8), a))) // so a lives, and b has not been adopted
	wantParent(t, tab, b, Link{ID: a, Evidence: Observed})
	tab.Apply(&Event{Kind: Exec, Time: 9 * sec, ID: b, Name: "other"})
	if p := tab.lookup(t, b); p.Evidence != Observed || p.Name != "other" {
		t.Errorf("%+v", p)
	}
}

func TestWindowsOfLossAreBounded(t *testing.T) {
	tab := table(t)
	for i := range Instant(1000) {
		tab.Apply(&Event{Kind: Loss, Since: (10*i + 1) * sec, Time: (10*i + 2) * sec})
	}
	if len(tab.losses) > maxWindows || tab.loss != 9992*sec {
		t.Errorf("%d windows until %d", len(tab.losses), tab.loss)
	}
	if !tab.lostBetween(5*sec, 6*sec) || tab.lostBetween(9983*sec, 9990*sec) {
		t.Error("the windows are wrong")
	}
}

func TestCircles(t *testing.T) {
	a, b, c := inTick(10, 1), inTick(11, 2), inTick(12, 3)
	tab := NewTable(Retention{Age: -1, Count: -1})
	for i := range 6 { // what was read was stale
		for j, e := range []Event{seen(6, a, b), seen(6, b, c), seen(6, c, a)} {
			e.Time += Instant(10*i + j)
			tab.Apply(&e)
			if err := tab.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range []ID{a, b, c} {
		if n := len(tab.AppendLineage(nil, tab.ByID(id))); n > 3 {
			t.Errorf("lineage of %v has %d steps", id, n)
		}
	}
	tab.EndUnseen(7 * sec)
	if tab.Len() != 0 {
		t.Errorf("%d are kept by each other", tab.Len())
	}
}

func TestWhatCannotBe(t *testing.T) {
	a := at(10, 5)
	young := fork(6, a, at(11, 9)) // began after its child
	young.Creator = at(11, 9)
	self := fork(6, at(12, 5), at(12, 5))
	tab := table(t, young, self, Event{Kind: 0, Time: 9 * sec, ID: at(20, 2)}, Event{Kind: 99, Time: 9 * sec, ID: at(20, 2)},
		Event{Kind: Exec, Time: 9 * sec, ID: ID{PID: 21}}, Event{Kind: Exec, Time: 9 * sec, ID: at(0, 2)},
		Event{Kind: Exec, Time: 9 * sec, ID: at(-1, 2)})
	wantCreator(t, tab, a, Link{})
	wantParent(t, tab, a, Link{ID{PID: 11}, Scanned})
	if tab.Len() != 3 {
		t.Errorf("%d are in the table", tab.Len())
	}
}

func TestIDBecomesMorePrecise(t *testing.T) {
	exact := ID{PID: 10, Start: FromTicks(500) + 3, Precision: Exact}
	tab := table(t, seen(6, inTick(10, 2), initID), fork(5, exact, initID))
	if tab.Len() != 2 || tab.lookup(t, exact).ID != (ID{10, exact.Start, 2, Exact}) {
		t.Errorf("%d in the table, %v", tab.Len(), tab.lookup(t, exact).ID)
	}
}

func TestAdopterIsASubreaper(t *testing.T) {
	sub, a, b := at(10, 2), at(11, 3), at(12, 4)
	tab := table(t, seen(5, sub, initID), seen(5, a, sub), seen(5, b, a), exit(6, a, sub))
	wantCreator(t, tab, a, Link{}) // sub may have adopted it too
	wantCreator(t, tab, b, Link{ID: a, Evidence: Inferred})
}

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

func TestAdoptionAfterALostEnd(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	tab := table(t, fork(2, a, initID), fork(3, b, a), Event{Kind: Loss, Since: 4 * sec, Time: 5 * sec},
		exit(6, a, initID), fork(7, at(12, 7), initID))
	wantParent(t, tab, b, Link{}) // it may have ended before a did
	tab.Apply(&Event{Kind: Exec, Time: 8 * sec, ID: b, Name: "lives"})
	wantParent(t, tab, b, Link{ID: initID, Evidence: Observed})
}

func TestParentOfAZombieIsNotTheLastOne(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	z := seen(5, b, initID)
	z.Zombie = true
	tab := table(t, z, exit(6, b, initID)) // the scan began at 5, b ended at 6 and a before it was read
	wantParent(t, tab, b, Link{})
	tab = table(t, seen(4, b, initID), z, exit(6, b, initID))
	wantParent(t, tab, b, Link{ID: initID, Evidence: Scanned})
	tab = table(t, seen(4, b, a), z, exit(6, b, initID))
	wantParent(t, tab, b, Link{})
}

func TestZombieAfterItsExit(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	z := seen(6, b, initID)
	z.Zombie = true
	x := exit(5, b, a)
	x.Status, x.Usage = 256, Usage{Known: true, User: 3, MaxRSS: 4}
	birth := []Event{fork(2, a, initID), fork(3, b, a)}
	for name, test := range map[string]struct {
		then     []Event
		want     State
		parent   Link
		unreaped bool
	}{
		"exit":               {[]Event{x}, Ended, Link{a, Observed}, true},
		"then read":          {[]Event{x, exit(6, a, initID), z}, Zombie, Link{initID, Scanned}, true},
		"in another order":   {[]Event{z, exit(6, a, initID), x}, Zombie, Link{initID, Scanned}, true},
		"read before it":     {[]Event{{Kind: Seen, Time: 4 * sec, ID: b, Parent: a, Zombie: true}, x}, Ended, Link{a, Scanned}, true},
		"then reaped":        {[]Event{x, z, gone(7, b)}, Ended, Link{}, false},
		"reaped, never read": {[]Event{x, gone(7, b)}, Ended, Link{a, Observed}, false},
		"found gone before":  {[]Event{x, z, gone(5, b)}, Zombie, Link{initID, Scanned}, true},
		"then reused":        {[]Event{x, z, fork(7, at(11, 7), a)}, Ended, Link{}, false},
		"another scan":       {[]Event{x, z, seen(8, a, initID), seen(8, initID, ID{})}, Zombie, Link{initID, Scanned}, true},
	} {
		tab := table(t, append(slices.Clone(birth), test.then...)...)
		p := tab.lookup(t, b)
		if want := (Exit{Observed, 5 * sec, 256, x.Usage}); p.State != test.want || p.Parent != test.parent || p.Exit != want || p.AsOf != 5*sec {
			t.Errorf("%s: %+v", name, p)
		}
		unreaped := func() bool { return slices.Contains(slices.Collect(tab.Unreaped()), tab.ByID(b)) }
		if unreaped() != test.unreaped {
			t.Errorf("%s: unreaped %v", name, unreaped())
		}
		if tab.EndUnseen(9 * sec); unreaped() {
			t.Errorf("%s: a scan has not seen it, and it may hold its PID", name)
		}
		wantState(t, tab, b, Ended)
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

func TestScanHealsLoss(t *testing.T) {
	a, b, c, d, late := at(10, 2), at(11, 3), at(12, 4), at(13, 5), at(14, 21)
	tab := table(t, fork(2, a, initID), fork(3, b, a), fork(4, c, b), fork(5, d, a),
		Event{Kind: Loss, Since: 9 * sec, Time: 15 * sec}, // b ended
		seen(20, initID, ID{}), seen(20, a, initID), seen(20, d, a),
		seen(20, c, initID), // read before it ended
		exit(22, c, initID), fork(21, late, d), Event{Kind: Exec, Time: 23 * sec, ID: late, Name: "x"})
	tab.EndUnseen(20 * sec)
	if err := tab.Check(); err != nil {
		t.Error(err)
	}
	for id, want := range map[ID]Exit{a: {}, b: {Evidence: Scanned, At: 20 * sec}, c: {Evidence: Observed, At: 22 * sec}, d: {}, late: {}} {
		if p := tab.lookup(t, id); p.Exit != want || (p.State == Ended) != (want != Exit{}) || id != b && p.Evidence == Unknown {
			t.Errorf("%+v", p)
		}
	}
	wantParent(t, tab, b, Link{a, Scanned}) // who outlived it
	wantParent(t, tab, d, Link{a, Scanned})
	wantCreator(t, tab, c, Link{b, Observed})
}
