package linuxtest

import (
	"syscall"
	"unsafe"
)

// A message is a command to one thread of an actor, or what that thread
// answers. Both ends are the same binary, so it travels as it lies in memory,
// cut after the part of data that is used.
type message struct {
	op   uint64
	nr   uint64 // of a command the system call, of an answer its result
	args [6]uint64
	data [dataSize]byte // what args point into
}

const (
	dataSize   = 8 << 10
	headerSize = int(unsafe.Offsetof(message{}.data))
)

// What a message is.
const (
	opSyscall = iota + 1 // call nr with args
	opClone              // clone3 with args 0 and 1; args[2] is the child's token
	opThread             // start a thread; args[0] is its token
	opChain              // be the first of args[0]+1 processes, each the parent of the next
	opChurn              // make args[0] short-lived children, args[1] of them at a time
	opAnswer             // nr is the result, args[0] the errno
	opHello              // a new thread or program: args are token, PID, TID, address of data, its channel
	opLink               // one more process of a chain: args are depth, PID, parent's PID
)

func (m *message) bytes(data int) []byte {
	return (*[unsafe.Sizeof(message{})]byte)(unsafe.Pointer(m))[:headerSize+data]
}

// cloneArgs is struct clone_args of clone3(2).
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
	setTID, setTIDSize, cgroup                                           uint64
}

// The flag CLONE_CLEAR_SIGHAND takes from a bare child the handlers that only
// a Go program can run.
const cloneClearSighand = 0x100000000

// page is all memory that a bare child needs. It lies outside of the Go heap,
// at the same address in a process and its bare children.
type page struct {
	msg      message
	channel  uintptr // the descriptor that commands come from
	addr     [110]byte
	addrLen  uintptr
	allSigs  uint64
	noSigs   uint64
	oldSigs  uint64
	maxFD    uintptr
	children [window]uint64 // of opChurn
	crowd    crowd          // of opChain and opChurn
}

// window is how many of its children opChurn can leave alive. It is a power
// of two.
const window = 64

func newPage(addr string) (*page, error) {
	mem, err := syscall.Mmap(-1, 0, int(unsafe.Sizeof(page{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, err
	}
	p := (*page)(unsafe.Pointer(&mem[0]))
	p.addrLen = uintptr(sockaddr(&p.addr, addr))
	p.allSigs = ^uint64(0)
	p.crowd.args = cloneArgs{flags: syscall.CLONE_VM | cloneClearSighand, exitSignal: uint64(syscall.SIGCHLD)}
	p.maxFD = 1<<31 - 1
	return p, nil
}

// sockaddr writes the abstract address of an AF_UNIX socket, and returns its
// length.
func sockaddr(raw *[110]byte, name string) int {
	*(*uint16)(unsafe.Pointer(raw)) = syscall.AF_UNIX
	return 3 + copy(raw[3:], name)
}
