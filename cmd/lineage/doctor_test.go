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
	// Nothing tells there what happens, and no source is said to.
	if r.Source != nil || !r.Usable || strings.Contains(string(out), "MEMLOCK") {
		t.Errorf("%s", out)
	}
	for _, c := range r.Checks {
		switch c.Name {
		case "source bpf":
			if os.Getuid() == 0 && !strings.Contains(c.Detail, "in a user namespace") || c.Remedy == "" || strings.Contains(c.Remedy, "see what it needs") {
				t.Errorf("%+v", c)
			}
		case "source procfs":
			if strings.Contains(c.Detail, "the best") || !strings.Contains(c.Detail, "watch and tree --exited need one that tells what happens") {
				t.Errorf("%+v", c)
			}
		}
	}
}

// What is asked for by --source is what the doctor is about.
func TestSourceAskedFor(t *testing.T) {
	refused := sourceTrial{name: "bpf", err: fs.ErrPermission}
	works, reads := sourceTrial{name: "cnproc"}, sourceTrial{name: "procfs"}
	trials := []sourceTrial{refused, works, reads}
	for _, test := range []struct{ asked, best, connector, reader string }{
		{"auto", "cnproc", "is the best", "questions about the present"},
		{"cnproc", "cnproc", "is asked for", "--source asks for cnproc"},
		{"procfs", "", "--source asks for procfs", "is asked for: watch and tree --exited need"},
		{"bpf", "", "--source asks for bpf", "--source asks for bpf"},
	} {
		best := bestSource(trials, test.asked)
		if best != test.best {
			t.Errorf("--source %s: %q is the best, want %q", test.asked, best, test.best)
		}
		if c := works.check(best, test.asked); !strings.Contains(c.Detail, test.connector) {
			t.Errorf("--source %s: %+v", test.asked, c)
		}
		if c := reads.check(best, test.asked); !strings.Contains(c.Detail, test.reader) {
			t.Errorf("--source %s: %+v", test.asked, c)
		}
	}
	if best := bestSource([]sourceTrial{refused, reads}, "auto"); best != "" {
		t.Errorf("%q is the best, want none", best)
	}
	if r := examine("/proc", "procfs"); !r.Usable || r.Source != nil {
		t.Errorf("%+v", r)
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
		r.Checks = append(r.Checks, trials[i].check(bestSource(trials, "auto"), "auto"))
	}
	golden(t, "doctor_80.txt", 80, func(s *screen) { writeDoctor(s, r) })
}

func TestOpenRemedy(t *testing.T) {
	foreign := openRemedy(fmt.Errorf("x: %w", procfs.ErrForeignNamespace))
	if !strings.Contains(foreign, "PID namespace") || foreign == openRemedy(fs.ErrNotExist) {
		t.Errorf("remedy = %s", foreign)
	}
}
