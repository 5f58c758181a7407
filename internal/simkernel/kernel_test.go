package simkernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/proclineage/lineage/process"
)

// boot returns a kernel and the leader of a child of its first process.
func boot() (*Kernel, *Thread) {
	k := New(100, process.FromTicks(500))
	return k, k.Fork(k.Init().Leader(), Clone{}).Leader()
}

func wantParent(t *testing.T, p, parent *Process) {
	t.Helper()
	if p.Parent() != parent {
		t.Errorf("parent of %v is %v, want %v", p.ID, p.Parent().ID, parent.ID)
	}
}

func TestForkByThreadIsOfItsProcess(t *testing.T) {
	k, a := boot()
	c := k.Fork(k.NewThread(a), Clone{})
	wantParent(t, c, a.Process)
	if c.Creator != a.Process {
		t.Errorf("creator is %v", c.Creator.ID)
	}
}

func TestCloneParent(t *testing.T) {
	k, a := boot()
	b := k.Fork(a, Clone{}).Leader()
	c := k.Fork(b, Clone{Parent: true})
	wantParent(t, c, a.Process)
	if c.Creator != b.Process {
		t.Errorf("creator is %v, want %v", c.Creator.ID, b.Process.ID)
	}
	if k.Fork(k.Init().Leader(), Clone{Parent: true}) != nil {
		t.Error("the init of a namespace made a sibling")
	}
}

func TestThreadEndsChildrenStayInProcess(t *testing.T) {
	k, a := boot()
	u := k.NewThread(a)
	c := k.Fork(u, Clone{})
	k.ExitThread(u)
	wantParent(t, c, a.Process)
	k.ExitThread(a)
	wantParent(t, c, k.Init())
}

func TestLeaderEndsFirst(t *testing.T) {
	k, a := boot()
	u := k.NewThread(a)
	c := k.Fork(a, Clone{})
	n := len(k.events)
	k.ExitThread(a)
	if a.Process.State != Alive || len(k.events) != n {
		t.Error("the leader's end is taken for the process's")
	}
	wantParent(t, c, a.Process)
	if k.used(a.TID) == false {
		t.Error("the PID is free while a thread runs")
	}
	k.ExitThread(u)
	if e := k.events[len(k.events)-1]; a.Process.State != Zombie || e.Kind != process.Exited {
		t.Error("the last thread's end is not the process's")
	}
}

func TestOrphanGoesToNearestSubreaper(t *testing.T) {
	k, a := boot()
	far := k.Fork(a, Clone{}).Leader()
	near := k.Fork(far, Clone{}).Leader()
	father := k.Fork(near, Clone{}).Leader()
	c, d := k.Fork(father, Clone{}), k.Fork(father, Clone{})
	k.SetSubreaper(far.Process, true)
	k.SetSubreaper(near.Process, true)
	k.Exit(father.Process)
	wantParent(t, c, near.Process)
	k.Exit(near.Process)
	wantParent(t, c, far.Process)
	k.SetSubreaper(far.Process, false)
	k.Exit(far.Process)
	wantParent(t, c, k.Init())
	wantParent(t, d, k.Init())
}

func TestSubreaperOutsideTheNamespaceDoesNotAdopt(t *testing.T) {
	k, a := boot()
	k.SetSubreaper(a.Process, true)
	init := k.Fork(a, Clone{NewPID: true}).Leader()
	father := k.Fork(init, Clone{}).Leader()
	c := k.Fork(father, Clone{})
	k.Exit(father.Process)
	wantParent(t, c, init.Process)
}

func TestOrphanOfOneWhoEnteredStaysOutside(t *testing.T) {
	k, a := boot()
	init := k.Fork(a, Clone{NewPID: true})
	shell := k.Fork(a, Clone{}).Leader()
	in := k.Fork(shell, Clone{Enter: init.NS})
	if in.NS != init.NS {
		t.Fatal("setns did not take")
	}
	k.Exit(shell.Process)
	wantParent(t, in, k.Init())
}

