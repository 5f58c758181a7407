package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/redact"
)

// A watched is a tree on the real kernel and, for comparison, a reader of its own
// of all that it tells.
type watched struct {
	*lineage.Tree
	t     *testing.T
	r     *run
	base  uint64 // the records that were made before
	end   context.CancelFunc
	parts sync.WaitGroup
	told  []lineage.Event
}

// watch returns one that runs.
func watch(t *testing.T) *watched {
	t.Helper()
	linuxtest.Need(t, linuxtest.BPF)
	linuxtest.Quiet(t)
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	if s := tree.Source(); s.Name != bpf {
		t.Fatalf("source %s: %v", s.Name, s.Passed)
	}
	running, stop := context.WithCancel(context.Background())
	runs := make(chan struct{})
	go func() { defer close(runs); _ = tree.Run(running) }()
	t.Cleanup(func() { stop(); <-runs })
	return &watched{Tree: tree, t: t}
}

// compare takes down what happens from now on, once the exporter runs.
func (w *watched) compare(r *run) {
	w.t.Helper()
	await(w.t, "it runs", func() bool { return !r.Stats().Last.IsZero() })
	w.r, w.base = r, r.Stats().Records
	ctx, end := context.WithCancel(context.Background())
	events, err := w.Events(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	w.end = end
	w.t.Cleanup(end)
	w.parts.Go(func() {
		for e := range events {
			w.told = append(w.told, e)
		}
	})
}

// own returns what was told of what the test's process has started, as keys of
// events, once the collector has got as much.
func (w *watched) own() (keys []string) {
	w.t.Helper()
	w.end()
	w.parts.Wait()
	records := w.base
	for _, e := range w.told {
		if e.Kind == process.Loss {
			w.t.Fatal("events were lost")
		}
		below := slices.ContainsFunc(e.Chain, func(a process.Ancestor) bool { return a.ID.PID == os.Getpid() })
		if name := eventName(e.Kind); name != "" {
			records++
			if below {
				keys = append(keys, fmt.Sprintf("%s %s %d", name, e.Process.ID, e.Time))
			}
		}
	}
	await(w.t, "all is sent", func() bool { return w.r.Stats().Sent >= records })
	return keys
}

// key is what [watched.own] has for the event of a record.
func (a *arrival) key() string {
	return fmt.Sprintf("%s %s %d", a.name, a.attributes["lineage.process.id"], a.attributes["lineage.event.boot_time"])
}

// times counts the records by event.
func times(list []arrival) map[string]int {
	n := map[string]int{}
	for i := range list {
		n[list[i].key()]++
	}
	return n
}

const secret = "hunter2-or-so"

// script starts processes, and is killed by itself.
const script = `
/bin/true --password=` + secret + ` plain
(exit 3)
sh -c 'kill -TERM $$'
/bin/sh -c '/bin/true & wait; exit 7'
kill -KILL $$
`

// Every process of a script that is made, runs something and ends arrives, once.
func TestEventsOfScript(t *testing.T) {
	w := watch(t)
	c := newCollector(t)
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, Options{
		Tree: w.Tree, Endpoint: c.url(), Version: "v0", HostName: "box",
		Args: func(args []string) []string { args, _ = redact.Args(args); return args },
		User: func(uid int) string { return fmt.Sprint("user-", uid) },
	})
	w.compare(r)
	before := time.Now()
	cmd := exec.Command("sh", file, "--token", secret)
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != -1 { // by a signal
		t.Fatal(err)
	}
	after := time.Now()
	keys := w.own()
	if s := r.stop(); s.Lost != 0 || s.Losses != 0 || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
	got := c.received()
	n := times(got)
	for _, k := range keys {
		if n[k] != 1 {
			t.Errorf("%s came %d times", k, n[k])
		}
	}
	if len(keys) < 15 {
		t.Errorf("only %d events: %q", len(keys), keys)
	}
	if text, err := os.ReadFile(c.file); err != nil || bytes.Contains(text, []byte(secret)) {
		t.Errorf("the secret was sent, or %v", err)
	}

	one := func(what string, which func(*arrival) bool) *arrival {
		t.Helper()
		var found []*arrival
		for i := range got {
			if a := &got[i]; which(a) {
				found = append(found, a)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%d records of %s", len(found), what)
		}
		return found[0]
	}
	want := func(a *arrival, attributes map[string]any) {
		t.Helper()
		for k, v := range attributes {
			if !a.has(k, v) {
				t.Errorf("%s: %s is %#v, want %#v", a.name, k, a.attributes[k], v)
			}
		}
	}
	pid := cmd.Process.Pid
	self, err := w.Process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	fork := one("the fork of sh", func(a *arrival) bool { return a.name == Fork && a.pid() == pid })
	want(fork, map[string]any{
		"process.parent_pid": os.Getpid(), "lineage.creator.id": self.ID, "process.user.id": os.Geteuid(),
		"process.user.name": fmt.Sprint("user-", os.Geteuid()), "process.command_args": nil,
	})
	ran := one("the exec of sh", func(a *arrival) bool { return a.name == Exec && a.pid() == pid })
	want(ran, map[string]any{
		"process.parent_pid": os.Getpid(), "process.title": "sh", "process.command": "sh", "process.args_count": 4,
		"lineage.exec.file": program, "process.vpid": pid, "process.exit.code": nil, "lineage.exit.signal": nil,
	})
	if creators, ok := ran.attributes["lineage.creators"].([]any); !ok || len(creators) == 0 || creators[0] != self.ID.String() {
		t.Errorf("creators %v, the first is %v", ran.attributes["lineage.creators"], self.ID)
	} else if names, ok := ran.attributes["lineage.creator_names"].([]any); !ok || len(names) != len(creators) || names[0] != self.Name {
		t.Errorf("their names %v", ran.attributes["lineage.creator_names"])
	}
	exit := one("the end of sh", func(a *arrival) bool { return a.name == Exit && a.pid() == pid })
	want(exit, map[string]any{"lineage.exit.signal": "SIGKILL", "process.exit.code": nil, "process.command": "sh"})
	if _, ok := exit.attributes["lineage.usage.max_rss_bytes"].(int64); !ok {
		t.Error("an end without what was used")
	}
	for _, a := range []*arrival{fork, ran, exit} {
		if a.at.Before(before.Add(-time.Millisecond)) || a.at.After(after.Add(time.Millisecond)) || a.observed.Before(a.at.Add(-time.Millisecond)) {
			t.Errorf("%s at %v, taken at %v, of what was between %v and %v", a.name, a.at, a.observed, before, after)
		}
		if a.severity != "INFO" || a.scope != "github.com/proclineage/lineage/otlp" {
			t.Errorf("severity %q, scope %q", a.severity, a.scope)
		}
		hostID, bootID := w.Host()
		for k, v := range map[string]any{
			"service.name": "lineage", "service.version": "v0", "host.name": "box", "os.type": "linux", "lineage.boot_id": bootID, "host.id": hostID,
		} {
			if v != "" && a.resource[k] != v {
				t.Errorf("the resource's %s is %v, want %v", k, a.resource[k], v)
			}
		}
	}
	below := func(a *arrival) bool {
		return strings.Contains(fmt.Sprint(a.attributes["lineage.creators"]), fmt.Sprint(" ", self.ID))
	}
	one("an end with status 3", func(a *arrival) bool { return a.name == Exit && below(a) && a.has("process.exit.code", 3) })
	one("an end with status 7", func(a *arrival) bool { return a.name == Exit && below(a) && a.has("process.exit.code", 7) })
	one("an end by SIGTERM", func(a *arrival) bool { return a.name == Exit && below(a) && a.has("lineage.exit.signal", "SIGTERM") })
	one("a command with a secret", func(a *arrival) bool {
		args := fmt.Sprint(a.attributes["process.command_args"])
		return a.name == Exec && below(a) && strings.HasPrefix(args, "[/bin/true --password=") && strings.HasSuffix(args, " plain]")
	})
}

// forks starts processes until it is told to end.
func forks(t *testing.T) (end func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "trap 'exit 0' TERM; echo; while true; do (true); sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1)) // it has its trap
	}
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()); err != nil {
			t.Error(err)
		}
	})
}

