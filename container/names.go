package container

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/proclineage/lineage/cgroup"
)

// NamesOptions says how [Names] works. Of the zero value only the runtimes are
// missing.
type NamesOptions struct {
	// Runtimes are asked, and where two of them know one container, what the
	// earlier one says counts. They are closed with the Names.
	Runtimes []Runtime
	// ProcPath is where procfs is mounted, "/proc" when empty.
	ProcPath string
	// Interval is how often runtimes that have been asked for all that they
	// have are asked again. Zero means a minute.
	Interval time.Duration
	// Timeout is how long a runtime may take for one answer. Zero means ten
	// seconds.
	Timeout time.Duration
	// Logger takes the errors of runtimes, one each time that another one
	// comes. Nothing is logged when it is nil.
	Logger *slog.Logger
}

// Names has in memory what runtimes say of their containers. It is a [Resolver]
// and safe for concurrent use. Runtimes are asked in the background, soon after a
// container was asked for that none of them has told of, for that one or, of
// many, for all; and from then on for all now and then.
//
// A container that a runtime no longer tells of keeps its name for as long as
// there is room for it, since processes that have ended are asked for as well.
type Names struct {
	o      NamesOptions
	cancel context.CancelFunc
	done   sync.WaitGroup
	asked  []*asked

	mu    sync.RWMutex
	news  chan struct{}        // closed with each answer, and another one put in its place
	paths map[string]location  // by the path of a cgroup
	hosts map[string]time.Time // paths in which no container was found, and when they were asked for
}

// A location is the container of a cgroup, for as long as its first process
// lives: the cgroup may be another one's then.
type location struct {
	id    string
	of    *asked
	first *first
}

// mostPaths is how many cgroups are remembered to be a container's, each of which
// takes a descriptor, and mostHosts how many to be none's.
const (
	mostPaths = 1024
	mostHosts = 1 << 16
)

// Watch returns what asks the runtimes.
func Watch(o NamesOptions) *Names {
	if o.ProcPath == "" {
		o.ProcPath = "/proc"
	}
	if o.Interval <= 0 {
		o.Interval = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Names{o: o, cancel: cancel, news: make(chan struct{}), paths: map[string]location{}, hosts: map[string]time.Time{}}
	for _, r := range o.Runtimes {
		a := newAsked(n, r)
		n.asked = append(n.asked, a)
		n.done.Go(func() { a.run(ctx) })
	}
	return n
}

// Close ends all that is asked and closes the runtimes. The names in memory can
// still be asked for.
func (n *Names) Close() error {
	n.cancel()
	n.done.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, at := range n.paths {
		at.first.close()
	}
	clear(n.paths)
	var errs []error
	for _, a := range n.asked {
		errs = append(errs, a.runtime.Close())
	}
	return errors.Join(errs...)
}

// Load asks the runtimes for all that they have, and waits as [Names.Settle] does.
func (n *Names) Load(ctx context.Context) bool {
	for _, a := range n.asked {
		a.load()
	}
	return n.Settle(ctx)
}

// Settle waits until the runtimes have answered all that they have been asked
// until the call, or failed to, or ctx ends. It reports whether ctx has not.
func (n *Names) Settle(ctx context.Context) bool {
	return n.Await(ctx, func() bool { return false })
}

// Await waits until enough, called again and again, returns true, or the runtimes
// have answered all that they have been asked by then. It reports whether that
// came before the end of ctx.
func (n *Names) Await(ctx context.Context, enough func() bool) bool {
	for {
		n.mu.RLock()
		news := n.news
		n.mu.RUnlock()
		if enough() {
			return true
		}
		settled := true
		for _, a := range n.asked {
			settled = settled && a.settled()
		}
		if settled {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// tell says that a runtime has answered.
func (n *Names) tell() {
	n.mu.Lock()
	close(n.news)
	n.news = make(chan struct{})
	n.mu.Unlock()
}

// ByID implements [Resolver].
func (n *Names) ByID(id string) (Container, bool) {
	var others *Container // a user's runtime's
	for _, a := range n.asked {
		c, ok := a.byID(id)
		switch {
		case ok && c.Owner == 0:
			return c, true
		case ok && others == nil:
			others = &c
		}
	}
	for _, a := range n.asked {
		a.want(id)
	}
	if others == nil {
		return Container{}, false
	}
	return *others, true
}

// ByCgroup implements [Resolver]. What a unit of systemd holds, and is not
// learnt to be a container's, needs no asking.
func (n *Names) ByCgroup(path string) (c Container, found string, ok bool) {
	n.mu.RLock()
	at, asked := n.above(path), n.hosts[path]
	alive := at.of != nil && at.first.alive()
	n.mu.RUnlock()
	switch {
	case alive:
		c, ok = at.of.byID(at.id)
		return c, at.first.path, ok
	case at.of != nil:
		n.displace(at)
	case Explained(path) || time.Since(asked) < missingFor:
		return Container{}, "", false
	default:
		n.mu.Lock()
		if len(n.hosts) >= mostHosts {
			clear(n.hosts)
		}
		n.hosts[path] = time.Now()
		n.mu.Unlock()
	}
	for _, a := range n.asked {
		a.locate()
	}
	return Container{}, "", false
}

// above finds the container of the path, or of the nearest path above it. n.mu
// is held.
func (n *Names) above(path string) location {
	if len(n.paths) == 0 {
		return location{}
	}
	for end := len(path); end > 0; end-- {
		if end < len(path) && path[end] != '/' {
			continue
		}
		if at, ok := n.paths[path[:end]]; ok {
			return at
		}
	}
	return location{}
}

// place takes in that a container's first process is in its cgroup. Where
// another container's is as well, the cgroup tells of neither.
func (n *Names) place(at location) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for path, o := range n.paths {
		if o.id == at.id || len(n.paths) >= mostPaths || !o.first.alive() {
			o.first.close()
			delete(n.paths, path)
		}
	}
	if o, taken := n.paths[at.first.path]; taken {
		o.first.close()
		delete(n.paths, at.first.path)
		at.first.close()
		return
	}
	n.paths[at.first.path] = at
}

// displace forgets a location.
func (n *Names) displace(at location) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paths[at.first.path] == at {
		at.first.close()
		delete(n.paths, at.first.path)
	}
}

// All calls yield with each container that a runtime told of last, and none before
// [Names.Load], in no order,
// until that returns false. Of what several runtimes know the first counts.
func (n *Names) All(yield func(Container) bool) {
	seen := map[string]bool{}
	for _, a := range n.asked {
		for _, c := range a.present() {
			if seen[c.ID] {
				continue
			}
			seen[c.ID] = true
			if !yield(c) {
				return
			}
		}
	}
}

// A RuntimeStatus is how one runtime answers.
type RuntimeStatus struct {
	// Name and Socket are those of the runtime.
	Name   cgroup.Runtime
	Socket string
	// Answered says that it has answered, or failed to, since the beginning.
	Answered bool
	// Err is why the last answer failed, nil where it did not.
	Err error
	// Containers is how many it told of last.
	Containers int
}

// Runtimes returns how each of the runtimes answers.
func (n *Names) Runtimes() []RuntimeStatus {
	list := make([]RuntimeStatus, 0, len(n.asked))
	for _, a := range n.asked {
		list = append(list, a.status())
	}
	return list
}
