package lineage

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

func pids(ps []process.Process) []int {
	var pids []int
	for _, p := range ps {
		pids = append(pids, p.ID.PID)
	}
	return pids
}

func TestAncestors(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	b.SetName("spaces ) S 9")
	c := b.Fork()
	all, err := tree.Ancestors(c.PID)
	if err != nil {
		t.Fatal(err)
	}
	if want := parents(t, c.PID); !slices.Equal(pids(all), want) {
		t.Fatalf("ancestors %v, want %v", pids(all), want)
	}
	if all[0].Name != "spaces ) S 9" || all[0].State != process.Alive || all[0].Evidence != process.Scanned {
		t.Errorf("%+v", all[0])
	}
	for i, p := range all[1:] {
		if all[i].Parent.ID != p.ID {
			t.Errorf("the parent of %v is %v, and %v stands behind it", all[i].ID, all[i].Parent.ID, p.ID)
		}
	}
	top := all[len(all)-1]
	if !top.Parent.ID.IsZero() || top.Parent.Evidence == process.Unknown {
		t.Errorf("the parent of the first process: %v", top.Parent)
	}
	if _, err := tree.Parent(top.ID.PID); !errors.Is(err, ErrNotFound) {
		t.Errorf("parent of the first process: %v, want ErrNotFound", err)
	}
	if p, err := tree.Parent(c.PID); err != nil || p.ID != all[0].ID {
		t.Errorf("parent %v, %v, want %v", p.ID, err, all[0].ID)
	}
	if p, err := tree.ParentByID(all[0].ID); err != nil || p.ID != all[1].ID {
		t.Errorf("parent %v, %v, want %v", p.ID, err, all[1].ID)
	}
	if byID, err := tree.AncestorsByID(all[0].ID); err != nil || !slices.Equal(pids(byID), pids(all[1:])) {
		t.Errorf("by ID: %v, %v", pids(byID), err)
	}
	if none, err := tree.Ancestors(top.ID.PID); err != nil || none == nil || len(none) != 0 {
		t.Errorf("ancestors of the first process: %#v, %v", none, err)
	}

	// What has ended is answered from memory.
	id := all[0].ID
	b.Exit(7)
	a.Wait(b)
	if byID, err := tree.AncestorsByID(id); err != nil || len(byID) == 0 || byID[0].ID.PID != a.PID {
		t.Errorf("of the ended process: %v, %v, want %d first", pids(byID), err, a.PID)
	}
	p, err := tree.ProcessByID(id)
	if err != nil || p.State != process.Ended || p.Exit.Evidence != process.Scanned || p.Name != "spaces ) S 9" {
		t.Errorf("the ended process: %+v, %v", p, err)
	}
}

func TestZombie(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	known := a.Fork()
	if _, err := tree.FindAllAncestorProcessIDsInSameCgroup(known.PID); err != nil {
		t.Fatal(err)
	}
	before, err := tree.Process(known.PID)
	if err != nil {
		t.Fatal(err)
	}
	b.Exit(0)
	known.Exit(0)
	p, err := tree.Process(b.PID)
	if err != nil || p.State != process.Zombie || p.Parent.ID.PID != a.PID {
		t.Errorf("%+v, %v, want a zombie, child of %d", p, err, a.PID)
	}
	// What it was in is kept where it was known, and never read as "/".
	p, err = tree.Process(known.PID)
	if err != nil || p.State != process.Zombie || p.Cgroup != before.Cgroup {
		t.Errorf("%+v, %v, want a zombie in %q", p, err, before.Cgroup.Group)
	}
	if got, err := tree.FindAllAncestorProcessIDsInSameCgroup(known.PID); err != nil || len(got) == 0 || got[0] != a.PID {
		t.Errorf("ancestors of a zombie: %v, %v", got, err)
	}
	if children, err := tree.Children(a.PID); err != nil || !slices.Contains(pids(children), b.PID) {
		t.Errorf("children %v, %v, want the zombie %d too", pids(children), err, b.PID)
	}
}