// A collector that is not there yet gets everything once it is.
func TestCollectorThatComesLate(t *testing.T) {
	w := watch(t)
	c := newCollector(t)
	c.kill()
	r := start(t, Options{Tree: w.Tree, Endpoint: c.url()})
	w.compare(r)
	if err := exec.Command("sh", "-c", "true; (true); /bin/true").Run(); err != nil {
		t.Fatal(err)
	}
	await(t, "the collector is missed", func() bool { return r.Stats().Failed > 1 })
	if s := r.Stats(); s.Err == nil || s.Sent != 0 {
		t.Errorf("stats %+v", s)
	}
	c.start()
	keys := w.own()
	if s := r.stop(); s.Lost != 0 || s.Losses != 0 || s.Err != nil {
		t.Errorf("stats %+v", s)
	}
	n := times(c.received())
	for _, k := range keys {
		if n[k] != 1 {
			t.Errorf("%s came %d times", k, n[k])
		}
	}
}

// A collector that is killed and comes back misses nothing. What it got last may
// come again, once.
func TestCollectorThatIsKilled(t *testing.T) {
	w := watch(t)
	c := newCollector(t)
	r := start(t, Options{Tree: w.Tree, Endpoint: c.url()})
	w.compare(r)
	end := forks(t)
	defer end()
	const kills = 3
	for range kills {
		sent := r.Stats().Sent
		await(t, "the collector takes something", func() bool { return r.Stats().Sent > sent })
		failed := r.Stats().Failed
		c.kill()
		await(t, "the collector is missed", func() bool { return r.Stats().Failed > failed })
		c.start()
	}
	end()
	keys := w.own()
	s := r.stop()
	if s.Lost != 0 || s.Losses != 0 {
		t.Errorf("stats %+v", s)
	}
	got := c.received()
	n := times(got)
	for _, k := range keys {
		if n[k] == 0 {
			t.Errorf("%s did not come", k)
		}
	}
	again := map[string][]int{} // the requests, by event, of what came more than once
	for i := range got {
		if k := got[i].key(); n[k] > 1 {
			again[k] = append(again[k], got[i].request)
		}
	}
	pairs := map[string]bool{}
	for k, requests := range again {
		if len(requests) > kills+1 {
			t.Errorf("%s came %d times", k, len(requests))
		}
		pairs[fmt.Sprint(requests)] = true
	}
	if len(pairs) > kills {
		t.Errorf("%d batches came again, of %d kills", len(pairs), kills)
	}
}

// Nothing is left of an exporter that has ended.
func TestNoGoroutineIsLeft(t *testing.T) {
	c := newCollector(t)
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: c.url()})
	s.tell(t, born(7))
	r.stop()
	if n := len(c.received()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
	c.kill() // with whom the connections end that the SDK keeps
	var stacks string
	await(t, "the goroutines have ended", func() bool {
		room := make([]byte, 1<<20)
		stacks = string(room[:runtime.Stack(room, true)])
		for _, left := range []string{"go.opentelemetry.io/otel", "net/http.(*persistConn)", "otlp.(*Exporter)", "otlp.(*delivery)"} {
			if strings.Contains(stacks, left) {
				return false
			}
		}
		return true
	})
}
