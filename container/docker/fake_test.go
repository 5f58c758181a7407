package docker

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// engine answers as Docker does, and as Podman where it has a version of libpod.
type engine struct {
	version string // of the API, "" for none
	libpod  string
	oldest  string // path of the oldest API that it serves, such as "/v1.44/"
	// list, members and each are the answers, each by ID.
	list, members string
	each          map[string]string

	mu       sync.Mutex
	requests []string
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+r.URL.RequestURI())
	e.mu.Unlock()
	if e.version != "" {
		w.Header().Set("Api-Version", e.version)
	}
	if e.libpod != "" {
		w.Header().Set("Libpod-Api-Version", e.libpod)
	}
	if r.URL.Path == "/_ping" {
		fmt.Fprint(w, "OK")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	version, asked, _ := strings.Cut(r.URL.Path[1:], "/")
	if e.oldest != "" && version < e.oldest {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":"client version %s is too old"}`, version)
		return
	}
	switch answer, ok := e.each[strings.TrimSuffix(strings.TrimPrefix(asked, "containers/"), "/json")]; {
	case asked == "containers/json":
		fmt.Fprint(w, e.list)
	case asked == "libpod/containers/json" && e.libpod != "":
		fmt.Fprint(w, e.members)
	case ok:
		fmt.Fprint(w, answer)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"No such container"}`)
	}
}

// asked returns the requests so far and forgets them.
func (e *engine) asked() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.requests = nil }()
	return slices.Clone(e.requests)
}

// listen listens on a socket until the test ends.
func listen(t testing.TB, socket string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve serves on the socket until the test ends or stop is called.
func serve(t testing.TB, socket string, h http.Handler) (stop func()) {
	t.Helper()
	l := listen(t, socket)
	srv := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	stop = sync.OnceFunc(func() {
		srv.Close()
		serving.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// open opens the runtime at a socket on which h serves.
func open(t testing.TB, h http.Handler) *Runtime {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	serve(t, socket, h)
	return openAt(t, Options{Socket: socket})
}

func openAt(t testing.TB, o Options) *Runtime {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// connections has f serve each connection to a new socket. The test ends when f
// has returned for all of them, so where f waits for the other side, that it
// closes them is tested as well.
func connections(t testing.TB, f func(c net.Conn)) *Runtime {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l := listen(t, socket)
	var met sync.WaitGroup
	met.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			met.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		met.Wait()
	})
	return openAt(t, Options{Socket: socket})
}

// request reads one request and returns its path.
func request(c net.Conn) string {
	var text []byte
	for b := make([]byte, 1); !bytes.HasSuffix(text, []byte("\r\n\r\n")); {
		if _, err := c.Read(b); err != nil {
			return ""
		}
		text = append(text, b[0])
	}
	_, rest, _ := strings.Cut(string(text), " ")
	path, _, _ := strings.Cut(rest, " ")
	return path
}

const pong = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"

// ended waits until the other side has closed the connection.
func ended(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