func TestEndOfInitEndsNamespace(t *testing.T) {
	k, a := boot()
	init := k.Fork(a, Clone{NewPID: true}).Leader()
	b := k.Fork(init, Clone{})
	inner := k.Fork(b.Leader(), Clone{NewPID: true})
	k.Exit(init.Process)
	if b.State != Reaped || inner.State != Reaped || init.Process.State != Zombie {
		t.Errorf("states are %v %v %v", b.State, inner.State, init.Process.State)
	}
	if k.Fork(a, Clone{Enter: init.Process.NS}) != nil {
		t.Error("a process was made in a namespace that has ended")
	}
	if a.Process.State != Alive {
		t.Error("the parent of the init ended too")
	}
}

func TestExecByNonLeader(t *testing.T) {
	k, a := boot()
	p, id := a.Process, a.Process.ID
	u := k.NewThread(a)
	c, d := k.Fork(a, Clone{}), k.Fork(u, Clone{})
	k.Exec(u, "prog")
	if p.ID != id || u.TID != id.PID || p.Leader() != u || len(p.Threads()) != 1 {
		t.Errorf("after exec %v is led by %d of %d", p.ID, u.TID, len(p.Threads()))
	}
	wantParent(t, c, p)
	wantParent(t, d, p)
	if e := k.events[len(k.events)-1]; e.Kind != process.Exec || e.ID != id || e.Name != "prog" || e.File != "/bin/prog" || p.Exec.At != e.Time {
		t.Errorf("last event is %+v", e)
	}
}

func TestVForkHoldsTheCaller(t *testing.T) {
	for _, release := range []func(*Kernel, *Process){
		func(k *Kernel, c *Process) { k.Exec(c.Leader(), "prog") },
		func(k *Kernel, c *Process) { k.Exit(c) },
	} {
		k, a := boot()
		c := k.Fork(a, Clone{VFork: true})
		if k.Fork(a, Clone{}) != nil {
			t.Error("the caller ran on")
		}
		release(k, c)
		if k.Fork(a, Clone{}) == nil {
			t.Error("the caller is held for ever")
		}
	}
}

func TestZombieHoldsItsPIDAndIsAdopted(t *testing.T) {
	k, a := boot()
	z := k.Fork(a, Clone{})
	k.Exit(z)
	k.SetLastPID(z.ID.PID - 1)
	if other := k.Fork(k.Init().Leader(), Clone{}); other.ID.PID == z.ID.PID {
		t.Error("the PID of a zombie was given out")
	}
	k.Exit(a.Process)
	wantParent(t, z, k.Init())
	if z.LastParent != a.Process {
		t.Errorf("last parent is %v", z.LastParent.ID)
	}
	k.Reap(z)
	k.SetLastPID(z.ID.PID - 1)
	other := k.Fork(k.Init().Leader(), Clone{})
	if other.ID.PID != z.ID.PID || other.ID.Inode == z.ID.Inode || other.ID.Same(z.ID) {
		t.Errorf("%v follows %v", other.ID, z.ID)
	}
}

func TestPIDsWrap(t *testing.T) {
	k := New(5, 0)
	var pids []int
	for range 5 {
		p := k.Fork(k.Init().Leader(), Clone{})
		pids = append(pids, p.ID.PID)
		k.Exit(p)
		k.Reap(p)
	}
	if want := []int{2, 3, 4, 5, 3}; !slices.Equal(pids, want) {
		t.Errorf("PIDs are %v, want %v", pids, want)
	}
	for k.Fork(k.Init().Leader(), Clone{}) != nil {
	}
	if n := len(k.Holders()); n != 4 {
		t.Errorf("%d processes fill PIDs 1 and %d to 5", n, Reserved)
	}
}

func TestGroupAndSessionHoldTheNumber(t *testing.T) {
	k, a := boot()
	k.Setsid(a.Process)
	c := k.Fork(a, Clone{})
	k.Exit(a.Process)
	k.Reap(a.Process)
	if c.Session != a.TID || !k.used(a.TID) {
		t.Errorf("session %d, and the number %d is free", c.Session, a.TID)
	}
	k.Setsid(c)
	if k.used(a.TID) {
		t.Error("nobody has the number, yet it is not free")
	}
}

