package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// memory is a store that can fail and hang.
type memory struct {
	store.Store // what a keeper does not call

	mu         sync.Mutex
	fails      error         // what Append fails with
	hangs      chan struct{} // what Append waits for
	held       *store.Batch  // which it has meanwhile
	processes  map[store.Key]store.Process
	containers map[string]store.Container
	gaps       []store.Gap
	mark       store.Mark
	name       string // of the host
	expired    []time.Time
}

func newMemory() *memory {
	return &memory{processes: map[store.Key]store.Process{}, containers: map[string]store.Container{}}
}

func (m *memory) set(fails error, hangs chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails, m.hangs = fails, hangs
}

func (m *memory) Append(ctx context.Context, b *store.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hangs != nil {
		hangs := m.hangs
		m.held = b
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			m.mu.Lock()
			return ctx.Err()
		case <-hangs:
		}
		m.mu.Lock()
	}
	if m.fails != nil {
		return m.fails
	}
	for _, p := range b.Processes {
		p.Host, p.Boot = b.Host, b.Boot
		for k := range m.processes {
			if k != p.Key && k.Boot == p.Boot && k.ID.Same(p.ID) {
				delete(m.processes, k)
			}
		}
		m.processes[p.Key] = p
	}
	for _, c := range b.Containers {
		m.containers[c.ID] = c
	}
	m.gaps = append(m.gaps, b.Gaps...)
	m.mark, m.name = store.Mark{Boot: b.Boot, Now: b.Now, Wall: b.Wall}, b.HostName
	return nil
}

func (m *memory) Living(_ context.Context, _ string, yield func(*store.Process) bool) error {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.processes))
	m.mu.Unlock()
	for i := range all {
		if all[i].Exit.Evidence == process.Unknown && !yield(&all[i]) {
			break
		}
	}
	return nil
}

func (m *memory) Last(context.Context, string) (store.Mark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mark.Boot == "" {
		return m.mark, store.ErrNotFound
	}
	return m.mark, nil
}

func (m *memory) Expire(_ context.Context, before time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expired = append(m.expired, before)
	return nil
}

// find returns the only process with the last argument.
func (m *memory) find(t *testing.T, argument string) store.Process {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []store.Process
	for _, p := range m.processes {
		if args := p.Command().Args; len(args) > 0 && args[len(args)-1] == argument {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d processes with the argument %q: %+v", len(found), argument, found)
	}
	return found[0]
}

// keeping is a keeper at work.
type keeping struct {
	*Keeper
	tree  *lineage.Tree
	stop  context.CancelFunc
	ended chan error
}

func keep(t *testing.T, source string, o Options) *keeping {
	t.Helper()
	if source == "bpf" {
		linuxtest.Need(t, linuxtest.BPF)
	}
	linuxtest.Quiet(t)
	tree, err := lineage.NewTree(lineage.Options{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = tree.Run(t.Context()) }()
	ctx, stop := context.WithCancel(t.Context())
	o.Tree = tree
	if o.Interval == 0 {
		o.Interval = 10 * time.Millisecond
	}
	k := &keeping{Keeper: New(o), tree: tree, stop: stop, ended: make(chan error, 1)}
	go func() { k.ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		k.stop()
		_ = tree.Close()
	})
	k.await(t, func() bool { return k.Stats().Batches > 0 || k.Stats().Failed > 0 || o.Store.(*memory).hanging() })
	return k
}

func (m *memory) hanging() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hangs != nil
}

// await waits until it is so.
func (k *keeping) await(t *testing.T, is func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	tooLong := time.After(30 * time.Second)
	for !is() {
		select {
		case <-tooLong:
			t.Fatalf("it does not come: %+v", k.Stats())
		case <-ticker.C:
		}
	}
}

// end ends the keeper.
func (k *keeping) end(t *testing.T) {
	t.Helper()
	k.stop()
	if err := <-k.ended; err != nil {
		t.Fatal(err)
	}
}

// run runs a shell with the script, and returns a word that is its last argument.
func run(t *testing.T, script string) string {
	t.Helper()
	mark := fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano())
	_ = exec.Command("/bin/sh", "-c", script, "sh", mark).Run() // its status is looked at
	return mark
}

