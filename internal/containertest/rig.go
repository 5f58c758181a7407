package containertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// A Rig is a runtime and the containers that a test has of it. Its methods, and
// those of what it makes, fail the test when what they do fails. It is not safe
// for concurrent use; rigs may be used side by side.
type Rig struct {
	// Kind is the runtime.
	Kind Kind
	// Layout is the one that the runtime sees.
	Layout Layout

	t      testing.TB
	dir    string // all of its state
	group  string // the name of the cgroup that all containers are below
	keeper *keeper
	engine engine
	env    []string
	made   map[string]bool // folders of containers
	calls  int
}

// Options are what a rig is to be like.
type Options struct {
	Layout Layout
}

// Start starts a rig, which ends with the test. It skips the test, or fails it,
// as [linuxtest.Need] does, where the machine does not have what the kind needs.
func Start(t testing.TB, k Kind) *Rig {
	t.Helper()
	return StartWith(t, k, Options{})
}

// StartWith starts a rig as the options say.
func StartWith(t testing.TB, k Kind, o Options) *Rig {
	t.Helper()
	linuxtest.Need(t, append(k.needs(), o.Layout.needs()...)...)
	rig := &Rig{Kind: k, Layout: o.Layout, t: t, group: "lineage-rig-" + strings.ToLower(rand.Text()[:10]), made: map[string]bool{}}
	rig.engine = k.engine(rig)
	if rig.engine == nil {
		t.Fatalf("there is no kind %q", k)
	}
	if both, err := hybrid(); err != nil {
		t.Fatal(err)
	} else if both && k == Crun && rig.Layout == LayoutHost {
		rig.Layout = LayoutLegacy
	}
	//nolint:usetesting // the path of a socket has at most 107 bytes, and that of t.TempDir has the test's name
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		t.Fatal(err)
	}
	rig.dir = dir
	rig.keeper, err = newKeeper(task{rig.dir, rig.group, rig.Layout})
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(rig.close)
	if err := errors.Join(rig.lay(), rig.engine.start()); err != nil {
		rig.fatal("start", err)
	}
	return rig
}

// Socket returns the path of the runtime's API: Podman's and Docker's for HTTP,
// containerd's for gRPC. It is empty for a runtime that has none.
func (rig *Rig) Socket() string { return rig.engine.socket() }

// close ends all that is of the rig.
func (rig *Rig) close() {
	if err := rig.keeper.close(); err != nil {
		rig.t.Errorf("%s: tidying up: %v", rig.Kind, err)
	}
}

func (rig *Rig) fatal(doing string, err error) {
	rig.t.Helper()
	rig.t.Fatalf("%s: %s: %v", rig.Kind, doing, err)
}

// path returns the path of a file of the rig.
func (rig *Rig) path(name string) string { return filepath.Join(rig.dir, name) }

// below returns the path of a cgroup of the rig.
func (rig *Rig) below(path string) string { return filepath.Join("/", rig.group, path) }

// hierarchies returns the directories of the mounted hierarchies, as they are
// seen by the test.
func (rig *Rig) hierarchies() ([]string, error) {
	root := procfs(rig.keeper.cmd.Process.Pid, "root"+cgroupRoot)
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
		return []string{root}, nil
	}
	return filepath.Glob(root + "/*")
}

// environ is all the environment of a command.
func (rig *Rig) environ() []string {
	return append([]string{"HOME=" + rig.dir, "PATH=" + path}, rig.env...)
}

// call runs a command in the rig's mount namespace and returns what it printed.
// What it prints goes to files and not to a pipe, which a container that
// inherits it would hold open.
func (rig *Rig) call(args ...string) (string, error) {
	rig.calls++
	out := rig.path(fmt.Sprintf("out-%d", rig.calls))
	c, err := rig.keeper.start(args, rig.environ(), out, out+".err")
	if err != nil {
		return "", err
	}
	err = c.wait()
	text, rerr := os.ReadFile(out)
	if err != nil {
		said, _ := os.ReadFile(out + ".err")
		return "", fmt.Errorf("%s: %w: %s%s", strings.Join(args, " "), err, text, said)
	}
	return strings.TrimSpace(string(text)), rerr
}

// spawn starts a command that goes on, at most until the end of the rig, and
// whose output goes to the file with the name.
func (rig *Rig) spawn(log string, args ...string) (*command, error) {
	return rig.keeper.start(args, rig.environ(), rig.path(log), rig.path(log))
}

// serve starts a daemon and waits until it answers on its socket.
func (rig *Rig) serve(log, socket string, args ...string) error {
	c, err := rig.spawn(log, args...)
	if err != nil {
		return err
	}
	limit := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case r := <-c.replies:
			return fmt.Errorf("%s: %w: %s", c.name, r.failure(), rig.tail(log))
		case <-limit:
			return fmt.Errorf("%s does not listen: %w: %s", c.name, err, rig.tail(log))
		}
	}
}

// tail returns the end of a log.
func (rig *Rig) tail(log string) string {
	text, err := os.ReadFile(rig.path(log))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}

// mkfifo makes a FIFO and opens it for reading and writing, so that neither
// side waits for the other one to open it.
func mkfifo(name string) (*os.File, error) {
	if err := unix.Mkfifo(name, 0o600); err != nil {
		return nil, fmt.Errorf("making the FIFO %s: %w", name, err)
	}
	return os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
}
