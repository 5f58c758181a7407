package bpf

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// insideEnv tells the test binary that it is the first process of a PID
// namespace, with mounts of its own.
const insideEnv = "LINEAGE_TEST_INSIDE"

// What holds in the first PID namespace holds in another one.
func TestInsideNamespace(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		inside(t)
		return
	}
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Root, linuxtest.PIDNamespace)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestInsideNamespace$")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func inside(t *testing.T) {
	if os.Getpid() != 1 {
		t.Fatalf("PID %d, want 1", os.Getpid())
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, scene := range lives {
		t.Run(scene.name, func(t *testing.T) { scene.play(newWatch(t, Options{})) })
	}
	t.Run("nobody from outside", func(t *testing.T) {
		w := newWatch(t, Options{})
		a := linuxtest.Start(t)
		found := w.scan()
		if _, ok := found[a.PID]; !ok || len(found) > 2 {
			t.Errorf("%d processes in a namespace of two", len(found))
		}
		if e, ok := found[1]; ok && (!e.NoParent || e.Parent != process.ID{}) {
			t.Errorf("the first process has the parent %v", e.Parent)
		}
	})
}

// A process has a PID in each namespace from the reader's to its own.
func TestNamespacePIDs(t *testing.T) {
	linuxtest.Need(t, linuxtest.PIDNamespace)
	w := newWatch(t, Options{})
	a := linuxtest.StartWith(t, linuxtest.StartOptions{NewPID: true})
	b := a.Fork()
	a.NewThread() // takes the number after b's
	c := b.Clone(linuxtest.CloneOptions{NewPID: true})
	w.check(c, b.PID, b.PID)
	for _, x := range []struct {
		*linuxtest.Actor
		inner []int
	}{{a, []int{1}}, {b, []int{b.Getpid()}}, {c, []int{c.Told, 1}}} {
		e := w.one(process.Fork, x.PID)
		if want := append([]int{x.PID}, x.inner...); !slices.Equal(e.NamespacePIDs, want) || e.NoParent {
			t.Errorf("PIDs %v of %v, want %v", e.NamespacePIDs, e.ID, want)
		}
	}
	d := c.Fork()
	e := d.Fork()
	d.Exit(0)
	w.check(e, d.PID, c.PID) // by the init of its namespace
}
