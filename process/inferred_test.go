package process_test

import (
	"testing"

	"github.com/proclineage/lineage/internal/simkernel"
	"github.com/proclineage/lineage/process"
)

// look returns a table that has read the kernel once.
func look(k *simkernel.Kernel) *process.Table {
	tab := process.NewTable(process.Retention{})
	scan, _ := simkernel.View{}.Scan(k)
	for i := range scan {
		tab.Apply(&scan[i])
	}
	return tab
}

// What is inferred of the creator, and where it is wrong: this is the whole
// list, as the model's random programs show (creatorHolds).
func TestInferredCreator(t *testing.T) {
	for name, test := range map[string]struct {
		run  func(k *simkernel.Kernel, a *simkernel.Process) (child *simkernel.Process)
		want process.Evidence
		true bool
	}{
		"child of a plain process": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				return k.Fork(a.Leader(), simkernel.Clone{})
			}, process.Inferred, true,
		},
		"orphan of a thread": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				u := k.NewThread(a.Leader())
				c := k.Fork(u, simkernel.Clone{})
				k.ExitThread(u)
				return c
			}, process.Inferred, true,
		},
		"orphan of a process, adopted by init": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				c := k.Fork(a.Leader(), simkernel.Clone{})
				k.Exit(a)
				return c
			}, process.Unknown, false,
		},
		"child of a subreaper": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				k.SetSubreaper(a, true)
				return k.Fork(a.Leader(), simkernel.Clone{})
			}, process.Unknown, false,
		},
		"orphan adopted by one that was a subreaper when nobody looked": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				b := k.Fork(a.Leader(), simkernel.Clone{})
				c := k.Fork(b.Leader(), simkernel.Clone{})
				k.SetSubreaper(a, true)
				k.Exit(b)
				k.SetSubreaper(a, false)
				return c
			}, process.Inferred, false,
		},
		"sibling made with CLONE_PARENT": {
			func(k *simkernel.Kernel, a *simkernel.Process) *simkernel.Process {
				b := k.Fork(a.Leader(), simkernel.Clone{})
				return k.Fork(b.Leader(), simkernel.Clone{Parent: true})
			}, process.Inferred, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := simkernel.New(100, began)
			c := test.run(k, k.Fork(k.Init().Leader(), simkernel.Clone{}))
			tab := look(k)
			got := tab.Process(tab.ByID(c.ID)).Creator
			if got.Evidence != test.want || (got.ID == c.Creator.ID) != test.true {
				t.Errorf("creator is %v %v, truth %v", got.ID, got.Evidence, c.Creator.ID)
			}
		})
	}
}
