package otlp

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// What is given up is counted, and told to the collector that comes back.
func TestLossIsTold(t *testing.T) {
	c := newCollector(t)
	c.kill()
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: c.url(), Patience: 5 * time.Second})
	s.tell(t, born(7))
	s.tell(t, born(8))
	s.tell(t, born(9))
	await(t, "they are given up", func() bool { return r.Stats().Lost == 3 })
	if got := r.Stats(); got.Err == nil || got.Sent != 0 || got.Waiting != 0 {
		t.Errorf("stats %+v", got)
	}
	c.start()
	s.tell(t, born(20))
	s.tell(t, lineage.Event{Kind: process.Loss, Since: 5e9, Time: 6e9})
	if got := r.stop(); got.Lost != 3 || got.Sent != 2 || got.Losses != 1 {
		t.Errorf("stats %+v", got)
	}
	list := c.received()
	if len(list) != 3 || list[0].name != Fork || list[0].pid() != 20 {
		t.Fatalf("received %+v", list)
	}
	seen := map[string]bool{}
	for _, a := range list[1:] {
		if a.name != Loss || a.severity != "WARN" || a.resource["host.id"] != "host-1" {
			t.Errorf("a loss: %+v", a)
		}
		seen[a.body] = true
		if strings.HasPrefix(a.body, "3 ") {
			if !a.has("lineage.loss.records", 3) || !a.has("lineage.loss.since", "2026-11-23T16:58:30Z") || !a.at.Equal(epoch.Add(9*time.Second)) {
				t.Errorf("a loss of records: %+v", a)
			}
		} else if !a.has("lineage.loss.since", "2026-11-23T16:58:28Z") || !a.at.Equal(epoch.Add(6*time.Second)) || !a.has("lineage.loss.records", nil) {
			t.Errorf("a loss of events: %+v", a)
		}
	}
	if len(seen) != 2 {
		t.Errorf("losses %v", seen)
	}
}

// What a collector refuses is lost at once.
func TestRefusal(t *testing.T) {
	c := newCollector(t)
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: c.url() + "/nothing/here"})
	s.tell(t, born(7))
	await(t, "it is refused", func() bool { return r.Stats().Lost == 1 })
	if got := r.Stats(); got.Err == nil || !strings.Contains(got.Err.Error(), "404") || got.Failed != 1 {
		t.Errorf("stats %+v", got)
	}
	r.stop()
}

// Who has no room for an event waits until there is, and drops none.
func TestFullQueue(t *testing.T) {
	c := newCollector(t)
	c.kill()
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: c.url(), Queue: 3})
	const events = 50
	told := make(chan struct{})
	go func() {
		defer close(told)
		for pid := range events {
			s.events <- born(pid + 1)
		}
	}()
	await(t, "the queue is full", func() bool { return r.Stats().Waiting == 3 && r.Stats().Failed > 0 })
	c.start()
	<-told
	if got := r.stop(); got.Sent != events {
		t.Errorf("stats %+v", got)
	}
	n := times(c.received())
	if len(n) != events {
		t.Errorf("%d events arrived", len(n))
	}
	for k, n := range n {
		if n != 1 {
			t.Errorf("%s came %d times", k, n)
		}
	}
}

// At the end nobody waits for a collector that does not answer, and all that is
// told till then is counted.
func TestDeafCollector(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // and never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: "http://" + deaf.Addr().String(), Queue: 3})
	for pid := range 4 {
		s.tell(t, born(pid+1)) // the last is taken, and waits for room
	}
	await(t, "the queue is full", func() bool { return r.Stats().Waiting == 3 })
	r.end()
	s.tell(t, born(5))
	if got := r.stop(); got.Records != 5 || got.Lost != 5 {
		t.Errorf("stats %+v", got)
	}
}

// Without a source that tells what happens there is nothing to send.
func TestNoLiveSource(t *testing.T) {
	c := newCollector(t)
	s := newScripted()
	r := start(t, Options{Tree: s, Endpoint: c.url()})
	s.tell(t, born(7))
	close(s.events) // as when the last live source has failed
	if err := <-r.done; !errors.Is(err, lineage.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if n := len(c.received()); n != 1 {
		t.Errorf("%d records arrived", n)
	}
	x, err := New(t.Context(), Options{Tree: eventless{s}})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Run(t.Context()); !errors.Is(err, lineage.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

type eventless struct{ *scripted }

func (eventless) Events(context.Context) (<-chan lineage.Event, error) {
	return nil, lineage.ErrUnsupported
}
