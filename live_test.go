package lineage

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/proclineage/lineage/source/procfs"
)

// eachLive runs the test with every live source.
func eachLive(t *testing.T, test func(t *testing.T, tree *Tree)) {
	for _, s := range []struct {
		name  string
		needs linuxtest.Feature
	}{{bpf.Name, linuxtest.BPF}, {cnproc.Name, linuxtest.Connector}} {
		t.Run(s.name, func(t *testing.T) {
			linuxtest.Need(t, s.needs)
			test(t, newTreeWith(t, Options{Source: s.name}))
		})
	}
}

// running runs the tree until the test ends.
func running(t *testing.T, tree *Tree) *Tree {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := tree.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return tree
}

// Promise 2, freshness, with the answers of a test that knows what it did, and
// with nobody who drains but the questions.
func TestFreshnessOfLiveSources(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	eachLive(t, func(t *testing.T, tree *Tree) {
		rounds := 100_000
		if testing.Short() || tree.Source().Name != bpf.Name {
			rounds = 5000
		}
		f := newFamily(t)
		for range rounds {
			ended := f.change()
			if ended != 0 {
				if _, err := tree.Process(ended); !errors.Is(err, ErrNotFound) {
					t.Fatalf("the ended %d: %v, want ErrNotFound", ended, err)
				}
			}
			pid, want := f.ancestorsInGroup()
			got, err := tree.FindAllAncestorProcessIDsInSameCgroup(pid)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("ancestors of %d in its cgroup: %v, %v, want %v", pid, got, err, want)
			}
		}
		if n := tree.Stats().Losses; n != 0 && rounds == 100_000 {
			t.Logf("%d losses on the way", n)
		}
	})
}

// A family is processes below one subreaper, each the child of the one before,
// whose parents and cgroups the test knows.
type family struct {
	random *rand.Rand
	groups []*linuxtest.Cgroup // nil is where the test itself is
	above  []int               // the ancestors of top in its cgroup
	top    *linuxtest.Actor
	chain  []member
}

type member struct {
	*linuxtest.Actor
	group *linuxtest.Cgroup
}

func newFamily(t *testing.T) *family {
	f := &family{
		random: rand.New(rand.NewPCG(1, 2)),
		groups: []*linuxtest.Cgroup{linuxtest.NewCgroup(t), linuxtest.NewCgroup(t)},
		top:    linuxtest.Start(t),
	}
	f.top.SetSubreaper(true)
	f.above = sameGroup(t, f.top.PID)
	return f
}

func (f *family) last() member {
	if len(f.chain) == 0 {
		return member{f.top, nil}
	}
	return f.chain[len(f.chain)-1]
}

// change forks, moves, or ends a process, of which it returns the PID.
func (f *family) change() (ended int) {
	n := f.random.IntN(4)
	switch {
	case len(f.chain) < 2 || n == 0 && len(f.chain) < 20:
		f.chain = append(f.chain, member{f.last().Fork(), f.last().group})
	case n == 1:
		i := f.random.IntN(len(f.chain))
		m := &f.chain[i]
		m.group = f.groups[f.random.IntN(len(f.groups))]
		m.Move(m.group)
	default: // its child is adopted by the top, and so is what stands above
		i := f.random.IntN(len(f.chain))
		parent := f.top
		if i > 0 {
			parent = f.chain[i-1].Actor
		}
		f.chain[i].Exit(0)
		parent.Wait(f.chain[i].Actor)
		ended = f.chain[i].PID
		for _, left := range f.chain[:i] { // each is the top's by then
			left.Exit(0)
			f.top.Wait(left.Actor)
		}
		f.chain = f.chain[i+1:]
	}
	return ended
}

// ancestorsInGroup returns a process and its ancestors in its cgroup.
func (f *family) ancestorsInGroup() (pid int, want []int) {
	want = []int{}
	own := f.last()
	for _, m := range slices.Backward(f.chain[:max(len(f.chain)-1, 0)]) {
		if m.group == own.group {
			want = append(want, m.PID)
		}
	}
	if own.group != nil {
		return own.PID, want
	}
	if own.Actor != f.top {
		want = append(want, f.top.PID)
	}
	return own.PID, append(want, f.above...)
}

// Promise 3, two parents: the creator outlives its end, and is another one than
// the parent with CLONE_PARENT and after an adoption.
func TestCreatorsAreObserved(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	tree := newTreeWith(t, Options{Source: bpf.Name})
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	a := top.Fork()
	b := a.Fork()
	sibling := b.Clone(linuxtest.CloneOptions{Parent: true})
	child := b.Fork()
	of, err := tree.Process(b.PID)
	if err != nil {
		t.Fatal(err)
	}
	b.Exit(0)
	a.Wait(b)
	for _, test := range []struct {
		pid, parent int
		evidence    process.Evidence
	}{{sibling.PID, a.PID, process.Observed}, {child.PID, top.PID, process.Scanned}} {
		p, err := tree.Process(test.pid)
		if err != nil {
			t.Fatal(err)
		}
		if want := (process.Link{ID: of.ID, Evidence: process.Observed}); p.Creator != want {
			t.Errorf("creator %v, want %v", p.Creator, want)
		}
		if p.Parent.ID.PID != test.parent || p.Parent.Evidence != test.evidence {
			t.Errorf("parent %v, want %d, %v", p.Parent, test.parent, test.evidence)
		}
		steps, err := tree.Lineage(test.pid)
		if err != nil || len(steps) < 4 {
			t.Fatalf("%v, %v", steps, err)
		}
		if s := steps[1]; s.Gap || s.Process.ID != of.ID || s.Process.State != process.Ended || s.Process.Exit.Evidence != process.Observed {
			t.Errorf("created by %+v, want the ended %v", s, of.ID)
		}
	}
	if p, err := tree.ProcessByID(of.ID); err != nil || p.State != process.Ended || p.Exit.Status.ExitStatus() != 0 {
		t.Errorf("the ended one: %+v, %v", p, err)
	}
}

