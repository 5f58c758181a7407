package api

import (
	"context"
	"sync"
)

// places are how many answers are made at a time.
type places struct {
	free chan struct{} // has room for all of them
	// For heavy answers, else nil: others has room for those to viewers who may not see
	// all, and turns has a client's that are being made or wait, one at a time.
	others chan struct{}
	mu     sync.Mutex
	turns  map[string]*turn
}

// A turn is that of a client, to have one answer made.
type turn struct {
	room  chan struct{} // for one
	users int
}

func newPlaces(n int) *places { return &places{free: make(chan struct{}, n)} }

// newHeavyPlaces returns places of which a client may have one, and viewers who see
// all are left one where there are several.
func newHeavyPlaces(n int) *places {
	p := newPlaces(n)
	p.others, p.turns = make(chan struct{}, max(n-1, 1)), map[string]*turn{}
	return p
}

// take waits for a place, which is to be given back once by calling give. It fails
// when ctx ends before.
func (p *places) take(ctx context.Context, v *viewer) (give func(), err error) {
	var rooms []chan struct{} // in an order in which none holds up the other
	leave := func() {}
	if p.turns != nil {
		var mine chan struct{}
		mine, leave = p.queue(v.client)
		rooms = append(rooms, mine)
		if !v.all {
			rooms = append(rooms, p.others)
		}
	}
	rooms = append(rooms, p.free)
	give = func() {
		for _, room := range rooms {
			<-room
		}
		leave()
	}
	for i, room := range rooms {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			rooms = rooms[:i]
			give()
			return nil, ctx.Err()
		}
	}
	return give, nil
}

// queue returns the room of a client, to be left by calling leave.
func (p *places) queue(client string) (room chan struct{}, leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.turns[client]
	if t == nil {
		t = &turn{room: make(chan struct{}, 1)}
		p.turns[client] = t
	}
	t.users++
	return t.room, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(p.turns, client)
		}
	}
}
