package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestHidden asks as an ordinary user about processes of which some are
// another user's, on a /proc that hides those.
func TestHidden(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root, linuxtest.Hidepid)
	for _, hide := range []string{"1", "2"} {
		t.Run("hidepid="+hide, func(t *testing.T) {
			proc, err := os.Open(linuxtest.MountProc(t, "hidepid", hide))
			if err != nil {
				t.Fatal(err)
			}
			defer proc.Close()
			asNobody := func(name string, args ...string) *exec.Cmd {
				c := exec.Command("/proc/self/exe", args...)
				c.Args[0], c.Dir = name, "/"
				c.ExtraFiles = []*os.File{proc}
				c.Env = []string{quickExit, "LINEAGE_PROC=/proc/self/fd/3"}
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				return c
			}
			// A process of the ordinary user, with a parent that is not.
			theirs := asNobody("family", "theirs")
			stdin, err := theirs.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := theirs.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := theirs.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { stdin.Close(); theirs.Wait() }()
			if _, err := fmt.Fscan(stdout, new(string), new(int)); err != nil { // its name is set by now
				t.Fatal(err)
			}
			pid := fmt.Sprint(theirs.Process.Pid)

			tests := []struct {
				args           string
				status         int
				stdout, stderr string
			}{
				{"why --short " + pid, exitDone, "… → theirs " + pid + "\n", "the answer stops at process"},
				{"why --short --strict " + pid, exitIncomplete, "… → theirs " + pid + "\n", "the answer stops at process"},
				{"why -o json " + pid, exitDone, `"complete": false`, "the answer stops at process"},
				{"ancestors " + pid, exitDone, "source ", "the answer stops at process"},
				{"ancestors --strict -o ndjson " + pid, exitIncomplete, "", "the answer stops at process"},
				{"tree -p theirs", exitDone, "theirs " + pid + "  ← ", "the answer stops at process"},
				{"tree --strict", exitIncomplete, "theirs", "may not be read: run as root (sudo)"},
				{"why no-such-name", exitNotFound, "", "; the answer stops at process"},
				{fmt.Sprint("why ", os.Getpid()), exitPermission, "", "the process may not be read by this user: run as root"},
				{"doctor", exitDone, "does not show all processes: ", ""},
			}
			for _, test := range tests {
				c := asNobody("lineage", strings.Fields(test.args)...)
				var stdout, stderr bytes.Buffer
				c.Stdout, c.Stderr = &stdout, &stderr
				err := c.Run()
				status := 0
				if failed, ok := errors.AsType[*exec.ExitError](err); ok {
					status = failed.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				if status != test.status || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
					t.Errorf("lineage %s: status %d, want %d\nstdout: %s\nstderr: %s", test.args, status, test.status, &stdout, &stderr)
				}
			}
		})
	}
}