func TestDescendants(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b, c := a.Fork(), a.Fork()
	b1, b2 := b.Fork(), b.Fork()
	children, err := tree.Children(a.PID)
	if err != nil || !slices.Equal(pids(children), sorted(b.PID, c.PID)) {
		t.Errorf("children %v, %v, want %d and %d", pids(children), err, b.PID, c.PID)
	}
	subject, err := tree.Process(a.PID)
	if err != nil {
		t.Fatal(err)
	}
	if byID, err := tree.ChildrenByID(subject.ID); err != nil || !slices.Equal(pids(byID), pids(children)) {
		t.Errorf("by ID: %v, %v", pids(byID), err)
	}
	var below []process.Process
	for p, err := range tree.Descendants(a.PID) {
		if err != nil {
			t.Fatal(err)
		}
		below = append(below, p)
	}
	want := slices.Concat([]int{b.PID}, sorted(b1.PID, b2.PID), []int{c.PID})
	if b.PID > c.PID {
		want = slices.Concat([]int{c.PID, b.PID}, sorted(b1.PID, b2.PID))
	}
	if !slices.Equal(pids(below), want) {
		t.Errorf("descendants %v, want %v", pids(below), want)
	}
	n := 0
	for range tree.DescendantsByID(subject.ID) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d descendants before the break", n)
	}
	c.Exit(0)
	a.Wait(c)
	for _, err := range tree.Descendants(c.PID) {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("descendants of an ended process: %v, want ErrNotFound", err)
		}
	}
	// An orphan is below who adopted it.
	a.SetSubreaper(true)
	b.Exit(0)
	a.Wait(b)
	if children, err := tree.Children(a.PID); err != nil || !slices.Equal(pids(children), sorted(b1.PID, b2.PID)) {
		t.Errorf("children %v, %v, want the adopted %d and %d", pids(children), err, b1.PID, b2.PID)
	}
}

func sorted(pids ...int) []int {
	slices.Sort(pids)
	return pids
}

func TestProcesses(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	for range 3 {
		all, err := tree.Processes()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(all, func(a, b process.Process) int { return a.ID.PID - b.ID.PID }) {
			t.Error("not sorted by PID")
		}
		for _, pid := range []int{1, os.Getpid(), a.PID} {
			if i := slices.IndexFunc(all, func(p process.Process) bool { return p.ID.PID == pid }); i < 0 {
				t.Errorf("%d is missing", pid)
			}
		}
	}
	// A question sees what was there before it, however many ask at once.
	for range 20 {
		b := a.Fork()
		if all, err := tree.Processes(); err != nil || !slices.Contains(pids(all), b.PID) {
			t.Fatalf("%d is missing, %v", b.PID, err)
		}
		b.Exit(0)
		a.Wait(b)
		if all, err := tree.Processes(); err != nil || slices.Contains(pids(all), b.PID) {
			t.Fatalf("the ended %d is there, %v", b.PID, err)
		}
	}
}

func TestInGroup(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	tree := newTree(t)
	group := linuxtest.NewCgroup(t)
	a := linuxtest.Start(t)
	b, c := a.Fork(), a.Fork()
	b.Move(group)
	c.Move(group)
	for range 2 {
		in, err := tree.InGroup(group.Path)
		if err != nil || !slices.Equal(pids(in), sorted(b.PID, c.PID)) {
			t.Errorf("%v, %v, want %d and %d", pids(in), err, b.PID, c.PID)
		}
	}
	if in, err := tree.InGroup("/no/such/group"); err != nil || in == nil || len(in) != 0 {
		t.Errorf("in no group: %#v, %v", in, err)
	}
}

