package process

import (
	"slices"
	"testing"
)

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

// Between the end that is told and when it is a zombie a process is alive, and
// the parent of its children.
func TestDying(t *testing.T) {
	a, b, c := at(10, 2), at(11, 3), at(12, 4)
	birth := []Event{fork(2, a, initID), fork(3, b, a), fork(4, c, b)}
	read := seen(7, b, a)
	z := seen(8, b, a)
	z.Zombie = true
	exiting := seen(6, b, a)
	exiting.Exiting = true
	for name, test := range map[string]struct {
		then   []Event
		state  State
		dying  bool
		parent Link // of c
		orphan bool
	}{
		"told":                      {[]Event{exit(5, b, a)}, Ended, false, Link{a, Inferred}, true},
		"told, nobody adopts":       {[]Event{exit(5, b, ID{})}, Ended, false, Link{}, true},
		"read":                      {[]Event{exit(5, b, a), read}, Alive, true, Link{a, Inferred}, true},
		"its child is read":         {[]Event{exit(5, b, a), seen(6, c, b)}, Alive, true, Link{b, Scanned}, true},
		"its child was read before": {[]Event{seen(4, c, b), exit(5, b, a)}, Ended, false, Link{a, Inferred}, true},
		"it has another child":      {[]Event{exit(5, b, a), seen(6, at(13, 5), b)}, Alive, true, Link{a, Inferred}, true},
		"then it is a zombie":       {[]Event{exit(5, b, a), seen(6, c, b), z}, Zombie, false, Link{a, Inferred}, true},
		"then it is gone":           {[]Event{exit(5, b, a), seen(6, c, b), gone(8, b)}, Ended, false, Link{a, Inferred}, true},
		"its child has another":     {[]Event{exit(5, b, a), seen(6, c, b), seen(7, c, initID)}, Alive, true, Link{initID, Scanned}, false},
		"found so, never told":      {[]Event{exiting, seen(7, c, b)}, Alive, true, Link{b, Scanned}, true},
	} {
		for _, backwards := range []bool{false, true} {
			events := append(slices.Clone(birth), test.then...)
			if backwards {
				slices.Reverse(events)
			}
			tab := table(t, events...)
			wantState(t, tab, b, test.state)
			wantParent(t, tab, c, test.parent)
			if tab.Dying(tab.ByID(b)) != test.dying || tab.Orphan(tab.ByID(c)) != test.orphan {
				t.Errorf("%s, backwards %t: dying %t, its child an orphan %t", name, backwards, !test.dying, tab.Orphan(tab.ByID(c)))
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
}
