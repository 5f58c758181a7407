package api

import (
	"sync"
	"time"

	"github.com/proclineage/lineage/process"
)

// commands remembers of processes that live what is read of them one by one, for the
// questions that are about all of them.
type commands struct {
	mu    sync.Mutex
	known map[commandKey]command
}

// A commandKey is a process and what it runs, as far as the source tells when that
// changes.
type commandKey struct {
	id   process.ID
	name string
	exec process.Instant
}

type command struct {
	process.Details
	read time.Time
}

const (
	// mostCommands is how many are remembered.
	mostCommands = 1 << 16
	// commandAge is for how long.
	commandAge = 10 * time.Second
)

// of returns what was read of the process in the last commandAge, or else reads it.
func (c *commands) of(p *process.Process, read func(process.ID) (process.Details, error)) process.Details {
	key := commandKey{p.ID, p.Name, p.Exec.At}
	now := time.Now()
	c.mu.Lock()
	k, ok := c.known[key]
	c.mu.Unlock()
	if ok && now.Sub(k.read) < commandAge {
		return k.Details
	}
	k = command{read: now}
	var err error
	if k.Details, err = read(p.ID); err != nil {
		k.Details = process.Details{UID: -1, EffectiveUID: -1}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= mostCommands {
		clear(c.known)
	}
	c.known[key] = k
	return k.Details
}
