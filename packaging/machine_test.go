package packaging_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// A machine has systemd as its init, in namespaces of its own, with the programs of
// this one.
type machine struct {
	t   *testing.T
	pid int // of its init, as seen from here
}

// boot starts a machine that lasts as long as the test.
func boot(t *testing.T) *machine {
	t.Helper()
	linuxtest.Need(t, linuxtest.Root, linuxtest.Cgroups, linuxtest.CgroupV2, linuxtest.PIDNamespace)
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		linuxtest.Lack(t, "systemd", err.Error())
	}
	need(t, "unshare", "nsenter", "systemctl")
	group := linuxtest.NewUnifiedCgroup(t)
	if group == nil {
		linuxtest.Lack(t, linuxtest.CgroupV2, "it is not mounted")
	}
	t.Cleanup(func() { removeBelow(t, group.Dir) })
	dir := t.TempDir()
	c := exec.Command("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "testdata/boot", dir, group.Dir)
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	m := &machine{t: t}
	t.Cleanup(func() {
		if m.pid != 0 {
			_ = syscall.Kill(m.pid, syscall.SIGKILL) // and so all that is in it
		} else {
			_ = c.Process.Kill()
		}
		<-ended
	})
	m.await("its init", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("no machine: %v\n%s", err, &log)
		default:
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.Process.Pid))
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(children)))
		return err == nil && m.pid != 0
	})
	m.await("its end of booting", func() bool {
		state, _ := m.try("systemctl", "is-system-running")
		return strings.TrimSpace(state) == "running"
	})
	return m
}

// removeBelow removes the cgroups that were made in one, once all that was in them has
// ended.
func removeBelow(t *testing.T, dir string) {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			all = append(all, path)
		}
		return err
	})
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	lost := time.Now().Add(tooLong)
	for len(all) > 0 && err == nil {
		switch err = os.Remove(all[len(all)-1]); {
		case err == nil:
			all = all[:len(all)-1]
		case errors.Is(err, syscall.EBUSY) && time.Now().Before(lost):
			<-ticker.C
			err = nil
		}
	}
	if err != nil {
		t.Errorf("the cgroups of the test: %v", err)
	}
}

// path is where a file of the machine is seen from here.
func (m *machine) path(name string) string { return fmt.Sprintf("/proc/%d/root%s", m.pid, name) }

// try runs a command in the machine, and returns what it writes.
func (m *machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), tooLong)
	defer cancel()
	enter := []string{"--target", strconv.Itoa(m.pid), "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd", "--"}
	out, err := exec.CommandContext(ctx, "nsenter", append(enter, args...)...).CombinedOutput()
	return string(out), err
}

// run is try for what must succeed.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%v: %v\n%s\n%s", args, err, out, m.journal())
	}
	return strings.TrimSpace(out)
}

// journal is what the daemon and systemd have said of it.
func (m *machine) journal() string {
	out, _ := m.try("journalctl", "--no-pager", "--unit=lineage.service")
	return out
}

// write writes a file of the machine.
func (m *machine) write(name, text string) {
	m.t.Helper()
	path := m.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// property is a property of the service.
func (m *machine) property(name string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--value", "--property="+name, "lineage.service")
}

// await waits until it is so.
func (m *machine) await(what string, is func() bool) {
	m.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	lost := time.After(tooLong)
	for !is() {
		select {
		case <-ticker.C:
		case <-lost:
			m.t.Fatalf("%s does not come: %s", what, m.journal())
		}
	}
}
