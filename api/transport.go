package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Transport asks the server without a connection, as the user whom the program runs
// as, who sees everything. An answer is made as a whole, so there are no events.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip implements [http.RoundTripper]. It returns as soon as the context of the
// request ends.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/v1/events" {
		return nil, fmt.Errorf("events without a connection: %w", errors.ErrUnsupported)
	}
	us := &peer{local: true, uid: os.Geteuid(), gid: os.Getegid(), name: "this program"}
	ours := r.WithContext(context.WithValue(r.Context(), peerKey{}, us))
	ours.RequestURI = r.URL.RequestURI()
	done := make(chan *recorded, 1)
	go func() {
		body := &recorded{header: http.Header{}}
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(p)
			} else if p != nil {
				body.status = 0 // what there is of it is not the whole
			}
			done <- body
		}()
		t.server.ServeHTTP(body, ours)
	}()
	select {
	case body := <-done:
		if body.status == 0 {
			return nil, errors.Join(r.Context().Err(), errors.New("the answer was given up"))
		}
		return &http.Response{
			Status: http.StatusText(body.status), StatusCode: body.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: body.header, Body: io.NopCloser(&body.Buffer), ContentLength: int64(body.Len()), Request: r,
		}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// recorded is an answer in memory.
type recorded struct {
	bytes.Buffer
	header http.Header
	status int // zero before it is written
}

func (b *recorded) Header() http.Header { return b.header }

func (b *recorded) WriteHeader(status int) { b.status = status }
