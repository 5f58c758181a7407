package linuxtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exec makes the actor run a new program: the test binary again, under the
// given name, which becomes its name (comm), and with the given arguments. An
// empty name is that of the test binary. If the thread is not the leader it
// becomes that, and the process keeps its PID (de_thread in the kernel).
func (th *Thread) Exec(name string, args ...string) {
	a := th.actor
	t := a.set.t
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		th.fatal("exec", err)
	}
	if name != "" {
		link := filepath.Join(t.TempDir(), name)
		if err := os.Symlink(path, link); err != nil {
			th.fatal("exec", err)
		}
		path = link
	}
	// Not moved to channelFD before: the leader waits in a read of that, which
	// the kernel restarts after a signal with what is there then.
	if th.fd != channelFD {
		th.must("keep the channel", unix.SYS_FCNTL, th.fd, unix.F_SETFD, 0)
	}
	token := a.set.token.Add(1)
	m, err := th.command(opSyscall)
	if err != nil {
		th.fatal("exec", err)
	}
	m.nr = unix.SYS_EXECVE
	used := 0
	put := func(s string) uint64 {
		at := th.base + uint64(used)
		used += copy(m.data[used:], s) + 1
		return at
	}
	m.args[0] = put(path)
	var argv, envp []uint64
	for _, s := range append([]string{path}, args...) {
		argv = append(argv, put(s))
	}
	for _, s := range actorEnviron(fmt.Sprintf("%s,%d,%d", a.set.addr, token, th.fd)) {
		envp = append(envp, put(s))
	}
	used = (used + 7) &^ 7
	for i, list := range [][]uint64{argv, envp} {
		m.args[i+1] = th.base + uint64(used)
		for _, p := range append(list, 0) {
			if unsafe.Sizeof(uintptr(0)) == 4 {
				binary.NativeEndian.PutUint32(m.data[used:], uint32(p))
			} else {
				binary.NativeEndian.PutUint64(m.data[used:], p)
			}
			used += int(unsafe.Sizeof(uintptr(0)))
		}
	}
	if err := th.ch.send(used); err != nil {
		th.fatal("exec", err)
	}
	if err := th.ch.receive(); err != nil {
		th.fatal("exec", err)
	}
	if m.op != opHello {
		th.fatal("exec "+path, syscall.Errno(m.args[0]))
	}
	for _, other := range a.threads {
		if other != th {
			_ = other.ch.conn.Close()
		}
	}
	a.bare = false
	if err := a.greeted(th.ch); err != nil {
		th.fatal("exec", err)
	}
}
