package lineage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/procfs"
)

// A host that loses events is made good by Run.
func TestLossIsHealed(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	tree := newTreeWith(t, Options{Source: bpf.Name, Buffer: 4096})
	a := linuxtest.Start(t)
	busy := a.Fork()
	pids, err := busy.Churn(2000, 4)
	if err != nil {
		t.Fatal(err)
	}
	kept := pids[len(pids)-4:]
	whole := func(ask func() ([]process.Process, error)) []process.Process {
		for {
			all, err := ask()
			if err == nil {
				return all
			}
			if !errors.Is(err, errLost) { // of what others do meanwhile
				t.Fatal(err)
			}
		}
	}
	whole(tree.Processes)
	if n := tree.Stats().Losses; n == 0 {
		t.Fatal("nothing was lost: the test is wrong")
	}
	for _, p := range whole(func() ([]process.Process, error) { return tree.Children(busy.PID) }) {
		if p.Creator.Evidence == process.Observed && p.Creator.ID.PID != busy.PID {
			t.Errorf("%v was created by %v", p.ID, p.Creator)
		}
	}
	for _, pid := range kept {
		wantSameGroup(t, tree, pid)
	}
	running(t, tree)
	if pids, err = busy.Churn(2000, 4); err != nil {
		t.Fatal(err)
	}
	wantSameGroup(t, tree, pids[len(pids)-1])
	for f := tree.live.Load(); !f.inStep(); {
		tree.drain() // Run makes it good
	}
	if _, ok := tree.recall(nil, subject{pid: busy.PID}); !ok && tree.live.Load().inStep() {
		t.Error("what was made good is still not answered from memory")
	}
}

// A scan to make good what was lost may fail, and is made again.
func TestHealingGoesOn(t *testing.T) {
	var b *failing
	tree, err := openTree(Options{MaxUpdateInterval: 200 * time.Millisecond}, []kind{{"failing", func(_ Options, proc *procfs.Source) (source.Live, error) {
		b = &failing{broken: broken{Source: proc, name: "failing"}}
		return b, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	f := tree.live.Load()
	b.left.Store(3)
	tree.take(f, &process.Event{Kind: process.Loss, Time: now()})
	if f.inStep() {
		t.Fatal("a loss leaves memory in step")
	}
	running(t, tree)
	for !f.inStep() {
		runtime.Gosched()
	}
	if n := b.left.Load(); n != 0 {
		t.Errorf("%d scans were to fail still", n)
	}
	wantSameGroup(t, tree, os.Getpid())
}

// failing fails as many scans as are left.
type failing struct {
	broken
	left atomic.Int32
}

func (f *failing) Scan(ctx context.Context, emit func(*process.Event)) error {
	if f.left.Load() > 0 {
		f.left.Add(-1)
		return errors.New("too many open files")
	}
	return f.broken.Scan(ctx, emit)
}

// Where the programs cannot tell a path, because it is too deep, it is read.
func TestCgroupTooDeepToTell(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Cgroups, linuxtest.Root)
	tree := newTreeWith(t, Options{Source: bpf.Name})
	g := linuxtest.NewCgroup(t)
	dirs := []string{g.Dir}
	for range 40 {
		dir := filepath.Join(dirs[len(dirs)-1], "d")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	t.Cleanup(func() {
		for _, dir := range slices.Backward(dirs[1:]) {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	})
	top := linuxtest.Start(t)
	a := top.Fork()
	wantSameGroup(t, tree, a.PID)
	deep := filepath.Join(dirs[len(dirs)-1], "cgroup.procs")
	if err := os.WriteFile(deep, []byte(strconv.Itoa(a.PID)), 0); err != nil {
		t.Fatal(err)
	}
	wantSameGroup(t, tree, a.PID)
	b := a.Fork()
	wantSameGroup(t, tree, b.PID)
	p, err := tree.Process(b.PID)
	if err != nil || !strings.HasSuffix(p.Cgroup.Group, strings.Repeat("/d", 40)) {
		t.Errorf("%+v, %v", p.Cgroup, err)
	}
	b.Exit(0)
	a.Wait(b)
	a.Exit(0)
	top.Wait(a)
}

// Whoever else drains, no answer has the path that a cgroup had before it was
// renamed.
func TestRenamedWhileOthersAsk(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Cgroups)
	tree := running(t, newTreeWith(t, Options{Source: bpf.Name}))
	g := linuxtest.NewCgroup(t)
	if g.Unified() {
		t.Skip("a cgroup of v2 keeps its name (cgroup1_rename)")
	}
	a := linuxtest.Start(t)
	a.Move(g)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = tree.FindAllAncestorProcessIDsInSameCgroup(a.PID)
				}
			}
		})
	}
	names := []string{g.Dir, g.Dir + "-renamed"}
	for i := range 100 {
		from, to := names[i%2], names[(i+1)%2]
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		p, err := tree.Process(a.PID)
		if err != nil || filepath.Base(p.Cgroup.Group) != filepath.Base(to) {
			t.Errorf("round %d: %q, %v, want %q", i, p.Cgroup.Group, err, to)
			break
		}
	}
	if err := os.Rename(names[1], names[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
}
