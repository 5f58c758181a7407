// Package client asks a lineage daemon.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/store"
)

// DefaultSocket is where a daemon listens unless it is told otherwise, and Variable
// the environment variable that says where else to look.
const (
	DefaultSocket = "/run/lineage/lineage.sock"
	Variable      = "LINEAGE_SOCKET"
)

// How long a daemon may take to say that it is there: one that somebody named, and
// the usual one, for which nobody asked.
const (
	patience      = 5 * time.Second
	patienceUsual = 200 * time.Millisecond
)

// ErrNoDaemon says that no daemon answers. It is an [fs.ErrNotExist].
var ErrNoDaemon error = noDaemonError{}

type noDaemonError struct{}

func (noDaemonError) Error() string        { return "no daemon answers" }
func (noDaemonError) Is(target error) bool { return target == fs.ErrNotExist }

// A Client asks one daemon. It is safe for concurrent use. Errors that the daemon
// answers with are [api.Problem]s, and wrap fs.ErrNotExist and the like.
type Client struct {
	// Address is where the daemon is: the path of its socket, or a URL.
	Address string

	base  string
	token string
	http  *http.Client
}

// Options says how to reach a daemon.
type Options struct {
	// Token is the daemon's, over TCP.
	Token string
	// Transport is used for URLs, as for certificates of TLS. Nil for a usual one.
	Transport http.RoundTripper
}

// New returns a client of the daemon at an address: the path of a Unix socket, or a
// URL that begins with http:// or https://.
func New(address string, o Options) (*Client, error) {
	c := &Client{Address: address, token: o.Token}
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%q is no address of a daemon: %w", address, err)
		}
		t := o.Transport
		if t == nil {
			usual := http.DefaultTransport.(*http.Transport).Clone()
			usual.Proxy = nil
			t = usual
		}
		c.base, c.http = strings.TrimSuffix(u.String(), "/"), &http.Client{Transport: t}
		return c, nil
	}
	path := strings.TrimPrefix(address, "unix:")
	c.base = "http://lineage"
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}
	return c, nil
}

// Through returns a client that asks by a transport, as [api.Server.Transport] is one.
// The address is what it is called by.
func Through(t http.RoundTripper, address string) *Client {
	return &Client{Address: address, base: "http://lineage", http: &http.Client{Transport: t}}
}

// Find returns a client of the daemon that runs here: at the socket in the variable
// LINEAGE_SOCKET, or at the usual one. Its error wraps [ErrNoDaemon] where none answers.
func Find(ctx context.Context) (*Client, error) {
	address := os.Getenv(Variable)
	if address == "" {
		address = DefaultSocket
	}
	c, err := New(address, Options{})
	if err != nil {
		return nil, err
	}
	return c, c.Ping(ctx)
}

// Ping returns an error that wraps [ErrNoDaemon] where the daemon does not answer
// within 5 s, at the usual socket within 200 ms.
func (c *Client) Ping(ctx context.Context) error {
	wait := patience
	if c.Address == DefaultSocket {
		wait = patienceUsual
	}
	soon, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	r, err := c.open(soon, "/healthz", nil, nil)
	if _, ok := errors.AsType[*api.Problem](err); ok {
		return nil // it is there
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", c.Address, ErrNoDaemon, err)
	}
	return r.Body.Close()
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// open asks, and returns an answer that is no problem.
func (c *Client) open(ctx context.Context, path string, q url.Values, header http.Header) (*http.Response, error) {
	address := c.base + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w at %s", ErrNoDaemon, c.Address)
	case err != nil:
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	p := &api.Problem{}
	if json.Unmarshal(body, p) != nil || p.Status != resp.StatusCode {
		return nil, fmt.Errorf("%s answers %s: is it a lineage daemon?", c.Address, resp.Status)
	}
	return nil, p
}

// get asks for an object.
func (c *Client) get(ctx context.Context, path string, q url.Values, into any) error {
	r, err := c.open(ctx, path, q, nil)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }() // it was only read
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.Address, err)
	}
	return nil
}

