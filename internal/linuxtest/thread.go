package linuxtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Thread is one thread of an actor. Its methods fail the test when what
// they do fails, unless they return an error.
type Thread struct {
	// TID is its ID in the PID namespace that the actor is in.
	TID int

	actor *Actor
	ch    *channel
	base  uint64     // where data lies in the actor
	fd    int        // the actor's end of the channel
	owed  chan error // the answer to a vfork, which comes when the child lets go
}

func newThread(a *Actor, ch *channel) *Thread {
	m := &ch.msg
	return &Thread{TID: int(m.args[2]), actor: a, ch: ch, base: m.args[3], fd: int(m.args[4])}
}

// command returns the message to write the next command in.
func (th *Thread) command(op uint64) (*message, error) {
	if th.owed != nil {
		err := <-th.owed
		th.owed = nil
		if err != nil {
			return nil, err
		}
	}
	m := &th.ch.msg
	*m = message{op: op}
	return m, nil
}

// call sends the command with so many bytes of data and receives the answer.
func (th *Thread) call(data int) (uintptr, error) {
	if err := th.ch.send(data); err != nil {
		return 0, th.lost(err)
	}
	return th.answer()
}

func (th *Thread) answer() (uintptr, error) {
	if err := th.ch.receive(); err != nil {
		return 0, th.lost(err)
	}
	m := &th.ch.msg
	if m.op != opAnswer {
		return 0, th.lost(fmt.Errorf("message %d instead of an answer", m.op))
	}
	if m.args[0] != 0 {
		return uintptr(m.nr), syscall.Errno(m.args[0])
	}
	return uintptr(m.nr), nil
}

func (th *Thread) lost(err error) error {
	return fmt.Errorf("thread %d of actor %d does not answer: %w", th.TID, th.actor.PID, err)
}

func (th *Thread) fatal(doing string, err error) {
	t := th.actor.set.t
	t.Helper()
	t.Fatalf("actor %d: %s: %v", th.actor.PID, doing, err)
}

// Syscall makes the system call nr in the thread. Arguments are integers,
// strings, which are passed as C strings, and byte slices, which are passed by
// address and hold afterwards what the call left there. An error of the call
// is a [syscall.Errno].
func (th *Thread) Syscall(nr uintptr, args ...any) (uintptr, error) {
	m, err := th.command(opSyscall)
	if err != nil {
		return 0, err
	}
	m.nr = uint64(nr)
	used := 0
	slices := map[int][]byte{}
	for i, arg := range args {
		switch arg := arg.(type) {
		case int:
			m.args[i] = uint64(arg)
		case uintptr:
			m.args[i] = uint64(arg)
		case uint64:
			m.args[i] = arg
		case string:
			m.args[i] = th.base + uint64(used)
			used += copy(m.data[used:], arg) + 1
		case []byte:
			m.args[i] = th.base + uint64(used)
			slices[used] = arg
			used += copy(m.data[used:], arg)
		default:
			return 0, fmt.Errorf("an argument of type %T", arg)
		}
		used = (used + 7) &^ 7
		if used > dataSize {
			return 0, errors.New("arguments too long")
		}
	}
	r, err := th.call(used)
	for at, s := range slices {
		copy(s, m.data[at:])
	}
	return r, err
}

// must makes a system call that has to succeed.
func (th *Thread) must(doing string, nr uintptr, args ...any) uintptr {
	th.actor.set.t.Helper()
	r, err := th.Syscall(nr, args...)
	if err != nil {
		th.fatal(doing, err)
	}
	return r
}

