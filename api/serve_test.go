package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/api"
)

// serve starts a server on a Unix socket until the test ends, and returns the path.
func serve(t testing.TB, o api.Options) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lineage") //nolint:usetesting // every user may enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	run(t, api.New(o), l)
	return path
}

// run serves until the test ends.
func run(t testing.TB, s *api.Server, l *api.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served, taken := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	go func() { taken <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for _, c := range []chan error{served, taken} {
			if err := <-c; err != nil {
				t.Error(err)
			}
		}
	})
}

// over returns a client over a Unix socket.
func over(t testing.TB, path string) *http.Client {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// fetch asks for a path, and returns the answer and its body.
func fetch(t testing.TB, c *http.Client, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	if strings.HasPrefix(path, "/") {
		path = "http://lineage" + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// ask asks for an object, which must be had.
func ask[T any](t testing.TB, c *http.Client, path string) (v T) {
	t.Helper()
	resp, body := fetch(t, c, path)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", path, resp.Status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return v
}

// refuse asks for what must be refused with the status.
func refuse(t testing.TB, c *http.Client, status int, path string, header ...string) {
	t.Helper()
	resp, body := fetch(t, c, path, header...)
	checkProblem(t, resp, body, status)
}

// checkProblem holds that an answer is a problem with the status.
func checkProblem(t testing.TB, resp *http.Response, body []byte, status int) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(body, &p); resp.StatusCode != status || err != nil || p.Status != status || p.Detail == "" ||
		resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %v: %s %s, want %d", resp.Request.URL, resp.Request.Header, resp.Status, body, status)
	}
}
