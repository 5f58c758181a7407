package container

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// asked is one runtime and what it has answered.
type asked struct {
	names   *Names
	runtime Runtime
	wake    chan struct{} // holds one note that there is something to ask

	listedAt time.Time // of run alone

	mu         sync.RWMutex
	containers map[string]entry
	listed     uint64 // the number of the last list
	due        bool   // a list is asked for
	wanted     map[string]bool
	missing    map[string]time.Time // asked for and not found, and when
	searches   int                  // how often cgroups are still to be learnt
	idle       bool                 // there is nothing to ask
	answered   bool
	err        error // of the last answer
}

// entry is one container.
type entry struct {
	Container
	listed  uint64 // the list that told of it last
	located bool   // its cgroup has been looked for
}

const (
	// mostGone is how many containers are remembered that are there no more.
	mostGone = 4096
	// More than fewWanted IDs are sooner learnt by a list.
	fewWanted = 8
	// mostWanted is how many IDs may wait to be asked for, and mostMissing how
	// many are remembered not to be there, for missingFor.
	mostWanted  = 256
	mostMissing = 4096
	missingFor  = 10 * time.Second
	// leastPause lies between two lists.
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

func newAsked(n *Names, r Runtime) *asked {
	return &asked{
		names: n, runtime: r,
		wake: make(chan struct{}, 1), idle: true,
		containers: map[string]entry{}, wanted: map[string]bool{}, missing: map[string]time.Time{},
	}
}

func (a *asked) byID(id string) (Container, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	e, ok := a.containers[id]
	return e.Container, ok
}

func (a *asked) present() []Container {
	a.mu.RLock()
	defer a.mu.RUnlock()
	list := make([]Container, 0, len(a.containers))
	for _, e := range a.containers {
		if e.listed == a.listed {
			list = append(list, e.Container)
		}
	}
	return list
}

func (a *asked) status() RuntimeStatus {
	s := RuntimeStatus{Socket: a.runtime.Socket(), Name: a.runtime.Name(), Containers: len(a.present())}
	a.mu.RLock()
	s.Answered, s.Err = a.answered, a.err
	a.mu.RUnlock()
	return s
}

// want has the container be asked for soon, unless it was not there lately.
func (a *asked) want(id string) {
	a.mu.Lock()
	at, known := a.missing[id]
	if _, told := a.containers[id]; told {
		at, known = time.Now(), true
	}
	if !a.wanted[id] && len(a.wanted) < mostWanted && (!known || time.Since(at) > missingFor) {
		a.wanted[id] = true
		a.stir()
	}
	a.mu.Unlock()
}

// load has all containers be asked for.
func (a *asked) load() {
	a.mu.Lock()
	a.due = true
	a.stir()
	a.mu.Unlock()
}

// searchTwice is for what the last list tells, and once more for what the next
// does, since a cgroup that nobody knows may be that of a new container.
const searchTwice = 2

// locate has the cgroups be learnt of containers whose paths do not tell.
func (a *asked) locate() {
	a.mu.Lock()
	a.searches = searchTwice
	a.stir()
	a.mu.Unlock()
}

// stir says that there is something to ask. a.mu is held.
func (a *asked) stir() {
	if a.err == nil { // else it is some time until it is asked again
		a.idle = false
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// settled reports whether there is nothing to ask.
func (a *asked) settled() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.idle
}

// settle takes in how the last answer failed, if it did, and logs what is new.
func (a *asked) settle(err error) {
	a.mu.Lock()
	old := a.err
	a.err, a.answered = err, true
	a.idle = err != nil || len(a.wanted) == 0 && !a.due && a.searches < searchTwice
	a.mu.Unlock()
	a.names.tell()
	if err != nil && (old == nil || old.Error() != err.Error()) {
		a.names.o.Logger.Warn("runtime does not name its containers", "socket", a.runtime.Socket(), "error", err)
	}
}

// run asks until ctx ends.
func (a *asked) run(ctx context.Context) {
	pause := leastPause
	for next := (<-chan time.Time)(nil); ; {
		select {
		case <-ctx.Done():
			return
		case <-next:
		case <-a.wake:
		}
		err := a.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		a.settle(err)
		if err == nil {
			pause = leastPause
			next = a.next()
			continue
		}
		if !wait(ctx, pause) {
			return
		}
		pause = min(2*pause, mostPause)
		next = time.After(0)
	}
}

// turn asks for all that there is to ask now.
func (a *asked) turn(ctx context.Context) error {
	age := time.Since(a.listedAt)
	a.mu.Lock()
	ever := a.listed > 0
	again := a.searches > 0 && (a.searches < searchTwice || !ever)
	list := (!ever || age >= leastPause) && (a.due || again || len(a.wanted) > fewWanted || ever && age >= a.names.o.Interval || a.err != nil)
	search := a.searches > 0 && (list || a.searches == searchTwice)
	a.mu.Unlock()
	if list {
		began := time.Now()
		if err := a.list(ctx); err != nil {
			return err
		}
		a.listedAt = began
		a.names.tell()
	}
	return a.inquire(ctx, search)
}

// next returns when it is time for the next list, where nobody asks before.
func (a *asked) next() <-chan time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch {
	case a.searches > 0:
		return time.After(leastPause - time.Since(a.listedAt))
	case a.listed > 0:
		return time.After(a.names.o.Interval - time.Since(a.listedAt))
	}
	return nil
}

// wait reports whether ctx goes on.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// list takes in all that the runtime has.
func (a *asked) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.names.o.Timeout)
	defer cancel()
	all, err := a.runtime.List(ctx)
	if err != nil {
		return err
	}
	if len(all) > MaxContainers {
		return ErrTooMany
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listed++
	twice := map[string]bool{} // which of the two is meant is not known
	for _, c := range all {
		if old, ok := a.containers[c.ID]; ok && old.listed == a.listed {
			twice[c.ID] = true
		}
		a.put(c)
	}
	for id := range twice {
		delete(a.containers, id)
	}
	a.forget()
	return nil
}

