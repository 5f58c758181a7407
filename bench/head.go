package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// roleVariable says in the environment of this program which part it plays,
// where it is not the bench itself.
const roleVariable = "LINEAGE_BENCH_ROLE"

// The roles. A launcher starts the head and ends, so that the head becomes the
// child of whoever adopts it and the chains do not depend on what stands above
// the bench.
const (
	launcherRole = "launcher"
	headRole     = "head"
)

// An order is what the bench asks of the head.
type order struct {
	// Processes is how many sleepers to make.
	Processes int
	// Chains is how many of the chains are to be of Depth.
	Chains int
	// Depth is how many ancestors the last of a chain is to have, up to the
	// first process of the PID namespace.
	Depth int
	// Cgroups are those that the long chains are born in, one in each, if there
	// are any. The head makes and removes them.
	Cgroups *cgroups `json:",omitempty"`
	// Length is how many processes the long chains have at least.
	Length int
}

// A report is what the head has made.
type report struct {
	Head int
	// Above is the ancestors of the head, nearest first.
	Above []int
	// Chains is the long ones, each from the child of the head downwards.
	Chains [][]int
	// Others is the sleepers that are children of the head.
	Others []int
	// Error is why the head has made none.
	Error string `json:",omitempty"`
}

// play runs this program in the role that its environment gives it, and
// reports whether it gives any.
func play() bool {
	var err error
	switch role := os.Getenv(roleVariable); role {
	case "":
		return false
	case launcherRole:
		err = launch()
	case readerRole:
		err = read(os.Stdin, os.Stdout)
	case daemonRole:
		err = listen(os.Stdin, os.Stdout)
	case headRole:
		err = serve(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("%s=%s: no such role", roleVariable, role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	return true
}

// launch starts the head with this program's standard files.
func launch() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	head, err := os.StartProcess(exe, []string{"lineage-bench-head"}, &os.ProcAttr{
		Env:   []string{roleVariable + "=" + headRole},
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return head.Release()
}

// serve is the head: it makes what the order asks for, reports it, and ends
// and reaps all of it when no more can come from the bench.
func serve(from io.Reader, to io.Writer) error {
	// PR_SET_PDEATHSIG means the thread that made the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	in := json.NewDecoder(from)
	var o order
	if err := in.Decode(&o); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // the bench has ended already
		}
		return err
	}
	r, err := populate(o)
	if err != nil {
		r.Error = err.Error()
	}
	err = errors.Join(json.NewEncoder(to).Encode(r), ended(in))
	err = errors.Join(err, endAll(r))
	if o.Cgroups != nil {
		err = errors.Join(err, o.Cgroups.remove())
	}
	return err
}

// ended waits until nothing more can be read.
func ended(in *json.Decoder) error {
	var more order
	if err := in.Decode(&more); !errors.Is(err, io.EOF) {
		return fmt.Errorf("a second order, or %w", err)
	}
	return nil
}

// populate makes the sleepers. With an error, the report has those that were
// made.
func populate(o order) (report, error) {
	r := report{Head: os.Getpid()}
	var err error
	if r.Above, err = above(r.Head); err != nil {
		return r, err
	}
	length := max(o.Depth-len(r.Above), o.Length, 1)
	if o.Processes > maxPopulation || o.Chains*length > o.Processes {
		return r, fmt.Errorf("%d processes cannot have %d chains of %d", o.Processes, o.Chains, length)
	}
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(sheet{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		return r, fmt.Errorf("mmap: %w", err)
	}
	ready, done, err := os.Pipe()
	if err != nil {
		return r, err
	}
	defer func() { _ = ready.Close() }()
	s := (*sheet)(unsafe.Pointer(unsafe.SliceData(mem)))
	s.head, s.ready, s.allSigs = uint64(r.Head), uint64(done.Fd()), ^uint64(0)
	copy(s.name[:], "sleeper")

	// One byte of each chain: fewer than the pipe has room for (pipe(7)).
	var made, chains int
	var errno syscall.Errno
	for made < o.Processes && errno == 0 {
		n := 1
		if chains < o.Chains {
			n = length
		}
		if o.Cgroups != nil && chains <= o.Chains {
			if err = o.place(chains); err != nil {
				break
			}
		}
		if errno = cloneChain(s, uint64(made), uint64(n)); errno == 0 {
			chains++
			made += n
		}
	}
	if o.Cgroups != nil {
		err = errors.Join(err, o.Cgroups.enter(-1))
	}
	if err := done.Close(); err != nil {
		return r, err
	}
	_, readErr := io.CopyN(io.Discard, ready, int64(chains))
	err = errors.Join(err, readErr)
	if errno == 0 {
		errno = syscall.Errno(s.failed)
	}
	if errno != 0 {
		err = fmt.Errorf("clone: %w", errno)
	}
	at := 0
	for i := range chains {
		n := 1
		if i < o.Chains {
			n = length
		}
		pids := make([]int, n)
		for j := range pids {
			pids[j] = int(s.pids[at+j])
		}
		at += n
		if i < o.Chains {
			r.Chains = append(r.Chains, pids)
		} else {
			r.Others = append(r.Others, pids[0])
		}
	}
	return r, err
}

// place moves the head to where the chain with the number is to be born.
func (o *order) place(chain int) error {
	if chain == o.Chains {
		return o.Cgroups.enter(-1)
	}
	return errors.Join(o.Cgroups.make(chain), o.Cgroups.enter(chain))
}

// endAll ends the children of the head, with whom those below them end, and
// reaps them all, since the head adopts them.
func endAll(r report) error {
	for _, chain := range r.Chains {
		kill(chain[0])
	}
	for _, pid := range r.Others {
		kill(pid)
	}
	for {
		switch _, err := unix.Wait4(-1, nil, 0, nil); err {
		case nil, unix.EINTR:
		case unix.ECHILD:
			return nil
		default:
			return fmt.Errorf("wait4: %w", err)
		}
	}
}

// kill ends a child of the head that has not been reaped.
func kill(pid int) {
	if pid > 0 { // zero where it could not be made
		_ = unix.Kill(pid, unix.SIGKILL) // it fails only where it has ended
	}
}
