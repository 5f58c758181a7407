package lineage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
)

// Everything that a family does is told, in order and with the chain above it.
func TestEvents(t *testing.T) {
	linuxtest.Quiet(t)
	eachLive(t, func(t *testing.T, tree *Tree) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events, err := tree.Events(ctx)
		if err != nil {
			t.Fatal(err)
		}
		running(t, tree)
		a := linuxtest.Start(t)
		b := a.Fork()
		c := b.Fork()
		pids := []int{a.PID, b.PID, c.PID}
		if _, err := tree.Process(c.PID); err != nil { // cnproc reads before they end
			t.Fatal(err)
		}
		c.Exit(7)
		b.Wait(c)
		b.Exit(0)
		a.Wait(b)

		exact := tree.Source().Name == bpf.Name
		state := map[int]process.Kind{}
		var last process.Instant
		for e := range events {
			if e.Time <= last && e.Kind != process.Gone {
				t.Errorf("%v at %d after one at %d", e.Kind, e.Time, last)
			}
			last = e.Time
			pid := e.Process.ID.PID
			was := state[pid]
			state[pid] = e.Kind
			if e.Kind == process.Loss {
				t.Fatal("a loss on a host that does nothing else")
			}
			i := indexOf(pids, pid)
			switch {
			case i < 0:
			case e.Kind == process.Fork && i > 0:
				if was != 0 || state[pids[i-1]] == 0 {
					t.Errorf("%d is born after %v, its parent %v", pid, was, state[pids[i-1]])
				}
				if exact && (len(e.Chain) < i+1 || e.Chain[0].ID.PID != pids[i-1] || e.Chain[0].Evidence != process.Observed) {
					t.Errorf("%d is told with the chain %v", pid, e.Chain)
				}
				if e.Process.Name == "" || e.Process.Cgroup.Membership == "" || e.Process.State != process.Alive {
					t.Errorf("born as %+v", e.Process)
				}
			case e.Kind == process.Exec && i == 0:
				if exact && (len(e.Process.Exec.Args) == 0 || e.Process.Exec.File == "") {
					t.Errorf("exec of %+v", e.Process.Exec)
				}
			case e.Kind == process.Exited:
				if e.Process.State != process.Ended || e.Process.Exit.Evidence != process.Observed || e.Process.Exit.Status.ExitStatus() != []int{0, 0, 7}[i] {
					t.Errorf("ended as %+v", e.Process)
				}
				if exact && e.Adopter.PID == 0 {
					t.Errorf("nobody adopts from %d", pid)
				}
			}
			if state[b.PID] == process.Exited {
				cancel()
			}
		}
		if state[c.PID] != process.Exited {
			t.Errorf("the last told of %d is %v", c.PID, state[c.PID])
		}
	})
}

// A process that is told to go where it is, or whose program is run by a thread
// that did not lead, is not moved.
func TestMovesThatAreNone(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Cgroups)
	tree := newTreeWith(t, Options{Source: bpf.Name})
	g, h := linuxtest.NewCgroup(t), linuxtest.NewCgroup(t)
	a := linuxtest.Start(t)
	a.Move(g)
	events, err := tree.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.Move(g)
	a.NewThread().Exec("usurper")
	a.Move(h)
	tree.drain()
	tree.interrupt(true)
	var moves []string
	execs := 0
	for e := range events {
		switch {
		case e.Process.ID.PID != a.PID:
		case e.Kind == process.Exec:
			execs++
		case e.Kind == process.Moved:
			moves = append(moves, e.From.Group, e.Process.Cgroup.Group)
		}
	}
	if want := []string{g.Path, h.Path}; execs != 1 || !slices.Equal(moves, want) {
		t.Errorf("%d execs, moves %q, want %q", execs, moves, want)
	}
}

func indexOf(pids []int, pid int) int {
	for i, p := range pids {
		if p == pid {
			return i
		}
	}
	return -1
}

// A reader that is too slow gets a Loss and then what comes next.
func TestSlowReader(t *testing.T) {
	s := &subscriber{more: make(chan struct{}, 1), out: make(chan Event)}
	at := process.Instant(0)
	push := func() {
		at++
		s.push(&Event{Kind: process.Fork, Time: at})
	}
	for s.lost == 0 {
		push()
	}
	room := at - 1
	push()
	if size := process.Instant(unsafe.Sizeof(Event{})); room*size > queueBytes || room < 20_000 {
		t.Errorf("there is room for %d events of %d bytes", room, size)
	}
	for want := range room {
		if e, over := s.next(); e.Time != want+1 || over {
			t.Fatalf("%+v, over %t, want number %d", e, over, want+1)
		}
		push() // which is lost too, until the loss is told
	}
	if e, over := s.next(); e.Kind != process.Loss || e.Since != room || e.Time != at || over {
		t.Errorf("%+v, over %t, want a loss of what came after %d until %d", e, over, room, at)
	}
	push()
	if e, _ := s.next(); e == nil || e.Time != at {
		t.Errorf("%v, want what comes next", e)
	}
	if e, _ := s.next(); e != nil {
		t.Errorf("%v, want nothing more", e)
	}
	if s.queue.bytes != 0 || cap(s.queue.waiting) > roomKept {
		t.Errorf("an empty queue takes %d bytes, with room for %d", s.queue.bytes, cap(s.queue.waiting))
	}
}

