package bpf

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
)

// run runs a program with the arguments, its own name the first of them, and
// returns what was told of it.
func (w *watch) run(path string, args ...string) (begun, ended process.Event, usage *syscall.Rusage) {
	w.Helper()
	cmd := &exec.Cmd{Path: path, Args: args}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	_ = cmd.Wait() // its status is told
	pid := cmd.Process.Pid
	return w.one(process.Exec, pid), w.one(process.Exited, pid), cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

func TestArguments(t *testing.T) {
	w := newWatch(t, Options{})
	many := make([]string, 1+maxArgs)
	for i := range many {
		many[i] = "a"
	}
	long := strings.Repeat("x", 5000)
	for _, test := range []struct {
		name       string
		args, want []string
		cut        bool
	}{
		{"plain", []string{"true", "a", "b c"}, nil, false},
		{"empty ones", []string{"", "", "a", ""}, nil, false},
		{"odd ones", []string{"\n", "\xff\xfe", "-", "a=b\tc"}, nil, false},
		{"most", many[1:], nil, false},
		{"too many", many, many[1:], true},
		{"too long", []string{"true", long}, []string{"true", long[:4096-5]}, true},
		{"too long at the end of one", []string{long[:4095], "a"}, []string{long[:4095]}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want == nil {
				want = test.args
			}
			e, _, _ := w.run("/bin/true", test.args...)
			if !slices.Equal(e.Args, want) || e.ArgsCut != test.cut {
				t.Errorf("%d arguments, cut %t: %.100q, want %d, %t", len(e.Args), e.ArgsCut, e.Args, len(want), test.cut)
			}
			if e.File != "/bin/true" || e.Name != "true" {
				t.Errorf("file %q, name %q", e.File, e.Name)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	w := newWatch(t, Options{})
	_, e, want := w.run("/bin/sh", "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7")
	if e.Status.ExitStatus() != 7 {
		t.Errorf("status %#x", e.Status)
	}
	got, all := e.Usage.User+e.Usage.System, time.Duration(want.Utime.Nano()+want.Stime.Nano())
	if !e.Usage.Known || got <= 0 || got > all {
		t.Errorf("ran for %v, want more than nothing and at most %v", got, all)
	}
	// What wait4(2) tells has the memory of the test in it too.
	if most := uint64(want.Maxrss) << 10; w.src.peaks != (e.Usage.MaxRSS < most) || e.Usage.MaxRSS > most {
		t.Errorf("%d bytes resident, and by wait4 %d", e.Usage.MaxRSS, most)
	}
	_, e, _ = w.run("/bin/dd", "dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "count=1")
	if got := e.Usage.MaxRSS >> 20; got < 224 || w.src.peaks && got > 288 {
		t.Errorf("%d MiB resident, want 256 and some more", got)
	}
}