func TestFactsPassToTheChild(t *testing.T) {
	k, a := boot()
	k.Exec(a, "shell")
	k.Move(a.Process, "/cg")
	k.Setsid(a.Process)
	k.Setuid(a.Process, 7)
	c := k.Fork(a, Clone{})
	if c.Name != "shell" || c.Cgroup != "/cg" || c.Session != a.TID || c.Group != a.TID || c.Owner.UID != 7 || c.Exec.At != 0 {
		t.Errorf("the child is %+v", c)
	}
}

func TestViews(t *testing.T) {
	k, a := boot()
	init := k.Fork(a, Clone{NewPID: true})
	k.Fork(init.Leader(), Clone{})
	exact, _ := View{}.Events(k, 0)
	if len(exact) != 3 || exact[0].Parent != k.Init().ID || exact[0].ID.Precision != process.Exact {
		t.Errorf("exact: %+v", exact)
	}
	tick, _ := View{Precision: process.ToTick, NoInode: true}.Events(k, 0)
	if id := tick[0].ID; id.Inode != 0 || id.Start%process.Instant(process.Tick) != 0 || !id.Same(a.Process.ID) {
		t.Errorf("tick: %v", id)
	}
	if n := len(exact[0].NamespacePIDs); n != 1 || len(exact[1].NamespacePIDs) != 2 {
		t.Errorf("PIDs of a process in a namespace: %+v", exact)
	}
	inside, _ := View{NS: init.NS}.Events(k, 0)
	if len(inside) != 2 || !inside[0].NoParent || inside[1].NoParent {
		t.Errorf("inside: %+v", inside)
	}
	scan, began := View{}.Scan(k)
	if len(scan) != 4 || !scan[0].NoParent || scan[0].Adoption != process.Adopts || scan[1].Adoption != process.AdoptsNone {
		t.Errorf("scan: %+v", scan)
	}
	if began <= exact[2].Time {
		t.Error("the scan began before what had happened")
	}
}

func TestEventTimesAreUnique(t *testing.T) {
	k, a := boot()
	for i := range 300 {
		k.Do(Op{Verb: Verb(i * 7), Who: uint8(i * 13), Arg: uint8(i * 5)})
	}
	k.Exit(a.Process)
	for i := 1; i < len(k.events); i++ {
		if k.events[i].Time <= k.events[i-1].Time {
			t.Fatal(fmt.Sprint(k.events[i-1:], " are not in order"))
		}
	}
}

// Whoever has not come to the end of its own is the parent still, and who
// adopts is found then.
func TestExitInTwoSteps(t *testing.T) {
	k, a := boot()
	father := k.Fork(a, Clone{}).Leader()
	c := k.Fork(father, Clone{})
	k.Die(father.Process)
	e := k.events[len(k.events)-1]
	if e.Kind != process.Exited || e.Adopter != k.Init().ID || father.Process.State != Exiting {
		t.Errorf("%+v of one that is %d", e, father.Process.State)
	}
	wantParent(t, c, father.Process)
	sibling := k.Fork(c.Leader(), Clone{Parent: true})
	wantParent(t, sibling, father.Process)
	k.Reap(father.Process)
	k.SetSubreaper(a.Process, true)
	n := len(k.events)
	k.Leave(father.Process)
	k.Leave(father.Process) // once
	if father.Process.State != Zombie || len(k.events) != n {
		t.Errorf("it is %d, and %d events were told", father.Process.State, len(k.events)-n)
	}
	wantParent(t, c, a.Process)
	wantParent(t, sibling, a.Process)
	if !slices.Equal(c.Parents, []*Process{father.Process, a.Process}) {
		t.Errorf("it had %d parents", len(c.Parents))
	}
}

// The init of a namespace adopts until it has ended the namespace.
func TestInitAdoptsOnItsWayOut(t *testing.T) {
	k, a := boot()
	init := k.Fork(a, Clone{NewPID: true}).Leader()
	b := k.Fork(init, Clone{}).Leader()
	c := k.Fork(b, Clone{})
	k.Die(init.Process)
	k.Die(b.Process)
	k.Leave(b.Process)
	wantParent(t, c, init.Process)
	k.Leave(init.Process)
	if b.Process.State != Reaped || c.State != Reaped || init.Process.State != Zombie {
		t.Errorf("states are %v %v %v", b.Process.State, c.State, init.Process.State)
	}
}
