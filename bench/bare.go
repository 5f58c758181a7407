package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What stands here runs also in processes without a Go runtime: copies of one
// thread of the head, in which no other thread goes on. It may do nothing but
// system calls on memory that it has: no allocation, no growing of the stack,
// no pointer written to the heap.

// A sheet is memory that the head and all its sleepers share.
type sheet struct {
	head    uint64 // the PID of the head
	ready   uint64 // descriptor that the last of each chain writes a byte to
	failed  uint64 // why a process could not be made, an errno
	name    [16]byte
	allSigs uint64
	oldSigs uint64
	pids    [maxPopulation]int32
}

// maxPopulation is how many sleepers one head may have. It is a power of two.
const maxPopulation = 1 << 17

// cloneChain makes a chain of processes, each the child of the one before, the
// first the child of the caller. It returns in the caller alone; the others
// put their PIDs in s.pids from first on and sleep until the one above ends.
//
//go:nosplit
//go:norace
//go:noinline
func cloneChain(s *sheet, first, length uint64) syscall.Errno {
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&s.allSigs)), uintptr(unsafe.Pointer(&s.oldSigs)), 8, 0, 0)
	pid, errno := cloneBare()
	if errno == 0 && pid == 0 {
		chainBare(s, first, length)
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&s.oldSigs)), 0, 8, 0, 0)
	return errno
}

// cloneBare is fork(2).
//
//go:nosplit
//go:norace
func cloneBare() (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	return pid, errno
}

// chainBare is a process of a chain of length more, itself among them.
//
//go:nosplit
//go:norace
func chainBare(s *sheet, at, length uint64) {
	above := s.head
	for {
		_, _, _ = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
		if ppid, _, _ := syscall.RawSyscall6(unix.SYS_GETPPID, 0, 0, 0, 0, 0, 0); uint64(ppid) != above {
			exitBare() // the one above ended before it could be bound to it
		}
		_, _, _ = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&s.name)), 0, 0, 0, 0)
		self, _, _ := syscall.RawSyscall6(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
		s.pids[at&(maxPopulation-1)] = int32(self)
		above = uint64(self)
		at++
		length--
		if length == 0 {
			readyBare(s)
			sleepBare()
		}
		pid, errno := cloneBare()
		if errno != 0 {
			s.failed = uint64(errno)
			readyBare(s)
		}
		if errno != 0 || pid != 0 {
			sleepBare()
		}
	}
}

// readyBare tells the head that a chain is as long as it gets.
//
//go:nosplit
//go:norace
func readyBare(s *sheet) {
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_WRITE, uintptr(s.ready), uintptr(unsafe.Pointer(&s.name)), 1, 0, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

// sleepBare closes every descriptor and sleeps until a signal ends it.
//
//go:nosplit
//go:norace
func sleepBare() {
	_, _, _ = syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, 0, 1<<31-1, 0, 0, 0, 0)
	for {
		_, _, _ = syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// exitBare ends the process.
//
//go:nosplit
//go:norace
func exitBare() {
	for {
		_, _, _ = syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}
