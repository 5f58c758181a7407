package systemd

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Options says how [Units] works. The zero value is a good choice.
type Options struct {
	// Socket is the path of the socket of the system's message bus,
	// DefaultSocket when empty.
	Socket string
	// Timeout is how long the bus and systemd together may take for one
	// answer. Zero means five seconds.
	Timeout time.Duration
	// Interval is how old a description may get before systemd is asked again,
	// once somebody asks for it. Zero means a minute.
	Interval time.Duration
}

// DefaultSocket is where the D-Bus specification has the system's message bus.
const DefaultSocket = "/run/dbus/system_bus_socket"

const (
	defaultTimeout  = 5 * time.Second
	defaultInterval = time.Minute
	// firstPatience is how long nobody is asked after the first failure. It
	// doubles with each one, up to the interval.
	firstPatience = 250 * time.Millisecond
	// mostUnits is how many units are remembered.
	mostUnits = 16 << 10
	// mostAsked is how many units systemd is asked about over one connection.
	mostAsked = 64
)

// Units has in memory how systemd describes its units. It is safe for concurrent
// use. systemd is asked in the background about units that somebody has asked
// for, with calls that only read, over a connection that is closed again.
type Units struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // holds the one request to ask

	mu        sync.Mutex
	units     map[string]*unit
	due       []string      // those to ask about, oldest first
	asking    int           // how many are being asked about
	news      chan struct{} // closed with each answer, and another one put in its place
	err       error
	patience  time.Duration
	notBefore time.Time // before this nobody is asked
}

// A unit is what is known of one.
type unit struct {
	description string
	known       bool
	answered    time.Time // when systemd last said something of it
	due         bool      // it is to be asked about, or being
}

// Open begins to remember. It opens nothing until a unit is asked for, and
// cannot fail.
func Open(o Options) *Units {
	if o.Socket == "" {
		o.Socket = DefaultSocket
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	u := &Units{
		o:     o,
		wake:  make(chan struct{}, 1),
		units: map[string]*unit{},
		news:  make(chan struct{}),
	}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.done.Go(u.run)
	return u
}

// Close ends all that is asked. What is in memory can still be asked for.
func (u *Units) Close() error {
	u.cancel()
	u.done.Wait()
	return nil
}

// Err returns why nothing new is known: what failed when systemd was last asked,
// nil where nothing did. It wraps [ErrNoSystemd] where the bus has none, and
// [fs.ErrNotExist] where there is no bus.
func (u *Units) Err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// Description returns how systemd describes the unit, by the name that
// [cgroup.Unit] has. It reports false where that is not known, or not yet, and
// returns at once. A unit that is gone keeps its description for as long as
// there is room.
func (u *Units) Description(name string) (string, bool) {
	if !isUnit(name) {
		return "", false
	}
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.units[name]
	stale := x == nil || !x.due && now.Sub(x.answered) >= u.o.Interval
	if stale && u.ctx.Err() == nil && !now.Before(u.notBefore) {
		if x == nil {
			if len(u.due)+u.asking >= mostUnits {
				return "", false
			}
			u.makeRoom()
			x = &unit{}
			u.units[name] = x
		}
		x.due = true
		u.due = append(u.due, name)
		select {
		case u.wake <- struct{}{}:
		default:
		}
	}
	if x == nil {
		return "", false
	}
	return x.description, x.known
}

// makeRoom forgets some unit or other where there are too many. One that is asked
// for again is learnt again. u.mu is held.
func (u *Units) makeRoom() {
	if len(u.units) < mostUnits {
		return
	}
	for name, x := range u.units {
		if !x.due {
			delete(u.units, name)
			return
		}
	}
}

// Settle waits until systemd has answered what it was asked until the call, or
// failed to, or ctx ends. It reports whether ctx has not.
func (u *Units) Settle(ctx context.Context) bool {
	for {
		u.mu.Lock()
		news, busy := u.news, len(u.due)+u.asking > 0
		u.mu.Unlock()
		if !busy || u.ctx.Err() != nil {
			return true
		}
		select {
		case <-news:
		case <-u.ctx.Done():
		case <-ctx.Done():
			return false
		}
	}
}

// run asks until the Units are closed.
func (u *Units) run() {
	for {
		select {
		case <-u.ctx.Done():
			return
		case <-u.wake:
		}
		for {
			names := u.take()
			if len(names) == 0 {
				break
			}
			u.finish(names, u.ask(names))
		}
	}
}

// take returns the next units to ask about.
func (u *Units) take() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	names := u.due[:min(len(u.due), mostAsked)]
	u.due = u.due[len(names):]
	if len(u.due) == 0 {
		u.due = nil
	}
	u.asking = len(names)
	return names
}

// finish takes in that these were asked about. After a failure nobody is asked
// before some time has passed, and then only about what is asked for again.
func (u *Units) finish(names []string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		names = append(names, u.due...)
		u.due = nil
		u.patience = min(max(2*u.patience, firstPatience), u.o.Interval)
		u.notBefore = time.Now().Add(u.patience)
	} else {
		u.patience = 0
	}
	for _, name := range names {
		if x := u.units[name]; x != nil {
			x.due = false
		}
	}
	u.err = err
	u.asking = 0
	close(u.news)
	u.news = make(chan struct{})
}

// learn takes in what systemd says of a unit: nothing where it has none of the
// name.
func (u *Units) learn(name, description string, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.units[name]
	if x == nil {
		return // forgotten meanwhile
	}
	x.answered = time.Now()
	if known {
		x.description, x.known = description, true
	}
}

// isUnit reports whether a name can be that of a unit (unit_name_is_valid of
// systemd): of the characters that are allowed there, with a type after a dot.
func isUnit(name string) bool {
	const most = 255 // UNIT_NAME_MAX
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && dot < len(name)-1 && len(name) <= most && strings.Trim(name, allowed) == ""
}
