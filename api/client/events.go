package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/process"
)

// EventQuery says which events are asked for.
type EventQuery struct {
	// Text is what must be true of the process, as [store.ParseQuery] reads it.
	Text string
	// Kinds are the kinds; none are all. A Loss is always told.
	Kinds []process.Kind
	// After is the Cursor of an event, to go on from.
	After string
}

// Events is a stream of events. It must be closed.
type Events struct {
	body io.ReadCloser
	in   *bufio.Reader
}

// maxEvent is how long an event may be, in bytes.
const maxEvent = 4 << 20

// Events returns what happens from now on, or after a cursor. It is open once the
// daemon has begun to answer, and ends with the context.
func (c *Client) Events(ctx context.Context, q EventQuery) (*Events, error) {
	v := url.Values{}
	if q.Text != "" {
		v.Set("q", q.Text)
	}
	if len(q.Kinds) > 0 {
		var names []string
		for _, k := range q.Kinds {
			names = append(names, k.String())
		}
		v.Set("kinds", strings.Join(names, ","))
	}
	header := http.Header{}
	if q.After != "" {
		header.Set("Last-Event-ID", q.After)
	}
	r, err := c.open(ctx, "/v1/events", v, header) //nolint:bodyclose // Events.Close does
	if err != nil {
		return nil, err
	}
	return &Events{body: r.Body, in: bufio.NewReaderSize(r.Body, 64<<10)}, nil
}

// Next returns the next event, of which the first says that the daemon watches. It
// waits for it. At the end it returns io.EOF.
func (e *Events) Next() (api.Event, error) {
	var event api.Event
	for {
		text, err := e.line()
		if err != nil {
			return event, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if err := json.Unmarshal(text, &event); err != nil {
			return event, fmt.Errorf("reading an event: %w", err)
		}
		return event, nil
	}
}

// line returns the next line.
func (e *Events) line() ([]byte, error) {
	var whole []byte
	for {
		part, err := e.in.ReadSlice('\n')
		whole = append(whole, part...)
		switch {
		case err == nil:
			return whole, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(whole) > maxEvent:
			return nil, fmt.Errorf("reading an event: it has more than %d bytes", maxEvent)
		}
	}
}

// Close ends the stream.
func (e *Events) Close() error { return e.body.Close() }
