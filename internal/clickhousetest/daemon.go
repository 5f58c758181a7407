package clickhousetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a server may take to be ready or to end.
const patience = time.Minute

// kept is how many lines of a server's log are kept.
const kept = 200

// A daemon is a server in a process of its own that a test may end and start
// again as it was. It ends with the test, and with the test binary. A failing
// method ends the test, so that only the test's goroutine may call it.
type daemon struct {
	t       testing.TB
	name    string
	command func() *exec.Cmd
	ready   []string // lines of its log with all of these say that it is ready

	run *run // nil when it is not running
	log []string
}

// newDaemon starts a daemon, which ends with the test.
func newDaemon(t testing.TB, name string, command func() *exec.Cmd, ready ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, name: name, ready: ready, command: command}
	t.Cleanup(func() {
		if d.run != nil {
			d.end(unix.SIGKILL)
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", name, strings.Join(d.log, "\n"))
		}
	})
	d.Start()
	return d
}

// Start starts the server, again as it was, and returns when it is ready.
func (d *daemon) Start() {
	d.t.Helper()
	if d.run != nil {
		d.t.Fatalf("%s is running", d.name)
	}
	missing := slices.Clone(d.ready)
	r, err := start(d.command(), syscall.SIGKILL, func(line string) bool {
		missing = slices.DeleteFunc(missing, func(text string) bool { return strings.Contains(line, text) })
		return len(missing) == 0
	})
	if err != nil {
		d.t.Fatalf("starting %s: %v", d.name, err)
	}
	d.run = r
}

// Stop ends the server by SIGTERM, and returns when it has ended.
func (d *daemon) Stop() {
	d.t.Helper()
	d.end(unix.SIGTERM)
}

// Kill ends the server by SIGKILL, and returns when it has ended.
func (d *daemon) Kill() {
	d.t.Helper()
	d.end(unix.SIGKILL)
}

// PID is the server's process ID. It must be running.
func (d *daemon) PID() int { return d.run.cmd.Process.Pid }

func (d *daemon) end(by syscall.Signal) {
	d.t.Helper()
	if d.run == nil {
		d.t.Fatalf("%s is not running", d.name)
	}
	// A server that has ended by itself is a fault, which its log explains.
	if err := d.run.cmd.Process.Signal(by); err != nil {
		d.t.Errorf("ending %s: %v", d.name, err)
	}
	if err := d.run.wait(); err != nil {
		d.t.Errorf("ending %s by %v: %v", d.name, by, err)
	}
	d.log = append(d.log, d.run.lines()...)
	d.run = nil
}

// A run is one run of a server.
type run struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and its output is read

	mu  sync.Mutex
	log []string // the last lines of its output
}

// start starts a command, which gets the signal when the test binary ends, and
// waits for the line of its output that says that it is ready.
func start(cmd *exec.Cmd, atEnd syscall.Signal, ready func(line string) bool) (*run, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: atEnd}
	err = onLastingThread(cmd.Start)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	r := &run{cmd: cmd, ended: make(chan struct{})}
	isReady := make(chan struct{})
	go r.read(out, ready, isReady)
	select {
	case <-isReady:
		return r, nil
	case <-r.ended:
		err = errors.New("it has ended")
	case <-time.After(patience):
		err = fmt.Errorf("not ready within %v", patience)
	}
	_ = cmd.Process.Kill() // it may have ended
	return nil, fmt.Errorf("%w: %s", errors.Join(err, r.wait()), strings.Join(r.lines(), "\n"))
}

// read reads the output to its end.
func (r *run) read(out io.ReadCloser, ready func(line string) bool, isReady chan<- struct{}) {
	defer close(r.ended)
	defer func() { _ = out.Close() }()
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n') // however long: queries are logged too
		if err != nil {
			break
		}
		r.mu.Lock()
		if r.log = append(r.log, strings.TrimSuffix(line, "\n")); len(r.log) > kept {
			r.log = slices.Delete(r.log, 0, 1)
		}
		r.mu.Unlock()
		if isReady != nil && ready(line) {
			close(isReady)
			isReady = nil
		}
	}
	_, _ = r.cmd.Process.Wait() // by a signal, as a rule
}

func (r *run) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

func (r *run) wait() error {
	select {
	case <-r.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("process %d has not ended within %v", r.cmd.Process.Pid, patience)
	}
}

// onLastingThread calls f on a thread that lasts as long as the test binary: the
// signal of Pdeathsig is sent when the thread that has started the child ends
// (prctl(2)).
func onLastingThread(f func() error) error {
	done := make(chan error)
	lastingThread() <- func() { done <- f() }
	return <-done
}

var lastingThread = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range calls {
			f()
		}
	}()
	return calls
})
