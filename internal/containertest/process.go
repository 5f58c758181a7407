package containertest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// steps is the program of the processes in a container: it says its PID and
// then does what it is told, one line at a time. Descriptor 3 is the FIFO that
// it reads, by which the test finds it among the host's processes.
const steps = `#!/bin/sh
open() {
	exec 3<>"/steps/$1.in" 4<>"/steps/$1.out"
	read -r pid rest </proc/self/stat
	echo "$pid" >&4
}
serve() {
	open "$1"
	self=$1
	while read -r step arg <&3; do
		case $step in
		fork) (serve "$arg") & ;;
		orphan) ( (serve "$arg") & ) ;;
		become) exec "/steps/$arg" "$self" ;;
		reap) jobs >/dev/null ;;
		exit) exit "$arg" ;;
		esac
		echo "did $step" >&4
	done
}
if [ "$#" -gt 1 ]; then
	open "$1"
	shift
	exec "$@"
fi
serve "$1"
`

// initArgs is the command line of a container's init, and what comes before the
// number of another process.
func initArgs() []string { return []string{"/bin/sh", "/steps/run", "1"} }

// A Process is a process in a container. Its methods return when it has done
// what they say.
type Process struct {
	// PID is its ID as the test sees it.
	PID int
	// Inner is its ID in its own PID namespace.
	Inner int

	c      *Container
	number string // its FIFOs are number.in and number.out
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	deaf   bool // it is another program
}

// newProcess makes the FIFOs of a process to come.
func (c *Container) newProcess() (*Process, error) {
	c.processes++
	p := &Process{c: c, number: strconv.Itoa(c.processes)}
	var err error
	if p.in, err = mkfifo(filepath.Join(c.steps, p.number+".in")); err != nil {
		return nil, err
	}
	c.rig.t.Cleanup(func() { _ = p.in.Close() })
	if p.out, err = mkfifo(filepath.Join(c.steps, p.number+".out")); err != nil {
		return nil, err
	}
	c.rig.t.Cleanup(func() { _ = p.out.Close() })
	p.lines = bufio.NewReader(p.out)
	c.latest = p
	return p, nil
}

// line reads what the process says.
func (p *Process) line() (string, error) {
	if err := p.out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	text, err := p.lines.ReadString('\n')
	return strings.TrimSuffix(text, "\n"), err
}

// greeted takes in the first line of the process, and finds it.
func (p *Process) greeted() error {
	text, err := p.line()
	if err != nil {
		return fmt.Errorf("process %s of %s does not come forward: %w", p.number, p.c.Name, err)
	}
	if p.Inner, err = strconv.Atoi(text); err != nil {
		return fmt.Errorf("process %s of %s: %w", p.number, p.c.Name, err)
	}
	p.PID, err = p.find()
	return err
}

