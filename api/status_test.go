package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/store"
)

// counted is a history of which is counted how often it is asked how much it holds.
type counted struct {
	api.History
	stats int
}

func (c *counted) Stats(ctx context.Context) (store.Stats, error) {
	c.stats++
	return c.History.Stats(ctx)
}

// TestStatsOfAFleet asks a fleet's history but once how much it holds, and not for
// whether it is ready.
func TestStatsOfAFleet(t *testing.T) {
	tree, memory := world()
	history := &counted{History: memory}
	c := over(t, serve(t, api.Options{History: history}))
	for range 2 {
		if resp, body := fetch(t, c, "/readyz"); resp.StatusCode != http.StatusOK || history.stats != 0 {
			t.Fatalf("%s: %s; it was asked %d times", resp.Status, body, history.stats)
		}
	}
	for range 2 {
		if _, body := fetch(t, c, "/metrics"); !strings.Contains(string(body), "\nlineage_store_up 1\n") || !strings.Contains(string(body), "\nlineage_store_bytes 4096\n") {
			t.Fatalf("%s", body)
		}
		if s := ask[api.Status](t, c, "/v1/status"); s.Store.Bytes != 4096 || history.stats != 1 {
			t.Fatalf("%+v; it was asked %d times", s.Store, history.stats)
		}
	}
	// The history of a daemon of its own is asked each time.
	own := &counted{History: memory}
	c = over(t, serve(t, api.Options{Tree: tree, History: own}))
	for n := range 2 {
		if fetch(t, c, "/metrics"); own.stats != n+1 {
			t.Errorf("it was asked %d times, and not %d", own.stats, n+1)
		}
	}
	memory.err = store.ErrClosed
	refuse(t, c, http.StatusServiceUnavailable, "/readyz")
	if _, body := fetch(t, c, "/metrics"); !strings.Contains(string(body), "\nlineage_store_up 0\n") {
		t.Errorf("%s", body)
	}
}