func TestKeeperWritesLives(t *testing.T) {
	m := newMemory()
	k := keep(t, "bpf", Options{Store: m, Args: func(args []string) []string {
		args = slices.Clone(args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "hidden", "•")
		}
		return args
	}, User: func(uid int) string { return fmt.Sprint("user ", uid) }})
	mark := run(t, "sleep 0 "+"$1hidden; (exec sh -c 'kill -KILL $$' sh $1killed); exit 3")
	k.end(t)
	sh := m.find(t, mark)
	if sh.Exit.Status.ExitStatus() != 3 || sh.Exit.Evidence != process.Observed || sh.Creator.ID.PID != os.Getpid() ||
		sh.Evidence != process.Observed || sh.Name != "sh" || sh.User != fmt.Sprint("user ", os.Geteuid()) || sh.ExecCount != 1 || sh.Group == "" {
		t.Errorf("%+v", sh)
	}
	if killed := m.find(t, mark+"killed"); !killed.Exit.Status.Signaled() || killed.Creator.ID != sh.ID || killed.Creator.Evidence != process.Observed {
		t.Errorf("%+v", killed)
	}
	failed := m.find(t, mark+"•") // sleep takes no such argument, and is not to be written with it
	if failed.Exit.Status.ExitStatus() != 1 || failed.Command().File == "" || failed.Exit.Usage.MaxRSS == 0 {
		t.Errorf("%+v", failed)
	}
	own := m.processes[store.Key{Host: k.host, Boot: k.boot, ID: sh.Creator.ID}]
	if own.Exit.Evidence != process.Unknown || own.Evidence != process.Scanned || !slices.Equal(own.Command().Args, os.Args) {
		t.Errorf("the test itself: %+v", own)
	}
	if len(m.gaps) != 1 || m.gaps[0].Reason != store.Away || m.gaps[0].Since != booted {
		t.Errorf("gaps: %+v", m.gaps)
	}
	if name, err := exec.Command("uname", "-n").Output(); err != nil || m.name+"\n" != string(name) {
		t.Errorf("the host is called %q, not %q, %v", m.name, name, err)
	}
}

// TestKeeperRestarts goes on after another one: nothing is doubled, and what ended
// meanwhile has.
func TestKeeperRestarts(t *testing.T) {
	m := newMemory()
	first := keep(t, "bpf", Options{Store: m})
	a, b := linuxtest.Start(t), linuxtest.Start(t)
	first.end(t)
	ids := map[int]process.ID{}
	for k := range m.processes {
		if k.ID.PID == a.PID || k.ID.PID == b.PID {
			ids[k.ID.PID] = k.ID
		}
	}
	a.Exit(0)
	m.mu.Lock()
	old := store.Process{Key: store.Key{Host: first.host, Boot: "another", ID: process.ID{PID: b.PID, Start: 5, Precision: process.Exact}}}
	m.processes[old.Key] = old
	known, mark := len(m.processes), m.mark
	m.mu.Unlock()
	second := keep(t, "bpf", Options{Store: m})
	second.end(t)
	for _, test := range []struct {
		pid  int
		ends process.Evidence
	}{{a.PID, process.Scanned}, {b.PID, process.Unknown}} {
		p := m.processes[store.Key{Host: first.host, Boot: first.boot, ID: ids[test.pid]}]
		if p.Exit.Evidence != test.ends {
			t.Errorf("%+v, want its end %v", p, test.ends)
		}
		if test.ends == process.Scanned && p.Exit.At < mark.Now {
			t.Errorf("it ended at %d, before %d", p.Exit.At, mark.Now)
		}
	}
	if p := m.processes[old.Key]; p.Exit.Evidence != process.Inferred {
		t.Errorf("of another boot: %+v", p)
	}
	count := map[int]int{}
	for k, p := range m.processes {
		if k.Boot == first.boot && p.Exit.Evidence == process.Unknown {
			count[k.ID.PID]++
		}
	}
	for pid, n := range count {
		if n > 1 {
			t.Errorf("PID %d is held by %d", pid, n)
		}
	}
	if known == 0 || len(m.gaps) != 2 || m.gaps[1].Since != mark.Now || m.gaps[1].Until < mark.Now {
		t.Errorf("gaps: %+v, after %d", m.gaps, mark.Now)
	}
}

// TestKeeperOutlastsStore has a store that hangs, and one that fails: what is not
// too much is written later, and of more it is said how much is missing.
func TestKeeperOutlastsStore(t *testing.T) {
	const children = 300
	storm := func() string { return run(t, "i=0; while [ $i -lt 300 ]; do /bin/true $1; i=$((i+1)); done") }
	// known is how many have ended of which the store has not taken the end yet.
	known := func(k *keeping, m *memory, mark string) int {
		ids := map[process.ID]bool{}
		add := func(p *store.Process) {
			if args := p.Command().Args; len(args) == 2 && args[1] == mark {
				ids[p.ID] = true
			}
		}
		for _, l := range k.changed {
			if l.ended {
				add(&l.p)
			}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := 0; m.held != nil && i < len(m.held.Processes); i++ {
			add(&m.held.Processes[i])
		}
		return len(ids)
	}
	count := func(m *memory, mark string) (n int) {
		for _, p := range m.processes {
			if args := p.Command().Args; len(args) == 2 && args[1] == mark {
				if p.Exit.Evidence != process.Observed {
					t.Errorf("%+v", p)
				}
				n++
			}
		}
		return n
	}
	lost := func(m *memory) (n int) {
		for _, g := range m.gaps {
			if g.Reason == store.Dropped {
				if g.Since == 0 || g.Until < g.Since {
					t.Errorf("%+v", g)
				}
				n += int(g.Lost)
			}
		}
		return n
	}
	full := errors.New("disk full")
	for name, test := range map[string]struct {
		most  int
		fails error
	}{
		"hangs": {0, nil}, "fails": {0, full}, "hangs for long": {100, nil}, "fails for long": {100, full},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			k := keep(t, "bpf", Options{Store: m, MaxPending: test.most})
			hangs := make(chan struct{})
			if test.fails != nil {
				m.set(test.fails, nil)
			} else {
				m.set(nil, hangs)
			}
			mark := storm()
			k.await(t, func() bool { // until the storm is known
				k.mu.Lock()
				defer k.mu.Unlock()
				return !slices.ContainsFunc(slices.Collect(maps.Values(k.living)), func(l *life) bool {
					args := l.p.Command().Args
					return len(args) > 0 && args[len(args)-1] == mark
				}) && (known(k, m, mark)+int(k.stats.Dropped) >= children || test.most > 0 && k.stats.Dropped > 0)
			})
			if test.fails != nil {
				k.await(t, func() bool { return k.Stats().Failed > 1 && errors.Is(k.Stats().Err, full) })
			}
			m.set(nil, nil)
			close(hangs)
			k.end(t)
			got, missing := count(m, mark), lost(m)
			if test.most == 0 && (got != children || missing != 0) {
				t.Errorf("%d written and %d missing of %d", got, missing, children)
			}
			if test.most > 0 && (missing == 0 || got+missing < children || uint64(missing) != k.Stats().Dropped) {
				t.Errorf("%d written and %d missing of %d: %+v", got, missing, children, k.Stats())
			}
			if k.Stats().Err != nil || k.Stats().Pending != 0 {
				t.Errorf("%+v", k.Stats())
			}
		})
	}
}

