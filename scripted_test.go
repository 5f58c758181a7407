package lineage

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/procfs"
)

// scripted is a live source that tells what a test has it tell.
type scripted struct {
	broken
	pending []process.Event
	scan    func(emit func(*process.Event))
}

func (s *scripted) Pending() bool { return len(s.pending) > 0 }

func (s *scripted) Drain(emit func(*process.Event)) error {
	pending := s.pending
	s.pending = nil
	for i := range pending {
		emit(&pending[i])
	}
	return nil
}

func (s *scripted) Scan(_ context.Context, emit func(*process.Event)) error {
	if s.scan != nil {
		s.scan(emit)
	}
	return nil
}

// A play is a tree with a scripted source, and one reader of its events. Its
// processes are numbered from zero, and have PIDs that no other one has.
type play struct {
	*testing.T
	tree   *Tree
	source *scripted
	events <-chan Event
}

func newPlay(t *testing.T, began ...process.Event) *play {
	t.Helper()
	p := &play{T: t}
	tree, err := openTree(Options{}, []kind{{"scripted", func(_ Options, proc *procfs.Source) (source.Live, error) {
		p.source = &scripted{broken: broken{Source: proc, name: "scripted"}}
		p.source.scan = p.finds(began...)
		return p.source, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	p.tree = tree
	if p.events, err = tree.Events(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

const firstScripted = 1<<22 - 100_000

func scriptedID(n int) process.ID {
	return process.ID{PID: firstScripted + n, Start: process.Instant(n + 1), Precision: process.Exact}
}

// of returns an event about a process, in a cgroup where one is named.
func of(kind process.Kind, n int, path ...string) process.Event {
	e := process.Event{Kind: kind, ID: scriptedID(n), Name: fmt.Sprint("p", n)}
	for _, path := range path {
		e.Cgroup = process.Cgroup{Membership: "0::" + path + "\n", Group: path}
	}
	return e
}

// finds returns a scan that finds these.
func (p *play) finds(seen ...process.Event) func(emit func(*process.Event)) {
	return func(emit func(*process.Event)) {
		at := now()
		for i := range seen {
			seen[i].Time = at
			emit(&seen[i])
		}
	}
}

// happens adds to what the source has to tell.
func (p *play) happens(events ...process.Event) {
	for i := range events {
		events[i].Time = now()
	}
	p.source.pending = append(p.source.pending, events...)
}

// heal has the tree find out anew which processes there are.
func (p *play) heal() {
	p.Helper()
	p.tree.drain()
	if err := p.tree.scan(p.Context(), now()); err != nil {
		p.Fatal(err)
	}
}

// end has the tree say what is left to say, and returns all that was told of
// the processes of the script, and of losses.
func (p *play) end() []Event {
	p.tree.drain()
	p.tree.interrupt(true)
	var told []Event
	for e := range p.events {
		if e.Kind == process.Loss || e.Process.ID.PID >= firstScripted {
			told = append(told, e)
		}
	}
	return told[:len(told)-1] // the loss with which it ends
}

// wants holds what was told, of which process, to what was to be told.
func (p *play) wants(told []Event, want ...string) {
	p.Helper()
	got := []string{}
	for _, e := range told {
		text := e.Kind.String()
		if e.Kind != process.Loss {
			text += fmt.Sprint(" ", e.Process.ID.PID-firstScripted)
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		p.Errorf("told\n%q, want\n%q", got, want)
	}
}

// What a scan has found is told before what happened meanwhile, and nobody's
// birth twice.
func TestFoundThenHappened(t *testing.T) {
	p := newPlay(t, of(process.Seen, 0, "/"), of(process.Seen, 1, "/"))
	p.happens(process.Event{Kind: process.Loss})
	child := of(process.Seen, 3, "/")
	child.Parent = scriptedID(2)
	born := of(process.Fork, 4, "/")
	p.source.scan = func(emit func(*process.Event)) {
		p.finds(of(process.Seen, 0, "/"), child, of(process.Seen, 2, "/"), of(process.Seen, 4, "/"))(emit)
		p.happens(born, of(process.Exited, 0))
		p.tree.drain()
		if !p.tree.keeping || p.tree.kept.head == len(p.tree.kept.waiting) {
			t.Error("nothing is kept until the scan is over")
		}
	}
	p.heal()
	p.happens(of(process.Exec, 4))
	p.wants(p.end(), "loss", "seen 2", "seen 3", "gone 1", "fork 4", "exit 0", "exec 4")
}

// All that is found is told, parents before their children, also where the
// starts are known to the tick alone, and others may have the lock in between.
func TestManyFound(t *testing.T) {
	p := newPlay(t)
	p.happens(process.Event{Kind: process.Loss})
	const n = 3*publishBatch + 1
	var seen []process.Event
	want := []string{"loss"}
	for i := range n {
		e := of(process.Seen, n-1-i, "/")
		e.ID.Start = process.FromTicks(uint64(n-1-i) / 5)
		e.ID.Precision = process.ToTick
		seen = append(seen, e)
		want = append(want, fmt.Sprint("seen ", i))
	}
	p.source.scan = p.finds(seen...)
	p.heal()
	p.wants(p.end(), want...)
}

// So much may happen during a scan that not all of it is kept.
func TestMuchHappensDuringAScan(t *testing.T) {
	p := newPlay(t, of(process.Seen, 0, "/"))
	p.happens(process.Event{Kind: process.Loss})
	last := process.Instant(0)
	p.source.scan = func(emit func(*process.Event)) {
		p.finds(of(process.Seen, 0, "/"))(emit)
		for p.tree.keptLost == 0 {
			p.happens(of(process.Exec, 0))
			last = p.source.pending[0].Time
			p.tree.drain()
		}
	}
	p.heal()
	n, before := 0, process.Instant(0)
	for e := range p.events {
		if n++; n > 1 && e.Kind == process.Loss { // the first is why it scans
			if e.Time != last || e.Since != before {
				t.Errorf("%+v, want a loss of what came after %d until %d", e, before, last)
			}
			break
		}
		before = e.Time
	}
	if n < 20_000 {
		t.Errorf("%d events, and then a loss", n)
	}
	p.wants(p.end())
}

// That cgroups have other names is a loss to memory alone.
func TestRenamesAreNoLoss(t *testing.T) {
	p := newPlay(t, of(process.Seen, 0, "/"))
	p.happens(process.Event{Kind: process.Loss, Renamed: true}, of(process.Exec, 0))
	p.tree.drain()
	if p.tree.live.Load().inStep() {
		t.Error("memory is in step after a rename")
	}
	p.wants(p.end(), "exec 0")
}

// What the source leaves out and /proc has is still there.
func TestLeftOutByAScan(t *testing.T) {
	a := linuxtest.Start(t)
	seen := process.Event{Kind: process.Seen, ID: a.ID(), Name: "a"}
	p := newPlay(t, seen, of(process.Seen, 0, "/"))
	for _, lost := range []bool{false, true} {
		if lost {
			p.happens(process.Event{Kind: process.Loss})
		}
		p.source.scan = p.finds()
		p.heal()
		if s := p.tree.table.State(p.tree.table.ByPID(a.PID)); s != process.Alive {
			t.Errorf("%d is %v, after a loss: %t", a.PID, s, lost)
		}
	}
	p.wants(p.end(), "gone 0", "loss")
}

// A move is from one cgroup to another one.
func TestMovesAreToAnotherCgroup(t *testing.T) {
	p := newPlay(t, of(process.Seen, 0, "/a"), of(process.Seen, 1, "/a"), of(process.Seen, 2))
	p.happens(
		of(process.Moved, 0, "/a"), // where it is
		of(process.Moved, 0, "/b"),
		of(process.Moved, 2), // nobody knows from where, nor whereto
		process.Event{Kind: process.Loss},
	)
	p.source.scan = func(emit func(*process.Event)) {
		p.finds(of(process.Seen, 0, "/c"), of(process.Seen, 1, "/a"), of(process.Seen, 2, "/a"))(emit)
		p.happens(of(process.Moved, 0, "/c"), of(process.Moved, 1, "/a"))
	}
	p.heal()
	p.happens(of(process.Moved, 0, "/c"), process.Event{Kind: process.Loss}, of(process.Moved, 0, "/c"))
	told := p.end()
	p.wants(told, "move 0", "move 2", "loss", "move 0", "loss", "move 0")
	var from []string
	for _, e := range told {
		if e.Kind == process.Moved {
			from = append(from, e.From.Group+">"+e.Process.Cgroup.Group)
		}
	}
	if want := []string{"/a>/b", ">", ">/c", ">/c"}; !slices.Equal(from, want) {
		t.Errorf("moves %q, want %q", from, want)
	}
}
