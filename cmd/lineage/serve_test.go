package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/store"
)

// served is a lineage serve at work.
type served struct {
	t   *testing.T
	cmd *exec.Cmd
	dir string // which everybody may enter
	log string // the path of what it says
	*client.Client
}

// serve starts a daemon that keeps its history in the directory.
func serve(t *testing.T, dir string, flags ...string) *served {
	t.Helper()
	linuxtest.Need(t, linuxtest.BPF)
	linuxtest.Quiet(t)
	s := &served{t: t, dir: dir, log: filepath.Join(t.TempDir(), "log")}
	socket := filepath.Join(dir, "l.sock")
	s.cmd = exec.Command("/proc/self/exe", append([]string{"serve", "--runtime", "none", "--socket", socket, "--store", "sqlite:" + filepath.Join(dir, "history")}, flags...)...)
	s.cmd.Args[0] = "lineage"
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	c, err := client.New(socket, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Client = c
	s.await("the daemon", func() bool { return c.Ping(t.Context()) == nil })
	return s
}

// await waits until it is so.
func (s *served) await(what string, is func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	lost := time.After(tooLong)
	for !is() {
		select {
		case <-ticker.C:
		case <-lost:
			s.t.Fatalf("%s does not come: %s", what, s.logged())
		}
	}
}

// end has the daemon end with SIGTERM.
func (s *served) end() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("%v: %s", err, s.logged())
	}
}

// all is what the history has of a query.
func (s *served) all(query string) (list []Object) {
	s.t.Helper()
	q := client.Query{Text: query, Limit: store.MaxLimit}
	for {
		x, err := s.History(s.t.Context(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, x.Processes...)
		if x.Next == nil {
			return list
		}
		q.After = *x.Next
	}
}

// run runs lineage as a user, and returns what it says.
func (s *served) run(uid int, args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), "/proc/self/exe", args...)
	c.Args[0] = "lineage"
	c.Env = append(os.Environ(), "LINEAGE_SOCKET="+s.Address)
	if uid != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	if e := c.Run(); e != nil && c.ProcessState == nil {
		s.t.Fatal(e)
	}
	return out.String(), err.String(), c.ProcessState.ExitCode()
}

// otherUser is one that is not root: nobody.
const otherUser = 65534

// publicDir is a directory that other users may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lineage-serve-") //nolint:usetesting // others may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestServe asks a daemon about what has run, as root and as another user.
func TestServe(t *testing.T) {
	s := serve(t, publicDir(t))
	mark := fmt.Sprintf("mark-%d", os.Getpid())
	before := time.Now()
	shell := exec.Command("sh", "-c", "/bin/echo $0 --password hunter2; sleep 0.01; exit 3", mark)
	_ = shell.Run() // its status is looked at
	pid := shell.ProcessState.Pid()
	s.await("the end of the shell", func() bool { return len(s.all(mark+" exit=3")) == 1 })
	o := s.all(mark + " exit=3")[0]
	if o.PID != pid || *o.CreatorPID != os.Getpid() || o.CreatorEvidence != "observed" || o.Exit == nil || *o.Exit.Status != 3 {
		t.Errorf("%+v", o)
	}
	echo := s.all(mark + " name:echo")
	if len(echo) != 1 || !slices.Equal(echo[0].Args, []string{"/bin/echo", mark, "--password", "[redacted]"}) {
		t.Errorf("%+v", echo)
	}

	stdout, stderr, status := s.run(0, "history", mark, "--failed", "--since", before.Format(time.RFC3339Nano))
	if status != 0 || strings.Count(stdout, mark) != 1 || !strings.Contains(stdout, "1 process") || !strings.Contains(stdout, "the daemon at "+s.Address) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if stdout, stderr, status = s.run(0, "history", "name:no-such-name"); status != exitNotFound || stdout != "" {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	for _, args := range [][]string{{"history", "bad:term"}, {"history", "--exit", "x"}, {"history", "--since", "never"}, {"history", "--since", "1m", "--until", "2m"}, {"why", "--at", "1m", "nginx"}} {
		if stdout, stderr, status = s.run(0, args...); status != exitUsage || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d: %s%s", args, status, stdout, stderr)
		}
	}
	began, _ := startOf(&o)
	at := began.Add(time.Duration(*o.Exit.LivedSeconds * float64(time.Second) / 2)).Format(time.RFC3339Nano)
	stdout, stderr, status = s.run(0, "why", fmt.Sprint(pid), "--at", at, "--short")
	if status != 0 || !strings.HasSuffix(stdout, fmt.Sprintf("%d → sh %d\n", os.Getpid(), pid)) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = s.run(0, "tree", fmt.Sprint(pid), "--at", at, "--args")
	if status != 0 || !strings.Contains(stdout, "hunter2; sleep") && !strings.Contains(stdout, mark) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}

	// Of one that lives, the daemon knows who made it and has ended since.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	detached := exec.Command("sh", "-c", "cat <&3 >/dev/null 2>&1 & echo $!", mark)
	detached.ExtraFiles = []*os.File{r}
	out, err := detached.Output()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status = s.run(0, "why", strings.TrimSpace(string(out)))
	if status != 0 || !strings.Contains(stdout, fmt.Sprintf("sh %d †", detached.ProcessState.Pid())) || !strings.Contains(stdout, "procfs, and the daemon at "+s.Address) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = s.run(0, "ancestors", "--creators", strings.TrimSpace(string(out)))
	if status != 0 || !strings.Contains(stdout, fmt.Sprintf("%d  creator  sh †", detached.ProcessState.Pid())) || !strings.Contains(stdout, "the daemon at "+s.Address) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}

	// Another user gets of it what /proc would show: all but the file.
	stdout, stderr, status = s.run(otherUser, "history", mark, "exit=3", "-o", "ndjson")
	if status != 0 || !strings.Contains(stdout, `"status":3`) || strings.Contains(stdout, `"file"`) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	s.end()
}

