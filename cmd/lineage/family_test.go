package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// family is a program that starts processes for tests. Its arguments are the
// names of a line of processes, each the child of the one before. A name may
// begin with
//
//   - a child without children, beside the next
//
// and end with
//
//	!  which ends at once and is not waited for, a zombie
//	~  which ends once its child is started, which is an orphan then
//	=  which listens on a TCP port and has a UDP port of 127.0.0.1
//
// and has what is not a letter as %XX. Each writes lines "KEY VALUE" of its
// PID (KEY is the name, with _2 and so on for the second of that name), a TID
// (name_tid) and its ports (name_tcp, name_udp), and for each there is an "up"
// once it is as it should be. All end when stdin does.
func family() {
	self, rest := os.Args[1], os.Args[2:]
	name := strings.Trim(self, "+!~=")
	comm, err := url.PathUnescape(name)
	must(err)
	must(os.WriteFile("/proc/self/comm", []byte(comm), 0))

	key := strings.Map(func(r rune) rune {
		if r == '%' || r == '-' || r == '.' {
			return '_'
		}
		return r
	}, name)
	if n := os.Getenv("FAMILY_NTH"); n != "" {
		key += "_" + n
	}
	fmt.Printf("%s %d\n", key, os.Getpid())
	if strings.HasSuffix(self, "!") {
		return
	}
	for id := os.Getpid(); ; {
		if id != os.Getpid() {
			fmt.Printf("%s_tid %d\n", key, id)
			break
		}
		id = threadID()
	}
	if strings.HasSuffix(self, "=") {
		tcp, err := net.Listen("tcp4", "127.0.0.1:0")
		must(err)
		defer tcp.Close()
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		must(err)
		defer udp.Close()
		fmt.Printf("%s_tcp %d\n", key, tcp.Addr().(*net.TCPAddr).Port)
		fmt.Printf("%s_udp %d\n", key, udp.LocalAddr().(*net.UDPAddr).Port)
	}

	seen := map[string]int{name: 1}
	for len(rest) > 0 {
		child := rest[0]
		args := rest
		if strings.HasPrefix(child, "+") {
			args, rest = rest[:1], rest[1:]
		} else {
			rest = nil
		}
		c := exec.Command("/proc/self/exe", args...)
		c.Args[0] = "family"
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
		c.Env = append(os.Environ(), "FAMILY_NTH=")
		named := strings.Trim(child, "+!~=")
		seen[named]++
		if n := seen[named]; n > 1 {
			c.Env = append(c.Env, fmt.Sprint("FAMILY_NTH=", n))
		}
		must(c.Start())
		switch child[len(child)-1] {
		case '!': // now a zombie, and left as one
			must(unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
			fmt.Println("up")
		case '~':
			must(c.Wait())
			fmt.Println("up")
		}
	}
	if strings.HasSuffix(self, "~") {
		return
	}
	fmt.Println("up")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// threadID returns the ID of a thread that is then kept as it is.
func threadID() int {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		select {}
	}()
	return <-tid
}
