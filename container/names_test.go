package container

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// scripted is a runtime that says what the test wants.
type scripted struct {
	mu         sync.Mutex
	containers map[string]Container
	err        error
	listed     int            // how often
	inspected  map[string]int // how often by ID
	hang       chan struct{}  // nil, or answers wait for it to be closed
	closed     bool
	lie        func(Container) Container // of what Inspect says
}

func script(c ...Container) *scripted {
	s := &scripted{containers: map[string]Container{}, inspected: map[string]int{}}
	s.have(c...)
	return s
}

func (s *scripted) have(c ...Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.containers)
	for _, c := range c {
		s.containers[c.ID] = c
	}
}

func (s *scripted) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *scripted) asked(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inspected[id]
}

func (s *scripted) Name() cgroup.Runtime { return cgroup.Docker }
func (s *scripted) Socket() string       { return "/nowhere" }

func (s *scripted) wait(ctx context.Context) error {
	if s.hang == nil {
		return nil
	}
	select {
	case <-s.hang:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *scripted) List(ctx context.Context) ([]Container, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	var list []Container
	for _, c := range s.containers {
		c.PID = 0 // as with Docker
		list = append(list, c)
	}
	return list, s.err
}

func (s *scripted) Inspect(ctx context.Context, id string) (Container, error) {
	if err := s.wait(ctx); err != nil {
		return Container{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inspected[id]++
	c, ok := s.containers[id]
	switch {
	case s.err != nil:
		return Container{}, s.err
	case !ok:
		return Container{}, ErrNotFound
	case s.lie != nil:
		c = s.lie(c)
	}
	return c, nil
}

func (s *scripted) Close() error { s.closed = true; return nil }

func watch(t *testing.T, r ...Runtime) *Names {
	t.Helper()
	n := Watch(NamesOptions{Runtimes: r})
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	n.Load(t.Context())
	return n
}

// settle waits until all that was asked is answered.
func settle(t *testing.T, n *Names) {
	t.Helper()
	if !n.Settle(t.Context()) {
		t.Fatal(t.Context().Err())
	}
}

func TestNames(t *testing.T) {
	web := Container{Runtime: cgroup.Docker, ID: hexID, Name: "web", State: StateRunning}
	r, second := script(web), script(Container{ID: hexID, Name: "not web"}, Container{ID: otherID, Name: "other"})
	n := watch(t, r, second)
	settle(t, n)
	if c, ok := n.ByID(hexID); !ok || c.Name != "web" {
		t.Errorf("%+v, %v", c, ok)
	}
	if c, ok := n.ByID(otherID); !ok || c.Name != "other" {
		t.Errorf("%+v, %v", c, ok)
	}
	var names []string
	for c := range n.All {
		names = append(names, c.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"other", "web"}) {
		t.Errorf("all: %q", names)
	}
	for range n.All {
		break
	}
	for _, s := range n.Runtimes() {
		if !s.Answered || s.Err != nil || s.Containers == 0 || s.Socket != "/nowhere" || s.Name != cgroup.Docker {
			t.Errorf("%+v", s)
		}
	}
}

// TestNamesOfOne asks for no more than is wanted.
func TestNamesOfOne(t *testing.T) {
	r := script(Container{ID: hexID, Name: "web"}, Container{ID: otherID, Name: "other"})
	n := Watch(NamesOptions{Runtimes: []Runtime{r}})
	defer n.Close()
	n.ByID(hexID)
	settle(t, n)
	if c, ok := n.ByID(hexID); !ok || c.Name != "web" || r.listed != 0 || r.asked(otherID) != 0 {
		t.Errorf("%+v, %v; listed %d times", c, ok, r.listed)
	}
	r.mu.Lock() // until all are wanted
	for i := range 3 * fewWanted {
		n.ByID(fmt.Sprint(i))
	}
	r.mu.Unlock()
	settle(t, n)
	if _, ok := n.ByID(otherID); !ok || r.listed > 1 {
		t.Errorf("listed %d times for many", r.listed)
	}
}

// TestNamesOfTwo has a runtime tell of two containers with one ID.
func TestNamesOfTwo(t *testing.T) {
	n := watch(t, &twice{script()})
	settle(t, n)
	for range 2 {
		if c, ok := n.ByID("web"); ok {
			t.Errorf("%+v: there are two", c)
		}
		settle(t, n)
	}
	if s := n.Runtimes()[0]; s.Err != nil {
		t.Errorf("%+v", s)
	}
}

type twice struct{ *scripted }

func (*twice) List(context.Context) ([]Container, error) {
	return []Container{{ID: "web", Name: "a"}, {ID: "web", Name: "b"}}, nil
}

func (*twice) Inspect(context.Context, string) (Container, error) {
	return Container{}, fmt.Errorf("web: %w", ErrAmbiguous)
}

func TestNamesOfNewContainer(t *testing.T) {
	r := script()
	n := watch(t, r)
	settle(t, n)
	if _, ok := n.ByID(hexID); ok {
		t.Fatal("a container that there is not")
	}
	settle(t, n)
	r.have(Container{ID: otherID, Name: "new", State: StateRunning})
	if _, ok := n.ByID(otherID); ok {
		t.Fatal("a container that nobody has told of")
	}
	settle(t, n)
	if c, ok := n.ByID(otherID); !ok || c.Name != "new" {
		t.Errorf("%+v, %v", c, ok)
	}
	// What is not there is not asked for again and again.
	for range 100 {
		n.ByID(hexID)
		settle(t, n)
	}
	if asked := r.asked(hexID); asked != 1 {
		t.Errorf("asked %d times for what is not there", asked)
	}
}

func TestNamesAreNotWaitedFor(t *testing.T) {
	r := script(Container{ID: hexID, Name: "late"})
	r.hang = make(chan struct{})
	n := Watch(NamesOptions{Runtimes: []Runtime{r, script(Container{ID: otherID, Name: "soon"})}})
	defer n.Close()
	settle(t, n) // nothing was asked
	if c, ok := n.ByID(hexID); ok {
		t.Errorf("%+v from a runtime that hangs", c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n.Settle(ctx) {
		t.Error("settled while a runtime hangs")
	}
	close(r.hang)
	settle(t, n)
	if c, ok := n.ByID(hexID); !ok || c.Name != "late" {
		t.Errorf("%+v, %v", c, ok)
	}
}

func TestNamesWhileRuntimeFails(t *testing.T) {
	r := script(Container{ID: hexID, Name: "web"})
	r.fail(errors.New("out of order"))
	n := watch(t, r)
	settle(t, n)
	if s := n.Runtimes()[0]; s.Err == nil || !s.Answered {
		t.Errorf("%+v", s)
	}
	n.ByID(hexID)
	settle(t, n) // it is not waited for until it is asked again
	r.fail(nil)
	for ok := false; !ok; {
		if _, ok = n.ByID(hexID); t.Context().Err() != nil {
			t.Fatal("it is not asked again")
		}
	}
}

func TestNamesWithTooMany(t *testing.T) {
	r := script()
	for i := range MaxContainers + 1 {
		id := fmt.Sprintf("%064x", i)
		r.containers[id] = Container{ID: id}
	}
	n := watch(t, r)
	settle(t, n)
	if s := n.Runtimes()[0]; !errors.Is(s.Err, ErrTooMany) || s.Containers != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNamesOfGone tells the names of containers that are gone, up to so many.
func TestNamesOfGone(t *testing.T) {
	a := newAsked(Watch(NamesOptions{}), script())
	r := a.runtime.(*scripted)
	r.have(Container{ID: hexID, Name: "web"})
	if err := a.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.have()
	if err := a.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, ok := a.byID(hexID); !ok || c.Name != "web" || len(a.present()) != 0 {
		t.Errorf("%+v, %v; present %v", c, ok, a.present())
	}
	for i := range 3 {
		many := map[string]Container{}
		for j := range mostGone {
			id := fmt.Sprintf("%d-%d", i, j)
			many[id] = Container{ID: id}
		}
		r.have(slices.Collect(maps.Values(many))...)
		if err := a.list(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := a.byID(hexID); ok || len(a.containers) > 2*mostGone {
		t.Errorf("%d are kept, the first gone among them: %v", len(a.containers), ok)
	}
}

// TestNamesByCgroup finds containers in cgroups whose paths do not tell.
func TestNamesByCgroup(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	parent := linuxtest.Start(t)
	first := parent.Fork()
	g := linuxtest.NewCgroup(t)
	first.Move(g)
	running := Container{Runtime: cgroup.Docker, ID: hexID, Name: "job", State: StateRunning, PID: first.PID}
	for name, test := range map[string]struct {
		said func(Container) Container // at the second look
		pid  int
		want bool
	}{
		"its first process":            {nil, first.PID, true},
		"none":                         {nil, 0, false},
		"one that there is not":        {nil, 1 << 22, false},
		"one below zero":               {nil, -1, false},
		"a process of the host":        {nil, parent.PID, false},
		"another one a moment later":   {func(c Container) Container { c.PID++; return c }, first.PID, false},
		"that has ended meanwhile":     {func(c Container) Container { c.State = StateExited; return c }, first.PID, false},
		"another container's":          {func(c Container) Container { c.ID = otherID; return c }, first.PID, false},
		"no container a moment later ": {func(Container) Container { return Container{} }, first.PID, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := running
			c.PID = test.pid
			r := script(c)
			if test.said != nil {
				r.lie = func(c Container) Container {
					if r.inspected[hexID] > 1 { // r.mu is held
						c = test.said(c)
					}
					return c
				}
			}
			n := watch(t, r)
			settle(t, n)
			n.ByCgroup(g.Path) // has it be looked for
			settle(t, n)
			for _, path := range []string{g.Path, g.Path + "/below"} {
				if c, _, ok := n.ByCgroup(path); ok != test.want || ok && c.Name != "job" {
					t.Errorf("%s: %+v, %v", path, c, ok)
				}
			}
			for _, path := range []string{"/", "", g.Path + "x", "/system.slice/ssh.service", "/user.slice"} {
				if c, _, ok := n.ByCgroup(path); ok {
					t.Errorf("%s: %+v", path, c)
				}
			}
		})
	}
}

// TestNamesByCgroupOfAnother has a cgroup pass from a container to another one.
func TestNamesByCgroupOfAnother(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	parent := linuxtest.Start(t)
	first := parent.Fork()
	g := linuxtest.NewCgroup(t)
	first.Move(g)
	r := script(Container{ID: hexID, Name: "old", State: StateRunning, PID: first.PID})
	n := watch(t, r)
	settle(t, n)
	n.ByCgroup(g.Path)
	settle(t, n)
	if c, _, ok := n.ByCgroup(g.Path); !ok || c.Name != "old" {
		t.Fatalf("%+v, %v", c, ok)
	}
	first.Kill(9)
	second := parent.Fork()
	second.Move(g)
	r.have(Container{ID: otherID, Name: "new", State: StateRunning, PID: second.PID})
	// At once: the runtime has not been asked since.
	if c, _, ok := n.ByCgroup(g.Path); ok {
		t.Fatalf("%+v has ended, and the cgroup is another one's", c)
	}
	for ok := false; !ok; runtime.Gosched() {
		var c Container
		if c, _, ok = n.ByCgroup(g.Path); ok && c.Name != "new" {
			t.Fatalf("%+v", c)
		}
	}
}

// TestNamesByCgroupOfTwo has two containers in one cgroup.
func TestNamesByCgroupOfTwo(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	parent := linuxtest.Start(t)
	a, b := parent.Fork(), parent.Fork()
	g := linuxtest.NewCgroup(t)
	a.Move(g)
	b.Move(g)
	n := watch(t, script(
		Container{ID: hexID, Name: "a", State: StateRunning, PID: a.PID},
		Container{ID: otherID, Name: "b", State: StateRunning, PID: b.PID},
	))
	settle(t, n)
	n.ByCgroup(g.Path)
	settle(t, n)
	if c, _, ok := n.ByCgroup(g.Path); ok {
		t.Errorf("%+v: there are two in the cgroup", c)
	}
}

func TestNamesClose(t *testing.T) {
	r := script()
	r.hang = make(chan struct{}) // nothing ends what it is asked but Close
	n := Watch(NamesOptions{Runtimes: []Runtime{r}})
	n.ByID(hexID)
	if err := n.Close(); err != nil || !r.closed {
		t.Errorf("%v, closed %v", err, r.closed)
	}
}
