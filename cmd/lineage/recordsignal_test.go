package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// trapping is a command that says which signals it gets, each in a line, until it
// gets SIGTERM or who started it is gone; and "ready" before.
const trapping = `for s in HUP INT QUIT USR1 USR2 ALRM WINCH TSTP; do trap "echo $s" $s; done; trap "echo TERM; exit 7" TERM
	echo ready; while kill -0 $PPID; do sleep 0.01; done`

// TestRecordSignals sends signals to lineage alone, and to its process group.
func TestRecordSignals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.lineage")
	c := recordCommand(t, file, nil, "sh", "-c", trapping)
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	next := func(want string) {
		t.Helper()
		tooLong := time.AfterFunc(tooLong, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		defer tooLong.Stop()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the command says %q, not %q", lines.Text(), want)
		}
	}
	next("ready")
	for name, s := range map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1,
		"USR2": syscall.SIGUSR2, "ALRM": syscall.SIGALRM, "WINCH": syscall.SIGWINCH, "TSTP": syscall.SIGTSTP,
	} {
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		next(name)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	next("TERM")
	_, _ = io.Copy(io.Discard, stdout)
	_ = c.Wait() // its status is looked at
	if got := c.ProcessState.ExitCode(); got != 7 {
		t.Errorf("status %d", got)
	}
	if rec := readTestRecording(t, file); rec.Processes[0].Exit.Status.ExitStatus() != 7 {
		t.Errorf("recorded: %+v", rec.Processes[0].Exit)
	}
}

