package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/process"
)

// sse is a stream of server-sent events.
type sse struct {
	t    *testing.T
	in   *bufio.Reader
	body io.Closer
}

func openSSE(t *testing.T, c *http.Client, path string, header ...string) *sse {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://lineage"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	for err == nil && resp.StatusCode == http.StatusNotImplemented { // they are told from soon after the start on
		resp.Body.Close()
		resp, err = c.Do(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("%s %s", resp.Status, got)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &sse{t, bufio.NewReader(resp.Body), resp.Body}
}

// next returns the next event, whose id and name must be those of the object.
func (s *sse) next() (e api.Event) {
	s.t.Helper()
	got := map[string]string{}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		got[name] = value
	}
	if err := json.Unmarshal([]byte(got["data"]), &e); err != nil || e.Cursor != got["id"] || e.Event.Event != got["event"] || len(got) != 3 {
		s.t.Fatalf("%v: %q", err, got)
	}
	return e
}

// TestResume holds that a client that was cut off misses nothing, or is told so.
func TestResume(t *testing.T) {
	tree, history := world()
	tree.events = make(chan lineage.Event)
	p := tree.procs[4] // with hostile arguments
	o := api.Options{Tree: tree, History: history, Limits: api.Limits{Recent: 64 << 10}}
	c := over(t, serve(t, o))
	first := openSSE(t, c, "/v1/events")
	if e := first.next(); e.Event.Event != "watching" || e.Source == nil {
		t.Fatalf("%+v", e)
	}
	tell := func(n int) {
		for range n {
			p.ID.Start++
			tree.events <- lineage.Event{Kind: process.Exec, Time: p.ID.Start, Process: p}
		}
	}
	tell(2)
	one, two := first.next(), first.next()
	_ = first.body.Close()
	tell(3)
	second := openSSE(t, c, "/v1/events", "Last-Event-ID", one.Cursor)
	second.next() // watching
	if e := second.next(); e.ID != two.ID || e.Event.Event != "exec" {
		t.Fatalf("after %s comes %+v", one.Cursor, e)
	}
	for range 3 {
		second.next()
	}
	tell(1000) // more than are kept
	third := openSSE(t, c, "/v1/events", "Last-Event-ID", two.Cursor)
	third.next()
	if e := third.next(); e.Event.Event != "loss" {
		t.Errorf("what was forgotten is told as %+v", e)
	}
	fourth := openSSE(t, c, "/v1/events?last_event_id=another-7")
	fourth.next()
	if e := fourth.next(); e.Event.Event != "loss" {
		t.Errorf("of another server: %+v", e)
	}
	refuse(t, c, http.StatusBadRequest, "/v1/events?kinds=fork,nothing")
	refuse(t, c, http.StatusBadRequest, "/v1/events?q=since:1h")
}

// TestClient asks as the commands do.
func TestClient(t *testing.T) {
	tree, history := world()
	tree.events = make(chan lineage.Event)
	path := serve(t, api.Options{Tree: tree, History: history})
	ctx := context.Background()
	t.Setenv(client.Variable, path)
	c, err := client.Find(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if a, err := c.Processes(ctx, client.Query{Text: "nginx"}); err != nil || len(a.Processes) != 1 || a.Source.Name != "bpf" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := c.Lineage(ctx, client.Subject{Process: tree.procs[3].ID.String()}); err != nil || len(a.Processes) != 4 {
		t.Errorf("%v, %v", pids(a.Processes), err)
	}
	if a, err := c.History(ctx, client.Query{Text: "exit!=0", Limit: 1}); err != nil || len(a.Processes) != 1 || a.Next == nil {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := c.Process(ctx, client.Subject{Process: "999"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a process that is not there: %v", err)
	}
	events, err := c.Events(ctx, client.EventQuery{Text: "name:app", Kinds: []process.Kind{process.Exited}})
	for err != nil { // they are told from soon after the start on
		events, err = c.Events(ctx, client.EventQuery{Text: "name:app", Kinds: []process.Kind{process.Exited}})
	}
	defer events.Close()
	if e, err := events.Next(); err != nil || e.Event.Event != "watching" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, k := range []process.Kind{process.Exec, process.Exited} {
		for _, p := range []process.Process{tree.procs[0], tree.procs[6]} {
			tree.events <- lineage.Event{Kind: k, Time: 1e9, Process: p}
		}
	}
	if e, err := events.Next(); err != nil || e.Event.Event != "exit" || e.PID != 6 {
		t.Errorf("%+v, %v", e, err)
	}
	t.Setenv(client.Variable, path+"x")
	if _, err := client.Find(ctx); !errors.Is(err, client.ErrNoDaemon) {
		t.Errorf("of no daemon: %v", err)
	}
}
