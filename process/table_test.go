package process

import (
	"fmt"
	"slices"
	"testing"
	"time"
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

func TestNoneInAnEmptyTable(t *testing.T) {
	tab := NewTable(Retention{})
	if r := tab.ByPID(1); r != 0 || tab.State(r) != Unseen || !tab.ID(r).IsZero() || tab.After(r) != 0 {
		t.Errorf("PID 1 leads to %d, %v", r, tab.ID(r))
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
	wantParent(t, tab, b, Link{ID: initID, Evidence: Inferred})
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
	wantParent(t, tab, job, Link{ID: initID, Evidence: Inferred})
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
	wantParent(t, tab, c, Link{ID: a, Evidence: Inferred})
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
		"parent ends before":      {[]Event{exit(5, b, a), exit(6, c, a)}, Link{a, Inferred}},
		"read between":            {[]Event{exit(5, b, a), seen(6, c, a), exit(7, c, a)}, Link{a, Scanned}},
		"read, parent has it yet": {[]Event{exit(5, b, a), seen(6, c, b), exit(7, c, a)}, Link{a, Inferred}},
		"parent has others after": {[]Event{exit(5, b, a), exit(6, c, b), seen(7, at(13, 5), b)}, Link{a, Inferred}},
		"both before":             {[]Event{exit(5, b, a), exit(6, a, initID), exit(7, c, initID)}, Link{initID, Inferred}},
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

func TestAdoptionAfterALostEnd(t *testing.T) {
	a, b := at(10, 2), at(11, 3)
	tab := table(t, fork(2, a, initID), fork(3, b, a), Event{Kind: Loss, Since: 4 * sec, Time: 5 * sec},
		exit(6, a, initID), fork(7, at(12, 7), initID))
	wantParent(t, tab, b, Link{}) // it may have ended before a did
	tab.Apply(&Event{Kind: Exec, Time: 8 * sec, ID: b, Name: "lives"})
	wantParent(t, tab, b, Link{ID: initID, Evidence: Inferred})
}
