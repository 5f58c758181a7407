package lineage

import (
	"context"
	"errors"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
)

// Everything that a family does is told, in order and with the chain above it.
func TestEvents(t *testing.T) {
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
	const n = eventQueue + 10
	push := func(at int) { s.push(Event{Kind: process.Fork, Time: process.Instant(at)}) }
	for at := 1; at <= n; at++ {
		push(at)
	}
	batch, over := s.take(nil)
	if len(batch) != eventQueue+1 || over {
		t.Fatalf("%d events, over %t", len(batch), over)
	}
	if e := batch[eventQueue]; e.Kind != process.Loss || e.Since != eventQueue || e.Time != n {
		t.Errorf("%+v, want a loss of what came after %d until %d", e, eventQueue, n)
	}
	push(n + 1)
	if batch, _ = s.take(batch); len(batch) != 1 || batch[0].Time != n+1 {
		t.Errorf("%v, want what comes next", batch)
	}
	if batch, _ = s.take(batch); len(batch) != 0 {
		t.Errorf("%v, want nothing more", batch)
	}
}

// Nobody waits for a reader that does not read, and Close ends all.
func TestReadersStandAlone(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
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
