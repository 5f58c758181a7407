package api_test

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/process"
)

// heap is how many bytes the program holds.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// crowded is a world with many processes.
func crowded(n int) (*fakeTree, *memory) {
	tree, history := world()
	for i := range n {
		p := child(&tree.procs[0], 1000+i, 100+float64(i)/1000, "worker", 0, "worker", fmt.Sprintf("--shard=%d of many that have a name", i))
		tree.procs = append(tree.procs, p)
		history.procs = append(history.procs, kept(&p))
	}
	tree.events = make(chan lineage.Event)
	return tree, history
}

// TestManyClients holds that 200 clients at once are answered, beside 1,000 that ask
// for much and do not read, and that those take no memory to speak of.
func TestManyClients(t *testing.T) {
	const slow, clients, most = 1000, 200, 320 << 20
	tree, history := crowded(2000)
	limits := api.Limits{Working: 2, Heavy: 1, Unsent: 16 << 20, Rate: 1 << 20, Burst: 1 << 20}
	path := serve(t, api.Options{Tree: tree, History: history, Limits: limits})
	before := heap()
	for i := range slow {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		request := "GET /v1/tree HTTP/1.1\r\nHost: lineage\r\n\r\n"
		switch i % 4 {
		case 0:
			request = "GET /v1/events HTTP/1.1\r\nHost: lineage\r\n\r\n"
		case 1:
			request = request[:20] // and no more
		case 2:
			request = "GET /v1/processes?limit=10000 HTTP/1.1\r\nHost: lineage\r\n\r\n"
		}
		if _, err := c.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // what happens meanwhile
		defer close(stopped)
		for p := tree.procs[6]; ; p.ID.Start++ {
			select {
			case <-stop:
				return
			case tree.events <- lineage.Event{Kind: process.Exec, Time: p.ID.Start, Process: p}:
			}
		}
	}()
	peak, watched := uint64(0), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				peak = max(peak, heap())
			}
		}
	}()
	var all sync.WaitGroup
	paths := []string{"/v1/processes/6", "/v1/processes?q=app", "/v1/history?limit=10", "/v1/status", "/healthz"}
	for range clients {
		all.Go(func() {
			c := over(t, path)
			for _, p := range paths {
				// Who is told to ask again does.
				for range 60 {
					resp, err := c.Get("http://lineage" + p)
					if err != nil {
						t.Errorf("%s: %v", p, err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode == http.StatusOK {
						break
					}
					if resp.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("%s: %s", p, resp.Status)
						return
					}
					<-time.After(time.Second) // as Retry-After says
				}
			}
		})
	}
	all.Wait()
	close(stop)
	<-stopped
	<-watched
	t.Logf("%d MiB more at most", (peak-min(before, peak))>>20)
	if peak > before+most {
		t.Errorf("%d MiB were held, and %d MiB before", peak>>20, before>>20)
	}
}

// TestSlowReaderIsCutOff holds that who does not read is cut off, and that a slow
// reader of events is told what it missed.
func TestSlowReaderIsCutOff(t *testing.T) {
	tree, history := crowded(20_000)
	path := serve(t, api.Options{Tree: tree, History: history, Limits: api.Limits{Stall: 2 * time.Second, Recent: 1 << 20}})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET /v1/tree HTTP/1.1\r\nHost: lineage\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	good := over(t, path)
	for cut := false; !cut; { // the server says so, or the test is ended
		_, body := fetch(t, good, "/metrics")
		cut = containsLine(string(body), "lineage_clients_dropped_total 1")
	}
	got := 0
	room := make([]byte, 64<<10)
	for {
		n, err := c.Read(room)
		got += n
		if err != nil {
			break
		}
	}
	if whole := 4 << 20; got >= whole {
		t.Errorf("%d bytes were sent to who did not read", got)
	}
}

func containsLine(text, line string) bool {
	for l := range strings.SplitSeq(text, "\n") {
		if l == line {
			return true
		}
	}
	return false
}
