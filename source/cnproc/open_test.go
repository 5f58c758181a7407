package cnproc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/source"
)

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"6.6.0": true, "6.18.44-x": true, "7.0": true, "6.5.9": false, "5.15": false, "x": false} {
		if got := atLeast(release, 6, 6); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(Options{}); err == nil {
		t.Error("no Reader, and no error")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/self/ns", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pid:[4026539999]", dir+"/self/ns/pid"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Reader: unread{}, ProcPath: dir}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("in another PID namespace: %v", err)
	}
}

// unread is a reader that is not asked.
type unread struct{ source.Reader }

const elsewhereEnv = "LINEAGE_CNPROC_ELSEWHERE"

// In namespaces other than the first ones it says what is wrong.
func TestOpenElsewhere(t *testing.T) {
	if os.Getenv(elsewhereEnv) != "" {
		s, err := Open(Options{Reader: unread{}})
		if err == nil {
			err = s.Close()
		}
		fmt.Printf("unsupported %t, permission %t: %v\n", errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrPermission), err)
		return
	}
	for _, test := range []struct {
		name  string
		needs linuxtest.Feature
		flags uintptr
		want  string
	}{
		{"PID", linuxtest.PIDNamespace, syscall.CLONE_NEWPID, "PID namespace"},
		{"user", linuxtest.UserNamespace, syscall.CLONE_NEWUSER, "user namespace"},
		{"network", linuxtest.Root, syscall.CLONE_NEWNET, "network namespace"},
		{"network of a user", linuxtest.UserNamespace, syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, "user namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			linuxtest.Need(t, linuxtest.Connector, test.needs)
			if test.flags == syscall.CLONE_NEWPID && os.Getuid() != 0 {
				test.flags |= syscall.CLONE_NEWUSER
			}
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestOpenElsewhere$", "-test.v")
			cmd.Env = append(os.Environ(), elsewhereEnv+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: test.flags}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if text := string(out); !strings.Contains(text, "unsupported true, permission false: ") ||
				!strings.Contains(text, "in a "+test.want+" other than the first one; run in the host's") {
				t.Errorf("%s", text)
			}
		})
	}
}
