package process

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
)

// endedBytes is what an ended process in the table may cost, its place in the
// index, its grave and what it ran included.
const endedBytes = 700

// livingBytes is what a living process may cost besides what it runs.
const livingBytes = 250

// fixedBytes is what a table takes that has hardly a process, but for graves.
const fixedBytes = 1 << 20

// heap returns how much memory is in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func wantHeapBelow(t *testing.T, before, limit int64) {
	t.Helper()
	if used := heap() - before; used > limit {
		t.Errorf("%d bytes are in use, want at most %d", used, limit)
	}
}

// storm applies n processes that are born, run something and end under one
// parent.
func storm(tab *Table, n, firstPID int, parent ID) {
	args := []string{"/usr/lib/program/worker", "", "--config=/etc/program/worker.conf"}
	for i := range n {
		now := Instant(10+i) * Instant(time.Millisecond)
		id := ID{PID: firstPID + i%30000, Start: now, Precision: Exact}
		tab.Apply(&Event{Kind: Fork, Time: now + 1, ID: id, Creator: parent, Parent: parent, Name: "worker"})
		args[1] = strconv.Itoa(i)
		tab.Apply(&Event{Kind: Exec, Time: now + 2, ID: id, File: "/usr/lib/program/worker", Args: args})
		tab.Apply(&Event{Kind: Exited, Time: now + 3, ID: id, Adopter: initID})
	}
}

func TestMillionChildrenOfOneParent(t *testing.T) {
	for _, test := range []struct {
		keep     Retention
		children int
	}{
		{Retention{}, 1_000_000},
		{Retention{Count: 100}, 100_000},
		{Retention{Age: -1}, 100_000},
		{Retention{Count: -1}, 100_000},
		{Retention{Bytes: 1 << 20, Count: 1 << 30}, 100_000},
		{Retention{Bytes: -1}, 100_000},
	} {
		t.Run(fmt.Sprintf("%+v", test.keep), func(t *testing.T) {
			keep, million := test.keep, test.children
			before := heap()
			tab := NewTable(keep)
			parent := ID{PID: 2, Start: 2, Precision: Exact}
			tab.Apply(&Event{Kind: Seen, Time: 1, ID: initID, NoParent: true, Name: "init"})
			tab.Apply(&Event{Kind: Seen, Time: 3, ID: parent, Parent: initID, Name: "parent"})
			storm(tab, million, 1000, parent)
			kept := keep.withDefaults().Count
			if kept > 100_000 {
				kept = tab.Counts().Evictable // as many as Bytes allows
				if bytes := tab.idle.bytes; bytes > keep.Bytes || bytes < keep.Bytes-1000 || kept < 1000 {
					t.Errorf("%d are kept, counted as %d bytes of %d", kept, bytes, keep.Bytes)
				}
			}
			if keep.Age < 0 || keep.Bytes < 0 {
				kept = 0
			}
			if got := tab.Len(); got != kept+2 {
				t.Errorf("%d are kept of %d, want %d", got, million, kept+2)
			}
			if n := len(slices.Collect(tab.Children(tab.ByID(parent)))); n != 0 {
				t.Errorf("%d children are left", n)
			}
			c := tab.Counts()
			if c.Evicted != uint64(million-kept) || c.Evictable != kept || c.Ended != kept {
				t.Errorf("counts are %+v", c)
			}
			limit := int64(max(minGraves, kept)) * endedBytes
			t.Logf("%d bytes for %d that are kept", heap()-before, kept)
			wantHeapBelow(t, before, limit+fixedBytes)
			if err := tab.Check(); err != nil {
				t.Error(err)
			}
			runtime.KeepAlive(tab)
		})
	}
}

// host applies n living processes as varied as those of a host with containers:
// 500 memberships, 300 names, two in three in another PID namespace, and half
// of them have run something, with arguments that few others have. It returns
// how many bytes what they run takes.
func host(tab *Table, n int) (commands int64) {
	tab.Apply(&Event{Kind: Seen, Time: 1, ID: initID, NoParent: true, Name: "systemd", Cgroup: Cgroup{"0::/init.scope\n", "/init.scope"}})
	ids := make([]ID, 1, n)
	ids[0] = initID
	for i := 1; i < n; i++ {
		parent := ids[i/8]
		path := fmt.Sprintf("/kubepods.slice/kubepods-pod%08d.slice/cri-containerd-%064d.scope", i%500/3, i%500)
		e := Event{
			Time: Instant(i) * 1000, ID: ID{PID: 1 + i*7%1000003, Start: Instant(i) * 1000, Inode: uint64(1000 + i), Precision: Exact},
			Parent: parent, Name: fmt.Sprint("worker/", i%300), Cgroup: Cgroup{"0::" + path + "\n", path},
			GroupID: i, SessionID: i / 10, TTY: 0x8800 + i%20, Owner: Owner{Known: true, UID: i % 40, EffectiveUID: i % 40},
			NamespacePIDs: []int{i, i%100 + 1}[:1+min(i%3, 1)],
		}
		e.Kind = Seen
		if i%2 == 0 {
			e.Kind, e.Creator = Fork, parent
		}
		tab.Apply(&e)
		if i%2 == 0 {
			run := Event{Kind: Exec, Time: e.Time + 1, ID: e.ID, File: "/usr/bin/worker", Args: []string{"worker", "--id", strconv.Itoa(i / 4)}}
			tab.Apply(&run)
			if i%4 == 0 {
				commands += int64(command{file: run.File, args: run.Args}.bytes())
			}
		}
		ids = append(ids, e.ID)
	}
	return commands
}

