package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// A Problem is an answer that says what is wrong, as RFC 9457 has it.
type Problem struct { //nolint:errname // it is an answer as well
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is what is wrong, and Hint what to do about it.
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Detail
	}
	return p.Detail + "; " + p.Hint
}

// Is makes a problem be found as what it says by errors.Is.
func (p *Problem) Is(target error) bool {
	switch target {
	case fs.ErrNotExist, store.ErrNotFound:
		return p.Status == http.StatusNotFound
	case fs.ErrPermission:
		return p.Status == http.StatusForbidden || p.Status == http.StatusUnauthorized
	case store.ErrQuery:
		return p.Status == http.StatusBadRequest
	}
	return false
}

func problem(status int, hint, format string, a ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, a...), Hint: hint}
}

func malformed(format string, a ...any) *Problem {
	return problem(http.StatusBadRequest, "", format, a...)
}

var (
	errNoHistory = problem(http.StatusNotImplemented, "start lineage serve with a --store", "no history is kept here")
	errAway      = problem(http.StatusServiceUnavailable, "ask again later, or see the log of the daemon", "the history does not answer")
	errBusy      = problem(http.StatusServiceUnavailable, "ask again later", "too much is being asked for at a time")
	errTooMany   = problem(http.StatusTooManyRequests, "ask less often", "too many requests")
)

// problemOf says what an error is to a client. It reports false for one that is
// the server's own, of which a client is told that alone.
func problemOf(err error) (*Problem, bool) {
	var p *Problem
	text := answer.OneLine(err)
	switch {
	case errors.As(err, &p):
		return p, true
	case errors.Is(err, store.ErrQuery), errors.Is(err, process.ErrSyntax), errors.Is(err, lineage.ErrInvalidPID):
		return malformed("%s", text), true
	case errors.Is(err, fs.ErrNotExist):
		return problem(http.StatusNotFound, "of one that has ended, ask for its id, or for its PID at a time at which it lived", "%s", text), true
	case errors.Is(err, fs.ErrPermission):
		return problem(http.StatusForbidden, "ask as root", "%s", text), true
	case errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusServiceUnavailable, "ask for less: a shorter window, or a smaller page", "it took too long to answer"), true
	case errors.Is(err, store.ErrClosed), errors.Is(err, lineage.ErrClosed):
		return problem(http.StatusServiceUnavailable, "ask again when it has started", "the daemon is stopping"), true
	case errors.Is(err, errors.ErrUnsupported):
		return problem(http.StatusNotImplemented, "see lineage doctor", "%s", text), true
	}
	return problem(http.StatusInternalServerError, "see the log of the daemon", "the daemon failed to answer"), false
}

// fail answers that something is wrong.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody waits for it
	}
	p, known := problemOf(err)
	if !known && s.o.Candid {
		p.Detail, p.Hint = answer.OneLine(err), ""
	}
	if !known {
		s.log.Error("answering failed", "path", r.URL.Path, "error", err)
	}
	body, _ := json.Marshal(p)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	h.Del("Content-Disposition")
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	s.allow(w)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}
