package otlp

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// What a record says of an event, as it arrives.
func TestRecords(t *testing.T) {
	c := newCollector(t)
	s := newScripted()
	id := func(pid int) process.ID { return born(pid).Process.ID }
	link := func(pid int, v process.Evidence) process.Link { return process.Link{ID: id(pid), Evidence: v} }
	above := func(pid int, name string, v process.Evidence) process.Ancestor {
		return process.Ancestor{Link: link(pid, v), Name: name}
	}
	s.known[id(1)] = process.Process{ID: id(1), Name: "init", Parent: process.Link{Evidence: process.Scanned}}
	s.known[id(3)] = process.Process{ID: id(3), Name: "orphan", Parent: link(1, process.Scanned)}
	s.detail = process.Details{Exe: "/bin/read", Args: []string{"read", "it"}, NamespacePIDs: []int{13, 2}}
	event := func(kind process.Kind, pid int, change func(*lineage.Event)) lineage.Event {
		e := born(pid)
		e.Kind = kind
		change(&e)
		return e
	}
	events := []lineage.Event{
		event(process.Fork, 10, func(e *lineage.Event) {
			e.Process.Name = "\xff(\n"
			e.Process.Creator, e.Process.Parent = link(2, process.Observed), link(1, process.Observed)
			e.Chain = []process.Ancestor{above(2, "mid\xfe", process.Observed), above(1, "init", process.Inferred)}
		}),
		event(process.Exec, 11, func(e *lineage.Event) { // with a gap
			e.Process.Exec = process.Command{File: "./a\xff", Args: []string{"a", "b\xff"}}
			e.Chain = []process.Ancestor{above(2, "mid", process.Observed), above(1, "init", process.Unknown)}
		}),
		event(process.Exec, 12, func(e *lineage.Event) { // below one whose creator is not known
			e.Process.Exec = process.Command{File: "/bin/long", Args: []string{"long", "arg"}, ArgsCut: true}
			e.Chain = []process.Ancestor{above(3, "orphan", process.Observed)}
		}),
		event(process.Exec, 13, func(e *lineage.Event) { // of which more is read
			e.Chain, e.ChainCut = []process.Ancestor{above(1, "init", process.Observed)}, true
		}),
		event(process.Moved, 14, func(*lineage.Event) {}),
		event(process.Exited, 15, func(e *lineage.Event) {
			e.Adopter = id(1)
			e.Process.State = process.Ended
			e.Process.Exit = process.Exit{
				Evidence: process.Observed, At: e.Time, Status: syscall.WaitStatus(syscall.SIGSEGV) | 0x80,
				Usage: process.Usage{Known: true, User: 1500 * time.Millisecond, System: time.Second, MaxRSS: 4096, ReadBytes: 512, WrittenBytes: 1024},
			}
		}),
		event(process.Gone, 16, func(e *lineage.Event) {
			e.Process.State = process.Ended
			e.Process.Exit = process.Exit{Evidence: process.Scanned, At: e.Time}
		}),
		event(process.Seen, 17, func(e *lineage.Event) {
			e.Process.Cgroup.Membership = "0::/system.slice/docker-" + strings.Repeat("ab", 32) + ".scope\n"
			e.Process.Cgroup.Group = "/system.slice/docker-" + strings.Repeat("ab", 32) + ".scope"
		}),
	}
	want := []struct {
		name, body string
		attributes map[string]any
	}{
		{Fork, "fork of 10 \uFFFD(\n", map[string]any{
			"process.title": "\uFFFD(\n", "process.parent_pid": 1, "lineage.creator.id": id(2), "process.vpid": 10,
			"lineage.creators": []any{id(2), id(1)}, "lineage.creator_names": "[mid\uFFFD init]", "lineage.creators_complete": true,
			"lineage.event.boot_time": int64(10e9), "process.creation.time": "2026-11-23T16:58:33Z",
		}},
		{Exec, "exec of 11 child", map[string]any{
			"lineage.exec.file": "./a\uFFFD", "process.command_args": "[a b\uFFFD redacted]", "lineage.exec.args_cut": nil,
			"lineage.creators": []any{id(2)}, "lineage.creators_complete": false,
		}},
		{Exec, "exec of 12 child", map[string]any{
			"process.command": "long", "process.command_args": nil, "lineage.exec.args_cut": true, "lineage.creators_complete": false,
		}},
		{Exec, "exec of 13 child", map[string]any{
			"process.executable.path": "/bin/read", "process.command_args": "[read it redacted]", "process.vpid": 2, "lineage.creators_complete": false,
		}},
		{Exit, "exit of 15 child", map[string]any{
			"lineage.exit.signal": "SIGSEGV", "lineage.exit.core_dumped": true, "process.exit.code": nil, "process.exit.time": "2026-11-23T16:58:38Z",
			"lineage.usage.user_seconds": 1.5, "lineage.usage.system_seconds": 1, "lineage.usage.max_rss_bytes": 4096,
			"lineage.usage.read_bytes": 512, "lineage.usage.written_bytes": 1024, "lineage.adopter.id": id(1),
		}},
		{Gone, "gone of 16 child", map[string]any{"process.exit.time": nil, "process.exit.code": nil}},
		{Seen, "seen of 17 child", map[string]any{"container.id": strings.Repeat("ab", 32)}},
	}
	r := start(t, Options{Tree: s, Endpoint: c.url(), Args: func(args []string) []string {
		return append(slices.Clip(args), "redacted")
	}})
	for _, e := range events {
		s.tell(t, e)
	}
	r.stop()
	got := c.received()
	if len(got) != len(want) {
		t.Fatalf("%d records of %d", len(got), len(want))
	}
	for i, w := range want {
		a := &got[i]
		if a.name != w.name || a.body != w.body {
			t.Errorf("%s, %q, want %s, %q", a.name, a.body, w.name, w.body)
		}
		for k, v := range w.attributes {
			if !a.has(k, v) {
				t.Errorf("%s: %s is %v, want %v", a.body, k, a.attributes[k], v)
			}
		}
	}
}