func TestDetails(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	a.Exec("details", "first", "", "last one")
	p, err := tree.Process(a.PID)
	if err != nil || p.Name != "details" {
		t.Fatalf("%q, %v", p.Name, err)
	}
	d, err := tree.Details(p.ID)
	if err != nil || d.Missing != nil {
		t.Fatal(err, d.Missing)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if d.Exe != exe || len(d.Args) < 3 || !slices.Equal(d.Args[len(d.Args)-3:], []string{"first", "", "last one"}) {
		t.Errorf("%q %q", d.Exe, d.Args)
	}
	if d.UID != os.Getuid() || d.EffectiveGID != os.Getegid() || d.Threads < 1 || !slices.Equal(d.NamespacePIDs, []int{a.PID}) {
		t.Errorf("%+v", d)
	}
	a.Exit(0)
	a.Reap()
	if _, err := tree.Details(p.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("of an ended process: %v, want ErrNotFound", err)
	}
	if k, err := tree.Process(2); err == nil && k.Kernel {
		if d, err := tree.Details(k.ID); err != nil || d.Exe != "" || d.Args != nil || d.Missing != nil {
			t.Errorf("of a kernel thread: %+v, %v", d, err)
		}
	}
}

func TestNamespacePIDs(t *testing.T) {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	tree := newTree(t)
	a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
	p, err := tree.Process(a.PID)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := tree.Details(p.ID); err != nil || !slices.Equal(d.NamespacePIDs, []int{a.PID, 1}) {
		t.Errorf("%v, %v, want %d and 1", d.NamespacePIDs, err, a.PID)
	}
}

// A scan that began after the question serves it; an earlier one does not.
func TestScansAreShared(t *testing.T) {
	tree := newTree(t)
	scans := 0
	m := meddle(tree)
	first := true
	m.scan = func(emit func(*process.Event), e *process.Event) error {
		if first {
			first = false
			scans++
		}
		emit(e)
		return nil
	}
	asked := now()
	for range 3 {
		if err := tree.scan(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
	}
	if scans != 1 {
		t.Errorf("%d scans for questions that were asked at once, want 1", scans)
	}
	first = true
	if err := tree.scan(t.Context(), now()); err != nil || scans != 2 {
		t.Errorf("%d scans, %v, want another one for a later question", scans, err)
	}
}

func TestTime(t *testing.T) {
	tree := newTree(t)
	before := time.Now()
	a := linuxtest.Start(t)
	after := time.Now()
	p, err := tree.Process(a.PID)
	if err != nil {
		t.Fatal(err)
	}
	// The start is rounded down to a tick, and both clocks are read in turn.
	const slack = process.Tick + 5*time.Millisecond
	if start := tree.Time(p.ID.Start); start.Before(before.Add(-slack)) || start.After(after.Add(slack)) {
		t.Errorf("started %v, want between %v and %v", start, before, after)
	}
}

func TestRun(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID)
	const interval = 20 * time.Millisecond
	tree := newTreeWith(t, Options{MaxUpdateInterval: interval})
	m := meddle(tree)
	scanned := make(chan struct{}, 100)
	m.scan = func(emit func(*process.Event), e *process.Event) error {
		if e.ID.PID == os.Getpid() { // once in a scan
			scanned <- struct{}{}
		}
		emit(e)
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	began := time.Now()
	go func() { done <- tree.Run(ctx) }()

	a := linuxtest.Start(t)
	b := a.Fork()
	wantSameGroup(t, tree, b.PID)
	select {
	case <-scanned:
		t.Error("an update that no reused PID asked for")
	default:
	}
	reuse := func() {
		b.Exit(0)
		a.Wait(b)
		b = a.Clone(linuxtest.CloneOptions{PID: b.PID})
		wantSameGroup(t, tree, b.PID)
	}
	for range 10 { // requests made meanwhile are one
		reuse()
	}
	<-scanned
	for range 3 {
		reuse()
		<-scanned
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v, want nil once its context ends", err)
	}
	// However late each was, there are no more than the time has intervals.
	if n, most := tree.Stats().Updates, uint64(time.Since(began)/interval)+1; n < 4 || n > most {
		t.Errorf("%d updates, want 4 to %d", n, most)
	}
}

// What a question of each kind allocates where all is known and there is room.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		return
	}
	tree := newTree(t)
	pid := linuxtest.Start(t).Fork().PID
	p, err := tree.Process(pid)
	if err != nil {
		t.Fatal(err)
	}
	ids, processes, steps := make([]int, 0, 100), make([]process.Process, 0, 100), make([]process.Step, 0, 100)
	for name, ask := range map[string]func(){
		"AppendAllAncestorProcessIDsInSameCgroup":     func() { _, err = tree.AppendAllAncestorProcessIDsInSameCgroup(ids, pid) },
		"AppendAllAncestorProcessIDsInSameCgroupByID": func() { _, err = tree.AppendAllAncestorProcessIDsInSameCgroupByID(ids, p.ID) },
		"AppendAncestors": func() { _, err = tree.AppendAncestors(processes, pid) },
		"AppendLineage":   func() { _, err = tree.AppendLineage(steps, pid) },
		"Process":         func() { _, err = tree.Process(pid) },
	} {
		ask()
		if n := testing.AllocsPerRun(100, ask); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v", name, n, err)
		}
	}
}
