package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A room has a number of places, of which each client may have some.
type room struct {
	mu    sync.Mutex
	free  int64
	each  int64
	taken map[string]int64 // by client
}

func newRoom(size, each int64) *room {
	return &room{free: size, each: each, taken: map[string]int64{}}
}

// take takes n places for the client, and reports whether there were so many.
func (m *room) take(client string, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.free || m.taken[client]+n > m.each {
		return false
	}
	m.free -= n
	m.taken[client] += n
	return true
}

// give gives them back.
func (m *room) give(client string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free += n
	if m.taken[client] -= n; m.taken[client] <= 0 {
		delete(m.taken, client)
	}
}

// used is how many places are taken.
func (m *room) used() (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.taken {
		n += t
	}
	return n
}

// rates is how often each client asks.
type rates struct {
	limit rate.Limit
	burst int

	mu    sync.Mutex
	known map[string]*rated
}

type rated struct {
	*rate.Limiter
	last time.Time
}

// mostRated is how many clients are remembered at most. Those that have not asked for
// as long as a limiter takes to be as new are forgotten first.
const mostRated = 4096

func newRates(limit, burst int) rates {
	return rates{limit: rate.Limit(limit), burst: burst, known: map[string]*rated{}}
}

// allow reports whether the client may ask now.
func (l *rates) allow(client string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.known[client]
	if !ok {
		if len(l.known) >= mostRated {
			l.forget(now)
		}
		k = &rated{Limiter: rate.NewLimiter(l.limit, l.burst)}
		l.known[client] = k
	}
	k.last = now
	return k.AllowN(now, 1)
}

func (l *rates) forget(now time.Time) {
	full := time.Duration(float64(l.burst) / float64(l.limit) * float64(time.Second))
	for c, k := range l.known {
		if now.Sub(k.last) > full {
			delete(l.known, c)
		}
	}
	if len(l.known) >= mostRated {
		clear(l.known)
	}
}