// TestRecordWaitEnds has a signal end the waiting for what the command left
// behind.
func TestRecordWaitEnds(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	file := filepath.Join(t.TempDir(), "r.lineage")
	c := recordCommand(t, file, []string{"--wait"}, "sh", "-c", "cat <&3 >/dev/null 2>&1 & exit 3")
	c.ExtraFiles = []*os.File{r}
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for !exitRecorded(file) {
		if t.Context().Err() != nil {
			t.Fatal("the end of the command is not recorded")
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	again := time.NewTicker(grace) // one that is early is taken for the command's
	defer again.Stop()
	for waiting := true; waiting; {
		select {
		case <-again.C:
			_ = c.Process.Signal(syscall.SIGINT) // or it has ended
		case <-ended: // its status is looked at
			waiting = false
		}
	}
	if got := c.ProcessState.ExitCode(); got != 3 || !strings.Contains(stderr.String(), "1 still running (cat)") {
		t.Errorf("status %d: %s", got, stderr.String())
	}
}

// exitRecorded reports whether the command is recorded to have ended.
func exitRecorded(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	rec := openTestRecording(f)
	return rec != nil && len(rec.Processes) > 1 && rec.Processes[0].Exit.Status.ExitStatus() == 3 && rec.Processes[0].End != 0
}

// session is a program that runs on a terminal of its own, as the leader of its
// session.
type session struct {
	t       *testing.T
	cmd     *exec.Cmd
	control *os.File
	said    strings.Builder
	more    chan byte // what the terminal shows, closed at its end
}

// reading has what the terminal shows read.
func (s *session) reading() *session {
	s.more = make(chan byte, 1<<16)
	go func() {
		defer close(s.more)
		for shown := bufio.NewReader(s.control); ; {
			b, err := shown.ReadByte()
			if err != nil {
				return
			}
			s.more <- b
		}
	}()
	return s
}

func startSession(t *testing.T, args ...string) *session {
	t.Helper()
	asFromShell(t)
	control, terminal, err := openTerminal(200)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, cmd: exec.CommandContext(t.Context(), args[0], args[1:]...), control: control}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = terminal, terminal, terminal
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	s.cmd.Env = append(os.Environ(), "PS1=$ ", "ENV=", "HISTFILE=", "TERM=dumb")
	err = s.cmd.Start()
	terminal.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		control.Close() // which hangs up on all that run there
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	return s.reading()
}

// typed types text.
func (s *session) typed(text string) {
	s.t.Helper()
	if _, err := s.control.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// tooLong is how long a test waits before it takes what it waits for to be lost.
const tooLong = 2 * time.Minute

// expect reads until the terminal shows the text, and returns what came before.
func (s *session) expect(text string) string {
	s.t.Helper()
	lost := time.After(tooLong)
	for !strings.HasSuffix(s.said.String(), text) {
		select {
		case b, ok := <-s.more:
			if !ok {
				s.t.Fatalf("the end, and not %q, after %q", text, s.said.String())
			}
			s.said.WriteByte(b)
		case <-lost:
			s.t.Fatalf("not %q, after %q", text, s.said.String())
		}
	}
	before := strings.TrimSuffix(s.said.String(), text)
	s.said.Reset()
	return before
}

// TestRecordTerminal has what a shell with job control does with a command.
func TestRecordTerminal(t *testing.T) {
	anySource(t, func(t *testing.T, flags []string) {
		dir := t.TempDir()
		lineage := fmt.Sprintf("lineage record -O %s/r.lineage %s -- ", dir, strings.Join(flags, " "))
		s := startSession(t, "sh", "-i")
		s.expect("$ ")

		// Ctrl-C reaches the command, once, and not lineage alone.
		s.typed("stty -echo\n")
		s.expect("$ ")
		s.typed(lineage + `sh -c 'trap "n=x\$n; echo got \$n" INT; echo ready; while :; do sleep 0.01; test "$n" = xx && exit 5; done'` + "\n")
		s.expect("ready\r\n")
		s.typed("\x03")
		s.expect("got x\r\n")
		s.typed("\x03")
		s.expect("got xx\r\n")
		s.expect("$ ")
		s.typed("echo status=$?\n")
		s.expect("status=5\r\n")

		// Ctrl-C that ends the command ends lineage by the same signal.
		s.typed(lineage + "sh -c 'echo ready; exec sleep 1000'\n")
		s.expect("ready\r\n")
		s.typed("\x03")
		s.expect("$ ")
		s.typed("echo status=$?\n")
		s.expect("status=130\r\n")

		// Ctrl-Z stops both, and fg continues both.
		s.typed(lineage + "sh -c 'echo ready; read line; echo \"read $line\"'\n")
		s.expect("ready\r\n")
		s.typed("\x1a")
		s.expect("Stopped")
		s.expect("$ ")
		s.typed("echo prompt\n")
		s.expect("prompt\r\n")
		s.typed("fg\n")
		s.typed("a line\n")
		s.expect("read a line\r\n")
		s.expect("$ ")

		// A command that stops itself alone stops lineage with it.
		s.typed(lineage + "sh -c 'kill -TSTP $$; echo back; exit 4'\n")
		s.expect("Stopped")
		s.typed("fg\n")
		s.expect("back\r\n")
		s.expect("$ ")
		s.typed("echo status=$?\n")
		s.expect("status=4\r\n")

		// A program that sets the terminal gets each key, and leaves all as it was.
		s.typed(lineage + "sh -c 'saved=$(stty -g); stty raw -echo; echo ready; head -c 3 | od -An -c; stty $saved'\n")
		s.expect("ready\n")
		s.typed("\x03q\x1a")
		s.expect("003   q 032")
		s.expect("$ ")
		s.typed("stty -a | grep -o -- '-isig\\|isig'\n")
		s.expect("isig\r\n")
		s.typed("exit\n")
	})
}

// TestRecordProgress draws its line only once the command has ended, and takes it
// away again.
func TestRecordProgress(t *testing.T) {
	if !linuxtest.Has(linuxtest.BPF) { // a look at /proc may come after sh
		linuxtest.Need(t, linuxtest.Connector)
	}
	linuxtest.Quiet(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	control, terminal, err := openTerminal(100)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	c := recordCommand(t, filepath.Join(t.TempDir(), "r.lineage"), []string{"--wait"}, "sh", "-c", "cat <&3 >/dev/null 2>&1 & echo said")
	c.ExtraFiles = []*os.File{r}
	c.Stdout, c.Stderr = terminal, terminal
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	terminal.Close()
	s := (&session{t: t, control: control}).reading()
	if before := s.expect("1 running, 0 lost: waiting for cat; Ctrl-C ends it"); !strings.HasPrefix(before, "said\r\n\rlineage: 2 processes, ") {
		t.Errorf("before it: %q", before)
	}
	w.Close()
	s.expect("\r\x1b[Klineage: recorded 2 processes")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
