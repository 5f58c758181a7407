package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/proclineage/lineage/source/procfs"
)

// Promise 2, freshness: each round changes something and asks at once.
func TestFreshness(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	tree := newTree(t)
	groups := []*linuxtest.Cgroup{linuxtest.NewCgroup(t), linuxtest.NewCgroup(t)}
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	random := rand.New(rand.NewPCG(1, 2))
	var chain []*linuxtest.Actor // each the child of the one before, the first of top
	end := func() *linuxtest.Actor {
		if len(chain) == 0 {
			return top
		}
		return chain[len(chain)-1]
	}
	for range rounds {
		switch n := random.IntN(4); {
		case n == 0 || len(chain) < 2:
			chain = append(chain, end().Fork())
		case n == 1: // the child of the one that ends is adopted
			i := random.IntN(len(chain) - 1)
			parent := top
			if i > 0 {
				parent = chain[i-1]
			}
			ended := chain[i]
			ended.Exit(0)
			parent.Wait(ended)
			if _, err := tree.Process(ended.PID); !errors.Is(err, ErrNotFound) {
				t.Fatalf("the ended %d: %v, want ErrNotFound", ended.PID, err)
			}
			chain = chain[i+1:] // top has it now, and the ones above are a chain apart
		case n == 2:
			chain[random.IntN(len(chain))].Move(groups[random.IntN(2)])
		case n == 3:
			a := chain[random.IntN(len(chain))]
			name := fmt.Sprintf(") S %d (\n", random.IntN(100))
			a.SetName(name)
			if p, err := tree.Process(a.PID); err != nil || p.Name != name {
				t.Fatalf("name of %d: %q, %v, want %q", a.PID, p.Name, err, name)
			}
		}
		wantSameGroup(t, tree, end().PID)
	}
}

// Promise 3, two parents, as far as procfs can keep it: it never takes one who
// may have adopted for the creator.
func TestCreatorsAreNotGuessed(t *testing.T) {
	tree := newTree(t)
	a := linuxtest.Start(t)
	b := a.Fork()
	c := b.Clone(linuxtest.CloneOptions{Parent: true})
	p, err := tree.Process(c.PID)
	if err != nil {
		t.Fatal(err)
	}
	if p.Parent.ID.PID != a.PID || p.Parent.Evidence != process.Scanned {
		t.Errorf("parent %v, want %d, scanned", p.Parent, a.PID)
	}
	if p.Creator.Evidence != process.Unknown {
		t.Errorf("creator %v, want it unknown: it is %d", p.Creator, b.PID)
	}
}

// Promise 4, honesty: what may not be read is said, with all that is known.
func TestHiddenProcesses(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid)
	for _, hide := range []string{"noaccess", "invisible"} {
		t.Run(hide, func(t *testing.T) {
			proc := linuxtest.MountProc(t, "hidepid", hide)
			a := linuxtest.Start(t)
			b := a.Fork()
			c := b.Fork()
			// b and c belong to another user than a.
			for _, x := range []*linuxtest.Actor{c, b} {
				for _, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
					if _, err := x.Syscall(nr, nobody, nobody, nobody); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := x.Syscall(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
					t.Fatal(err)
				}
			}
			asNobody(t, func() {
				tree := newTreeWith(t, Options{ProcPath: proc})
				for range 2 {
					got, err := tree.FindAllAncestorProcessIDsInSameCgroup(c.PID)
					var incomplete *IncompleteError
					if !errors.As(err, &incomplete) || incomplete.PID != a.PID || !errors.Is(err, ErrPermission) || !errors.Is(err, fs.ErrPermission) {
						t.Errorf("error %v, want an IncompleteError at %d", err, a.PID)
					}
					if !slices.Equal(got, []int{b.PID}) {
						t.Errorf("got %v, want %d", got, b.PID)
					}
				}
				all, err := tree.Ancestors(c.PID)
				if !errors.Is(err, ErrIncomplete) || len(all) != 1 || all[0].ID.PID != b.PID || all[0].Parent.ID != (process.ID{PID: a.PID}) {
					t.Errorf("ancestors %v, %v, want %d with a parent of which only the PID is known", all, err, b.PID)
				}
				if _, err := tree.Process(a.PID); !errors.Is(err, ErrPermission) || errors.Is(err, ErrNotFound) {
					t.Errorf("the hidden process: %v, want ErrPermission", err)
				}
				// Scans read on other threads, which are still root's.
				if _, err := tree.Process(1 << 22); !errors.Is(err, ErrNotFound) {
					t.Errorf("no process: %v, want ErrNotFound", err)
				}
			})
		})
	}
}

// What a scan may not see is said too. Scans read on several threads, so this
// needs a whole process of the ordinary user's.
func TestHiddenFromScans(t *testing.T) {
	const mark = "LINEAGE_TEST_NOBODY"
	if os.Getenv(mark) != "" {
		tree := newTreeWith(t, Options{ProcPath: "/proc/self/fd/3"})
		all, err := tree.Processes()
		children, childrenErr := tree.Children(os.Getpid())
		fmt.Printf("processes %v %v children %v %v\n", len(all), errors.Is(err, ErrPermission) && errors.Is(err, ErrIncomplete),
			len(children), errors.Is(childrenErr, ErrIncomplete))
		return
	}
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid)
	for _, hide := range []string{"noaccess", "invisible"} {
		mount, err := os.Open(linuxtest.MountProc(t, "hidepid", hide))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { mount.Close() })
		inside := exec.Command("/proc/self/exe", "-test.run=^TestHiddenFromScans$")
		inside.Env = append(os.Environ(), mark+"=1")
		inside.ExtraFiles = []*os.File{mount}
		nobodyElse := uint32(1<<30 + os.Getpid()) // has a process
		inside.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyElse, Gid: nobody}}
		out, err := inside.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "processes 1 true children 0 true") {
			t.Errorf("%s: %v, %s", hide, err, out)
		}
	}
}

