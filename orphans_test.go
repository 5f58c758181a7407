package lineage

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/procfs"
)

// Promise 2, freshness, while a process ends that the kernel needs long to take
// down: it is the parent until that is done, and by then another one may adopt
// than when it ended.
func TestFreshnessOfOrphans(t *testing.T) {
	t.Run(procfs.Name, func(t *testing.T) { orphans(t, newTree(t)) })
	eachLive(t, orphans)
}

func orphans(t *testing.T, tree *Tree) {
	orphaned(t, tree, false)
	for tries := 1; !orphaned(t, tree, true); tries++ {
		if tries == 20 {
			t.Fatal("the parent was always gone before another one could adopt")
		}
	}
}

// orphaned asks while a process ends, and reports whether another one could adopt
// between, where that is asked for.
func orphaned(t *testing.T, tree *Tree, between bool) bool {
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	above := top.Fork()
	parent := above.Fork()
	child := parent.Fork()
	if err := parent.SlowDown(); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Lineage(child.PID); err != nil {
		t.Fatal(err)
	}
	o := orphan{parent: parent, child: child, chain: parents(t, child.PID), group: sameGroup(t, child.PID), adopter: top}
	if err := unix.Kill(parent.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	const exiting = 4 // PF_EXITING
	for parent.Stat().Flags&exiting == 0 {
		runtime.Gosched()
	}
	if between {
		o.adopter = above
		above.SetSubreaper(true)
		if has, _ := o.now(); !has {
			top.Kill(unix.SIGKILL)
			return false // it may have come too late
		}
	}
	meanwhile := 0
	for zombie := false; !zombie; {
		for name, ask := range orphanQuestions {
			had, was := o.now()
			got, state, err := ask(tree, &o)
			has, is := o.now()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if before, after := o.answer(name, had), o.answer(name, has); !slices.Equal(got, before) && !slices.Equal(got, after) {
				t.Fatalf("%s: %v, want %v or %v", name, got, before, after)
			}
			if state == process.Zombie && !is || state == process.Alive && was {
				t.Fatalf("%s: the parent is %v, and is a zombie before %t, after %t", name, state, was, is)
			}
			if had {
				meanwhile++
			}
			zombie = is
		}
	}
	t.Logf("%d answers while the parent had its child", meanwhile)
	parent.Kill(unix.SIGKILL)
	above.Wait(parent)
	p, err := tree.Process(child.PID)
	if err != nil || p.Parent.ID.PID != o.adopter.PID || p.Parent.Evidence != process.Scanned {
		t.Errorf("in the end: parent %v, %v, want %d", p.Parent, err, o.adopter.PID)
	}
	if _, err := tree.Process(parent.PID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the reaped parent: %v", err)
	}
	top.Kill(unix.SIGKILL)
	return true
}

// An orphan is a child of a process that ends.
type orphan struct {
	parent, child, adopter *linuxtest.Actor
	chain, group           []int // its ancestors, and those in its cgroup, before the end
}

// now reports whether the parent has its child still, and whether it is a zombie.
func (o *orphan) now() (has, zombie bool) {
	return o.child.Stat().PPID == o.parent.PID, o.parent.Stat().State == 'Z'
}

// answer returns what the answer to a question is where the parent has its child,
// or has it no more.
func (o *orphan) answer(question string, has bool) []int {
	chain := o.chain
	if !has {
		chain = chain[slices.Index(chain, o.adopter.PID):]
	}
	switch question {
	case "parent", "process":
		return chain[:1]
	case "same cgroup":
		return slices.DeleteFunc(slices.Clone(o.group), func(pid int) bool { return !slices.Contains(chain, pid) })
	case "children":
		if has {
			return []int{o.child.PID}
		}
		return nil
	case "state":
		return nil
	}
	return chain
}

// orphanQuestions answer with PIDs, and the state of the parent where it is told.
var orphanQuestions = map[string]func(*Tree, *orphan) ([]int, process.State, error){
	"parent": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		p, err := tree.Parent(o.child.PID)
		if p.ID.PID != o.parent.PID {
			p.State = process.Unseen
		}
		return []int{p.ID.PID}, p.State, err
	},
	"process": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		p, err := tree.Process(o.child.PID)
		return []int{p.Parent.ID.PID}, process.Unseen, err
	},
	"state": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		p, err := tree.Process(o.parent.PID)
		return nil, p.State, err
	},
	"ancestors": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		all, err := tree.Ancestors(o.child.PID)
		return pids(all), process.Unseen, err
	},
	"lineage": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		steps, err := tree.Lineage(o.child.PID)
		if err != nil {
			return nil, process.Unseen, err
		}
		all, err := tree.AncestorsByID(steps[0].Process.ID)
		return pids(all), process.Unseen, err
	},
	"same cgroup": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		all, err := tree.FindAllAncestorProcessIDsInSameCgroup(o.child.PID)
		return all, process.Unseen, err
	},
	"children": func(tree *Tree, o *orphan) ([]int, process.State, error) {
		all, err := tree.Children(o.parent.PID)
		return pids(all), process.Unseen, err
	},
}
