package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/store"
)

// gated is a history that holds up the questions for the text "gate" until they are
// let through, and counts them.
type gated struct {
	*memory
	entered chan struct{} // has one for each that came
	through chan struct{} // lets through one
	mu      sync.Mutex
	now     int
	most    int
}

func newGated(m *memory) *gated {
	return &gated{memory: m, entered: make(chan struct{}, 100), through: make(chan struct{})}
}

func (g *gated) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func (g *gated) Select(ctx context.Context, q *store.Query) (store.Page, error) {
	if slices.ContainsFunc(q.Filter, func(t store.Term) bool { return t.Value == "gate" }) {
		g.count(1)
		defer g.count(-1)
		g.entered <- struct{}{}
		select {
		case <-g.through:
		case <-ctx.Done():
		}
	}
	return g.memory.Select(ctx, q)
}

// TestEnding holds that a server that ends gives the answers that it was giving, ends
// streams of events at once, and has then ended.
func TestEnding(t *testing.T) {
	tree, history := world()
	tree.events = make(chan lineage.Event)
	gate := newGated(history)
	path := filepath.Join(t.TempDir(), "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := api.New(api.Options{Tree: tree, History: gate})
	ctx, cancel := context.WithCancel(t.Context())
	served, taken := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	go func() { taken <- s.Run(t.Context()) }()
	c := over(t, path)
	c.Timeout = 0
	stream := openSSE(t, c, "/v1/events")
	answered := make(chan error, 1)
	go func() {
		resp, err := c.Get("http://lineage/v1/history?q=gate")
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || !json.Valid(body) {
				err = errors.New(resp.Status + " " + string(body))
			}
		}
		answered <- err
	}()
	<-gate.entered
	cancel()
	if _, err := io.ReadAll(stream.in); err != nil {
		t.Errorf("the stream: %v", err)
	}
	select {
	case gate.through <- struct{}{}:
	case err := <-served:
		t.Fatalf("it has ended before it answered: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("the answer: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestGoodbyeEnds holds that a server ends also when an answer takes too long.
func TestGoodbyeEnds(t *testing.T) {
	tree, history := world()
	gate := newGated(history)
	path := filepath.Join(t.TempDir(), "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- api.New(api.Options{Tree: tree, History: gate}).Serve(ctx, l) }()
	answered := make(chan error, 1)
	go func() {
		resp, err := over(t, path).Get("http://lineage/v1/history?q=gate")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	<-gate.entered
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("it was answered")
	}
}

// TestHeavyPlaces holds that one user has one heavy answer made at a time, users
// together leave one place to root, and all of them are answered in the end.
func TestHeavyPlaces(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	tree, history := world()
	gate := newGated(history)
	path := serve(t, api.Options{Tree: tree, History: gate})
	const users, each = 2, 4
	var all sync.WaitGroup
	for u := range users {
		c := overAs(t, path, 1000+u)
		for range each {
			all.Go(func() {
				resp, err := c.Get("http://lineage/v1/tree?since=1h&q=gate")
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s", resp.Status)
				}
			})
		}
	}
	root := over(t, path)
	for range users * each {
		<-gate.entered
		ask[api.Counts](t, root, "/v1/counts")
		ask[api.TreeAnswer](t, root, "/v1/tree?since=1h")
		gate.through <- struct{}{}
	}
	all.Wait()
	if gate.most != 1 {
		t.Errorf("%d were made at a time for users", gate.most)
	}
}

// TestWriting holds that a history that cannot be written is told of.
func TestWriting(t *testing.T) {
	tree, history := world()
	last := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
	w := api.Writing{Pending: 3, Last: last, Dropped: 4}
	var mu sync.Mutex
	c := over(t, serve(t, api.Options{Tree: tree, History: history, Writing: func() api.Writing {
		mu.Lock()
		defer mu.Unlock()
		return w
	}}))
	history.gaps = nil
	text := last.UTC().Format(time.RFC3339Nano)
	if s := ask[api.Status](t, c, "/v1/status"); s.Store.Writing == nil || s.Store.Writing.Pending != 3 || *s.Store.Writing.Last != text ||
		s.Store.Writing.Dropped != 4 || s.Store.Writing.Error != "" || !s.Complete {
		t.Errorf("while it can: %+v %+v", s, s.Store.Writing)
	}
	if resp, _ := fetch(t, c, "/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("while it can: %s", resp.Status)
	}
	paths := []string{"/v1/history", "/v1/processes?at=0s", "/v1/processes/6?at=0s", "/v1/processes/6/lineage?at=0s", "/v1/tree?since=1h", "/v1/counts"}
	for _, path := range paths {
		if _, body := fetch(t, c, path); bytes.Contains(body, []byte("cannot be written")) {
			t.Errorf("while it can: %s: %s", path, body)
		}
	}
	mu.Lock()
	w.Err = errors.New("the disk is full")
	mu.Unlock()
	note := "the history cannot be written since " + text + ": the disk is full"
	if s := ask[api.Status](t, c, "/v1/status"); s.Store.Writing.Error != "the disk is full" || s.Complete || s.Note != note {
		t.Errorf("%+v %+v", s, s.Store.Writing)
	}
	refuse(t, c, http.StatusServiceUnavailable, "/readyz")
	for _, path := range paths {
		if a := ask[api.Processes](t, c, path); a.Complete || !strings.Contains(a.Note, note) {
			t.Errorf("%s: %q", path, a.Note)
		}
	}
	if a := ask[api.Processes](t, c, "/v1/processes?at=1h"); !a.Complete {
		t.Errorf("of before: %q", a.Note)
	}
}