// What a busy reader has not taken when its context ends is sent all the same.
func TestReaderThatEnds(t *testing.T) {
	s := &subscriber{more: make(chan struct{}, 1), out: make(chan Event)}
	for at := range process.Instant(3) {
		s.push(&Event{Kind: process.Fork, Time: at + 1})
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.sendRest(s.send(ctx))
		close(s.out)
	}()
	for taken := false; !taken; runtime.Gosched() { // the first is about to be sent
		s.mu.Lock()
		taken = len(s.queue.waiting)-s.queue.head < 3
		s.mu.Unlock()
	}
	cancel()
	want := process.Instant(1)
	for e := range s.out {
		if e.Time != want {
			t.Errorf("event %d comes, want %d", e.Time, want)
		}
		want++
	}
	if want != 4 {
		t.Errorf("%d of 3 events were sent", want-1)
	}
}

// What waits is bounded by what it takes, and what events share counts once.
func TestQueueIsBoundedByBytes(t *testing.T) {
	fill := func(event func(i int) *Event) (n int) {
		var q eventQueue
		for q.add(event(n)) {
			n++
		}
		return n
	}
	chain := func() []process.Ancestor { return make([]process.Ancestor, maxChain) }
	command := func() []string { return []string{strings.Repeat("x", 4096)} }
	sharedChains, sharedCommand := [][]process.Ancestor{chain(), chain(), chain()}, command()
	plain := fill(func(int) *Event { return new(Event) })
	for _, test := range []struct {
		name       string
		event      func(i int) *Event
		less, most int
	}{
		{"own chains", func(int) *Event { return &Event{Chain: chain()} }, 1500, 2048},
		{"shared chains", func(i int) *Event { return &Event{Chain: sharedChains[i%3]} }, plain - 100, plain},
		{"own commands", func(int) *Event {
			return &Event{Process: process.Process{Exec: process.Command{Args: command()}}}
		}, 3000, 4096},
		{"a shared command", func(int) *Event {
			return &Event{Process: process.Process{Exec: process.Command{Args: sharedCommand}}}
		}, plain - 100, plain},
		{"own cgroups", func(i int) *Event {
			return &Event{From: process.Cgroup{Membership: fmt.Sprintf("%04096d", i)}}
		}, 3000, 4096},
		{"levels", func(int) *Event {
			return &Event{Process: process.Process{NamespacePIDs: make([]int, 32)}}
		}, 10_000, plain * 4 / 5},
	} {
		if n := fill(test.event); n < test.less || n > test.most {
			t.Errorf("%s: there is room for %d, want %d to %d", test.name, n, test.less, test.most)
		}
	}
}

// Siblings have the same chain, and a chain that has changed is another one.
func TestChainsAreShared(t *testing.T) {
	var c chains
	a := []process.Ancestor{{Link: process.Link{ID: process.ID{PID: 7, Start: 1}}, Name: "a"}}
	first := c.share(a)
	if again := c.share(slices.Clone(a)); &again[0] != &first[0] || &again[0] == &a[0] {
		t.Error("an equal chain is another one, or the caller's")
	}
	a[0].State = process.Ended
	if other := c.share(a); &other[0] == &first[0] || first[0].State == process.Ended || other[0].State != process.Ended {
		t.Errorf("%v and %v after a change", first, other)
	}
	if c.share(nil) != nil {
		t.Error("no chain is one")
	}
}

// Nobody waits for a reader that does not read, and Close ends all.
func TestReadersStandAlone(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	linuxtest.Quiet(t)
	tree, err := NewTree(Options{Source: bpf.Name})
	if err != nil {
		t.Fatal(err)
	}
	idle, err := tree.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	busy, err := tree.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- tree.Run(ctx) }()
	const n = 2000
	a := linuxtest.Start(t).Fork()
	if _, err := a.Churn(n, 0); err != nil {
		t.Fatal(err)
	}
	for exits := 0; exits < n; {
		e := <-busy
		if e.Kind == process.Loss {
			t.Fatalf("%+v", e)
		}
		if e.Kind == process.Exited && len(e.Chain) > 0 && e.Chain[0].ID.PID == a.PID {
			exits++
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
	for range busy {
	}
	for range idle {
	}
	if _, err := tree.Events(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("events of a closed tree: %v", err)
	}
}