// TestKeeperPolls looks at processes where nothing tells of them.
func TestKeeperPolls(t *testing.T) {
	m := newMemory()
	k := keep(t, "procfs", Options{Store: m, Retention: time.Hour, HostName: "box"})
	a := linuxtest.Start(t)
	has := func(is func(p *store.Process) bool) func() bool {
		return func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range m.processes {
				if p.ID.PID == a.PID && is(&p) {
					return true
				}
			}
			return false
		}
	}
	k.await(t, has(func(p *store.Process) bool { return p.Exit.Evidence == process.Unknown && len(p.Execs) == 1 }))
	a.Exit(0)
	k.await(t, has(func(p *store.Process) bool { return p.Exit.Evidence == process.Scanned }))
	batches := k.Stats().Written
	k.end(t)
	if m.name != "box" {
		t.Errorf("the host is called %q", m.name)
	}
	if len(m.expired) != 1 || batches > uint64(3*len(m.processes)) {
		t.Errorf("expired %v; written %d times for %d processes", m.expired, batches, len(m.processes))
	}
}

// told is a tree that tells what a test says.
type told struct {
	events    chan lineage.Event
	mu        sync.Mutex
	processes []process.Process
}

func (f *told) Events(context.Context) (<-chan lineage.Event, error) { return f.events, nil }
func (f *told) Host() (string, string)                               { return "host", "boot" }
func (f *told) Container(*process.Process) (m container.Membership)  { return m }
func (f *told) Details(process.ID) (d process.Details, err error)    { return d, nil }

func (f *told) Processes() ([]process.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.processes), nil
}

func (f *told) ProcessByID(id process.ID) (process.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.processes {
		if p.ID == id {
			return p, nil
		}
	}
	return process.Process{}, lineage.ErrNotFound
}

// TestKeeperHeals loses events that the tree knows of.
func TestKeeperHeals(t *testing.T) {
	id := func(pid int) process.ID {
		return process.ID{PID: pid, Start: process.Instant(pid) * 1e9, Precision: process.Exact}
	}
	living := func(pid int) process.Process {
		return process.Process{ID: id(pid), Name: "p", State: process.Alive, Creator: process.Link{ID: id(1), Evidence: process.Observed}}
	}
	ended := func(pid int) process.Process {
		p := living(pid)
		p.State, p.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 50e9, Status: 3 << 8}
		return p
	}
	tree := &told{events: make(chan lineage.Event), processes: []process.Process{living(1), living(2), living(3)}}
	m := newMemory()
	k := New(Options{Tree: tree, Store: m, Interval: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	tree.events <- lineage.Event{Kind: process.Fork, Time: 4e9, Process: living(4)}
	tree.mu.Lock()
	tree.processes = []process.Process{living(1), ended(2), living(4), living(5)} // 3 is forgotten
	tree.mu.Unlock()
	tree.events <- lineage.Event{Kind: process.Loss, Since: 4e9, Time: 60e9}
	tree.events <- lineage.Event{Kind: process.Exited, Time: 61e9, Process: ended(2)} // which was on its way
	stop()
	close(tree.events)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for pid, want := range map[int]process.Evidence{1: process.Unknown, 2: process.Observed, 3: process.Scanned, 4: process.Unknown, 5: process.Unknown} {
		p, ok := m.processes[store.Key{Host: "host", Boot: "boot", ID: id(pid)}]
		if !ok || p.Exit.Evidence != want {
			t.Errorf("%d: %v %+v, want its end %v", pid, ok, p, want)
		}
	}
	if last := m.gaps[len(m.gaps)-1]; last.Reason != store.Lost || last.Since != 4e9 || last.Until != 60e9 {
		t.Errorf("%+v", m.gaps)
	}
}
