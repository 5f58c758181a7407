package docker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/proclineage/lineage/container"
)

// repeat writes text until that fails, or n times.
func repeat(w io.Writer, text string, n int) {
	times := max(1, 1<<16/len(text))
	many := []byte(strings.Repeat(text, times))
	for n > 0 {
		if n < times {
			many, times = many[:n*len(text)], n
		}
		if _, err := w.Write(many); err != nil {
			return
		}
		n -= times
	}
}

func TestTooMuch(t *testing.T) {
	const endless = 1 << 30
	for name, tt := range map[string]struct {
		begin, text string
		n           int
		want        error
	}{
		"containers":       {`[{"Id":"x"}`, `,{"Id":"x"}`, container.MaxContainers, container.ErrTooMany},
		"small containers": {`[{"Id":"x"}`, `,{}`, endless, container.ErrTooMany},
		"names":            {`[{"Id":"x","Names":[""`, `,""`, endless, errTooLong},
		"long name":        {`[{"Id":"x","Image":"`, "x", endless, errTooLong},
		"what is not used": {`[{"Id":"x","Mounts":[{}`, ",{}", endless, errTooLong},
		"deep":             {`[{"Id":"x","Mounts":[`, `{"`, endless, nil},
		"space":            {`[`, "        ", endless, errTooLong},
		"space at the end": {`[]`, "        ", endless, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, answering(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, tt.begin)
				repeat(w, tt.text, tt.n)
			}))
			_, err := r.List(t.Context())
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("list: %v, want %v", err, tt.want)
			}
			if c, err := r.Inspect(t.Context(), id1); err == nil {
				t.Errorf("inspect: %+v", c)
			}
		})
	}
	t.Run("inspect", func(t *testing.T) {
		r := open(t, answering(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"Id":"`)
			repeat(w, "x", endless)
		}))
		if _, err := r.Inspect(t.Context(), id1); !errors.Is(err, errTooLong) {
			t.Errorf("%v, want errTooLong", err)
		}
	})
	t.Run("ping", func(t *testing.T) {
		r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/_ping" {
				repeat(w, "OK", endless)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "[]")
		}))
		if _, err := r.List(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("header", func(t *testing.T) {
		r := connections(t, func(c net.Conn) {
			request(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			repeat(c, "X: y\r\n", endless)
		})
		if _, err := r.List(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}

// A list's limit is one for all that it becomes, not for its bytes alone.
func TestSpent(t *testing.T) {
	const list = `[{"Id":"x","Labels":{"a":"b","c":"d"}},{"Id":"y"}]`
	e := newElements(strings.NewReader(list))
	before := e.from.all
	for {
		var s summary
		if err := e.next(&s, &s.Labels); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if spent := before - e.from.all; spent != int64(len(list))+2*perContainer+2*perLabel {
		t.Errorf("spent %d", spent)
	}
	e = newElements(strings.NewReader(`[{"Id":"x"},{"Id":"y"}` + strings.Repeat(" ", 1<<16) + `]`))
	e.from.all = perContainer
	var s summary
	if err := e.next(&s, &s.Labels); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); !errors.Is(err, container.ErrTooMany); {
		if err = e.next(&s, &s.Labels); errors.Is(err, io.EOF) {
			t.Fatal("read to its end")
		}
	}
}

// manyContainers writes a list of n as Docker has them.
func manyContainers(w io.Writer, n int) {
	for i := range n {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		fmt.Fprintf(w, `%c{"Id":"%064x","Names":["/web-%d"],"Image":"nginx:1.27","ImageID":"sha256:%064x","Command":"nginx -g","Created":1795696134,"Ports":[],`+
			`"Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"web","com.docker.compose.container-number":"%d"},"State":"running",`+
			`"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"none":{"IPAddress":"","MacAddress":""}}},"Mounts":[]}`, sep, i, i, i, i)
	}
	_, _ = io.WriteString(w, "]")
}

func TestManyContainers(t *testing.T) {
	const n = 100_000
	var list bytes.Buffer
	manyContainers(&list, n)
	e := &engine{version: "1.41", list: list.String()}
	got, err := open(t, e).List(t.Context())
	if err != nil || len(got) != n {
		t.Fatalf("%d containers, %v", len(got), err)
	}
	for _, i := range []int{0, 12345, n - 1} {
		c := got[i]
		if c.ID != fmt.Sprintf("%064x", i) || c.Name != fmt.Sprintf("web-%d", i) || len(c.Labels) != 3 || c.State != container.StateRunning {
			t.Errorf("%d: %+v", i, c)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var list bytes.Buffer
			manyContainers(&list, n)
			r := open(b, &engine{version: "1.41", list: list.String()})
			b.ReportAllocs()
			b.SetBytes(int64(list.Len()))
			for b.Loop() {
				if got, err := r.List(b.Context()); err != nil || len(got) != n {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