// TestServeWatch has an ordinary user watch through the daemon.
func TestServeWatch(t *testing.T) {
	s := serve(t, publicDir(t))
	mark := fmt.Sprintf("watched-%d", os.Getpid())
	c := exec.CommandContext(t.Context(), "/proc/self/exe", "watch", "--for", "20s", "--match", "^/bin/true "+mark+"$", "--event", "exec,exit", "--count", "2", "--chain")
	c.Args[0] = "lineage"
	c.Env = append(os.Environ(), "LINEAGE_SOCKET="+s.Address)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.await("the watch", func() bool {
		x, err := s.Status(t.Context())
		return err == nil && x.Events.Streams > 0
	})
	if err := exec.Command("/bin/true", mark).Run(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "exec") || !strings.Contains(lines[1], "exit") || !strings.Contains(lines[0], fmt.Sprint(os.Getpid())) {
		t.Errorf("%s%s", &stdout, &stderr)
	}
	s.end()
}

// TestServeRestart ends a daemon and starts another one: what lives keeps its ID and
// its record, and the time between is marked.
func TestServeRestart(t *testing.T) {
	dir := publicDir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	mark := fmt.Sprintf("mark-%d", os.Getpid())
	stays := exec.Command("sh", "-c", "cat; exit 4", mark)
	stays.Stdin = r
	s := serve(t, dir)
	if err := stays.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.await("the shell", func() bool { return len(s.all(mark)) == 1 })
	id := s.all(mark)[0].ID
	s.end()
	s = serve(t, dir)
	if list := s.all(mark); len(list) != 1 || list[0].ID != id || list[0].Exit != nil {
		t.Errorf("%+v, was %s", list, id)
	}
	w.Close()
	_ = stays.Wait() // its status is looked at
	s.await("its end", func() bool { return len(s.all(mark+" exit=4")) == 1 })
	x, err := s.History(t.Context(), client.Query{Text: mark})
	if err != nil {
		t.Fatal(err)
	}
	away := 0
	for _, g := range x.Gaps {
		if g.Reason == string(store.Away) {
			away++
		}
	}
	if away != 2 || x.Complete { // since the boot, and between the two
		t.Errorf("gaps: %+v", x.Gaps)
	}
	s.end()
}

