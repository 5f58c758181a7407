package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// small is how many bytes of an answer lie mostly in the socket at once, and
	// count for nothing.
	small = 16 << 10
	// packed is from how many bytes on an answer is compressed for who takes that.
	packed = 64 << 10
	// chunk is how many bytes are sent at a time, for each of which a client has a
	// stall's time.
	chunk = 64 << 10
)

// json answers with v.
func (s *Server) json(w http.ResponseWriter, r *http.Request, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return s.send(w, r, "application/json", b.Bytes())
}

// send answers with what has been made. It waits for no client: one that does not
// read for a while is cut off, and what waits for those that read slowly is bounded.
func (s *Server) send(w http.ResponseWriter, r *http.Request, kind string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= packed && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	if n := int64(len(body)); n > small {
		client := clientOf(r)
		if !s.unsent.take(client, n) {
			h.Del("Content-Encoding")
			return errBusy
		}
		defer s.unsent.give(client, n)
	}
	made(r)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	end := time.Now().Add(s.o.Limits.Sending)
	s.allow(w)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	for len(body) > 0 {
		n := min(len(body), chunk)
		s.allow(w)
		if _, err := w.Write(body[:n]); err != nil || time.Now().After(end) {
			s.metrics.dropped.Inc()
			panic(http.ErrAbortHandler) // what was sent is not the whole
		}
		body = body[n:]
	}
	return nil
}

// allow gives the client the time for what is written next.
func (s *Server) allow(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.o.Limits.Stall)) // else none is kept, as in a test
}