// put takes in one container. What an inspection told, and a list does not, is
// kept for as long as the container runs. a.mu is held.
func (a *asked) put(c Container) {
	if c.ID == "" {
		return
	}
	old, known := a.containers[c.ID]
	e := entry{Container: c, listed: a.listed}
	if known && (c.State == StateRunning || c.State == StatePaused) {
		if c.PID == 0 {
			e.PID, e.Started = old.PID, old.Started
		}
		e.located = old.located && old.State != StateExited && old.PID == e.PID
	}
	a.containers[c.ID] = e
	delete(a.missing, c.ID)
}

// forget drops what is there no more where that is too much. a.mu is held.
func (a *asked) forget() {
	var gone []string
	for id, e := range a.containers {
		if e.listed != a.listed {
			gone = append(gone, id)
		}
	}
	if len(gone) <= mostGone {
		return
	}
	slices.SortFunc(gone, func(x, y string) int { // those gone first, first
		if a.containers[x].listed < a.containers[y].listed {
			return -1
		}
		return 1
	})
	for _, id := range gone[:len(gone)-mostGone] {
		delete(a.containers, id)
	}
}

// inquire asks for each container that is wanted, and to learn cgroups for each
// that runs.
func (a *asked) inquire(ctx context.Context, search bool) error {
	a.mu.Lock()
	wanted := slices.Collect(maps.Keys(a.wanted))
	clear(a.wanted)
	a.due = false
	var unplaced []string
	if search {
		a.searches--
		for id, e := range a.containers {
			if e.listed == a.listed && !e.located && e.State != StateExited && e.State != StateCreated {
				unplaced = append(unplaced, id)
			}
		}
	}
	a.mu.Unlock()
	for _, id := range wanted {
		if _, known := a.byID(id); known {
			continue
		}
		if _, err := a.inspect(ctx, id); err != nil {
			return err
		}
	}
	for _, id := range unplaced {
		if err := a.find(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// inspect takes in what the runtime says of one container. It reports whether
// there is one.
func (a *asked) inspect(ctx context.Context, id string) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.names.o.Timeout)
	defer cancel()
	c, err := a.runtime.Inspect(ctx, id)
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrAmbiguous) || err == nil && c.ID != id {
		if len(a.missing) >= mostMissing {
			clear(a.missing)
		}
		a.missing[id] = time.Now()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a.put(c)
	return true, nil
}

// find learns the cgroup of a container from its first process. The process is
// the container's if the runtime says so before and after it was read.
func (a *asked) find(ctx context.Context, id string) error {
	before, _ := a.byID(id)
	if before.Owner != 0 { // of a user, who may say anything
		a.mark(id)
		return nil
	}
	if before.PID == 0 || before.Started.IsZero() {
		if _, err := a.inspect(ctx, id); err != nil {
			return err
		}
		before, _ = a.byID(id)
	}
	if before.PID <= 0 {
		a.mark(id)
		return nil
	}
	f, ok := openFirst(a.names.o.ProcPath, before.PID, before.Started)
	if !ok {
		a.mark(id)
		return nil
	}
	ok, err := a.inspect(ctx, id)
	if err != nil {
		f.close()
		return err
	}
	if after := a.mark(id); ok && after.PID == before.PID && (after.State == StateRunning || after.State == StatePaused) {
		a.names.place(location{id, a, f})
		return nil
	}
	f.close()
	return nil
}

// mark takes in that the cgroup of a container has been looked for.
func (a *asked) mark(id string) entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, known := a.containers[id]
	if known {
		e.located = true
		a.containers[id] = e
	}
	return e
}
