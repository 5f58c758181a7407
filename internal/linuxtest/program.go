package linuxtest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// actorEnv makes the test binary an actor: ADDRESS,TOKEN,CHANNEL, or "probe"
// for a process that only waits for its standard input to close.
const actorEnv = "LINEAGE_TEST_ACTOR"

// channelFD is the descriptor of the channel of an actor's leader.
const channelFD = 3

func init() {
	value, ok := os.LookupEnv(actorEnv)
	if !ok {
		return
	}
	// The initial thread is the leader. Locked in init, the main goroutine
	// stays on it.
	runtime.LockOSThread()
	if err := actorMain(value); err != nil {
		fmt.Fprintln(os.Stderr, "linuxtest: actor:", err)
		os.Exit(101)
	}
	os.Exit(0)
}

func actorMain(value string) error {
	if value == "probe" {
		_, err := syscall.Read(0, make([]byte, 1))
		return err
	}
	addr, numbers, _ := strings.Cut(value, ",")
	var token uint64
	var channel int
	if _, err := fmt.Sscanf(numbers, "%d,%d", &token, &channel); err != nil {
		return err
	}
	if channel != channelFD { // of a thread that has become the leader
		if err := unix.Dup3(channel, channelFD, 0); err != nil {
			return err
		}
		if err := unix.Close(channel); err != nil {
			return err
		}
	}
	p, err := newPage(addr)
	if err != nil {
		return err
	}
	p.channel = channelFD
	helloBare(p, token)
	serve(p, addr)
	return nil
}

// serve does the commands of one thread of a Go program. Unlike serveBare it
// tells the runtime of each system call, so that the other threads go on.
func serve(p *page, addr string) {
	for {
		n, _, errno := syscall.Syscall(unix.SYS_READ, p.channel, uintptr(unsafe.Pointer(&p.msg)), unsafe.Sizeof(p.msg))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 || n == 0 {
			exitBare(0)
		}
		var r uintptr
		switch m := &p.msg; m.op {
		case opSyscall:
			r, _, errno = syscall.Syscall6(uintptr(m.nr), uintptr(m.args[0]), uintptr(m.args[1]),
				uintptr(m.args[2]), uintptr(m.args[3]), uintptr(m.args[4]), uintptr(m.args[5]))
		case opClone:
			r, errno = cloneBare(p)
		case opThread:
			go serveThread(addr, m.args[0])
		default:
			errno = syscall.ENOSYS
		}
		p.msg.op, p.msg.nr, p.msg.args[0] = opAnswer, uint64(r), uint64(errno)
		sendBare(p, n)
	}
}

// serveThread is a thread of an actor. Its channel is not passed on by exec.
func serveThread(addr string, token uint64) {
	runtime.LockOSThread()
	p, err := newPage(addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "linuxtest: thread:", err)
		os.Exit(105)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		p.channel = uintptr(fd)
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: "@" + addr})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "linuxtest: thread:", err)
		os.Exit(106)
	}
	helloBare(p, token)
	serve(p, addr)
}
