package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// The exit statuses of what runs a command and could not, as env(1) has them.
const (
	exitFailed     = 125 // lineage itself failed
	exitCannotExec = 126
	exitNoCommand  = 127
)

// A command is a program that lineage runs for the user, as if lineage were not
// there: in lineage's own process group and session, with its descriptors, with
// the limits that lineage was started with, and with those signals ignored of which
// catchSignals knows that.
type command struct {
	pid     int
	signals chan os.Signal
	done    chan struct{} // closed when it has ended

	mu    sync.Mutex // while it is held, the PID is that of the command
	ended bool
	final ending
}

// ending is how a command ended.
type ending struct {
	status syscall.WaitStatus
	usage  process.Usage
	at     time.Time
}

// lookCommand returns the file of a command, looked for as execvp(3) does.
func lookCommand(name, path string, isSet bool) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // execve(2) says what is wrong with it
	}
	if !isSet {
		path = "/bin:/usr/bin"
	}
	var found error = syscall.ENOENT
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(cmp.Or(dir, "."), name)
		if !strings.Contains(file, "/") {
			file = "./" + file
		}
		info, err := os.Stat(file)
		switch {
		case name == "" || err != nil && !errors.Is(err, fs.ErrPermission):
		case err != nil, !info.Mode().IsRegular(), unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS) != nil:
			found = syscall.EACCES
		default:
			return file, nil
		}
	}
	return "", found
}

// cannotRun is the error of a command that could not be executed.
func cannotRun(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &statusError{exitNoCommand, fmt.Errorf("%s: there is no such command", quoted(name))}
	}
	return &statusError{exitCannotExec, fmt.Errorf("%s: it cannot be executed: %w", quoted(name), err)}
}

// startCommand runs the file with the arguments, the first of which is its name.
// Until wait is called it keeps its PID.
func startCommand(file string, args []string, signals chan os.Signal) (*command, error) {
	c := &command{signals: signals, done: make(chan struct{})}
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}}
	var err error
	c.pid, err = syscall.ForkExec(file, args, attr)
	if errors.Is(err, syscall.ENOEXEC) { // a script that does not say of what, as execvp(3) has it
		shell := "/bin/sh"
		c.pid, err = syscall.ForkExec(shell, append([]string{shell, file}, args[1:]...), attr)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// grace is how long after the end of the command a signal is taken for one that
// was sent before it: the terminal sends them to both.
const grace = 200 * time.Millisecond

// relay sends to the command what was sent to lineage alone, until quit is closed.
// Over is called with each signal that comes after the command has ended.
func (c *command) relay(quit <-chan struct{}, over func(os.Signal)) {
	for {
		select {
		case <-quit:
			return
		case s := <-c.signals:
			switch ended := c.hasEnded(); {
			case ended && time.Since(c.final.at) > grace:
				over(s)
			case !ended && !isFromTerminal(s.(syscall.Signal)):
				c.signal(s.(syscall.Signal))
			}
		}
	}
}

func (c *command) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// signal sends a signal to the command unless that has ended.
func (c *command) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		_ = syscall.Kill(c.pid, s) // it may be another user's by now, who may not be signalled
	}
}

// wait waits for the end of the command, stops with it, and then closes done.
func (c *command) wait() {
	defer close(c.done)
	for {
		err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		var status syscall.WaitStatus
		var usage syscall.Rusage
		c.mu.Lock()
		pid, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG|syscall.WUNTRACED, &usage)
		if err != nil || pid == c.pid && !status.Stopped() {
			c.ended, c.final = true, ending{status, usageOf(&usage), time.Now()}
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if pid == c.pid {
			if stopAs(status.StopSignal()) && c.isStopped() { // lineage alone was continued
				c.signal(syscall.SIGCONT)
			}
		}
	}
}

// isStopped reports whether the command is stopped.
func (c *command) isStopped() bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/stat")
	if err != nil {
		return false
	}
	end := strings.LastIndexByte(string(stat), ')')
	return end > 0 && strings.HasPrefix(string(stat[end:]), ") T")
}

// usageOf is what wait4(2) tells: of a process and of the children that it waited
// for, those that they waited for and so on (RUSAGE_BOTH).
func usageOf(u *syscall.Rusage) process.Usage {
	return process.Usage{
		Known:        true,
		User:         time.Duration(u.Utime.Nano()),
		System:       time.Duration(u.Stime.Nano()),
		MaxRSS:       uint64(u.Maxrss) << 10,
		ReadBytes:    uint64(u.Inblock) << 9,
		WrittenBytes: uint64(u.Oublock) << 9,
	}
}