func TestBytesOfLivingProcess(t *testing.T) {
	for _, n := range []int{10_000, 60_000, 100_000} {
		before := heap()
		tab := NewTable(Retention{})
		commands := host(tab, n)
		used := heap() - before - commands
		if tab.Counts().Alive != n {
			t.Fatalf("%+v", tab.Counts())
		}
		t.Logf("%d processes: %d bytes each, and %d of what they run", n, used/int64(n), commands/int64(n))
		if used > livingBytes*int64(n) && n == 100_000 {
			t.Errorf("of %d living processes each takes %d bytes, want at most %d", n, used/int64(n), livingBytes)
		}
		if err := tab.Check(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(tab)
	}
}

func TestUnseenDoNotPileUp(t *testing.T) {
	before := heap()
	tab := NewTable(Retention{Count: 10})
	for i := range 20_000 {
		now := Instant(10+i) * Instant(time.Millisecond)
		id := func(pid int) ID { return ID{PID: pid + 4*i, Start: now, Precision: Exact} }
		tab.Apply(&Event{Kind: Fork, Time: now, ID: id(7), Creator: id(4), Parent: id(5)})
		tab.Apply(&Event{Kind: Exited, Time: now, ID: id(7), Adopter: id(6)})
		tab.Apply(&Event{Kind: Gone, Time: now, ID: ID{PID: 3, Start: now, Precision: Exact}})
	}
	if tab.Len() > 40 {
		t.Errorf("%d are left: %+v", tab.Len(), tab.Counts())
	}
	wantHeapBelow(t, before, fixedBytes)
	if err := tab.Check(); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(tab)
}

// chain applies a chain of n processes below init, each made by the one
// before it, and returns their IDs.
func chain(tab *Table, n, firstPID int) []ID {
	ids := []ID{initID}
	for i := range n {
		id := ID{PID: firstPID + i, Start: Instant(2*time.Second) + Instant(i+1), Precision: Exact}
		tab.Apply(&Event{Kind: Fork, Time: id.Start, ID: id, Creator: ids[i], Parent: ids[i], Name: "link"})
		ids = append(ids, id)
	}
	return ids
}

func TestLivingChainIsNeverForgotten(t *testing.T) {
	tab := NewTable(Retention{Age: -1, Count: -1})
	tab.Apply(&Event{Kind: Seen, Time: sec, ID: initID, NoParent: true, Name: "init"})
	ids := chain(tab, 50, 10)
	for i, id := range ids[1:50] { // all but init and the last
		tab.Apply(&Event{Kind: Exited, Time: 3*sec + Instant(i), ID: id, Adopter: initID})
	}
	storm(tab, 50_000, 1000, initID)
	last := tab.ByID(ids[50])
	steps := tab.AppendLineage(nil, last)
	if len(steps) != 51 {
		t.Fatalf("%d steps are left of 51", len(steps))
	}
	for i, s := range steps {
		if want := ids[50-i]; s.Process.ID != want || s.Gap {
			t.Errorf("step %d is %v, want %v", i, s.Process.ID, want)
		}
	}
	if p, ev := tab.Parent(last); tab.ID(p) != initID || ev != Inferred {
		t.Errorf("parent is %v, %v", tab.ID(p), ev)
	}
	tab.Apply(&Event{Kind: Exited, Time: 1000 * sec, ID: ids[50], Adopter: initID})
	if tab.Len() != 1 {
		t.Errorf("%d are left when all but init have ended", tab.Len())
	}
}

func TestExpire(t *testing.T) {
	tab := NewTable(Retention{Age: 10 * time.Second})
	a, b, c, d := at(10, 2), at(11, 3), at(12, 4), at(13, 5)
	for _, e := range []Event{fork(5, d, initID), fork(2, a, initID), fork(3, b, a), fork(4, c, b),
		exit(5, a, initID), exit(20, c, b), exit(21, b, initID), exit(25, d, initID)} {
		tab.Apply(&e)
	}
	tab.Expire(29 * sec)
	if tab.ByID(c) == 0 || tab.ByID(a) == 0 {
		t.Error("forgotten too early")
	}
	tab.Expire(30 * sec)
	if tab.ByID(c) != 0 || tab.ByID(b) == 0 {
		t.Error("not what is too old is forgotten")
	}
	tab.Expire(31 * sec)
	if tab.ByID(b) != 0 || tab.ByID(a) != 0 {
		t.Error("an ancestor stays longer than who needed it")
	}
}

func TestShrinkKeepsAllAnswers(t *testing.T) {
	tab := NewTable(Retention{Count: 50})
	tab.Apply(&Event{Kind: Seen, Time: sec, ID: initID, NoParent: true, Name: "init"})
	const depth, chains = 6, 300
	var ids []ID
	for i := range chains {
		ids = append(ids, chain(tab, depth, 10+depth*i)[1:]...)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i, k := range random.Perm(len(ids))[:len(ids)-depth*chains/20] {
		tab.Apply(&Event{Kind: Exited, Time: 3*sec + Instant(i), ID: ids[k], Adopter: initID})
	}
	answers := func() []string {
		var all []string
		for r := range tab.All() {
			var children []int
			for c := range tab.Children(r) {
				children = append(children, tab.ID(c).PID)
			}
			slices.Sort(children)
			all = append(all, fmt.Sprint(tab.Process(r), lineage(tab, tab.ID(r)), children, tab.ID(tab.ByPID(tab.ID(r).PID))))
		}
		slices.Sort(all)
		return all
	}
	before, counts := answers(), tab.Counts()
	places := tab.nodes.end
	tab.Shrink()
	if tab.nodes.end == places {
		t.Fatalf("%d places for %d processes were not too many", places, tab.Len())
	}
	if err := tab.Check(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(answers(), before) || tab.Counts() != counts {
		t.Error("the answers changed")
	}
	storm(tab, 1000, 5000, initID)
	if err := tab.Check(); err != nil {
		t.Fatal(err)
	}
}

func TestShrinkGivesMemoryBack(t *testing.T) {
	before := heap()
	tab := NewTable(Retention{Age: -1})
	tab.Apply(&Event{Kind: Seen, Time: sec, ID: initID, NoParent: true, Name: "init"})
	for i := range 50_000 {
		now := 2*sec + Instant(i)
		tab.Apply(&Event{Kind: Seen, Time: now, ID: ID{PID: 10 + i, Start: now, Precision: Exact}, Parent: initID, Name: "x"})
	}
	tab.EndUnseen(3 * sec)
	if tab.Len() != 0 {
		t.Fatalf("%d are left", tab.Len())
	}
	tab.Shrink()
	wantHeapBelow(t, before, 8<<20)
	runtime.KeepAlive(tab)
}

func TestGraves(t *testing.T) {
	tab := NewTable(Retention{Age: -1, Count: -1})
	a, b := at(10, 2), at(10, 7)
	for _, e := range []Event{fork(2, a, initID), exit(3, a, initID)} {
		tab.Apply(&e)
	}
	for _, late := range []Event{fork(2, a, initID), seen(2, a, initID), {Kind: Exec, Time: 3 * sec, ID: a},
		{Kind: Moved, Time: 3 * sec, ID: at(10, 1), Cgroup: Cgroup{"0::/\n", "/"}}} {
		tab.Apply(&late)
		if tab.ByPID(10) != 0 {
			t.Errorf("%v of one that was forgotten is taken for news", late.Kind)
		}
	}
	tab.Apply(new(fork(7, b, initID)))
	if tab.ByPID(10) != tab.ByID(b) || tab.State(tab.ByID(b)) != Alive || tab.Counts().Reused != 1 {
		t.Errorf("the one after it is %v, %+v", tab.State(tab.ByID(b)), tab.Counts())
	}
	// One that may be another one in the same tick is not taken for it.
	c := ID{PID: 11, Start: FromTicks(500), Precision: ToTick}
	for _, e := range []Event{fork(6, c, initID), exit(6, c, initID), fork(6, c, initID)} {
		tab.Apply(&e)
	}
	if tab.State(tab.ByID(c)) != Alive {
		t.Error("it may live")
	}
	var g graves
	g.size = 8
	for pid := range 1000 {
		g.bury(at(pid, 1))
	}
	for pid := range 1000 {
		if held, _, _ := g.hold(at(pid, 1)); held != (pid >= 992) || len(g.all) > 8 {
			t.Errorf("of %d graves that of %d is remembered: %v", len(g.all), pid, held)
		}
	}
}
