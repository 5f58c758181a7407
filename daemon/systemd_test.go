package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asDaemon makes the test binary a daemon.
const asDaemon = "LINEAGE_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(NewLog(os.Stderr, Journaled(os.Stderr), slog.LevelInfo))
	if err := Run(ctx, Options{Logger: log}); err != nil {
		log.Error("ended", "error", err)
		os.Exit(1)
	}
}

// notifications is where systemd is told how a daemon does.
func notifications(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

// told returns what is told next. A test that hangs for want of it is given up.
func told(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var room [256]byte
	n, err := c.Read(room[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(room[:n])
}

// activated is a daemon that systemd has begun for a socket.
type activated struct {
	*exec.Cmd
	told   *net.UnixConn
	stderr io.ReadCloser
}

// activate starts a daemon as systemd does for a socket.
func activate(t *testing.T, socket *os.File) *activated {
	t.Helper()
	d := &activated{told: notifications(t)}
	// LISTEN_PID is only known to the process itself.
	d.Cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0"`, "/proc/self/exe")
	d.ExtraFiles = []*os.File{socket}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d.Args[3] = exe
	if d.stderr, err = d.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	var journal syscall.Stat_t
	if err := syscall.Fstat(int(d.stderr.(*os.File).Fd()), &journal); err != nil {
		t.Fatal(err)
	}
	d.Env = append(os.Environ(), asDaemon+"=1", "LISTEN_FDS=1", "WATCHDOG_USEC=50000",
		fmt.Sprintf("JOURNAL_STREAM=%d:%d", journal.Dev, journal.Ino))
	d.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.ProcessState == nil {
			_ = d.Process.Kill()
			_ = d.Wait()
		}
	})
	return d
}

// TestActivation gives a daemon its socket, as systemd does, and hears how it does
// until it ends.
func TestActivation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lineage.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close() // else what is asked below would fail once the daemon is gone
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d := activate(t, socket)
	lines := bufio.NewReader(d.stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "<6>msg=watching source=") {
		t.Errorf("%q, %v", line, err)
	}
	alive := 0
	for state := told(t, d.told); state != "READY=1"; state = told(t, d.told) {
		if state != "WATCHDOG=1" {
			t.Fatalf("%q before it is ready", state)
		}
		alive++
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://lineage/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%s, %v", r.Status, err)
	}
	for ; alive < 3; alive++ {
		if state := told(t, d.told); state != "WATCHDOG=1" {
			t.Fatalf("%q of a daemon that lives", state)
		}
	}
	if err := d.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for state := told(t, d.told); state != "STOPPING=1"; state = told(t, d.told) {
		if state != "WATCHDOG=1" {
			t.Fatalf("%q at the end", state)
		}
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(rest)) {
		if len(line) < 3 || line[0] != '<' || line[2] != '>' || strings.Contains(line, "time=") || strings.Contains(line, "level=") {
			t.Errorf("for the journal: %q", line)
		}
	}
	if !strings.Contains(string(rest), "<6>msg=ready listening=["+path+"]\n") {
		t.Errorf("%s", rest)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("%v: %s", err, rest)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket is systemd's, which goes on to listen: %v", err)
	}
}

// TestActivationByTCP gives a daemon a socket that would let in anybody.
func TestActivationByTCP(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	d := activate(t, socket)
	said, err := io.ReadAll(d.stderr)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(said, []byte("<3>msg=ended error=")) || !bytes.Contains(said, []byte("no Unix socket")) {
		t.Errorf("%s", said)
	}
	if err := d.Wait(); err == nil {
		t.Error("it has gone well")
	}
}

// TestWatchdog tells systemd as often as all was well, and not once it is not.
func TestWatchdog(t *testing.T) {
	c := notifications(t)
	t.Setenv("WATCHDOG_USEC", "3000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const good, asked = 3, 10
	n := 0
	watchdog(ctx, func() bool {
		if n++; n == asked {
			cancel()
		}
		return n <= good
	})
	for range good {
		if state := told(t, c); state != "WATCHDOG=1" {
			t.Errorf("%q", state)
		}
	}
	if n < asked {
		t.Errorf("it has looked %d times", n)
	}
	tell("END=1") // behind all that was told
	if state := told(t, c); state != "END=1" {
		t.Errorf("%q of what hangs", state)
	}

	// Where no sign of life is asked for, nobody looks for one.
	t.Setenv("WATCHDOG_USEC", "")
	watchdog(t.Context(), func() bool { t.Error("it looks"); return true })
}

// TestJournaled tells the journal's stream from another one.
func TestJournaled(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &s); err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{
		"":                                   false,
		"8:1":                                false,
		fmt.Sprintf("%d:%d", s.Dev, s.Ino):   true,
		fmt.Sprintf("%d:%d", s.Dev, s.Ino+1): false,
		fmt.Sprintf("%d:%d", s.Dev+1, s.Ino): false,
	} {
		t.Setenv("JOURNAL_STREAM", stream)
		if got := Journaled(f); got != want {
			t.Errorf("%q: %v", stream, got)
		}
	}
}

// TestLog holds the level before each line, and that what handlers are made of one
// share its writer.
func TestLog(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(NewLog(&b, true, slog.LevelDebug))
	log.Error("an error", "error", errors.New("a\nb"))
	log.With("x", 1).Warn("a warning")
	log.WithGroup("g").Info("a note", "level", "mine")
	log.Debug("a detail")
	want := []string{`<3>msg="an error" error="a\nb"`, `<4>msg="a warning" x=1`, `<6>msg="a note" g.level=mine`, `<7>msg="a detail"`}
	if got := strings.Split(strings.TrimSpace(b.String()), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	b.Reset()
	log = slog.New(NewLog(&b, false, slog.LevelInfo))
	log.Debug("not told")
	log.Info("told")
	if got := b.String(); !strings.HasPrefix(got, "time=") || !strings.HasSuffix(got, " level=INFO msg=told\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
