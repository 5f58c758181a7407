package docker

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proclineage/lineage/container"
)

// answering has a server answer a ping, and everything else by f.
func answering(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" {
			w.Header().Set("Api-Version", "1.41")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		f(w, r)
	})
}

func TestGarbage(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "text": "hello", "open": "[", "cut": `[{"Id":"x"}`, "cut after a comma": `[{"Id":"x"},`, "cut within": `[{"Id":"x`,
		"object": "{}", "number": "7", "string": `"x"`, "true": "true", "number in a list": "[7]", "list of lists": "[[]]",
		"no ID": `[{"Id":""}]`, "null in a list": "[null]", "wrong types": `[{"Id":7}]`, "labels": `[{"Id":"x","Labels":[]}]`,
		"two": "[][]", "after": "[] x", "binary": "\x00\x01\xff", "deep": strings.Repeat("[", 100_000), "brace": "[}",
		"deep in a field": `[{"X":` + strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, answering(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, body)
			}))
			list, err := r.List(t.Context())
			if err == nil {
				t.Fatalf("no error, %v", list)
			}
			if s := err.Error(); !strings.Contains(s, r.Socket()) || !strings.Contains(s, "list containers") || len(s) > 500 {
				t.Errorf("the error does not say where and what: %s", s)
			}
			if body == "{}" {
				return // says nothing of the container that was asked for
			}
			if c, err := r.Inspect(t.Context(), id1); err == nil || errors.Is(err, container.ErrNotFound) {
				t.Errorf("inspect: %+v, %v", c, err)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	const elsewhere = "/elsewhere"
	for name, tt := range map[string]struct {
		status int
		kind   string
		body   string
		want   string
	}{
		"moved":         {http.StatusFound, "application/json", "[]", "status 302"},
		"moved for all": {http.StatusPermanentRedirect, "", "", "status 308"},
		"error":         {http.StatusInternalServerError, "application/json", `{"message":"out of \u001b[31morder"}`, `status 500: "out of \x1b[31morder"`},
		"error in text": {http.StatusBadGateway, "text/html", "<html>", `status 502: "<html>"`},
		"long error":    {http.StatusBadGateway, "text/plain", strings.Repeat("x", 1<<20), "status 502"},
		"forbidden":     {http.StatusForbidden, "", "", "status 403"},
		"no content":    {http.StatusNoContent, "", "", "status 204"},
		"other content": {http.StatusOK, "text/html", "[]", `"text/html", not in JSON`},
		"bad content":   {http.StatusOK, "json/;;", "[]", "not in JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, answering(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == elsewhere {
					t.Error("went elsewhere")
				}
				w.Header().Set("Location", elsewhere)
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			_, err := r.List(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 2000 {
				t.Errorf("list: %v, want %s", err, tt.want)
			}
			_, err = r.Inspect(t.Context(), id1)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, container.ErrNotFound) {
				t.Errorf("inspect: %v, want %s", err, tt.want)
			}
		})
	}
}

// A container that is removed while Podman looks at it, at the first look or at
// the second.
func TestRemovedMeanwhile(t *testing.T) {
	for _, looks := range []int64{0, 1} {
		e := &engine{version: "1.41", libpod: "4.3.1", list: "[]", each: map[string]string{id1: `{"Id":"` + id1 + `"}`}}
		var n atomic.Int64
		r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			if r.URL.Path == "/_ping" {
				n.Store(0)
			}
			if n.Load() <= looks {
				e.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"cause":"no such container","message":"container x does not exist in database: no such container","response":500}`)
		}))
		if _, err := r.Inspect(t.Context(), id1); !errors.Is(err, container.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		if _, err := r.List(t.Context()); err == nil || errors.Is(err, container.ErrNotFound) {
			t.Errorf("%v for a list", err)
		}
	}
}

// FuzzAnswer has any bytes as the answer: what comes out for the client is
// JSON, and no more of it than the limits.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(dockerList))
	f.Add([]byte(`{"Id":"x","State":{"Pid":1},"Config":{"Labels":{"a":"b"}}}`))
	f.Add([]byte("null"))
	f.Add([]byte(`[{"Id":"x"},]`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if out, err := io.ReadAll(newSummaries(bytes.NewReader(answer))); err == nil {
			var all []summary
			if err := json.Unmarshal(out, &all); err != nil {
				t.Errorf("list %q: %v", out, err)
			}
			if !json.Valid(answer) {
				t.Errorf("a list is read from %q", answer)
			}
		}
		if out, err := io.ReadAll(&inspection{from: bytes.NewReader(answer)}); err == nil {
			if !json.Valid(out) || !json.Valid(answer) {
				t.Errorf("an inspection %q is read from %q", out, answer)
			}
		}
	})
}
