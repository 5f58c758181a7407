package otlp

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// front stands before a collector, and answers in its stead what first does, called
// with what hands the request on. From the second request on it only hands on.
func front(t *testing.T, c *collector, first func(w http.ResponseWriter, r *http.Request, on http.Handler)) string {
	t.Helper()
	to, err := url.Parse(c.url())
	if err != nil {
		t.Fatal(err)
	}
	on := httputil.NewSingleHostReverseProxy(to)
	var asked atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Swap(true) {
			on.ServeHTTP(w, r)
			return
		}
		first(w, r, on)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What a collector answers decides what becomes of a batch.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		first   func(w http.ResponseWriter, r *http.Request, on http.Handler)
		want    Stats // but for Last and Err
		arrives int   // how many times
	}{
		"not now": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.WriteHeader(http.StatusServiceUnavailable)
			},
			want:    Stats{Records: 1, Sent: 1},
			arrives: 1,
		},
		"no": {
			first: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusBadRequest) },
			want:  Stats{Records: 1, Lost: 1, Failed: 1},
		},
		"an answer that is lost": {
			first: func(_ http.ResponseWriter, r *http.Request, on http.Handler) {
				on.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler) // closes the connection
			},
			want:    Stats{Records: 1, Sent: 1, Failed: 1},
			arrives: 2,
		},
		"only in part": {
			first: func(w http.ResponseWriter, r *http.Request, on http.Handler) {
				on.ServeHTTP(httptest.NewRecorder(), r)
				w.Header().Set("Content-Type", "application/x-protobuf")
				_, _ = w.Write([]byte{0x0a, 2, 0x08, 1}) // partial_success { rejected_log_records: 1 }
			},
			want:    Stats{Records: 1, Lost: 1, Failed: 1},
			arrives: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t)
			s := newScripted()
			r := start(t, Options{Tree: s, Endpoint: front(t, c, test.first)})
			s.tell(t, born(7))
			await(t, "it is sent or lost", func() bool { return r.Stats().Records == 1 && r.Stats().Waiting == 0 })
			got := r.stop()
			if (got.Err != nil) != (got.Lost > 0) {
				t.Errorf("error %v", got.Err)
			}
			got.Last, got.Err = test.want.Last, nil
			if got != test.want {
				t.Errorf("stats %+v, want %+v", got, test.want)
			}
			if n := times(c.received())["lineage.process.fork 7@7.000000000 7000000000"]; n != test.arrives {
				t.Errorf("it arrived %d times, want %d", n, test.arrives)
			}
		})
	}
}
