package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/process"
)

// remote is a daemon that tells what happens. It is what a watcher asks, of which
// the events say all that there is to know.
type remote struct {
	client *client.Client
	source answer.Source
	events chan lineage.Event
	offset time.Duration // of the wall clock from the boot clock
	err    error         // why events is closed
}

// newRemote begins to read the events of the daemon, until ctx ends.
func newRemote(ctx context.Context, c *client.Client, q client.EventQuery) (*remote, error) {
	stream, err := c.Events(ctx, q)
	if err != nil {
		return nil, err
	}
	first, err := stream.Next()
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	r := &remote{client: c, events: make(chan lineage.Event, 256)}
	if first.Source != nil {
		r.source = *first.Source
	}
	r.clock(&first)
	go func() {
		defer close(r.events)
		defer stream.Close() //nolint:errcheck // it was read
		for {
			e, err := stream.Next()
			if err != nil {
				if ctx.Err() == nil {
					r.err = err
				}
				return
			}
			event, err := r.read(&e)
			if err != nil {
				r.err = err
				return
			}
			select {
			case r.events <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return r, nil
}

// clock learns from an event what the wall clock of the daemon's host is.
func (r *remote) clock(e *api.Event) {
	if t, err := time.Parse(time.RFC3339Nano, e.Time); err == nil {
		r.offset = time.Duration(t.UnixNano()) - time.Duration(answer.ReadInstant(e.BootTime))
	}
}

// read returns the event that the daemon tells of.
func (r *remote) read(e *api.Event) (lineage.Event, error) {
	event := lineage.Event{Time: answer.ReadInstant(e.BootTime)}
	for _, k := range append(kinds{process.Loss}, allKinds...) {
		if k.String() == e.Event.Event {
			event.Kind = k
		}
	}
	if e.SinceBoot != nil {
		event.Since = answer.ReadInstant(*e.SinceBoot)
	}
	if e.Process == nil {
		return event, nil
	}
	p, err := e.Read()
	if err != nil {
		return event, err
	}
	event.Process = p
	if e.Membership != nil {
		event.Process.Cgroup.Membership = *e.Membership
	}
	if e.FromMembership != nil {
		event.From.Membership = *e.FromMembership
	}
	for i := range e.Creators {
		a, err := e.Creators[i].Read(process.Observed)
		if err != nil {
			return event, err
		}
		event.Chain = append(event.Chain, a)
	}
	event.ChainCut = e.CreatorsComplete != nil && !*e.CreatorsComplete
	return event, nil
}

// Details implements [answer.Library]: the events have all that is told.
func (r *remote) Details(process.ID) (process.Details, error) {
	return process.Details{}, lineage.ErrNotFound
}

// Time implements [answer.Library].
func (r *remote) Time(i process.Instant) time.Time {
	return time.Unix(0, int64(r.offset)+int64(i))
}

// ProcessByID asks the daemon.
func (r *remote) ProcessByID(id process.ID) (process.Process, error) {
	x, err := r.client.Process(context.Background(), client.Subject{Process: id.String()})
	if err != nil {
		return process.Process{}, err
	}
	return x.Process.Read()
}

// Source is that of the daemon.
func (r *remote) Source() lineage.SourceInfo { return lineage.SourceInfo{Name: r.source.Name} }

// ended is why there are no more events, nil where that was wanted.
func (r *remote) ended() error {
	if r.err == nil || errors.Is(r.err, io.EOF) {
		return errors.New("the daemon has ended")
	}
	return r.err
}
