package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// params are the parameters of a request. Its first error stays.
type params struct {
	values url.Values
	now    time.Time
	err    error
}

// maxQuery is how long a q may be, in bytes, and maxTerms how many terms it may have.
const (
	maxQuery = 1024
	maxTerms = 32
)

// paramsOf reads the parameters of a request, which may be those named and
// each at most once.
func (s *Server) paramsOf(r *http.Request, names ...string) *params {
	p := &params{now: s.now()}
	p.values, p.err = url.ParseQuery(r.URL.RawQuery)
	if p.err != nil {
		p.err = malformed("the parameters cannot be read: %s", answer.OneLine(p.err))
		return p
	}
	for name, values := range p.values {
		switch {
		case !slices.Contains(names, name):
			p.err = malformed("there is no parameter %q here; there are %s", name, strings.Join(names, ", "))
		case len(values) > 1:
			p.err = malformed("%s stands there twice", name)
		case !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0):
			p.err = malformed("%s is no text", name)
		}
	}
	return p
}

func (p *params) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *params) text(name string) string { return p.values.Get(name) }

// time reads a time, zero where it is not there.
func (p *params) time(name string) time.Time {
	text := p.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := store.ParseTime(text, p.now)
	if err != nil {
		p.fail(malformed("%s: %s", name, answer.OneLine(err)))
	}
	// Further, the nanoseconds since 1970 are no number.
	if t.Year() < 1970 || t.Year() > 2200 {
		p.fail(malformed("%s: %s is out of reach", name, t.UTC().Format(time.RFC3339)))
	}
	return t
}

// at reads the time of a question about the past.
func (p *params) at() time.Time {
	t := p.time("at")
	if t.After(p.now) {
		p.fail(malformed("at: %s is yet to come", t.UTC().Format(time.RFC3339)))
	}
	return t
}

// number reads a number from 1 to most.
func (p *params) number(name string, usual, most int) int {
	text := p.text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		p.fail(malformed("%s: %q is no number from 1 to %d", name, text, most))
		return usual
	}
	return n
}

// choice reads one of some words, of which the first is the usual one.
func (p *params) choice(name string, words ...string) string {
	text := p.text(name)
	if text == "" {
		return words[0]
	}
	if !slices.Contains(words, text) {
		p.fail(malformed("%s: %q is none of %s", name, text, strings.Join(words, ", ")))
	}
	return text
}

// query reads q, and since and until where those are parameters.
func (p *params) query() *store.Query {
	q := &store.Query{Limit: p.number("limit", store.DefaultLimit, store.MaxLimit), After: p.text("after")}
	q.Since, q.Until, q.Host = p.time("since"), p.time("until"), p.text("host")
	if text := p.text("q"); text != "" {
		if len(text) > maxQuery {
			p.fail(malformed("q has more than %d bytes", maxQuery))
			return q
		}
		if err := store.ParseQuery(q, text, p.now); err != nil {
			p.fail(err)
		}
		if len(q.Filter)+len(q.Ancestors) > maxTerms {
			p.fail(malformed("q has more than %d terms", maxTerms))
		}
	}
	for _, t := range []time.Time{q.Since, q.Until} {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
			p.fail(malformed("q: %s is out of reach", t.UTC().Format(time.RFC3339)))
		}
	}
	if err := q.Check(); err != nil {
		p.fail(err)
	}
	return q
}

// live is query where there is no time to be asked for.
func (p *params) live() *store.Query {
	q := p.query()
	if !q.Since.IsZero() || !q.Until.IsZero() {
		p.fail(problem(http.StatusBadRequest, "ask the history", "q has a time, and this is about what is now"))
	}
	return q
}

// subject is the process that a request is about: one that holds a PID, or one with
// an ID.
type subject struct {
	pid int
	id  process.ID // not zero where it was given
}

// subjectOf reads a PID or an ID.
func subjectOf(text string) (subject, error) {
	if !strings.Contains(text, "@") {
		pid, err := strconv.ParseUint(text, 10, 31)
		if err != nil || pid == 0 {
			return subject{}, malformed("%q is neither a PID nor an id such as 48213@17123.45~90122", text)
		}
		return subject{pid: int(pid)}, nil
	}
	id, err := process.ParseID(text)
	if err != nil {
		return subject{}, err
	}
	if id.PID == 0 {
		return subject{}, malformed("a PID is 1 or more")
	}
	return subject{pid: id.PID, id: id}, nil
}
