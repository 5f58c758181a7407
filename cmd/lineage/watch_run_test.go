package main

import (
	"bufio"
	"context"
	"encoding/json"
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

	"github.com/proclineage/lineage/internal/linuxtest"
)

// eachSource runs a test with each source that tells what happens.
func eachSource(t *testing.T, test func(t *testing.T, name string)) {
	for name, feature := range map[string]linuxtest.Feature{"bpf": linuxtest.BPF, "cnproc": linuxtest.Connector} {
		t.Run(name, func(t *testing.T) {
			linuxtest.Need(t, feature)
			test(t, name)
		})
	}
}

// watching is a lineage watch that runs.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr strings.Builder
}

// aMinute is how long a command may take: one that goes on for ever is a failure,
// and not a test that hangs.
func aMinute(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// startWatch starts lineage with the arguments, and returns once it watches.
func startWatch(t *testing.T, args ...string) (*watching, Event) {
	t.Helper()
	linuxtest.Quiet(t)
	w := &watching{t: t, cmd: exec.CommandContext(aMinute(t), "/proc/self/exe", args...)}
	w.cmd.Args[0] = "lineage"
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.lines = bufio.NewScanner(stdout)
	w.lines.Buffer(nil, 1<<20)
	first, ok := w.next()
	if !ok || first.Event != "watching" || first.Source == nil {
		t.Fatalf("it begins with %+v: %s", first, w.end())
	}
	return w, first
}

// next returns the next event.
func (w *watching) next() (e Event, ok bool) {
	w.t.Helper()
	if !w.lines.Scan() {
		return e, false
	}
	if err := json.Unmarshal(w.lines.Bytes(), &e); err != nil {
		w.t.Fatalf("%v in %s", err, w.lines.Text())
	}
	return e, true
}

// stop ends it by a signal and returns the events that it has told since.
func (w *watching) stop(s syscall.Signal) []Event {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
	return w.rest()
}

// rest returns the events until it ends, which it has to do with status 0.
func (w *watching) rest() (events []Event) {
	w.t.Helper()
	for e, ok := w.next(); ok; e, ok = w.next() {
		events = append(events, e)
	}
	if text := w.end(); text != "" {
		w.t.Errorf("%s", text)
	}
	return events
}

// end waits for it and says what went wrong.
func (w *watching) end() string {
	if err := w.cmd.Wait(); err != nil {
		return fmt.Sprintf("%v: %s", err, w.stderr.String())
	}
	return strings.Replace(w.stderr.String(), "lineage: "+errMisses.Error()+"\n", "", 1)
}

// familyCommand is the program of a family, with pipes to and from it.
func familyCommand(t *testing.T, spec ...string) (c *exec.Cmd, stdin io.WriteCloser, stdout io.ReadCloser) {
	t.Helper()
	c = exec.CommandContext(aMinute(t), "/proc/self/exe", spec...)
	c.Args[0] = "family"
	stdin, err := c.StdinPipe()
	if err == nil {
		stdout, err = c.StdoutPipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, stdin, stdout
}

// runFamily runs the processes of the specification (see family) and returns
// their PIDs once all have ended.
func runFamily(t *testing.T, spec ...string) map[string]int {
	t.Helper()
	c, stdin, stdout := familyCommand(t, spec...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	lines := bufio.NewScanner(stdout)
	for up := 0; up < len(spec) && lines.Scan(); {
		var key string
		var value int
		if _, err := fmt.Sscan(lines.Text(), &key, &value); err == nil {
			pids[key] = value
		} else {
			up++
		}
	}
	stdin.Close()
	if _, err := io.Copy(io.Discard, stdout); err != nil { // all of them hold it
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	return pids
}

// TestWatch has a family come and go, and two that are not asked for.
func TestWatch(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	const name = "bpf"
	other := startFamily(t, "other")
	w, first := startWatch(t, "watch", "-o", "ndjson", "--chain", "--source", name, "--under", fmt.Sprint(os.Getpid()))
	if first.Source.Name != name {
		t.Errorf("it watches with %s", first.Source.Name)
	}
	pids := runFamily(t, "one", "+two!", "three~", "four")
	sure := []string{"one", "two", "three", "four"}
	var events []Event
	for left := len(sure); left > 0; { // orphans end when they like
		e, ok := w.next()
		if !ok || e.Event == "loss" {
			t.Fatalf("%+v: %s", e, w.end())
		}
		if e.Event == "exit" && slices.ContainsFunc(sure, func(name string) bool { return pids[name] == e.PID }) {
			left--
		}
		events = append(events, e)
	}
	events = append(events, w.stop(syscall.SIGINT)...)

	told := map[int][]string{}
	last := ""
	for _, e := range events {
		if e.Event == "loss" {
			continue
		}
		told[e.PID] = append(told[e.PID], e.Event)
		if boot := fmt.Sprintf("%30s", e.BootTime); boot < last {
			t.Errorf("%s of %d is told after what was later", e.Event, e.PID)
		} else {
			last = boot
		}
		if e.Event == "fork" && *e.PPID != os.Getpid() && told[*e.PPID] == nil {
			t.Errorf("%d is told before its parent %d", e.PID, *e.PPID)
		}
		if e.PID == pids["one"] && e.Event == "exec" && !strings.HasPrefix(strings.Join(e.Args, " "), "family") {
			t.Errorf("one runs %q", e.Args)
		}
		if e.PID == pids["one"] && e.Event == "exit" && (e.Exit == nil || e.Exit.Status == nil || *e.Exit.Status != 0) {
			t.Errorf("one ended with %+v", e.Exit)
		}
		if e.PID == pids["four"] && e.Event == "exec" && (len(e.Creators) < 3 || e.Creators[0].PID != pids["three"] || e.Creators[1].PID != pids["one"]) {
			t.Errorf("four was made by %+v", e.Creators)
		}
		if e.PID == pids["four"] && e.Event == "exit" && e.Creators[0].State != "ended" {
			t.Errorf("when four ended, three is %s", e.Creators[0].State)
		}
	}
	for _, name := range sure {
		if got := strings.Join(told[pids[name]], " "); got != "fork exec exit" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := told[other]; got != nil {
		t.Errorf("of one that does nothing it is told: %v", got)
	}
}

// TestWatchWithConnector has what happens to a process that lives until it has
// been read.
func TestWatchWithConnector(t *testing.T) {
	linuxtest.Need(t, linuxtest.Connector)
	w, first := startWatch(t, "watch", "-o", "ndjson", "--source", "cnproc", "--under", fmt.Sprint(os.Getpid()))
	if first.Source.Name != "cnproc" {
		t.Errorf("it watches with %s", first.Source.Name)
	}
	pid := startFamily(t, "held")
	var told []string
	for len(told) < 3 {
		e, ok := w.next()
		if !ok || e.Event == "loss" {
			t.Fatalf("%+v: %s", e, w.end())
		}
		if e.PID != pid {
			continue
		}
		told = append(told, e.Event)
		switch e.Event {
		case "exec":
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		case "exit":
			if e.Exit == nil || e.Exit.Signal == nil || *e.Exit.Signal != "SIGKILL" {
				t.Errorf("it ended with %+v", e.Exit)
			}
		}
	}
	if got := strings.Join(told, " "); got != "fork exec exit" {
		t.Errorf("it is told: %s", got)
	}
	w.stop(syscall.SIGINT)
}

// startFamily starts one process that waits, and returns its PID.
func startFamily(t *testing.T, name string) int {
	t.Helper()
	c, stdin, stdout := familyCommand(t, name)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = c.Wait() })
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "up"; {
	}
	return c.Process.Pid
}

// TestWatchSelects has what the flags ask for and nothing else.
func TestWatchSelects(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF) // which misses none
	w, _ := startWatch(t, "watch", "-o", "ndjson", "--failed", "--under", fmt.Sprint(os.Getpid()))
	named, _ := startWatch(t, "watch", "-o", "ndjson", "--event", "exec", "--match", "family.* sel-b", "--count", "1")
	runFamily(t, "sel-a", "sel-b")
	for command, status := range map[string]string{"exit 3": "3", "exit 0": "", "kill -TERM $$": "SIGTERM"} {
		err := exec.Command("sh", "-c", command).Run()
		if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
			t.Fatal(status, err)
		}
	}
	var got []string
	for _, e := range w.stop(syscall.SIGTERM) {
		switch {
		case e.Event == "loss": // on a busy host
		case e.Event != "exit" || e.Exit == nil:
			t.Errorf("%+v", e)
		case e.Exit.Signal != nil:
			got = append(got, *e.Exit.Signal)
		default:
			got = append(got, fmt.Sprint(*e.Exit.Status))
		}
	}
	if len(got) != 2 || got[0] == got[1] || !strings.Contains("3 SIGTERM 3", strings.Join(got, " ")) {
		t.Errorf("told: %v", got)
	}
	if events := named.rest(); len(events) != 1 || events[0].Event != "exec" || len(events[0].Args) < 2 {
		t.Errorf("by name: %+v", events)
	}
}

// TestWatchText has lines come as things happen, also in a pipe.
func TestWatchText(t *testing.T) {
	linuxtest.Need(t, linuxtest.Connector)
	c := exec.CommandContext(aMinute(t), "/proc/self/exe", "watch", "--source", "cnproc", "--match", "^text-me$", "--event", "exit")
	c.Args[0] = "lineage"
	c.Stderr = os.Stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan string)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() && strings.Contains(lines.Text(), "  loss  ") { // on a busy host
			continue
		}
		line <- lines.Text()
	}()
	program := filepath.Join(t.TempDir(), "text-me")
	if cat, err := exec.LookPath("cat"); err != nil {
		t.Fatal(err)
	} else if err := os.Symlink(cat, program); err != nil {
		t.Fatal(err)
	}
	const together = 20 // so that each lives for long enough to be read
	var running []func()
	defer func() {
		for _, end := range running {
			end()
		}
	}()
	for { // until it watches
		one := exec.Command(program)
		stdin, err := one.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, func() { _ = stdin.Close(); _ = one.Wait() })
		if len(running) > together {
			running[0]()
			running = running[1:]
		}
		select {
		case text := <-line:
			if !strings.Contains(text, "  text-me          status 0 after ") {
				t.Errorf("%q", text)
			}
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, stdout); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// TestWatchWithoutSource runs as root of a user namespace only, where nothing
// tells what happens.
func TestWatchWithoutSource(t *testing.T) {
	linuxtest.Need(t, linuxtest.UserNamespace)
	for _, args := range [][]string{{"watch"}, {"tree", "--exited", "1m"}} {
		c := exec.CommandContext(aMinute(t), "/proc/self/exe", args...)
		c.Args[0] = "lineage"
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := c.CombinedOutput()
		failed := new(exec.ExitError)
		if text := string(out); !errors.As(err, &failed) || failed.ExitCode() != exitPermission ||
			!strings.HasPrefix(text, "lineage: no source tells what happens on this host: bpf: permission denied: ") ||
			!strings.Contains(text, "; cnproc: ") || strings.Count(text, "\n") != 1 {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}

// TestWatchMisses says that cnproc does not see everything, and with --strict
// ends with the status for that.
func TestWatchMisses(t *testing.T) {
	linuxtest.Need(t, linuxtest.Connector)
	for _, strict := range []bool{false, true} {
		c := exec.CommandContext(aMinute(t), "/proc/self/exe", "watch", "--source", "cnproc", "--for", "1ms", "--strict="+fmt.Sprint(strict))
		c.Args[0] = "lineage"
		var stderr strings.Builder
		c.Stderr = &stderr
		_ = c.Run() // its status is looked at
		want := exitDone
		if strict {
			want = exitIncomplete
		}
		if got := c.ProcessState.ExitCode(); got != want || !strings.HasPrefix(stderr.String(), "lineage: "+errMisses.Error()+"\n") {
			t.Errorf("strict %v: status %d: %s", strict, got, stderr.String())
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		if slices.Sort(lines); len(slices.Compact(lines)) != strings.Count(stderr.String(), "\n") {
			t.Errorf("strict %v: it says one thing twice: %s", strict, stderr.String())
		}
	}
}

// TestWatchBrokenPipe has a reader that has gone.
func TestWatchBrokenPipe(t *testing.T) {
	linuxtest.Need(t, linuxtest.Connector)
	r, stdout := must2x(t)(os.Pipe())
	r.Close()
	c := exec.CommandContext(aMinute(t), "/proc/self/exe", "watch", "--source", "cnproc", "-o", "ndjson")
	c.Args[0] = "lineage"
	var stderr strings.Builder
	c.Stdout, c.Stderr = stdout, &stderr
	err := c.Run()
	stdout.Close()
	failed := new(exec.ExitError)
	if !errors.As(err, &failed) || failed.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || stderr.String() != "" {
		t.Errorf("%v: %s", err, stderr.String())
	}
}

// TestTreeExited draws what ended while it watched.
func TestTreeExited(t *testing.T) {
	eachSource(t, func(t *testing.T, name string) {
		control, terminal, err := openTerminal(500)
		if err != nil {
			t.Fatal(err)
		}
		defer control.Close()
		c := exec.CommandContext(aMinute(t), "/proc/self/exe", "tree", "--exited", "1h", "--source", name, "-o", "ndjson", "--args", fmt.Sprint(os.Getpid()))
		c.Args[0] = "lineage"
		c.Stderr = terminal // to be told when it watches
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		terminal.Close()
		said := bufio.NewScanner(control)
		if said.Scan(); !strings.HasPrefix(said.Text(), "lineage: watching with "+name) || !strings.HasSuffix(said.Text(), ", for 1h0m0s; Ctrl-C draws at once") {
			t.Fatalf("%q", said.Text())
		}
		families := 1
		if name != "bpf" { // of some of which it tells
			families = 5
		}
		ones, twos := map[int]bool{}, map[int]bool{}
		for range families {
			pids := runFamily(t, "one", "two~", "three")
			ones[pids["one"]], twos[pids["two"]] = true, true
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		depths := map[int]int{}
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var o Object
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				t.Fatal(err)
			}
			depths[o.PID] = *o.Depth
			if !ones[o.PID] && !twos[o.PID] {
				continue
			}
			unreaped := twos[o.PID] && o.State == "zombie" // by who adopted it
			if o.State != "ended" && !unreaped || o.Exit == nil || o.Exit.Status == nil || *o.Exit.Status != 0 || name == "bpf" && len(o.Args) == 0 {
				t.Errorf("%+v, %+v", o, o.Exit)
			}
		}
		drawn := func(pids map[int]bool, depth int) (n int) {
			for pid := range pids {
				if depths[pid] == depth {
					n++
				}
			}
			return n
		}
		if name == "bpf" && (drawn(ones, 1) == 0 || drawn(twos, 2) == 0) { // cnproc may miss all of them
			t.Errorf("depths %v of %v and %v", depths, ones, twos)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
}
