package linuxtest

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What stands here runs in a process without a Go runtime: a copy of one
// thread of a Go program, in which no other thread goes on. It may do nothing
// but system calls on memory that it has: no allocation, no growing of the
// stack, no pointer written to the heap.

// cloneBare does clone3 for the command in p. It returns in the caller; the
// child serves commands until it ends.
//
//go:nosplit
//go:norace
//go:noinline
func cloneBare(p *page) (pid uintptr, errno syscall.Errno) {
	token := p.msg.args[2]
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&p.allSigs)), uintptr(unsafe.Pointer(&p.oldSigs)), 8, 0, 0)
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(p.msg.args[0]), uintptr(p.msg.args[1]), 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
			uintptr(unsafe.Pointer(&p.noSigs)), 0, 8, 0, 0)
		connectBare(p)
		helloBare(p, token)
		serveBare(p)
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&p.oldSigs)), 0, 8, 0, 0)
	return pid, errno
}

// connectBare gives the process a channel of its own in place of its
// parent's, and closes all else but the standard descriptors.
//
//go:nosplit
//go:norace
func connectBare(p *page) {
	fd, _, errno := syscall.RawSyscall6(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_SEQPACKET, 0, 0, 0, 0)
	if errno != 0 {
		exitBare(102)
	}
	if fd != channelFD {
		if _, _, errno = syscall.RawSyscall6(unix.SYS_DUP3, fd, channelFD, 0, 0, 0, 0); errno != 0 {
			exitBare(103)
		}
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, channelFD+1, p.maxFD, 0, 0, 0, 0)
	p.channel = channelFD
	if _, _, errno = syscall.RawSyscall6(unix.SYS_CONNECT, channelFD, uintptr(unsafe.Pointer(&p.addr)), p.addrLen, 0, 0, 0); errno != 0 {
		exitBare(104)
	}
}

//go:nosplit
//go:norace
func helloBare(p *page, token uint64) {
	pid, _, _ := syscall.RawSyscall6(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	tid, _, _ := syscall.RawSyscall6(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	p.msg.op = opHello
	p.msg.args[0] = token
	p.msg.args[1] = uint64(pid)
	p.msg.args[2] = uint64(tid)
	p.msg.args[3] = uint64(uintptr(unsafe.Pointer(&p.msg.data)))
	p.msg.args[4] = uint64(p.channel)
	sendBare(p, uintptr(headerSize))
}

//go:nosplit
//go:norace
func serveBare(p *page) {
	for {
		n := receiveBare(p)
		if n == 0 {
			exitBare(0)
		}
		var r uintptr
		var errno syscall.Errno
		switch p.msg.op {
		case opSyscall:
			r, _, errno = syscall.RawSyscall6(uintptr(p.msg.nr), uintptr(p.msg.args[0]), uintptr(p.msg.args[1]),
				uintptr(p.msg.args[2]), uintptr(p.msg.args[3]), uintptr(p.msg.args[4]), uintptr(p.msg.args[5]))
		case opClone:
			token := p.msg.args[2]
			r, _, errno = syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(p.msg.args[0]), uintptr(p.msg.args[1]), 0, 0, 0, 0)
			if errno == 0 && r == 0 {
				connectBare(p)
				helloBare(p, token)
				continue
			}
		case opChain:
			chainBare(p)
			errno = syscall.Errno(p.crowd.link.args[0])
		case opChurn:
			r, errno = churnBare(p)
			n = uintptr(headerSize) + unsafe.Sizeof(p.children)
		default:
			errno = syscall.ENOSYS
		}
		p.msg.op, p.msg.nr, p.msg.args[0] = opAnswer, uint64(r), uint64(errno)
		sendBare(p, n)
	}
}

// chainBare makes the process the head of a chain of processes. It returns
// only where there is no such thing.
//
//go:nosplit
//go:norace
func chainBare(p *page) {
	p.crowd.left = p.msg.args[0]
	p.crowd.channel = uint64(p.channel)
	p.crowd.link.op = opLink
	p.crowd.link.args[0] = 0
	chain(&p.crowd)
}

// churnBare makes children one after the other and ends and reaps them in the
// same order, so that never more than args[1], at most window, are alive. With
// none at a time each child ends by itself and is reaped before the next.
//
//go:nosplit
//go:norace
func churnBare(p *page) (made uintptr, errno syscall.Errno) {
	n, keep := p.msg.args[0], p.msg.args[1]
	self, _, _ := syscall.RawSyscall6(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	p.crowd.left, p.crowd.pid = keep, uint64(self)
	for i := range window {
		if uint64(i) >= keep {
			endBare(uintptr(p.children[i]))
			p.children[i] = 0
		}
	}
	var slot uint64
	for made = 0; uint64(made) < n; made++ {
		slot &= window - 1
		endBare(uintptr(p.children[slot]))
		p.children[slot] = 0
		pid := spawn(&p.crowd)
		if pid < 0 {
			errno = syscall.Errno(-pid)
			break
		}
		if keep == 0 {
			waitBare(uintptr(pid))
			continue
		}
		p.children[slot] = uint64(pid)
		if slot++; slot >= keep {
			slot = 0
		}
	}
	to := (*[window]uint64)(unsafe.Pointer(&p.msg.data))
	for i := range window {
		to[i] = p.children[i]
	}
	return made, errno
}

//go:nosplit
//go:norace
func endBare(pid uintptr) {
	if pid != 0 {
		_, _, _ = syscall.RawSyscall6(unix.SYS_KILL, pid, uintptr(unix.SIGKILL), 0, 0, 0, 0)
		waitBare(pid)
	}
}

//go:nosplit
//go:norace
func waitBare(pid uintptr) {
	for {
		if _, _, errno := syscall.RawSyscall6(unix.SYS_WAIT4, pid, 0, 0, 0, 0, 0); errno != syscall.EINTR {
			return
		}
	}
}

// receiveBare returns the length of the next command, zero when the test
// wants no more.
//
//go:nosplit
//go:norace
func receiveBare(p *page) uintptr {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_READ, p.channel, uintptr(unsafe.Pointer(&p.msg)), unsafe.Sizeof(p.msg), 0, 0, 0)
		switch errno {
		case 0:
			return n
		case syscall.EINTR:
		default:
			return 0
		}
	}
}

//go:nosplit
//go:norace
func sendBare(p *page, n uintptr) {
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, p.channel, uintptr(unsafe.Pointer(&p.msg)), n, unix.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

//go:nosplit
//go:norace
func exitBare(status uintptr) {
	for {
		_, _, _ = syscall.RawSyscall6(unix.SYS_EXIT_GROUP, status, 0, 0, 0, 0, 0)
	}
}