// find returns the PID of the process that has the FIFO open and says to have
// the PID Inner. The FIFO's inode is the same in every mount namespace. All that
// is in a container is in a cgroup of the rig, which keeps this quick on a
// machine with many processes.
func (p *Process) find() (int, error) {
	fifo, err := p.in.Stat()
	if err != nil {
		return 0, err
	}
	hierarchies, err := p.c.rig.hierarchies()
	if err != nil {
		return 0, err
	}
	for _, h := range hierarchies {
		pids, err := cgroupMembers(filepath.Join(h, p.c.rig.group))
		if err != nil {
			return 0, err
		}
		for _, pid := range pids {
			open, err := os.Stat(procfs(pid, "fd/3"))
			if err == nil && os.SameFile(open, fifo) && innermost(pid) == p.Inner {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("process %d of %s is not to be found", p.Inner, p.c.Name)
}

// innermost returns the PID of a process in its own PID namespace, zero where
// there is none.
func innermost(pid int) int {
	text, err := os.ReadFile(procfs(pid, "status"))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "\nNSpid:")
	line, _, _ := strings.Cut(after, "\n")
	ids := strings.Fields(line)
	if len(ids) == 0 {
		return 0
	}
	inner, _ := strconv.Atoi(ids[len(ids)-1])
	return inner
}

// awaitProgram waits until the process is no longer the shell that has said its
// PID. The end of a process is an end of that too.
func (p *Process) awaitProgram() error {
	for limit := time.Now().Add(patience); ; runtime.Gosched() {
		line, err := os.ReadFile(procfs(p.PID, "cmdline"))
		if err != nil || !strings.HasPrefix(string(line), "/bin/sh\x00/steps/run\x00") {
			return nil //nolint:nilerr // it has ended
		}
		if time.Now().After(limit) {
			return fmt.Errorf("process %d of %s goes on as %q", p.PID, p.c.Name, line)
		}
	}
}

func (p *Process) fatal(doing string, err error) {
	p.c.rig.t.Helper()
	p.c.rig.fatal(fmt.Sprintf("process %d of %s: %s", p.PID, p.c.Name, doing), err)
}

// tell gives the process a line.
func (p *Process) tell(step, arg string) error {
	if p.deaf {
		return errors.New("it is a program that takes no steps")
	}
	_, err := fmt.Fprintf(p.in, "%s %s\n", step, arg)
	return err
}

// do has the process do a step.
func (p *Process) do(step, arg string) error {
	if err := p.tell(step, arg); err != nil {
		return err
	}
	text, err := p.line()
	if err == nil && text != "did "+step {
		err = fmt.Errorf("it says %q", text)
	}
	return err
}

// Fork makes a child.
func (p *Process) Fork() *Process {
	p.c.rig.t.Helper()
	return p.another("fork")
}

// Orphan makes a grandchild whose parent has ended: it is a child of the
// container's init, or of who adopts orphans where the host's PID namespace is
// shared.
func (p *Process) Orphan() *Process {
	p.c.rig.t.Helper()
	return p.another("orphan")
}

func (p *Process) another(step string) *Process {
	p.c.rig.t.Helper()
	made, err := p.c.newProcess()
	if err == nil {
		err = p.do(step, made.number)
	}
	if err == nil {
		err = made.greeted()
	}
	if err != nil {
		p.fatal(step, err)
	}
	return made
}

// Become executes another program, with the name, which takes the same steps.
func (p *Process) Become(name string) {
	p.c.rig.t.Helper()
	err := os.Link(filepath.Join(p.c.steps, "run"), filepath.Join(p.c.steps, name))
	if errors.Is(err, os.ErrExist) {
		err = nil
	}
	if err == nil {
		err = p.tell("become", name)
	}
	pid := p.PID
	if err == nil {
		err = p.greeted()
	}
	if err == nil && p.PID != pid {
		err = fmt.Errorf("PID %d after exec", p.PID)
	}
	if err != nil {
		p.fatal("exec of "+name, err)
	}
}

// Reap makes the process reap the children that have ended, also those that it
// has adopted.
func (p *Process) Reap() {
	p.c.rig.t.Helper()
	if err := p.do("reap", ""); err != nil {
		p.fatal("reap", err)
	}
}

// Exit ends the process with the status, and returns when it has ended. With
// its init a container ends.
func (p *Process) Exit(status int) {
	p.c.rig.t.Helper()
	p.end("exit", func(int) error { return p.tell("exit", strconv.Itoa(status)) })
}

// Kill ends the process by SIGKILL, and returns when it has ended.
func (p *Process) Kill() {
	p.c.rig.t.Helper()
	p.end("kill", func(pidfd int) error { return unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0) })
}

func (p *Process) end(doing string, by func(pidfd int) error) {
	p.c.rig.t.Helper()
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		p.fatal(doing, err)
	}
	err = by(fd)
	if err == nil {
		err = linuxtest.AwaitEnd(fd)
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		p.fatal(doing, err)
	}
}
