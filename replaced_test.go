package lineage

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Each test here is named after a way in which the tree that lineage replaces
// errs.

// meddler is a source that lets a test step in.
type meddler struct {
	source.Reader
	scan  func(emit func(*process.Event), e *process.Event) error // for each event of a scan
	reads atomic.Int64
}

func (m *meddler) Scan(ctx context.Context, emit func(*process.Event)) error {
	var failed error
	err := m.Reader.Scan(ctx, func(e *process.Event) {
		if failed != nil {
			return
		}
		if m.scan == nil {
			emit(e)
			return
		}
		failed = m.scan(emit, e)
	})
	return errors.Join(err, failed)
}

func (m *meddler) Read(pid int, e *process.Event) error {
	m.reads.Add(1)
	return m.Reader.Read(pid, e)
}

func meddle(tree *Tree) *meddler {
	m := &meddler{Reader: tree.reader}
	tree.reader = m
	return m
}

func TestFailedStatInFullUpdateKeepsTheTree(t *testing.T) {
	tree := newTree(t)
	m := meddle(tree)
	if _, err := tree.Processes(); err != nil {
		t.Fatal(err)
	}
	known := tree.Stats().Alive
	errStat := errors.New("stat fails")
	n := 0
	m.scan = func(emit func(*process.Event), e *process.Event) error {
		if n++; n > 3 {
			return errStat
		}
		emit(e)
		return nil
	}
	if err := tree.scan(t.Context(), now()); !errors.Is(err, errStat) {
		t.Fatalf("the update: %v, want %v", err, errStat)
	}
	if got := tree.Stats().Alive; got < known-1 {
		t.Errorf("%d processes known after a failed update, %d before", got, known)
	}
	if _, err := tree.Processes(); !errors.Is(err, errStat) {
		t.Errorf("all processes: %v, want %v", err, errStat)
	}
	wantSameGroup(t, tree, linuxtest.Start(t).PID) // what is written next
}

func TestAdoptedChildHasItsNewParent(t *testing.T) {
	for name, reaper := range map[string]func(a *linuxtest.Actor) *linuxtest.Actor{
		"subreaper": func(a *linuxtest.Actor) *linuxtest.Actor { a.SetSubreaper(true); return a },
		"init of the namespace": func(a *linuxtest.Actor) *linuxtest.Actor {
			linuxtest.Need(t, linuxtest.PIDNamespace)
			return a.Clone(linuxtest.CloneOptions{NewPID: true, NewUser: os.Geteuid() != 0})
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			adopter := reaper(linuxtest.Start(t))
			b := adopter.Fork()
			c := b.Fork()
			d := c.Fork()
			wantSameGroup(t, tree, d.PID)
			was, err := tree.Process(c.PID)
			if err != nil || was.ID.PID != c.PID {
				t.Fatal(was.ID, err)
			}
			c.Exit(0)
			// c is a zombie: d has been adopted already.
			got, err := tree.FindAllAncestorProcessIDsInSameCgroup(d.PID)
			if err != nil || len(got) == 0 || got[0] != adopter.PID {
				t.Fatalf("beside a zombie: %v, %v, want %d first", got, err, adopter.PID)
			}
			b.Wait(c)
			wantSameGroup(t, tree, d.PID)

			// Two parents: who was the parent before is kept.
			chain, err := tree.Lineage(d.PID)
			if err != nil || len(chain) < 3 {
				t.Fatalf("%v, %v", chain, err)
			}
			if p := chain[0].Process.Parent; p.ID.PID != adopter.PID || p.Evidence != process.Scanned {
				t.Errorf("parent %v, want %d", p, adopter.PID)
			}
			if p := chain[1].Process; p.ID.PID != c.PID || p.State != process.Ended || !chain[1].Gap {
				t.Errorf("lineage has %v %v after it, want the ended %d, marked as a gap", p.ID, p.State, c.PID)
			}
			if p := chain[2].Process; p.ID.PID != b.PID {
				t.Errorf("lineage has %v above the ended one, want %d", p.ID, b.PID)
			}
		})
	}
}

func TestAncestorWithReusedPIDIsNotReported(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID)
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	c := b.Fork()
	d := c.Fork()
	wantSameGroup(t, tree, d.PID)
	b.Exit(0)
	a.Wait(b)
	other := a.Clone(linuxtest.CloneOptions{PID: b.PID})
	got, err := tree.FindAllAncestorProcessIDsInSameCgroup(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(got, other.PID) {
		t.Errorf("%v has %d, which is no ancestor any more", got, other.PID)
	}
	wantSameGroup(t, tree, d.PID)
	wantSameGroup(t, tree, other.PID)
}

