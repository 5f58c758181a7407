package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// quickExit keeps the race detector of the children from waiting for a second
// at the end of each.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	name, value, _ := strings.Cut(quickExit, "=")
	must(os.Setenv(name, value))
	commands := map[string]func(){
		"lineage": main,
		"family":  family, // see family_test.go
	}
	if name := filepath.Base(os.Args[0]); strings.HasPrefix(name, selfPrefix) {
		commands[name] = main
	}
	testscript.Main(m, commands)
}

// selfPrefix begins the name of a link to the command that only one script
// has.
const selfPrefix = "ln."

var scripts atomic.Int32

// setup gives each script what must not be the name of another process, such
// as one that an earlier run has left for PID 1 to reap: $unique, a part of
// names, $digits, which is no PID, and a link to the command, ln.$unique.
func setup(e *testscript.Env) error {
	n := int(scripts.Add(1))
	unique := strconv.FormatInt(int64(os.Getpid()), 36) + strconv.FormatInt(int64(n), 36)
	e.Vars = append(e.Vars, quickExit)
	e.Setenv("unique", unique)
	e.Setenv("digits", fmt.Sprintf("9%07d%02d", os.Getpid(), n%100))
	command, err := exec.LookPath("lineage")
	if err != nil {
		return err
	}
	e.Setenv("PATH", e.WorkDir+string(filepath.ListSeparator)+e.Getenv("PATH"))
	return os.Symlink(command, filepath.Join(e.WorkDir, selfPrefix+unique))
}

func TestScript(t *testing.T) {
	linuxtest.Quiet(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"start":  start,
			"tty":    tty,
			"json":   jsonField,
			"nobody": nobody,
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
	})
}

// exits STATUS COMMAND… runs a command that must end with the status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	checkStatus(ts, args[0], err)
}

func checkStatus(ts *testscript.TestScript, want string, err error) {
	got := 0
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("status %d, not %s", got, want)
	}
}

// start SPEC… starts a family (see there) and sets a variable to the PID of
// each member, called as it is but for what makes the name unique. They end
// with the script.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start SPEC…")
	}
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = "family"
	stdin, err := c.StdinPipe()
	ts.Check(err)
	stdout, err := c.StdoutPipe()
	ts.Check(err)
	c.Stderr = os.Stderr
	ts.Check(c.Start())
	ts.Defer(func() {
		stdin.Close() // all of them wait for this
		c.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for n := 0; n < len(args) && lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if key == "up" {
			n++
			continue
		}
		ts.Setenv(strings.Replace(key, "_"+ts.Getenv("unique"), "", 1), value)
	}
	ts.Check(lines.Err())
}

// tty COLUMNS COMMAND… runs a command with a terminal for its stdout.
func tty(ts *testscript.TestScript, neg bool, args []string) {
	width, err := strconv.Atoi(args[0])
	ts.Check(err)
	text, err := onTerminal(width, func(name string) string { return ts.Getenv(name) }, args[1:]...)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), text)
}

// onTerminal returns what the command writes to a terminal.
func onTerminal(width int, getenv func(string) string, args ...string) (string, error) {
	control, terminal, err := openTerminal(width)
	if err != nil {
		return "", err
	}
	defer control.Close()
	c := exec.Command("/proc/self/exe", args[1:]...)
	c.Args[0] = args[0]
	c.Stdout = terminal
	c.Stderr = os.Stderr
	c.Env = []string{quickExit}
	for _, name := range []string{"NO_COLOR", "TERM", "LANG", "LC_CTYPE", "LINEAGE_COLOR", "COLUMNS"} {
		c.Env = append(c.Env, name+"="+getenv(name))
	}
	if err := c.Start(); err != nil {
		return "", err
	}
	terminal.Close()
	// The read fails once nobody has the terminal open.
	text, _ := io.ReadAll(control)
	return strings.ReplaceAll(string(text), "\r\n", "\n"), c.Wait()
}

// openTerminal returns both ends of a new terminal of so many columns.
func openTerminal(width int) (control, terminal *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(control.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(width)})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, control.Close())
	}
	return control, terminal, nil
}

// json PATH VALUE checks a field of the last stdout: "processes.0.name web". A
// path that begins with a number n is in the nth line.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH VALUE")
	}
	text := ts.ReadFile("stdout")
	keys := strings.Split(args[0], ".")
	if n, err := strconv.Atoi(keys[0]); err == nil {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if n >= len(lines) {
			ts.Fatalf("there are %d lines", len(lines))
		}
		text, keys = lines[n], keys[1:]
	}
	var v any
	ts.Check(json.Unmarshal([]byte(text), &v))
	for _, key := range keys {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[key]
			if !ok {
				ts.Fatalf("%s: no field %q", args[0], key)
			}
			v = next
		case []any:
			n, err := strconv.Atoi(key)
			ts.Check(err)
			if n >= len(at) {
				ts.Fatalf("%s: only %d elements", args[0], len(at))
			}
			v = at[n]
		default:
			ts.Fatalf("%s: nothing below %v", args[0], v)
		}
	}
	got, err := json.Marshal(v)
	ts.Check(err)
	if s, ok := v.(string); ok {
		got = []byte(s)
	}
	if (string(got) == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

// nobody STATUS COMMAND… runs a command as an ordinary user, which must end
// with the status. It needs root.
func nobody(ts *testscript.TestScript, _ bool, args []string) {
	c := exec.Command("/proc/self/exe", args[2:]...)
	c.Args[0] = args[1]
	c.Dir = "/"
	c.Stdout, c.Stderr = ts.Stdout(), ts.Stderr()
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	checkStatus(ts, args[0], c.Run())
}

// TestBrokenPipe runs the command for a reader that has gone.
func TestBrokenPipe(t *testing.T) {
	if stderr, status := toNobody(t, "tree", "--kernel", "--all"); stderr != "" || status.Signal() != syscall.SIGPIPE {
		t.Errorf("it ends with %v, not by SIGPIPE: %s", status, stderr)
	}
}

// toNobody runs the command for a reader that has gone, and returns what it says
// and how it ends.
func toNobody(t *testing.T, args ...string) (stderr string, status syscall.WaitStatus) {
	t.Helper()
	r, w := must2x(t)(os.Pipe())
	r.Close()
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = "lineage"
	var b strings.Builder
	c.Stdout, c.Stderr = w, &b
	err := c.Run()
	w.Close()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return b.String(), c.ProcessState.Sys().(syscall.WaitStatus)
}

func must2x(t *testing.T) func(r, w *os.File, err error) (*os.File, *os.File) {
	return func(r, w *os.File, err error) (*os.File, *os.File) {
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
}
