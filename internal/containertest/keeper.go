package containertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A keeper is a process that holds the mount namespace of a rig, starts what is
// started in it, and adopts and reaps what daemonizes. It ends and removes all
// that is of the rig once its standard input ends: when the test has ended, or
// the test binary.
type keeper struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	fault *strings.Builder

	mu      sync.Mutex
	waiting map[int]chan reply // by request
	last    int
	over    chan struct{} // closed when it says no more
}

// A task is what a keeper is told at first.
type task struct {
	Dir    string // the rig's folder
	Group  string // the name of the rig's cgroup
	Layout Layout
}

// A request is a command to start, with absolute paths for its output.
type request struct {
	ID        int
	Args, Env []string
	Out, Err  string
}

// A reply says that the command of a request has been started, as PID, or has
// ended, with the status of wait(2), or was not to be started.
type reply struct {
	ID     int
	PID    int
	Ended  bool
	Status syscall.WaitStatus
	Fault  string
}

// newKeeper starts a keeper and waits until it is ready.
func newKeeper(t task) (*keeper, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	k := &keeper{
		cmd:     exec.Command("/proc/self/exe"),
		fault:   new(strings.Builder),
		waiting: map[int]chan reply{},
		over:    make(chan struct{}),
	}
	// The race detector would have it sleep for a second at its end.
	k.cmd.Env = []string{keeperEnv + "=" + string(text), "PATH=" + path, "GORACE=atexit_sleep_ms=0"}
	// A session of its own: what interrupts the test must not end it.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Setsid: true}
	k.cmd.Stderr = k.fault
	k.input, err = k.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a keeper: %w", err)
	}
	replies := json.NewDecoder(out)
	if err := replies.Decode(new(reply)); err != nil {
		close(k.over)
		return nil, fmt.Errorf("starting a keeper: %w", errors.Join(err, k.close()))
	}
	go k.dispatch(replies)
	return k, nil
}

// dispatch hands each reply to who waits for it.
func (k *keeper) dispatch(replies *json.Decoder) {
	defer close(k.over)
	for {
		var r reply
		if replies.Decode(&r) != nil {
			return
		}
		k.mu.Lock()
		waiting := k.waiting[r.ID]
		if r.Ended || r.Fault != "" {
			delete(k.waiting, r.ID)
		}
		k.mu.Unlock()
		if waiting != nil {
			waiting <- r
		}
	}
}

// A command is one that a keeper has started.
type command struct {
	name string
	pid  int

	k       *keeper
	replies chan reply
}

// start starts a command.
func (k *keeper) start(args, env []string, out, fault string) (*command, error) {
	k.mu.Lock()
	k.last++
	c := &command{name: args[0], k: k, replies: make(chan reply, 2)}
	k.waiting[k.last] = c.replies
	text, err := json.Marshal(request{ID: k.last, Args: args, Env: env, Out: out, Err: fault})
	if err == nil {
		_, err = k.input.Write(append(text, '\n'))
	}
	k.mu.Unlock()
	if err != nil {
		return nil, err
	}
	r, err := c.next()
	if err == nil && r.Fault != "" {
		err = fmt.Errorf("%s: %s", args[0], r.Fault)
	}
	c.pid = r.PID
	return c, err
}

// next waits for a reply.
func (c *command) next() (reply, error) {
	select {
	case r := <-c.replies:
		return r, nil
	case <-time.After(patience):
		return reply{}, fmt.Errorf("%s: not done within %v", c.name, patience)
	case <-c.k.over:
		return reply{}, errors.New("the keeper has ended")
	}
}

// wait waits until the command has ended.
func (c *command) wait() error {
	r, err := c.next()
	if err != nil {
		return err
	}
	return r.failure()
}

// failure returns nil for the exit status 0.
func (r reply) failure() error {
	switch {
	case r.Status.Signaled():
		return fmt.Errorf("ended by %v", r.Status.Signal())
	case r.Status.ExitStatus() != 0:
		return fmt.Errorf("exit status %d", r.Status.ExitStatus())
	}
	return nil
}

// close makes the keeper tidy up and waits for it.
func (k *keeper) close() error {
	err := k.input.Close()
	<-k.over // the pipe must have been read (exec.Cmd.StdoutPipe)
	if werr := k.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("%w: %s", werr, strings.TrimSpace(k.fault.String())))
	}
	return err
}
