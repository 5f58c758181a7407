package lineage

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// stepper is a source that calls do before its nth call.
type stepper struct {
	source.Reader
	n  int
	do func()
}

func (s *stepper) step() {
	if s.n--; s.n == -1 {
		s.do()
	}
}

func (s *stepper) Read(pid int, e *process.Event) error {
	s.step()
	return s.Reader.Read(pid, e)
}

func (s *stepper) Check(id process.ID, membership string) (source.Status, error) {
	s.step()
	return s.Reader.Check(id, membership)
}

// TestInterleavings changes the chain of a process between any two calls that
// a question makes: the answer has to be what was before or what was after, and
// the next answer what was after.
func TestInterleavings(t *testing.T) {
	type cast struct{ a, b, c, d *linuxtest.Actor }
	changes := []struct {
		name   string
		needs  []linuxtest.Feature
		change func(cast)
	}{
		{"parent ends", nil, func(x cast) { x.c.Exit(0); x.b.Wait(x.c) }},
		{"parent is a zombie", nil, func(x cast) { x.c.Exit(0) }},
		{"grandparent ends", nil, func(x cast) { x.b.Exit(0); x.a.Wait(x.b) }},
		{"both end", nil, func(x cast) { x.c.Exit(0); x.b.Wait(x.c); x.b.Exit(0); x.a.Wait(x.b) }},
		{"PID of the grandparent is reused", []linuxtest.Feature{linuxtest.SetTID}, func(x cast) {
			x.b.Exit(0)
			x.a.Wait(x.b)
			x.a.Clone(linuxtest.CloneOptions{PID: x.b.PID})
		}},
		{"PID of the parent is reused", []linuxtest.Feature{linuxtest.SetTID}, func(x cast) {
			x.c.Exit(0)
			x.b.Wait(x.c)
			x.a.Clone(linuxtest.CloneOptions{PID: x.c.PID})
		}},
	}
	questions := map[string]func(*Tree, int) ([]int, error){
		"same cgroup": (*Tree).FindAllAncestorProcessIDsInSameCgroup,
		"ancestors": func(tree *Tree, pid int) ([]int, error) {
			all, err := tree.Ancestors(pid)
			return pids(all), err
		},
		"parent": func(tree *Tree, pid int) ([]int, error) {
			p, err := tree.Parent(pid)
			return []int{p.ID.PID}, err
		},
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			linuxtest.Need(t, c.needs...)
			for question, ask := range questions {
				for _, known := range []bool{false, true} {
					for n := 0; ; n++ {
						a := linuxtest.Start(t)
						a.SetSubreaper(true)
						b := a.Fork()
						mid := b.Fork()
						x := cast{a, b, mid, mid.Fork()}
						tree := newTree(t)
						before := parents(t, x.d.PID)
						if question == "parent" {
							before = before[:1]
						}
						if known {
							if _, err := ask(tree, x.d.PID); err != nil {
								t.Fatal(err)
							}
						}
						s := &stepper{Reader: tree.reader, n: n, do: func() { c.change(x) }}
						tree.reader = s
						got, err := ask(tree, x.d.PID)
						tree.reader = s.Reader
						reached := s.n < 0
						if !reached {
							c.change(x)
						}
						after := parents(t, x.d.PID)
						if question == "parent" {
							after = after[:1]
						}
						where := fmt.Sprintf("%s, known %v, change before call %d", question, known, n)
						if err != nil || !slices.Equal(got, before) && !slices.Equal(got, after) {
							t.Fatalf("%s: %v, %v, want %v or %v", where, got, err, before, after)
						}
						if got, err = ask(tree, x.d.PID); err != nil || !slices.Equal(got, after) {
							t.Fatalf("%s, asked again: %v, %v, want %v", where, got, err, after)
						}
						a.Kill(9)
						if !reached || testing.Short() && n > 5 {
							break
						}
					}
				}
			}
		})
	}
}

// A chain that is not known yet may be as deep as there are PIDs.
func TestDeepChain(t *testing.T) {
	depth := 10_000
	if room, err := linuxtest.Room(); err != nil {
		t.Fatal(err)
	} else if room < depth {
		depth = room
	}
	head := linuxtest.Start(t).Fork()
	links, err := head.Chain(depth)
	if err != nil {
		t.Fatal(err)
	}
	tree := newTree(t)
	want := len(parents(t, head.PID)) + depth
	for range 2 {
		got, err := tree.FindAllAncestorProcessIDsInSameCgroup(links[depth-1].PID)
		if err != nil || len(got) != want || got[depth-1] != head.PID {
			t.Fatalf("%d ancestors, %v, want %d", len(got), err, want)
		}
	}
	head.EndChain()
}

// What is told of processes that have ended is what is known of them.
func TestEndedChain(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	a.SetSubreaper(true)
	b := a.Fork()
	c := b.Fork()
	d := c.Fork()
	all, err := tree.Ancestors(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	parent, grandparent := all[0], all[1]

	// c outlives b, so that its last parent is a, or is not known.
	b.Exit(0)
	c.Exit(0)
	a.Wait(b)
	a.Wait(c)
	p, err := tree.ProcessByID(parent.ID)
	if err != nil || p.State != process.Ended || p.Parent.Evidence != process.Unknown && p.Parent.ID.PID != a.PID {
		t.Errorf("%+v, %v, want it ended, its last parent %d or not known", p, err, a.PID)
	}
	m := meddle(tree)
	if _, err := tree.AncestorsByID(parent.ID); !errors.Is(err, ErrIncomplete) {
		t.Errorf("ancestors of the ended process: %v, want ErrIncomplete", err)
	}
	if n := m.reads.Load(); n > 5 {
		t.Errorf("%d readings to learn nothing", n)
	}
	steps, err := tree.Lineage(d.PID)
	if err != nil || len(steps) < 4 {
		t.Fatalf("%v, %v", steps, err)
	}
	for i, id := range []process.ID{parent.ID, grandparent.ID} {
		if s := steps[i+1]; s.Process.ID != id || s.Process.State != process.Ended || !s.Gap {
			t.Errorf("step %d is %v %v, want %v ended, as a gap", i+1, s.Process.ID, s.Process.State, id)
		}
	}
	if _, err := tree.LineageByID(parent.ID); err != nil {
		t.Errorf("lineage of the ended process: %v", err)
	}
}

// Looking whether known processes are alive takes no descriptors from those
// that are asked for.
func TestSweepHoldsNothing(t *testing.T) {
	tree := newTree(t)
	if _, err := tree.Processes(); err != nil {
		t.Fatal(err)
	}
	tree.sweep(sweepSize)
	if s := tree.Stats(); s.Descriptors != 0 {
		t.Errorf("%d descriptors are held for nobody", s.Descriptors)
	}
}
