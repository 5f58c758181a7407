package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestServeOTLP has what happens sent to a collector, without secrets.
func TestServeOTLP(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	var mu sync.Mutex
	var told bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := io.Copy(&told, r.Body); err != nil || r.URL.Path != "/v1/logs" {
			t.Errorf("%s: %v", r.URL, err)
		}
	}))
	defer collector.Close()
	s := serve(t, publicDir(t), "--otlp", collector.URL)
	mark := fmt.Sprintf("otlp-%d", os.Getpid())
	if err := exec.Command("/bin/true", mark, "--password", "hunter2").Run(); err != nil {
		t.Fatal(err)
	}
	s.await("the records", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(told.Bytes(), []byte(mark))
	})
	s.end()
	mu.Lock() // of what came last
	defer mu.Unlock()
	if bytes.Contains(told.Bytes(), []byte("hunter2")) {
		t.Error("the collector was told a secret")
	}
}