// Where PID 1 is to be seen, the mount's option tells that others are not.
func TestHiddenBesidePID1(t *testing.T) {
	const mark = "LINEAGE_TEST_PID1"
	if os.Getenv(mark) != "" {
		for _, err := range []error{
			unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", "/proc", "proc", 0, "hidepid=2"),
			syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := newTree(t).Processes()
		fmt.Printf("PID %d: %v: %v\n", os.Getpid(), errors.Is(err, ErrIncomplete) && errors.Is(err, ErrPermission), err)
		return
	}
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid, linuxtest.PIDNamespace)
	inside := exec.Command("/proc/self/exe", "-test.run=^TestHiddenBesidePID1$")
	inside.Env = append(os.Environ(), mark+"=1")
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	out, err := inside.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PID 1: true") || !strings.Contains(string(out), "hidepid=") {
		t.Errorf("%v, %s", err, out)
	}
}

const nobody = 65534

// asNobody calls f on a thread that is an ordinary user's. What f calls must
// stay on its goroutine.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			t.Errorf("setgroups: %v", errno)
			return
		}
		for _, nr := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, errno := unix.RawSyscall(nr, nobody, nobody, nobody); errno != 0 {
				t.Errorf("becoming nobody: %v", errno)
				return
			}
		}
		f()
	}()
	<-done
}

// Promise 5, bounds: memory and descriptors are bounded, and no living chain
// is forgotten for it.
func TestBounds(t *testing.T) {
	const keep = 50
	tree := newTreeWith(t, Options{Retention: process.Retention{Count: keep}})
	a := linuxtest.Start(t)
	deep := a.Fork()
	for range 10 {
		deep = deep.Fork()
	}
	wantSameGroup(t, tree, deep.PID)
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	churner := a.Fork()
	for range rounds {
		pids, err := churner.Churn(1, 1)
		if err != nil {
			t.Fatal(err)
		}
		wantSameGroup(t, tree, pids[len(pids)-1])
	}
	s := tree.Stats()
	living := len(parents(t, deep.PID)) + 10
	if most := 2*living + keep; s.Alive+s.Zombie+s.Ended+s.Unseen > most {
		t.Errorf("%+v after %d processes, want %d at most", s.Counts, rounds, most)
	}
	if s.Descriptors > s.MaxDescriptors {
		t.Errorf("%d descriptors are held, %d may be", s.Descriptors, s.MaxDescriptors)
	}
	reads := meddle(tree)
	wantSameGroup(t, tree, deep.PID)
	if n := reads.reads.Load(); n != 0 {
		t.Errorf("%d processes of a living chain had been forgotten", n)
	}
}

// Questions, scans and Run go on side by side while processes come and go.
func TestConcurrency(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		needs   []linuxtest.Feature
	}{
		procfs.Name:              {Options{Source: procfs.Name}, nil},
		cnproc.Name:              {Options{Source: cnproc.Name}, []linuxtest.Feature{linuxtest.Connector}},
		bpf.Name:                 {Options{Source: bpf.Name}, []linuxtest.Feature{linuxtest.BPF}},
		bpf.Name + " that loses": {Options{Source: bpf.Name, Buffer: 4096}, []linuxtest.Feature{linuxtest.BPF}},
	} {
		t.Run(name, func(t *testing.T) {
			linuxtest.Need(t, test.needs...)
			allAtOnce(t, newTreeWith(t, test.options))
		})
	}
}

func allAtOnce(t *testing.T, tree *Tree) {
	t.Helper()
	top := linuxtest.Start(t)
	top.SetSubreaper(true)
	stable := top.Fork().Fork()
	churner := top.Fork()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	ask := func(f func() error) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := f(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	want, err := tree.FindAllAncestorProcessIDsInSameCgroup(stable.PID)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ask(func() error {
			got, err := tree.FindAllAncestorProcessIDsInSameCgroup(stable.PID)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("got %v, want %v", got, want)
			}
			return err
		})
	}
	var last sync.Map
	ask(func() error {
		pid, ok := last.Load("pid")
		if !ok {
			return nil
		}
		got, err := tree.FindAllAncestorProcessIDsInSameCgroup(pid.(int))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if errors.Is(err, ErrIncomplete) && errors.Is(err, errNoCgroup) { // first met as a zombie
			return nil
		}
		if err == nil && (len(got) == 0 || got[0] != churner.PID) {
			err = fmt.Errorf("child of %d: %v", churner.PID, got)
		}
		return err
	})
	ask(func() error {
		all, err := tree.Processes()
		if errors.Is(err, errLost) {
			err = nil
		}
		if err == nil && !slices.ContainsFunc(all, func(p process.Process) bool { return p.ID.PID == os.Getpid() }) {
			err = errors.New("the test is not among all processes")
		}
		return err
	})
	ask(func() error { _, err := tree.Ancestors(stable.PID); return err })
	ask(func() error { tree.requestUpdate(); tree.requestHeal(); runtime.Gosched(); return nil })
	if events, err := tree.Events(t.Context()); err == nil {
		ask(func() error {
			select {
			case <-events:
			case <-stop:
			}
			return nil
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wg.Go(func() { tree.Run(ctx) })
	for range 300 {
		pids, err := churner.Churn(1, 2)
		if err != nil {
			t.Error(err)
			break
		}
		last.Store("pid", pids[0])
	}
	close(stop)
	cancel()
	wg.Wait()
}
