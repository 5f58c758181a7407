package packaging_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// testSystemd installs the package on a machine with systemd, and has the unit of the
// package run the daemon.
func (p *packages) testSystemd(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	need(t, "dpkg", "systemd-analyze")
	deb, err := os.ReadFile(p.deb)
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t)
	m.write("/run/lineage.deb", string(deb))
	m.run("dpkg", "--install", "--no-triggers", "/run/lineage.deb")
	if out := m.run("lineage", "version"); !strings.HasPrefix(out, "lineage ") {
		t.Error(out)
	}
	if out := m.run("systemd-analyze", "verify", "lineage.service", "lineage.socket"); out != "" {
		t.Error(out)
	}
	m.run("systemd-analyze", "security", "--offline=true", "--threshold=26", "lineage.service")
	for _, unit := range []string{"lineage.service", "lineage.socket"} {
		if out := m.run("systemctl", "is-enabled", unit); out != "enabled" {
			t.Errorf("%s: %s", unit, out)
		}
		m.await("the start of "+unit, func() bool {
			out, _ := m.try("systemctl", "is-active", unit)
			return out == "active\n"
		})
	}
	c, err := client.New(m.path("/run/lineage/lineage.sock"), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &installed{m, c}
	d.testSandbox()
	d.testHistory()
	d.testRuntimes()
	d.testWatchdog()
	d.testActivation()
	d.testSettings()
	m.run("dpkg", "--purge", "--no-triggers", "lineage")
	for _, name := range []string{"/var/lib/lineage", "/etc/lineage", "/run/lineage/lineage.sock"} {
		if _, err := os.Lstat(m.path(name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if out, err := m.try("systemctl", "is-active", "lineage.service"); err == nil {
		t.Errorf("the daemon runs on: %s", out)
	}
}

// installed is the daemon of a machine.
type installed struct {
	*machine
	*client.Client
}

// source is where the daemon learns of processes.
func (d *installed) source() string {
	d.t.Helper()
	s, err := d.Status(d.t.Context())
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.journal())
	}
	return s.Source.Name
}

// testSandbox holds that the daemon sees all with the best source, as another user
// than root, with no more capabilities than reading /proc takes.
func (d *installed) testSandbox() {
	if s := d.source(); s != "bpf" {
		d.t.Errorf("source %s\n%s", s, d.journal())
	}
	text, err := os.ReadFile(d.path("/proc/" + d.property("MainPID") + "/status"))
	if err != nil {
		d.t.Fatal(err)
	}
	uid := d.run("id", "--user", "lineage")
	capabilities := fmt.Sprintf("%016x", 1<<unix.CAP_SYS_PTRACE|1<<unix.CAP_DAC_READ_SEARCH)
	for _, line := range []string{
		"Uid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid, "CapPrm:\t" + capabilities, "CapEff:\t" + capabilities,
		"CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			d.t.Errorf("not %q:\n%s", line, text)
		}
	}
	if uid == "0" {
		d.t.Error("it is root")
	}
	if out := d.run("stat", "--format=%U %a", "/var/lib/lineage"); out != "lineage 700" {
		d.t.Errorf("the history: %s", out)
	}
	if out := d.run("journalctl", "--unit=lineage.service", "--output=cat", "--priority=info..info"); !strings.Contains(out, "msg=ready") || strings.Contains(out, "<6>") {
		d.t.Errorf("in the journal as information: %s", out)
	}
}

// testHistory asks as root and as another user for what has run: the program of
// another user among it, which takes CAP_SYS_PTRACE to read.
func (d *installed) testHistory() {
	const nobody = "65534"
	d.run("setpriv", "--reuid="+nobody, "--clear-groups", "sh", "-c", "/bin/true; exit 0", "mark-of-the-test")
	for _, as := range [][]string{nil, {"setpriv", "--reuid=" + nobody, "--clear-groups"}} {
		d.await("the end of a process", func() bool {
			out, _ := d.try(append(as, "lineage", "history", "mark-of-the-test", "name:sh", "exit=0", "--since", "1h", "--output=ndjson")...)
			return strings.Contains(out, `"mark-of-the-test"`) && strings.Contains(out, `"file":"/`)
		})
	}
}