// A Query asks for processes. What is zero is not asked for.
type Query struct {
	// Text is what must be true of them, as [store.ParseQuery] reads it.
	Text string
	// At is when they ran, and Since and Until a window, which the history has. At
	// is for [Client.Processes] alone, a window for [Client.History] and
	// [Client.Tree].
	At, Since, Until time.Time
	// Under is a PID or an ID of a process.
	Under string
	// Host is a host of the history, by its machine-id, the beginning of that or its
	// name. Empty is the daemon's own, for History and a window of Tree every one.
	Host string
	// Order is how they are sorted, for History alone.
	Order store.Order
	// Limit is how many to return at most.
	Limit int
	// After is the Next of the page before.
	After string
}

func (q *Query) values() url.Values {
	v := url.Values{}
	put := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	moment := func(name string, t time.Time) {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	put("q", q.Text)
	put("under", q.Under)
	put("host", q.Host)
	put("order", string(q.Order))
	put("after", q.After)
	moment("at", q.At)
	moment("since", q.Since)
	moment("until", q.Until)
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// Processes returns a page of what runs now, or of what ran at a time.
func (c *Client) Processes(ctx context.Context, q Query) (a api.Processes, err error) {
	return a, c.get(ctx, "/v1/processes", q.values(), &a)
}

// History returns a page of the history.
func (c *Client) History(ctx context.Context, q Query) (a api.Processes, err error) {
	return a, c.get(ctx, "/v1/history", q.values(), &a)
}

// Tree returns the rows of a window, grouped by what the word says: none, container,
// pod, unit or session.
func (c *Client) Tree(ctx context.Context, q Query, by string) (a api.TreeAnswer, err error) {
	v := q.values()
	if by != "" {
		v.Set("by", by)
	}
	return a, c.get(ctx, "/v1/tree", v, &a)
}

// A Subject names a process.
type Subject struct {
	// Process is a PID or an ID.
	Process string
	// At is when: a PID is of who held it then, and is told as it was then. Zero for now.
	At time.Time
	// Boot and Host are those that an ID is of, where it is not of now and here.
	Boot, Host string
}

func (s *Subject) ask(ctx context.Context, c *Client, rest string, into any) error {
	v := (&Query{At: s.At, Host: s.Host}).values()
	if s.Boot != "" {
		v.Set("boot", s.Boot)
	}
	return c.get(ctx, "/v1/processes/"+url.PathEscape(s.Process)+rest, v, into)
}

// Process returns one process.
func (c *Client) Process(ctx context.Context, s Subject) (a api.One, err error) {
	return a, s.ask(ctx, c, "", &a)
}

// Ancestors returns who stands above a process by parent, nearest first.
func (c *Client) Ancestors(ctx context.Context, s Subject) (a api.Processes, err error) {
	return a, s.ask(ctx, c, "/ancestors", &a)
}

// Lineage returns the process, who made it, who made that one and so on.
func (c *Client) Lineage(ctx context.Context, s Subject) (a api.Processes, err error) {
	return a, s.ask(ctx, c, "/lineage", &a)
}

// Descendants returns the first page of what comes from a process.
func (c *Client) Descendants(ctx context.Context, s Subject) (a api.Processes, err error) {
	return a, s.ask(ctx, c, "/descendants", &a)
}

// Hosts returns the hosts that the history is of.
func (c *Client) Hosts(ctx context.Context) (a api.Hosts, err error) {
	return a, c.get(ctx, "/v1/hosts", nil, &a)
}

// Containers returns the containers that are known.
func (c *Client) Containers(ctx context.Context) (a api.Containers, err error) {
	return a, c.get(ctx, "/v1/containers", nil, &a)
}

// Status returns what the daemon is and has.
func (c *Client) Status(ctx context.Context) (a api.Status, err error) {
	return a, c.get(ctx, "/v1/status", nil, &a)
}
