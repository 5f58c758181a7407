package daemon

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

func opened(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShippingIsUp has a store that is not opened in time at first: shipping is up
// only when it is open.
func TestShippingIsUp(t *testing.T) {
	from, to := opened(t), opened(t)
	defer from.Close()
	hangs, attempts := make(chan struct{}), 0
	s := newShipping(&Fleet{From: from, Name: "fleet", Interval: time.Hour, Open: func(ctx context.Context) (store.Store, error) {
		if attempts++; attempts == 1 {
			hangs <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return to, nil
	}}, "h", slog.New(slog.DiscardHandler))
	s.patience = 10 * time.Millisecond
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s)
	up := func(want float64) {
		t.Helper()
		all, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.GetName() == "lineage_ship_up" && m.GetMetric()[0].GetGauge().GetValue() == want {
				return
			}
		}
		t.Errorf("lineage_ship_up is not %v: %v", want, all)
	}
	up(0)
	if err := s.stats().Err; !errors.Is(err, errUnopened) {
		t.Errorf("before it is opened: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		s.run(ctx)
		close(ended)
	}()
	<-hangs
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	tooLong := time.After(30 * time.Second)
	for s.stats().Err != nil {
		select {
		case <-tooLong:
			t.Fatalf("it is not opened: %+v", s.stats())
		case <-ticker.C:
		}
	}
	up(1)
	if x := s.stats(); x.Failures != 1 {
		t.Errorf("%+v", x)
	}
	stop()
	<-ended
	if _, err := to.Last(t.Context(), "h"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("it is not closed: %v", err)
	}
}