func TestCircleOfStaleEntriesEnds(t *testing.T) {
	linuxtest.Need(t, linuxtest.Pidfs) // or a made-up start is another process
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	read := func(pid int) process.Event {
		var e process.Event
		if err := tree.reader.Read(pid, &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	// Equal ticks, so that neither can be told to be the elder.
	wantSameGroup(t, tree, b.PID)
	first, second := read(a.PID), read(b.PID)
	first.ID.Start = second.ID.Start
	first.Parent, second.Parent = second.ID, first.ID
	tree.table.Apply(&first)
	tree.table.Apply(&second)
	wantSameGroup(t, tree, b.PID)
	wantSameGroup(t, tree, a.PID)
	if chain, err := tree.Lineage(b.PID); err != nil || len(chain) > tree.table.Len() {
		t.Errorf("lineage of %d steps, %v", len(chain), err)
	}
}

func TestQueryDuringFullUpdateIsKept(t *testing.T) {
	tree := newTree(t)
	m := meddle(tree)
	a := linuxtest.Start(t)
	var b *linuxtest.Actor
	m.scan = func(emit func(*process.Event), e *process.Event) error {
		if b == nil { // born after the listing
			b = a.Fork()
			wantSameGroup(t, tree, b.PID)
		}
		emit(e)
		return nil
	}
	if err := tree.scan(t.Context(), now()); err != nil {
		t.Fatal(err)
	}
	m.reads.Store(0)
	wantSameGroup(t, tree, b.PID)
	if n := m.reads.Load(); n != 0 {
		t.Errorf("%d processes were read again after the update", n)
	}
}

func TestEndedProcessesAreForgottenWithoutReuse(t *testing.T) {
	tree := newTreeWith(t, Options{Retention: process.Retention{Count: 10}})
	a := linuxtest.Start(t)
	const n = 300
	for range n {
		b := a.Fork()
		wantSameGroup(t, tree, b.PID)
		b.Exit(0)
		a.Wait(b)
	}
	s := tree.Stats()
	if living := len(parents(t, a.PID)) + 1; s.Alive > living+n/10 {
		t.Errorf("%d processes are taken for alive, %d are", s.Alive, living)
	}
	if s.Ended > 10 {
		t.Errorf("%d ended processes are kept, want 10 at most", s.Ended)
	}
}

func TestAncestorThatIsGoneDoesNotFailTheQuestion(t *testing.T) {
	tree := newTree(t)
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	chain := []*linuxtest.Actor{top.Fork()}
	for range 20 {
		chain = append(chain, chain[len(chain)-1].Fork())
	}
	leaf := chain[len(chain)-1]
	wantSameGroup(t, tree, leaf.PID)

	// While one ancestor after the other ends, an answer is right if it is a
	// chain that there was.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, a := range chain[:len(chain)-1] {
			a.Exit(0)
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		got, err := tree.FindAllAncestorProcessIDsInSameCgroup(leaf.PID)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(got, top.PID)
		if i < 0 {
			t.Fatalf("%v lacks %d, which is above all of it", got, top.PID)
		}
		// Each that ends gives its child to top: what is between is a tail
		// of the chain, from some ancestor down to the leaf's parent.
		for j, pid := range got[:i] {
			if want := chain[len(chain)-2-j].PID; pid != want {
				t.Fatalf("%v: at %d is %d, want %d", got[:i], j, pid, want)
			}
		}
	}
	wantSameGroup(t, tree, leaf.PID)
}

func TestProcessWithSamePIDAndTickIsAnother(t *testing.T) {
	linuxtest.Need(t, linuxtest.SetTID, linuxtest.Pidfs)
	tree := newTree(t)
	a := linuxtest.Start(t)
	pid := 0
	collisions := 0
	const patience = time.Minute // other load may make a tick too short
	for begun, n := time.Now(), 0; n < 200 || collisions == 0 && time.Since(begun) < patience; n++ {
		b, err := a.TryClone(linuxtest.CloneOptions{PID: pid})
		if errors.Is(err, syscall.EEXIST) { // PIDs went round, and another one has it
			pid = 0
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		pid = b.PID
		first, err := tree.Process(pid)
		if err != nil {
			t.Fatal(err)
		}
		b.Exit(0)
		a.Wait(b)
		b, err = a.TryClone(linuxtest.CloneOptions{PID: pid})
		if errors.Is(err, syscall.EEXIST) {
			pid = 0
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		second, err := tree.Process(pid)
		if err != nil {
			t.Fatal(err)
		}
		if first.ID.Start == second.ID.Start {
			collisions++
		}
		if first.ID.Same(second.ID) {
			t.Fatalf("%v and %v are taken for one process", first.ID, second.ID)
		}
		if old, err := tree.ProcessByID(first.ID); err != nil || old.State != process.Ended {
			t.Fatalf("%v: %v, %v, want it ended", first.ID, old.State, err)
		}
		wantSameGroup(t, tree, pid)
		b.Exit(0)
		a.Wait(b)
	}
	if tree.Stats().Reused == 0 {
		t.Error("no reuse was counted")
	}
	if collisions == 0 {
		linuxtest.Lack(t, linuxtest.Quick, "no PID was reused within a tick")
	}
}
