package linuxtest_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

var features = []linuxtest.Feature{
	linuxtest.Root, linuxtest.Cgroups, linuxtest.PIDNamespace, linuxtest.UserNamespace,
	linuxtest.PidfdInfo, linuxtest.Pidfs, linuxtest.SetTID, linuxtest.HostPID, linuxtest.Hidepid,
	linuxtest.CgroupV1, linuxtest.CgroupV2, linuxtest.Busybox, linuxtest.Runc, linuxtest.Crun,
	linuxtest.Podman, linuxtest.Containerd, linuxtest.Nspawn, linuxtest.Docker,
}

// outcome is a test in which only Need has a say.
type outcome struct {
	testing.TB
	skipped, failed string
}

func (o *outcome) Helper() {}

func (o *outcome) Skipf(format string, args ...any) {
	o.skipped = format
	panic(o)
}

func (o *outcome) Fatalf(format string, args ...any) {
	o.failed = format
	panic(o)
}

func need(t *testing.T, mustRun string, f linuxtest.Feature) (o *outcome) {
	t.Setenv(linuxtest.MustRunEnv, mustRun)
	o = &outcome{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(o) {
			panic(r)
		}
	}()
	linuxtest.Need(o, f)
	return o
}

func TestNeed(t *testing.T) {
	for _, f := range features {
		has := linuxtest.Has(f)
		t.Logf("%s: %v", f, has)
		if o := need(t, "", f); o.failed != "" || (o.skipped == "") != has {
			t.Errorf("%s, there %v, with nothing demanded: %+v", f, has, o)
		}
		for _, demand := range []string{"all", string(f), "root," + string(f), string(f) + ", root"} {
			if o := need(t, demand, f); o.skipped != "" || (o.failed == "") != has {
				t.Errorf("%s, there %v, with %q demanded: %+v", f, has, demand, o)
			}
		}
		if o := need(t, string(f)+",pid", f); o.failed == "" {
			t.Error("no error for a name that is none")
		}
	}
	if o := need(t, "", "warp"); o.failed == "" {
		t.Error("no error for a feature that is none")
	}
}

func TestHidepid(t *testing.T) {
	linuxtest.Need(t, linuxtest.Hidepid)
	proc := linuxtest.MountProc(t, "hidepid", "2")
	if _, err := os.Stat(filepath.Join(proc, strconv.Itoa(os.Getpid()), "stat")); err != nil {
		t.Error(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), "hidepid=") {
		t.Error("the mount is seen by others")
	}
}

func TestNothingIsLeft(t *testing.T) {
	var dir string
	var pids []int
	t.Run("test", func(t *testing.T) {
		if linuxtest.Has(linuxtest.Cgroups) {
			dir = linuxtest.NewCgroup(t).Dir
		}
		a := linuxtest.Start(t)
		b := a.Fork()
		c := b.Fork()
		b.Exit(0) // a zombie that a does not reap
		d := c.Fork()
		alive, err := d.Churn(5, 5)
		if err != nil {
			t.Fatal(err)
		}
		e := a.Fork()
		links, err := e.Chain(5)
		if err != nil {
			t.Fatal(err)
		}
		if linuxtest.Has(linuxtest.Cgroups) {
			c.Move(linuxtest.NewCgroup(t))
		}
		pids = append(alive, a.PID, b.PID, c.PID, d.PID, e.PID)
		for _, l := range links {
			pids = append(pids, l.PID)
		}
	})
	for _, pid := range pids {
		if s, err := linuxtest.ReadStat(pid); err == nil {
			t.Errorf("left: %+v", s)
		}
	}
	if _, err := os.Stat(dir); dir != "" && !os.IsNotExist(err) {
		t.Errorf("cgroup %s is left: %v", dir, err)
	}
}
