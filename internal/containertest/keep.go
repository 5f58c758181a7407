package containertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeperEnv makes a test binary a keeper.
const keeperEnv = "LINEAGE_CONTAINER_KEEPER"

// path is where programs are looked for.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func init() {
	text := os.Getenv(keeperEnv)
	if text == "" {
		return
	}
	if err := keep(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keep is the life of a keeper.
func keep(text string) error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_CHILD_SUBREAPER: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	// Runtimes keep sockets and locks in /run whatever they are told.
	if err := unix.Mount("run", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mounting a /run: %w", err)
	}
	hierarchies, err := hold()
	if err != nil {
		return err
	}
	if err := t.Layout.arrange(); err != nil {
		return err
	}
	s := &starter{started: map[int]int{}, replies: json.NewEncoder(os.Stdout)}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, unix.SIGCHLD)
	go func() {
		for range ends {
			s.reap()
		}
	}()
	s.reply(reply{}) // ready
	for requests := json.NewDecoder(os.Stdin); ; {
		var r request
		if err := requests.Decode(&r); err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, err)
			}
			return t.tidy(hierarchies)
		}
		s.start(r)
	}
}

// A starter starts and reaps the children of a keeper.
type starter struct {
	mu      sync.Mutex
	started map[int]int // requests by PID
	replies *json.Encoder
}

// reply fails when the test binary is no more, which also ends the requests.
func (s *starter) reply(r reply) { _ = s.replies.Encode(r) }

func (s *starter) start(r request) {
	s.mu.Lock() // what has been started must not be reaped before it is known
	defer s.mu.Unlock()
	pid, err := fork(r)
	if err != nil {
		s.reply(reply{ID: r.ID, Fault: err.Error()})
		return
	}
	s.started[pid] = r.ID
	s.reply(reply{ID: r.ID, PID: pid})
}

func fork(r request) (pid int, err error) {
	program, err := exec.LookPath(r.Args[0])
	if err != nil {
		return 0, err
	}
	files := []uintptr{0, 0, 0}
	for i, name := range []string{os.DevNull, r.Out, r.Err} {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return 0, err
		}
		//nolint:revive // three files, which the child has to have at once
		defer func() { _ = f.Close() }()
		files[i] = f.Fd()
	}
	return syscall.ForkExec(program, r.Args, &syscall.ProcAttr{Dir: "/", Env: r.Env, Files: files})
}

// reap reaps every child that has ended, also those that were adopted.
func (s *starter) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WALL|syscall.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		if id, ok := s.started[pid]; ok {
			delete(s.started, pid)
			s.reply(reply{ID: id, Ended: true, Status: status})
		}
	}
}
