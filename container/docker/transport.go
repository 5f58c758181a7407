package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/proclineage/lineage/container"
)

// errNotRead says that a request would do more than read.
var errNotRead = errors.New("refused to send it: it is not one that only reads")

// A transport sends what only reads, and passes on what is used of the answers.
type transport struct{ base *http.Transport }

func newTransport(socket string) *transport {
	return &transport{&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression:     true,
		MaxIdleConns:           2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         64 << 10,
	}}
}

// A note is what the transport has to say beside the answer to the one who
// asks: the client's errors leave out why, and its results the headers.
type note struct {
	err    error
	header http.Header
}

type noteKey struct{}

// in returns a context whose requests are noted. They must be made one after
// another.
func (n *note) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(req)
	if n, ok := req.Context().Value(noteKey{}).(*note); ok {
		n.err = err
		if err == nil {
			n.header = resp.Header
		}
	}
	return resp, err
}

func (t *transport) roundTrip(req *http.Request) (*http.Response, error) {
	q := questionOf(req)
	if q == askNothing {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, errNotRead)
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := accept(q, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	switch q {
	case askPing:
		resp.Body = body{io.LimitReader(resp.Body, mostPing), resp.Body}
	case askList:
		resp.Body = body{newSummaries(resp.Body), resp.Body}
	case askInspect:
		resp.Body = body{&inspection{from: resp.Body}, resp.Body}
	default: // is read an element at a time by who asks
	}
	resp.ContentLength = -1
	return resp, nil
}

// body reads one thing and closes another one, which is below it.
type body struct {
	io.Reader
	io.Closer
}

// question is what a request asks for.
type question uint8

const (
	askNothing question = iota // that may be asked
	askPing
	askList
	askInspect
	askMembers // Podman's own list
)

// questionOf returns what a request asks for. A GET alone is no promise: one of
// those of the API attaches to a container and one exports all its files.
func questionOf(req *http.Request) question {
	if req.Method != http.MethodGet || req.Header.Get("Upgrade") != "" {
		return askNothing
	}
	p := strings.Split(strings.TrimPrefix(req.URL.Path, "/"), "/")
	switch {
	case len(p) == 1 && p[0] == "_ping":
		return askPing
	case len(p) == 3 && p[1] == "containers" && p[2] == "json":
		return askList
	case len(p) == 4 && p[1] == "containers" && p[3] == "json":
		return askInspect
	case len(p) == 4 && p[1] == "libpod" && p[2] == "containers" && p[3] == "json":
		return askMembers
	}
	return askNothing
}

// mostPing is how many bytes are read of the "OK" of a ping.
const mostPing = 512

// accept reports why an answer is none to the question.
func accept(q question, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return refused(q, resp)
	}
	if q == askPing {
		return nil
	}
	kind := resp.Header.Get("Content-Type")
	if is, _, err := mime.ParseMediaType(kind); kind != "" && (err != nil || is != "application/json") {
		return fmt.Errorf("answered in %.64q, not in JSON", kind)
	}
	return nil
}

// podmanNotFound is the cause of the 500 that Podman answers of a container that
// is removed while it looks (define.ErrNoSuchCtr).
const podmanNotFound = "no such container"

// refused returns an answer that is not a 200 as an error. A redirection is one
// too: nobody but who listens on the socket is to be asked.
func refused(q question, resp *http.Response) error {
	const most = 1 << 10
	if q == askInspect && resp.StatusCode == http.StatusNotFound {
		return container.ErrNotFound
	}
	status := fmt.Sprintf("answered with status %d", resp.StatusCode)
	if resp.StatusCode == http.StatusSwitchingProtocols { // whose body does not end with the context
		return errors.New(status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("%s: %w", status, err)
	}
	var said struct{ Message, Cause string }
	if json.Unmarshal(text, &said) == nil && said.Message != "" {
		if said.Cause == podmanNotFound && (q == askInspect || q == askMembers && resp.Request.URL.Query().Has("filters")) {
			return container.ErrNotFound
		}
		text = []byte(said.Message)
	}
	if text = bytes.TrimSpace(text); len(text) > 0 {
		return fmt.Errorf("%s: %q", status, text)
	}
	return errors.New(status)
}
