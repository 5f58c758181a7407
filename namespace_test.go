package lineage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/procfs"
)

// eachSource runs the test with every source.
func eachSource(t *testing.T, test func(t *testing.T, tree *Tree)) {
	t.Run(procfs.Name, func(t *testing.T) { test(t, newTree(t)) })
	eachLive(t, test)
}

// pidNamespace returns the inode number of the PID namespace of a process.
func pidNamespace(t testing.TB, pid int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/pid", pid), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// nested is processes in PID namespaces: a and b in one, c and d in one inside
// that, e in one inside that.
type nested struct {
	a, b, c, d, e *linuxtest.Actor
	outer         uint64 // of a and b
	inner         uint64 // of c and d
	innermost     uint64 // of e
}

func newNested(t testing.TB) nested {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	var n nested
	n.a = linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
	n.b = n.a.Fork()
	n.c = n.b.Clone(linuxtest.CloneOptions{NewPID: true})
	n.d = n.c.Fork()
	n.e = n.d.Clone(linuxtest.CloneOptions{NewPID: true})
	n.outer, n.inner, n.innermost = pidNamespace(t, n.a.PID), pidNamespace(t, n.c.PID), pidNamespace(t, n.e.PID)
	return n
}

func TestProcessInNamespace(t *testing.T) {
	eachSource(t, func(t *testing.T, tree *Tree) {
		n := newNested(t)
		for _, x := range []struct {
			name string
			*linuxtest.Actor
			namespaces []uint64 // from outside
		}{
			{"a", n.a, []uint64{n.outer}},
			{"b", n.b, []uint64{n.outer}},
			{"c", n.c, []uint64{n.outer, n.inner}},
			{"d", n.d, []uint64{n.outer, n.inner}},
			{"e", n.e, []uint64{n.outer, n.inner, n.innermost}},
		} {
			d, err := tree.Details(x.ID())
			if err != nil || len(d.NamespacePIDs) != len(x.namespaces)+1 || d.PIDNamespace != x.namespaces[len(x.namespaces)-1] {
				t.Fatalf("%s: %+v, %v, want it in %v", x.name, d, err, x.namespaces)
			}
			if inner := d.NamespacePIDs[len(x.namespaces)]; inner != x.Getpid() {
				t.Errorf("%s: PIDs %v, want %d last", x.name, d.NamespacePIDs, x.Getpid())
			}
			for i, namespace := range x.namespaces {
				pid := d.NamespacePIDs[i+1]
				p, err := tree.ProcessInNamespace(namespace, pid)
				if err != nil || !p.ID.Same(x.ID()) || p.State != process.Alive || !slices.Equal(p.NamespacePIDs, d.NamespacePIDs) {
					t.Errorf("%s, %d in %d: %+v, %v, want %v", x.name, pid, namespace, p, err, x.ID())
				}
			}
		}
		// What there is nobody of.
		own := pidNamespace(t, os.Getpid())
		for _, x := range []struct {
			namespace uint64
			pid       int
			want      error
		}{
			{n.innermost, 2, ErrNotFound},
			{n.innermost, n.e.PID, ErrNotFound},
			{n.outer, 1 << 22, ErrNotFound},
			{own, 1 << 22, ErrNotFound},
			{0, 1, ErrNotFound},
			{1, 1, ErrNotFound},
			{n.outer, 0, ErrInvalidPID},
			{n.outer, -1, ErrInvalidPID},
		} {
			p, err := tree.ProcessInNamespace(x.namespace, x.pid)
			if errors.Is(err, ErrPermission) && os.Geteuid() != 0 {
				continue // somebody else has such a PID somewhere
			}
			if !errors.Is(err, x.want) || errors.Is(err, ErrIncomplete) {
				t.Errorf("%d in %d: %v, %v, want %v", x.pid, x.namespace, p.ID, err, x.want)
			}
		}
		if p, err := tree.ProcessInNamespace(own, n.e.PID); err != nil || !p.ID.Same(n.e.ID()) {
			t.Errorf("%d in the own namespace: %v, %v", n.e.PID, p.ID, err)
		}
	})
}

// Whoever holds the PID holds it until it is reaped, and nobody after that.
func TestProcessInNamespaceThatEnds(t *testing.T) {
	eachSource(t, func(t *testing.T, tree *Tree) {
		linuxtest.Need(t, linuxtest.SetTID)
		n := newNested(t)
		const pid = 300
		var before process.ID
		for range 3 {
			x := n.a.Clone(linuxtest.CloneOptions{PID: pid})
			p, err := tree.ProcessInNamespace(n.outer, pid)
			if err != nil || p.ID.PID != x.PID || p.State != process.Alive || p.ID.Same(before) {
				t.Fatalf("%+v, %v, want %d", p, err, x.PID)
			}
			before = p.ID
			x.Exit(0)
			if p, err = tree.ProcessInNamespace(n.outer, pid); err != nil || !p.ID.Same(before) || p.State != process.Zombie {
				t.Fatalf("%+v, %v, want the zombie %d", p, err, x.PID)
			}
			n.a.Wait(x)
			if p, err = tree.ProcessInNamespace(n.outer, pid); !errors.Is(err, ErrNotFound) {
				t.Fatalf("%+v, %v, want ErrNotFound: %v is reaped", p, err, before)
			}
		}
		// A namespace ends with its first process, and its number may be
		// the next one's.
		x := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
		gone := pidNamespace(t, x.PID)
		x.Kill(syscall.SIGKILL)
		x.Reap()
		if p, err := tree.ProcessInNamespace(gone, 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("of a namespace that is gone: %+v, %v", p, err)
		}
		next := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
		if p, err := tree.ProcessInNamespace(pidNamespace(t, next.PID), 1); err != nil || !p.ID.Same(next.ID()) {
			t.Errorf("of the next namespace: %v, %v, want %v", p.ID, err, next.ID())
		}
	})
}

// While one process after the other has the PID, an answer is one of them, and
// none that was asked for before it ended is older than the question.
func TestProcessInNamespaceWhileItIsReused(t *testing.T) {
	eachSource(t, func(t *testing.T, tree *Tree) {
		linuxtest.Need(t, linuxtest.SetTID)
		n := newNested(t)
		const pid, rounds = 300, 300
		type answer struct{ began, pid int }
		var (
			mu      sync.Mutex
			alive   int // the PID outside of who has it
			round   int
			wg      sync.WaitGroup
			ended   = make(chan struct{})
			last    = map[int]int{} // the last round in which a PID outside had it
			answers []answer
		)
		wg.Go(func() {
			for {
				mu.Lock()
				began, holder := round, alive
				mu.Unlock()
				p, err := tree.ProcessInNamespace(n.outer, pid)
				mu.Lock()
				same := round == began && alive == holder && holder != 0
				mu.Unlock()
				switch {
				case err != nil && !errors.Is(err, ErrNotFound):
					t.Errorf("round %d: %v", began, err)
				case err != nil && same:
					t.Errorf("round %d: %v, while %d had it", began, err, holder)
				case err == nil:
					answers = append(answers, answer{began, p.ID.PID})
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
		for i := range rounds {
			x := n.a.Clone(linuxtest.CloneOptions{PID: pid})
			mu.Lock()
			round, alive, last[x.PID] = i, x.PID, i
			mu.Unlock()
			if p, err := tree.ProcessInNamespace(n.outer, pid); err != nil || p.ID.PID != x.PID {
				t.Errorf("%v, %v, want %d", p.ID, err, x.PID)
			}
			x.Exit(0)
			mu.Lock()
			alive = 0
			mu.Unlock()
			n.a.Wait(x)
		}
		close(ended)
		wg.Wait()
		if len(answers) == 0 {
			t.Error("never found by who asked all the while")
		}
		for _, a := range answers {
			if had, ok := last[a.pid]; !ok || had < a.began {
				t.Errorf("round %d: %d, which did not have it any more, or never", a.began, a.pid)
			}
		}
	})
}

// An ordinary user may not learn in which namespace the process of another one
// is: its PID there is known, and not enough. Under hidepid not even that is
// known of all, so that nobody is seen does not say that there is none. Reading
// /proc asks who the process is, not the thread: this needs a whole process.
func TestProcessInNamespaceOfAnother(t *testing.T) {
	const mark = "LINEAGE_TEST_NAMESPACE"
	if namespace := os.Getenv(mark); namespace != "" {
		var inode uint64
		var single, none int
		if _, err := fmt.Sscan(namespace, &inode, &single, &none); err != nil {
			t.Fatal(err)
		}
		tree := newTreeWith(t, Options{ProcPath: "/proc/self/fd/3"})
		for _, pid := range []int{single, none} {
			_, err := tree.ProcessInNamespace(inode, pid)
			fmt.Printf("%d: not found %t, permission %t, incomplete %t\n", pid,
				errors.Is(err, ErrNotFound), errors.Is(err, ErrPermission), errors.Is(err, ErrIncomplete))
			if incomplete, ok := errors.AsType[*IncompleteError](err); ok {
				fmt.Printf("stops at %d\n", incomplete.PID)
			}
		}
		return
	}
	linuxtest.Need(t, linuxtest.Root, linuxtest.SetTID, linuxtest.Hidepid)
	pid, err := linuxtest.PIDs() // of which no namespace has come so far
	if err != nil {
		t.Fatal(err)
	}
	none := pid + 1
	for _, hide := range []string{"off", "noaccess", "invisible"} {
		t.Run(hide, func(t *testing.T) {
			mount, err := os.Open(linuxtest.MountProc(t, "hidepid", hide))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { mount.Close() })
			n := newNested(t)
			x := n.a.Clone(linuxtest.CloneOptions{PID: pid})
			inside := exec.Command("/proc/self/exe", "-test.run=^TestProcessInNamespaceOfAnother$")
			inside.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", mark, n.outer, pid, none))
			inside.ExtraFiles = []*os.File{mount}
			inside.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			out, err := inside.CombinedOutput()
			const unsure = "%d: not found false, permission true, incomplete true\n"
			var want []string
			if hide == "off" {
				want = []string{fmt.Sprintf(unsure+"stops at %d\n", pid, x.PID),
					fmt.Sprintf("%d: not found true, permission false, incomplete false\n", none)}
			} else {
				want = []string{fmt.Sprintf(unsure, pid), fmt.Sprintf(unsure, none)}
			}
			for _, line := range want {
				if err != nil || !strings.Contains(string(out), line) {
					t.Errorf("%v, %s, want %s", err, out, line)
				}
			}
		})
	}
}

// What holds in the first PID namespace holds in another one, whose own
// processes have one PID there.
func TestProcessInNamespaceFromInside(t *testing.T) {
	const mark = "LINEAGE_TEST_FROM_INSIDE"
	if name := os.Getenv(mark); name != "" {
		for _, err := range []error{
			unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", "/proc", "proc", 0, ""),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		tree := newTreeWith(t, Options{Source: name})
		n := newNested(t)
		for _, x := range []struct {
			namespace uint64
			pid, want int
		}{
			{pidNamespace(t, 1), n.e.PID, n.e.PID},
			{n.outer, 1, n.a.PID},
			{n.inner, 1, n.c.PID},
			{n.innermost, 1, n.e.PID},
		} {
			if p, err := tree.ProcessInNamespace(x.namespace, x.pid); err != nil || p.ID.PID != x.want {
				t.Errorf("%d in %d: %v, %v, want %d", x.pid, x.namespace, p.ID, err, x.want)
			}
		}
		return
	}
	linuxtest.Need(t, linuxtest.Root, linuxtest.PIDNamespace)
	for _, source := range []struct {
		name  string
		needs linuxtest.Feature
	}{{procfs.Name, linuxtest.Root}, {bpf.Name, linuxtest.BPF}} {
		t.Run(source.name, func(t *testing.T) {
			linuxtest.Need(t, source.needs)
			inside := exec.Command("/proc/self/exe", "-test.run=^TestProcessInNamespaceFromInside$")
			inside.Env = append(os.Environ(), mark+"="+source.name)
			inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
			if out, err := inside.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
