package bpf

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// asEnv tells the test binary to say what Open says, and whether it works.
const asEnv = "LINEAGE_TEST_OPEN"

// nobody is a user with no privileges.
const nobody = 65534

// CAP_BPF and CAP_PERFMON are all that Open takes, and less is told. What is
// open works without.
func TestPrivileges(t *testing.T) {
	if as := os.Getenv(asEnv); as != "" {
		open(t, as == "drop")
		return
	}
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Root)
	for _, test := range []struct {
		name string
		caps []uintptr
		want string
	}{
		{"both", []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, "works"},
		{"drop", []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SETUID, unix.CAP_SETPCAP}, "works"},
		{"only CAP_PERFMON", []uintptr{unix.CAP_PERFMON}, "bpf: permission denied: it takes CAP_BPF as well; run as root, or give both to the program (setcap cap_bpf,cap_perfmon+ep)"},
		{"only CAP_BPF", []uintptr{unix.CAP_BPF}, "bpf: permission denied: it takes CAP_PERFMON as well; run as root, or give both to the program (setcap cap_bpf,cap_perfmon+ep)"},
		{"none", nil, "bpf: permission denied: it takes CAP_BPF and CAP_PERFMON as well; run as root, or give both to the program (setcap cap_bpf,cap_perfmon+ep)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out [2]*os.File
			var err error
			if out[0], out[1], err = os.Pipe(); err != nil {
				t.Fatal(err)
			}
			defer out[0].Close()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestPrivileges$")
			cmd.Env = append(os.Environ(), asEnv+"="+test.name)
			cmd.ExtraFiles = []*os.File{out[1]}
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
				AmbientCaps: test.caps,
			}
			text, err := cmd.CombinedOutput()
			out[1].Close()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			got := make([]byte, 1024)
			n, _ := out[0].Read(got)
			if string(got[:n]) != test.want {
				t.Errorf("%q, want %q", got[:n], test.want)
			}
		})
	}
}

func open(t *testing.T, drop bool) {
	says := func() string {
		s, err := Open(Options{Buffer: 64 << 10})
		if err != nil {
			if !errors.Is(err, fs.ErrPermission) {
				t.Error("not a lack of permission")
			}
			return err.Error()
		}
		defer s.Close()
		if drop {
			dropCapabilities(t)
		}
		found := map[int]bool{}
		err = s.Scan(t.Context(), func(e *process.Event) {
			found[e.ID.PID] = true
			ours := e.ID.PID == os.Getpid() || e.ID.PID == os.Getppid()
			if ours && (e.Name == "" || e.Cgroup.Membership == "" || !e.Owner.Known || e.ID.Inode == 0 && linuxtest.Has(linuxtest.Pidfs)) {
				t.Errorf("scanned %+v", *e)
			}
		})
		if err != nil || !found[os.Getpid()] || !found[os.Getppid()] {
			t.Errorf("%d processes, %v", len(found), err)
		}
		told := map[process.Kind]int{} // of the child
		for lost := true; lost; {      // of what others do, in little room
			child := exec.Command("/proc/self/exe", "-test.run=^$")
			child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stderr, os.Stderr // of /dev/null others may have taken the rights
			if err := child.Run(); err != nil {
				t.Error(err)
			}
			lost = false
			clear(told)
			err := s.Drain(func(e *process.Event) {
				lost = lost || e.Kind == process.Loss
				if e.ID.PID != child.ProcessState.Pid() {
					return
				}
				told[e.Kind]++
				if e.Kind == process.Exec && (e.File == "" || len(e.Args) == 0) || e.Kind == process.Exited && !e.Usage.Known {
					t.Errorf("told %+v", *e)
				}
			})
			if err != nil {
				t.Error(err)
				break
			}
		}
		if told[process.Fork] == 0 || told[process.Exec] == 0 || told[process.Exited] == 0 {
			t.Errorf("told %v", told)
		}
		return "works"
	}
	if _, err := os.NewFile(3, "told").WriteString(says()); err != nil {
		t.Error(err)
	}
}

// dropCapabilities takes all capabilities from all threads.
func dropCapabilities(t *testing.T) {
	// To no other user than root do they stay when the user changes.
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setresuid(nobody, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if has, err := linux.EffectiveCapabilities(); err != nil || has != 0 {
		t.Fatalf("capabilities %v, %v", has, err)
	}
}

// What is needed to load the programs, the types of the kernel above all, is not
// kept.
func TestOpenedHeap(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // for what the first one had to clean up
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	after := heap()
	t.Logf("%d bytes of heap", int64(after)-int64(before))
	if after > before+512<<10 {
		t.Errorf("%d bytes of heap, want at most half a MiB", after-before)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name() != Name || len(s.Limits()) != 0 {
		t.Errorf("%s, %v", s.Name(), s.Limits())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Drain(nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := s.Scan(t.Context(), nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
