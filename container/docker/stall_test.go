package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// A call ends with its context wherever the server stalls, and so does its
// connection.
func TestEndsWithContext(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	list := func(ctx context.Context, r *Runtime) error { _, err := r.List(ctx); return err }
	inspect := func(ctx context.Context, r *Runtime) error { _, err := r.Inspect(ctx, id1); return err }
	for name, tt := range map[string]struct {
		ask func(context.Context, *Runtime) error
		// pong says that a ping is answered, begin is what comes after that,
		// and drip what comes again and again.
		pong        bool
		begin, drip string
	}{
		"no answer":                 {ask: list},
		"no answer to an inspect":   {ask: inspect},
		"no answer to a list":       {ask: list, pong: true},
		"no answer to the second":   {ask: inspect, pong: true},
		"within the status":         {ask: list, begin: "HTTP/1"},
		"within the header":         {ask: list, pong: true, begin: head},
		"after the header":          {ask: list, pong: true, begin: head + "Content-Length: 1000\r\n\r\n"},
		"after that of an inspect":  {ask: inspect, pong: true, begin: head + "Content-Length: 1000\r\n\r\n"},
		"within the body":           {ask: list, pong: true, begin: head + "\r\n" + `[{"Id":"x"},`},
		"within the inspection":     {ask: inspect, pong: true, begin: head + "\r\n" + `{"Id":"`},
		"after the list":            {ask: list, pong: true, begin: head + "\r\n" + `[{"Id":"x"}]`},
		"after the inspection":      {ask: inspect, pong: true, begin: head + "\r\n" + `{"Id":"` + id1 + `"}`},
		"within an error":           {ask: list, pong: true, begin: "HTTP/1.1 500 No\r\n\r\n{"},
		"within that of an inspect": {ask: inspect, pong: true, begin: "HTTP/1.1 500 No\r\n\r\n{"},
		"a dripping header":         {ask: list, begin: "HTTP/1.1 200 OK\r\nX: ", drip: "x"},
		"a dripping body":           {ask: list, pong: true, begin: head + "\r\n[", drip: " "},
		"a dripping inspection":     {ask: inspect, pong: true, begin: head + "\r\n", drip: " "},
		"dripping hints":            {ask: list, pong: true, drip: "HTTP/1.1 103 Early Hints\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stalls := make(chan struct{}, 1)
			r := connections(t, func(c net.Conn) {
				if tt.pong {
					request(c)
					_, _ = io.WriteString(c, pong)
				}
				request(c)
				_, _ = io.WriteString(c, tt.begin+tt.drip)
				stalls <- struct{}{}
				if tt.drip != "" { // once more, when it is of no use
					<-ctx.Done()
					_, _ = io.WriteString(c, tt.drip)
				}
				ended(c)
			})
			result := make(chan error, 1)
			go func() { result <- tt.ask(ctx, r) }()
			select {
			case <-stalls:
			case err := <-result:
				t.Fatalf("%v before the end of the context", err)
			}
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want %v", err, context.Canceled)
			}
		})
	}
}

// A server that makes something else of the connection does not keep it.
func TestSwitch(t *testing.T) {
	r := connections(t, func(c net.Conn) {
		request(c)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		ended(c)
	})
	if _, err := r.List(t.Context()); err == nil || !strings.Contains(err.Error(), "status 101") {
		t.Error(err)
	}
}

// A connection that breaks is an error, and the next call makes another one.
func TestReset(t *testing.T) {
	breaks := make(chan string, 8)
	r := connections(t, func(c net.Conn) {
		at := <-breaks
		for {
			if at == "at once" { // with the request unread it is a reset
				return
			}
			path := request(c)
			switch {
			case path == "" || path != "/_ping" && at == "after the request":
				return
			case path == "/_ping":
				_, _ = io.WriteString(c, pong)
			default:
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n")
				_, _ = io.WriteString(c, `[{"Id":`)
				if at == "within the body" {
					return
				}
				_, _ = io.WriteString(c, `"x"}]  `)
			}
		}
	})
	for _, at := range []string{"at once", "after the request", "within the body"} {
		for len(breaks) < cap(breaks) { // also where it is tried again
			breaks <- at
		}
		if _, err := r.List(t.Context()); err == nil || !strings.Contains(err.Error(), r.Socket()) {
			t.Errorf("%s: %v", at, err)
		}
		r.Close()
		for len(breaks) > 0 {
			<-breaks
		}
	}
	breaks <- "never"
	if list, err := r.List(t.Context()); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
}

// While one call hangs, another one is answered.
func TestHangingBesideAnswered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan struct{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	r := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		select {
		case <-first:
			close(hangs)
			<-req.Context().Done()
			return
		default:
		}
		if req.URL.Path != "/_ping" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "[]")
		}
	}))
	result := make(chan error, 1)
	go func() { _, err := r.List(ctx); result <- err }()
	<-hangs
	if _, err := r.List(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}

// A call whose context has ended asks nothing.
func TestEndedContext(t *testing.T) {
	e := &engine{version: "1.41", list: "[]"}
	r := open(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.List(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r = openAt(t, Options{Socket: filepath.Join(t.TempDir(), "none")})
	if _, err := r.Inspect(ctx, id1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