// ReadFile returns what the thread reads from a file of at most 4096 bytes.
// In it, /proc/self and /proc/thread-self are the thread's own.
func (th *Thread) ReadFile(name string) string {
	th.actor.set.t.Helper()
	fd := th.must("open "+name, unix.SYS_OPENAT, unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	buf := make([]byte, 4096)
	n := th.must("read "+name, unix.SYS_READ, fd, buf, len(buf))
	th.must("close "+name, unix.SYS_CLOSE, fd)
	return string(buf[:n])
}

// SetName sets the thread's name (comm), of which the kernel keeps 15 bytes.
// The leader's name is the process's.
func (th *Thread) SetName(name string) {
	th.actor.set.t.Helper()
	th.must("PR_SET_NAME", unix.SYS_PRCTL, unix.PR_SET_NAME, name, 0, 0, 0)
}

// Exit ends the thread, and the process only if it is the last one. It returns
// when the kernel shows that the thread has ended.
func (th *Thread) Exit() {
	a := th.actor
	a.set.t.Helper()
	m, err := th.command(opSyscall)
	if err == nil {
		m.nr = unix.SYS_EXIT
		err = th.ch.send(0)
	}
	if err != nil {
		th.fatal("exit of a thread", err)
	}
	// The threads of an actor are in the test's view of /proc by their own
	// TIDs only where the PID namespace is the test's.
	if a.level != nil {
		return
	}
	name := fmt.Sprintf("/proc/%d/task/%d/stat", a.PID, th.TID)
	for limit := time.Now().Add(patience); ; runtime.Gosched() {
		s, err := readStat(name)
		if err != nil || s.State == 'Z' || s.State == 'X' {
			break
		}
		if time.Now().After(limit) {
			th.fatal("exit of a thread", errors.New("it goes on"))
		}
	}
	a.forget(th)
}

// CloneOptions are what a new process is to be like.
type CloneOptions struct {
	// PID, if it is not zero, is the PID to be had in the innermost PID
	// namespace (set_tid). It needs [SetTID], and the PID free.
	PID int
	// Parent makes the caller's parent the parent (CLONE_PARENT).
	Parent bool
	// Vfork holds the thread until the child calls exec or ends
	// (CLONE_VFORK). The memory is not shared.
	Vfork bool
	// NewPID makes the child the init of a new PID namespace, and NewUser
	// puts it in a new user namespace.
	NewPID, NewUser bool
	// Cgroup, if it is not nil, is the cgroup to begin in. It has to be of
	// version 2 (CLONE_INTO_CGROUP).
	Cgroup *Cgroup
	// NoSignal makes the child one that ends without SIGCHLD.
	NoSignal bool
}

// Fork makes a child.
func (th *Thread) Fork() *Actor {
	th.actor.set.t.Helper()
	return th.Clone(CloneOptions{})
}

// Clone makes a child. It fails the test where [Thread.TryClone] fails.
func (th *Thread) Clone(o CloneOptions) *Actor {
	th.actor.set.t.Helper()
	c, err := th.TryClone(o)
	if err != nil {
		th.fatal(fmt.Sprintf("clone %+v", o), err)
	}
	return c
}

// TryClone makes a child, which has been made, and waits for commands, when it
// returns.
func (th *Thread) TryClone(o CloneOptions) (*Actor, error) {
	a := th.actor
	args := cloneArgs{flags: cloneClearSighand, exitSignal: uint64(unix.SIGCHLD)}
	if o.NoSignal || o.Parent {
		args.exitSignal = 0 // with CLONE_PARENT it has to be
	}
	var cgroup uintptr
	if o.Cgroup != nil {
		fd, err := th.Syscall(unix.SYS_OPENAT, unix.AT_FDCWD, o.Cgroup.Dir, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", o.Cgroup.Dir, err)
		}
		args.flags |= unix.CLONE_INTO_CGROUP
		args.cgroup, cgroup = uint64(fd), fd
	}
	for flag, set := range map[uint64]bool{unix.CLONE_PARENT: o.Parent, unix.CLONE_VFORK: o.Vfork, unix.CLONE_NEWPID: o.NewPID, unix.CLONE_NEWUSER: o.NewUser} {
		if set {
			args.flags |= flag
		}
	}
	m, err := th.command(opClone)
	if err != nil {
		return nil, err
	}
	size := int(unsafe.Sizeof(args))
	token, hello := a.set.expect()
	m.args = [6]uint64{th.base, uint64(size), token}
	if o.PID != 0 {
		args.setTID, args.setTIDSize = th.base+uint64(size), 1
		binary.NativeEndian.PutUint32(m.data[size:], uint32(o.PID))
	}
	*(*cloneArgs)(unsafe.Pointer(&m.data)) = args
	c := &Actor{set: a.set, level: a.level, bare: true, notBefore: Now()}
	if o.NewPID {
		c.level = new(level)
	}
	if err := th.ch.send(size + 8); err != nil {
		return nil, th.lost(err)
	}
	answer := make(chan error, 1)
	if o.Vfork {
		th.owed = answer
		go func() { _, err := th.answer(); answer <- err }()
		select {
		case err := <-answer: // before any child: it was not made
			th.owed = nil
			if err != nil {
				return nil, err
			}
		case ch := <-hello:
			return c, c.greeted(ch)
		}
	} else {
		pid, err := th.answer()
		if err != nil {
			return nil, err
		}
		c.Told = int(pid)
	}
	select {
	case ch := <-hello:
		if err := c.greeted(ch); err != nil {
			return nil, err
		}
	case <-time.After(patience):
		return nil, errors.New("the child does not come forward")
	}
	if o.Cgroup != nil && !o.Vfork {
		if _, err := th.Syscall(unix.SYS_CLOSE, cgroup); err != nil {
			return nil, err
		}
	}
	return c, nil
}