// TestServeKilled kills the daemon at random points under load, a hundred times.
// What it has once answered from its history is there ever after, once.
func TestServeKilled(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	dir := publicDir(t)
	storm, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	mark := fmt.Sprintf("storm-%d", os.Getpid())
	go func() {
		defer close(ended)
		for storm.Err() == nil {
			_ = exec.CommandContext(storm, "sh", "-c", "i=0; while [ $i -lt 50 ]; do /bin/true $0; i=$((i+1)); done", mark).Run()
		}
	}()
	defer func() {
		stop()
		<-ended
	}()
	const times = 100
	committed := map[string]string{} // how each ended, by ID
	for i := range times {
		s := serve(t, dir)
		known := len(committed)
		s.await("new ends", func() bool {
			for _, o := range s.some(mark + " exit=0") {
				committed[o.ID] = fmt.Sprint(*o.Exit.Status)
			}
			return len(committed) > known
		})
		<-time.After(time.Duration(i*7919%50) * time.Millisecond) // where in its work it is killed
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	stop()
	<-ended
	s := serve(t, dir)
	seen := map[string]bool{}
	for _, o := range s.all(mark) {
		if seen[o.ID] {
			t.Errorf("twice: %+v", o)
		}
		seen[o.ID] = true
		if want, ok := committed[o.ID]; ok && (o.Exit == nil || o.Exit.Status == nil || fmt.Sprint(*o.Exit.Status) != want) {
			t.Errorf("%+v, ended with %s", o, want)
		}
	}
	for id := range committed {
		if !seen[id] {
			t.Errorf("%s is missing", id)
		}
	}
	if len(committed) < times {
		t.Errorf("only %d ends were seen", len(committed))
	}
	s.end()
}

// some is the first page of a query.
func (s *served) some(query string) []Object {
	x, err := s.History(s.t.Context(), client.Query{Text: query})
	if err != nil {
		s.t.Fatal(err)
	}
	return x.Processes
}

// TestServeFull fills the disk and makes room again: what happened meanwhile is
// written then.
func TestServeFull(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	dir := publicDir(t)
	if err := syscall.Mount("lineage", dir, "tmpfs", 0, "size=128m,mode=755"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	s := serve(t, dir)
	fill, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(fill, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	mark := fmt.Sprintf("full-%d", os.Getpid())
	for range 300 {
		if err := exec.Command("/bin/true", mark, strings.Repeat("x", 2000)).Run(); err != nil {
			t.Fatal(err)
		}
	}
	s.await("the error", func() bool { return strings.Contains(s.logged(), "the store fails") })
	if _, err := s.Process(t.Context(), client.Subject{Process: fmt.Sprint(os.Getpid())}); err != nil {
		t.Errorf("a question about now: %v", err)
	}
	if x, err := s.Status(t.Context()); err != nil || x.Store.Writing == nil || x.Store.Writing.Error == "" {
		t.Errorf("the status says nothing of it: %+v, %v", x.Store, err)
	}
	if err := errors.Join(fill.Close(), os.Remove(fill.Name())); err != nil {
		t.Fatal(err)
	}
	s.await("what happened meanwhile", func() bool { return len(s.all("match:"+store.Quote(mark)+" exit=0")) == 300 })
	s.end()
}

// zeros is a reader without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// logged is what the daemon has said so far.
func (s *served) logged() string {
	s.t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// TestServeSettings takes settings from flags, variables and a file, in this order.
func TestServeSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings")
	bare := func(text string, env []string, args ...string) (string, int) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), "/proc/self/exe", append([]string{"serve", "--config", file}, args...)...)
		c.Args[0] = "lineage"
		c.Env = append(os.Environ(), env...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		_ = c.Run() // its status is looked at
		return stderr.String(), c.ProcessState.ExitCode()
	}
	for _, test := range []struct {
		text string
		env  []string
		args []string
		want string
	}{
		{"nonsense = 1\n", nil, nil, `:1: there is no setting called "nonsense"`},
		{"# a comment\n\nlisten\n", nil, nil, ":3: a line is NAME = VALUE"},
		{"retention = soon", nil, nil, "a time as 36h, 7d or 4w, or 0"},
		{"hidepid = 3", nil, nil, "it may be 0, 1 or 2"},
		{"retention = soon", []string{"LINEAGE_RETENTION=1d"}, []string{"--store", "bad"}, `--store "bad"`},
		{"store = worse", []string{"LINEAGE_STORE=worst"}, []string{"--store", "bad"}, `--store "bad"`},
		{"store = worse", []string{"LINEAGE_STORE=worst"}, nil, `--store "worst"`},
		{"store = worse", nil, nil, `--store "worse"`},
		{"", nil, []string{"--tls-key", "x"}, "go together"},
		{"", nil, []string{"--otlp", "http://localhost:1", "--read-only", "--store", "sqlite:" + dir, "--socket", dir + "/l.sock"}, "--otlp does not go with --read-only"},
	} {
		if stderr, status := bare(test.text, test.env, test.args...); status != exitUsage || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q %q %q: status %d: %s", test.text, test.env, test.args, status, stderr)
		}
	}
	for _, args := range [][]string{
		{"--listen", "0.0.0.0:0", "--store", "none", "--socket", ""}, // in the clear
		{"--store", "none", "--socket", ""},                          // nowhere
		{"--socket", dir + "/l.sock", "--store", "sqlite:" + file},   // no directory
		{"--socket", dir + "/l.sock", "--token-file", dir + "/none"},
	} {
		if stderr, status := bare("", nil, args...); status != exitError || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
	}
}