// All answers about many processes are the same as procfs gives.
func TestLiveAnswersAsProcfs(t *testing.T) {
	eachLive(t, func(t *testing.T, tree *Tree) {
		other := newTree(t)
		a := linuxtest.Start(t)
		b := a.Fork()
		c := b.Fork()
		zombie := b.Fork()
		zombie.Exit(3)
		for name, ask := range map[string]func(*Tree) ([]process.Process, error){
			"children":  func(t *Tree) ([]process.Process, error) { return t.Children(b.PID) },
			"ancestors": func(t *Tree) ([]process.Process, error) { return t.Ancestors(c.PID) },
			"of zombie": func(t *Tree) ([]process.Process, error) { return t.Ancestors(zombie.PID) },
			"processes": func(t *Tree) ([]process.Process, error) {
				all, err := t.Processes()
				return slices.DeleteFunc(all, func(p process.Process) bool {
					return !slices.Contains([]int{1, os.Getpid(), a.PID, b.PID, c.PID, zombie.PID}, p.ID.PID)
				}), err
			},
		} {
			got, err := ask(tree)
			want, wantErr := ask(other)
			if err != nil || wantErr != nil || len(got) != len(want) {
				t.Errorf("%s: %d, %v, and with procfs %d, %v", name, len(got), err, len(want), wantErr)
				continue
			}
			for i, p := range got {
				q := want[i]
				if q.State == process.Zombie { // v1 hierarchies no longer show it
					q.Cgroup = p.Cgroup
				}
				if !p.ID.Same(q.ID) || p.Name != q.Name || p.State != q.State || p.Parent.ID.PID != q.Parent.ID.PID ||
					p.GroupID != q.GroupID || p.SessionID != q.SessionID || p.TTY != q.TTY || p.Kernel != q.Kernel || p.Cgroup != q.Cgroup {
					t.Errorf("%s: %+v, and with procfs %+v", name, p, q)
				}
			}
		}
		b.Wait(zombie)
		for _, ask := range []func() (process.Process, error){
			func() (process.Process, error) { return tree.Process(zombie.PID) },
			func() (process.Process, error) { return tree.Parent(zombie.PID) },
		} {
			if p, err := ask(); !errors.Is(err, ErrNotFound) {
				t.Errorf("the reaped %d: %+v, %v", zombie.PID, p, err)
			}
		}
		th := a.NewThread()
		if p, err := tree.Process(th.TID); err != nil || p.ID.PID != a.PID {
			t.Errorf("thread %d: %v, %v, want %d", th.TID, p.ID, err, a.PID)
		}
	})
}

// broken is a live source that works until it is told to fail.
type broken struct {
	source.Source
	name string
	err  error
}

func (b *broken) Name() string                     { return b.name }
func (b *broken) Pending() bool                    { return b.err != nil }
func (b *broken) Drain(func(*process.Event)) error { return b.err }
func (b *broken) Wait(ctx context.Context) error   { <-ctx.Done(); return ctx.Err() }
func (b *broken) Limits() []source.Limit           { return nil }
func (b *broken) Close() error                     { return nil }

// When a source fails, the tree goes on with the next one, and says so.
func TestFallBack(t *testing.T) {
	failure := errors.New("broken")
	var first, second *broken
	open := func(name string, b **broken) kind {
		return kind{name, func(_ Options, proc *procfs.Source) (source.Live, error) {
			*b = &broken{Source: proc, name: name}
			return *b, nil
		}}
	}
	refused := kind{"refused", func(Options, *procfs.Source) (source.Live, error) { return nil, ErrPermission }}
	var log strings.Builder
	tree, err := openTree(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, []kind{refused, open("first", &first), open("second", &second)})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	events, err := tree.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := linuxtest.Start(t)
	for i, want := range []string{"first", "second", "procfs"} {
		wantSameGroup(t, tree, a.Fork().PID)
		info := tree.Source()
		if info.Name != want || len(info.Passed) != i+1 || !errors.Is(info.Passed[0].Err, ErrPermission) {
			t.Errorf("%+v, want %s", info, want)
		}
		switch want {
		case "first":
			first.err = failure
		case "second":
			second.err = failure
		}
		wantSameGroup(t, tree, a.PID)
	}
	if n := strings.Count(log.String(), "source failed"); n != 2 {
		t.Errorf("%d messages, want 2: %s", n, log.String())
	}
	var got []process.Kind
	for e := range events {
		got = append(got, e.Kind)
	}
	if !slices.Contains(got, process.Loss) {
		t.Errorf("the readers of events got %v, want a loss", got)
	}
	if _, err := tree.Events(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("events of procfs: %v, want ErrUnsupported", err)
	}
	if _, err := openTree(Options{Source: "refused"}, []kind{refused}); !errors.Is(err, ErrPermission) {
		t.Errorf("%v, want ErrPermission", err)
	}
}

// A buffer that no source can have is refused, and leads to no worse source.
func TestTooLargeBuffer(t *testing.T) {
	for _, name := range []string{"", bpf.Name, procfs.Name} {
		tree, err := NewTree(Options{Source: name, Buffer: MaxBuffer + 1})
		if err == nil || !strings.Contains(err.Error(), "at most 1073741824") {
			t.Errorf("%q: %v, want an error that says how large it may be", name, err)
		}
		if tree != nil {
			t.Errorf("%q: a tree of source %s", name, tree.Source().Name)
			tree.Close()
		}
	}
}