// testRuntimes has a container runtime listen as they do, for root and its group: the
// daemon is let in with that group alone.
func (d *installed) testRuntimes() {
	const socket = "/run/docker.sock"
	l, err := net.Listen("unix", d.path(socket))
	if err != nil {
		d.t.Fatal(err)
	}
	var asked atomic.Int32
	served := make(chan struct{})
	go func() {
		defer close(served)
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			asked.Add(1)
			_ = c.Close() // no answer is needed
		}
	}()
	defer func() {
		_ = l.Close()
		<-served
	}()
	d.run("chmod", "660", socket)
	const before = "[Service]\nExecStartPre=/usr/bin/lineage doctor --runtime docker:" + socket + "\n"
	restart := func(text string) int32 {
		d.t.Helper()
		d.write("/etc/systemd/system/lineage.service.d/names.conf", text)
		d.run("systemctl", "daemon-reload")
		d.run("systemctl", "restart", "lineage.service")
		return asked.Load()
	}
	if n := restart(before); n != 0 || !strings.Contains(d.journal(), socket+": ") || !strings.Contains(d.journal(), "permission denied") {
		d.t.Errorf("%d connections: %s", n, d.journal())
	}
	if n := restart(before + "SupplementaryGroups=root\n"); n == 0 {
		d.t.Errorf("it is not let in: %s", d.journal())
	}
	if err := os.RemoveAll(d.path("/etc/systemd/system/lineage.service.d")); err != nil {
		d.t.Fatal(err)
	}
}

// testWatchdog stops the daemon in the middle: systemd begins another one.
func (d *installed) testWatchdog() {
	d.write("/etc/systemd/system/lineage.service.d/hang.conf", "[Service]\nWatchdogSec=5s\nTimeoutAbortSec=1s\n")
	d.run("systemctl", "daemon-reload")
	d.run("systemctl", "restart", "lineage.service")
	d.run("systemctl", "kill", "--kill-whom=main", "--signal=STOP", "lineage.service")
	d.await("another daemon", func() bool { return d.property("NRestarts") == "1" && d.property("ActiveState") == "active" })
	if !strings.Contains(d.journal(), "Watchdog timeout") {
		d.t.Error(d.journal())
	}
	if s := d.source(); s != "bpf" {
		d.t.Errorf("source %s\n%s", s, d.journal())
	}
}

// testActivation ends the daemon, and asks it: it is begun for that.
func (d *installed) testActivation() {
	d.run("systemctl", "stop", "lineage.service")
	if s := d.property("ActiveState"); s != "inactive" {
		d.t.Errorf("it is %s", s)
	}
	if s := d.source(); s != "bpf" {
		d.t.Errorf("source %s\n%s", s, d.journal())
	}
	d.await("its readiness", func() bool { return d.property("ActiveState") == "active" }) // it answers before it says that it is ready
}

// testSettings gives the daemon settings that it does not know: it is not begun again
// and again.
func (d *installed) testSettings() {
	d.write("/etc/lineage/lineage.conf", "retention = 1d\nhidepid = 2\n")
	d.run("systemctl", "restart", "lineage.service")
	d.write("/etc/lineage/lineage.conf", "nonsense = 1\n")
	if out, err := d.try("systemctl", "restart", "lineage.service"); err == nil {
		d.t.Error(out)
	}
	d.await("the end of it", func() bool { return d.property("ActiveState") == "failed" })
	if !strings.Contains(d.journal(), `lineage.conf:1: there is no setting called "nonsense"`) {
		d.t.Error(d.journal())
	}
}