// A source that tells no names has them read.
func TestNamesThatAreRead(t *testing.T) {
	c := newCollector(t)
	s := newScripted()
	s.source = cnproc
	e := born(7)
	e.Kind = process.Exec
	s.known[e.Process.ID] = process.Process{ID: e.Process.ID, Name: "anew"}
	r := start(t, Options{Tree: s, Endpoint: c.url()})
	s.tell(t, e)
	r.stop()
	if got := c.received(); len(got) != 1 || !got[0].has("process.title", "anew") || !got[0].has("process.vpid", nil) {
		t.Errorf("received %+v", got)
	}
}

// What the variables of the SDK say counts.
func TestEnvironment(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.url())
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_SERVICE_NAME", "other")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	s := newScripted()
	r := start(t, Options{Tree: s})
	s.tell(t, born(7))
	r.stop()
	if got := c.received(); len(got) != 1 || got[0].resource["service.name"] != "other" || got[0].resource["deployment.environment.name"] != "test" {
		t.Errorf("received %+v", got)
	}
}

func TestEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"http://h:4318":            "http://h:4318/v1/logs",
		"https://h/":               "https://h/v1/logs",
		"http://[::1]:4318/a/logs": "http://[::1]:4318/a/logs",
		"h:4318":                   "",
		"grpc://h:4317":            "",
		"http://":                  "",
		"http://a:b@h":             "",
		"http://h?key=1":           "",
		"http://h:port":            "",
		"/v1/logs":                 "",
	} {
		if got, err := endpoint(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		} else if err != nil && strings.Contains(err.Error(), "a:b") {
			t.Errorf("%q: %v has the password", text, err)
		}
	}
	if _, err := New(t.Context(), Options{Tree: newScripted(), Endpoint: "h:4318"}); err == nil {
		t.Error("no error of a URL that is none")
	}
}
