package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/procfs"
)

func TestUserCheck(t *testing.T) {
	const all = linux.Capabilities(1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_READ_SEARCH)
	tests := []struct {
		has          linux.Capabilities
		namespace    string
		status, part string
	}{
		{all, linux.FirstUserNamespace, statusOK, "may read other users' processes"},
		{all, "user:[4026532212]", statusLimited, "in a user namespace"},
		{0, linux.FirstUserNamespace, statusLimited, "without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: "},
		{1 << unix.CAP_SYS_PTRACE, linux.FirstUserNamespace, statusLimited, "without CAP_DAC_READ_SEARCH: "},
	}
	for _, test := range tests {
		c := userCheck("root (0)", test.has, test.namespace)
		if c.Status != test.status || !strings.Contains(c.Detail, test.part) || (c.Remedy == "") != (c.Status == statusOK) {
			t.Errorf("%+v, want %s, %s", c, test.status, test.part)
		}
	}
}

// TestUserNamespace runs the doctor as root of a user namespace only.
func TestUserNamespace(t *testing.T) {
	linuxtest.Need(t, linuxtest.UserNamespace)
	c := exec.Command("/proc/self/exe", "doctor", "-o", "json")
	c.Args[0] = "lineage"
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == "user" })
	if i < 0 || r.Checks[i].Status != statusLimited || !strings.Contains(r.Checks[i].Detail, "(0), in a user namespace") {
		t.Errorf("%s", out)
	}
}

func TestMountCheck(t *testing.T) {
	if c := checkMount("/proc", "", nil); c.Status != statusOK {
		t.Errorf("%+v", c)
	}
	if c := checkMount("/proc", "hidepid=2", lineage.ErrIncomplete); c.Status != statusLimited || !strings.Contains(c.Detail, "mounted with hidepid=2: ") {
		t.Errorf("%+v", c)
	}
	if c := checkMount("/proc", "", lineage.ErrIncomplete); c.Status != statusLimited || c.Remedy == "" {
		t.Errorf("%+v", c)
	}
}

func TestCgroupMode(t *testing.T) {
	for membership, want := range map[string]string{
		"0::/init.scope\n":          "v2",
		"1:name=systemd:/\n0::/\n":  "hybrid: v2 beside 1 hierarchy of v1",
		"2:cpu:/\n1:name=systemd:/": "v1: 2 hierarchies",
		"":                          "none",
		"nonsense":                  "none",
	} {
		if got := cgroupMode(membership); got != want {
			t.Errorf("cgroupMode(%q) = %q, want %q", membership, got, want)
		}
	}
}

func TestDoctorGolden(t *testing.T) {
	r := Report{Checks: append(checkFeatures(procfs.Features{PIDFD: true}),
		Check{Name: "pid namespace", Status: statusOK, Detail: "the host's: every process is seen"})}
	trials := []sourceTrial{
		{name: "bpf", buffer: 4 << 20, err: fmt.Errorf("bpf: %w: it takes CAP_PERFMON as well", fs.ErrPermission)},
		{name: "cnproc", buffer: 8 << 20, limits: []source.Limit{source.ExitsLate}},
		{name: "procfs", limits: []source.Limit{source.CreatorsUnseen, source.TicksOnly}},
	}
	for i := range trials {
		r.Checks = append(r.Checks, trials[i].check(bestSource(trials)))
	}
	golden(t, "doctor_80.txt", 80, func(s *screen) { writeDoctor(s, r) })
}

func TestOpenRemedy(t *testing.T) {
	foreign := openRemedy(fmt.Errorf("x: %w", procfs.ErrForeignNamespace))
	if !strings.Contains(foreign, "PID namespace") || foreign == openRemedy(fs.ErrNotExist) {
		t.Errorf("remedy = %s", foreign)
	}
}
