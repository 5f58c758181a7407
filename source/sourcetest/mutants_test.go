package sourcetest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// A mutant is the reference with a fault that others have had.
type mutant struct {
	reference
	limits []source.Limit // instead of the reference's

	event  func(*process.Event) (keep bool) // about each event of scans and reads
	scan   func(ctx context.Context, emit func(*process.Event)) error
	read   func(pid int, e *process.Event) error
	check  func(id process.ID, membership string) (source.Status, error)
	parent func(e *process.Event) // about the parent, in scans
}

func (m *mutant) Limits() []source.Limit {
	if m.limits != nil {
		return m.limits
	}
	return m.reference.Limits()
}

func (m *mutant) Scan(ctx context.Context, emit func(*process.Event)) error {
	scan := m.scan
	if scan == nil {
		scan = m.reference.Scan
	}
	return scan(ctx, func(e *process.Event) {
		if m.parent != nil {
			m.parent(e)
		}
		if m.event == nil || m.event(e) {
			emit(e)
		}
	})
}

func (m *mutant) Read(pid int, e *process.Event) error {
	read := m.read
	if read == nil {
		read = m.reference.Read
	}
	err := read(pid, e)
	if err == nil && m.event != nil && !m.event(e) {
		return source.ErrGone
	}
	return err
}

func (m *mutant) Check(id process.ID, membership string) (source.Status, error) {
	if m.check != nil {
		return m.check(id, membership)
	}
	return m.reference.Check(id, membership)
}

// change makes a fault out of a change to each event.
func change(f func(*process.Event)) func(*mutant) {
	return func(m *mutant) {
		m.event = func(e *process.Event) bool { f(e); return true }
	}
}

// drop makes a fault out of events that are missing.
func drop(f func(*process.Event) bool) func(*mutant) {
	return func(m *mutant) {
		m.event = func(e *process.Event) bool { return !f(e) }
	}
}

// claim makes a fault out of wrong limits.
func claim(limits ...source.Limit) func(*mutant) {
	return func(m *mutant) { m.limits = limits }
}

// remember makes a fault out of what is kept from the first reading.
func remember[T any](get func(*process.Event) *T) func(*mutant) {
	return func(m *mutant) {
		var mu sync.Mutex
		old := map[process.ID]T{}
		m.event = func(e *process.Event) bool {
			mu.Lock()
			defer mu.Unlock()
			if v, ok := old[e.ID]; ok {
				*get(e) = v
			} else {
				old[e.ID] = *get(e)
			}
			return true
		}
	}
}

// statusField reads a field of /proc/PID/status.
func statusField(pid int, name string) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(value)
		}
	}
	return nil
}

// countChildren counts the children of the leader.
func countChildren(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	return len(strings.Fields(string(text)))
}

var mutants = []struct {
	name   string
	scenes []string // each of which has to catch it
	break_ func(*mutant)
}{
	{"the grandparent passed off as the parent", []string{"tree", "double fork", "PID namespaces", "storm", "adoptions meanwhile"}, func(m *mutant) {
		m.parent = func(e *process.Event) {
			if up, err := m.settled(e.Parent.PID); err == nil && !up.NoParent && e.Parent.PID != os.Getpid() {
				e.Parent = up.Parent
			}
		}
	}},
	{"the parent it had at first sight", []string{"double fork", "nested subreapers", "adoption by init", "zombies"},
		remember(func(e *process.Event) *process.ID { return &e.Parent })},
	{"only the PID of the parent", []string{"reuse of a parent's PID", "tree"}, func(m *mutant) {
		m.parent = func(e *process.Event) { e.Parent = process.ID{PID: e.Parent.PID} }
	}},
	{"identity by PID", []string{"tree", "reuse within a tick"}, change(func(e *process.Event) {
		e.ID.Start, e.ID.Inode = process.FromTicks(1), 0
	})},
	{"identity by PID, exact at that", []string{"tree"}, change(func(e *process.Event) {
		e.ID.Precision = process.Exact
	})},
	{"identity by a start rounded to 100 ms", []string{"tree"}, change(func(e *process.Event) {
		e.ID.Start -= e.ID.Start % 1e8
	})},
	{"identity by the inode of /proc/PID", []string{"tree"}, change(func(e *process.Event) {
		e.ID.Inode = uint64(e.ID.PID)
	})},
	{"a tick for an identity, and no word of it", []string{"reuse within a tick", "tree"}, func(m *mutant) {
		m.inodes = false
		m.limits = []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen}
	}},
	{"comm to the first bracket", []string{"names"}, change(func(e *process.Event) {
		e.Name, _, _ = strings.Cut(e.Name, ")")
	})},
	{"comm without spaces", []string{"names"}, change(func(e *process.Event) {
		e.Name = strings.Join(strings.Fields(e.Name), " ")
	})},
	{"comm as valid UTF-8", []string{"names"}, change(func(e *process.Event) {
		e.Name = strings.ToValidUTF8(e.Name, "?")
	})},
	{"the name from before exec", []string{"exec", "exec by a worker thread", "vfork"},
		remember(func(e *process.Event) *string { return &e.Name })},
	{"every other one is missing", []string{"deep", "siblings", "storm"}, drop(func(e *process.Event) bool {
		return e.ID.PID%2 == 0
	})},
	{"missing in a crowd", []string{"storm"}, func(m *mutant) {
		m.scan = func(ctx context.Context, emit func(*process.Event)) error {
			return m.reference.Scan(ctx, func(e *process.Event) {
				if e.Kernel || countChildren(e.Parent.PID) < 20 {
					emit(e)
				}
			})
		}
	}},
	{"a wrong parent in a crowd", []string{"storm"}, func(m *mutant) {
		m.scan = func(ctx context.Context, emit func(*process.Event)) error {
			var last process.ID
			return m.reference.Scan(ctx, func(e *process.Event) {
				if last.Known() && countChildren(e.Parent.PID) >= 20 {
					e.Parent = last
				}
				last = e.ID
				emit(e)
			})
		}
	}},
	{"what has ended is missing while it is a zombie", []string{"zombies", "double fork"}, drop(func(e *process.Event) bool {
		return e.Zombie
	})},
	{"zombies as alive", []string{"zombies", "double fork"}, change(func(e *process.Event) { e.Zombie = false })},
	{"a zombie's cgroup as the kernel shows it", []string{"cgroup of the dying"}, change(func(e *process.Event) {
		if e.Zombie {
			e.Cgroup.Group = "/"
		}
	})},
	{"a headless process in the leader's cgroup", []string{"cgroup of the dying"}, change(func(e *process.Event) {
		if st, err := linuxtest.ReadStat(e.ID.PID); err == nil && st.State == 'Z' && !e.Zombie {
			e.Cgroup = process.Cgroup{Membership: "1:cpu:/\n", Group: "/"}
		}
	})},
	{"the cgroup at first sight", []string{"cgroups"},
		remember(func(e *process.Event) *process.Cgroup { return &e.Cgroup })},
	{"the leader's exit for the process's", []string{"leader first", "exec by a worker thread", "storm"}, change(func(e *process.Event) {
		st, err := linuxtest.ReadStat(e.ID.PID)
		e.Zombie = err == nil && st.State == 'Z'
	})},
	{"threads for processes", []string{"worker threads"}, func(m *mutant) {
		m.scan = func(ctx context.Context, emit func(*process.Event)) error {
			return m.reference.Scan(ctx, func(e *process.Event) {
				emit(e)
				tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", e.ID.PID))
				for _, task := range tasks {
					thread := *e
					if thread.ID.PID, _ = strconv.Atoi(task.Name()); thread.ID.PID != e.ID.PID {
						emit(e)
					}
				}
			})
		}
	}},
	{"no process for a TID", []string{"worker threads", "leader first"}, func(m *mutant) {
		m.read = func(pid int, e *process.Event) error {
			if err := m.reference.Read(pid, e); err != nil {
				return err
			}
			if e.ID.PID != pid {
				return source.ErrGone
			}
			return nil
		}
	}},
	{"the group for the session", []string{"sessions"}, change(func(e *process.Event) { e.SessionID = e.GroupID })},
	{"the session at first sight", []string{"sessions"}, remember(func(e *process.Event) *int { return &e.SessionID })},
	{"PIDs of the inner namespace", []string{"PID namespaces"}, change(func(e *process.Event) {
		if pids := statusField(e.ID.PID, "NSpid"); len(pids) > 1 {
			e.ID.PID, _ = strconv.Atoi(pids[len(pids)-1])
		}
	})},
	{"processes of inner namespaces are missing", []string{"PID namespaces"}, drop(func(e *process.Event) bool {
		return len(statusField(e.ID.PID, "NSpid")) > 1
	})},
	{"an init of a namespace without a parent", []string{"PID namespaces"}, change(func(e *process.Event) {
		if pids := statusField(e.ID.PID, "NSpid"); len(pids) > 1 && pids[len(pids)-1] == "1" {
			e.Parent, e.NoParent = process.ID{}, true
		}
	})},
	{"the first scan for all", []string{"exits", "double fork", "siblings"}, func(m *mutant) {
		var first []process.Event
		m.scan = func(ctx context.Context, emit func(*process.Event)) error {
			if first == nil {
				if err := m.reference.Scan(ctx, func(e *process.Event) { first = append(first, *e) }); err != nil {
					return err
				}
			}
			for _, e := range first {
				e.Time = linuxtest.Now()
				emit(&e)
			}
			return nil
		}
	}},
	{"a reading from before", []string{"tree"}, change(func(e *process.Event) { e.Time -= 1e9 })},
	{"a scan that cannot be stopped", []string{"errors"}, func(m *mutant) {
		m.scan = func(_ context.Context, emit func(*process.Event)) error {
			return m.reference.Scan(context.Background(), emit)
		}
	}},
	{"a check of the PID alone", []string{"reuse within a tick", "reuse of a parent's PID", "errors"}, func(m *mutant) {
		m.check = func(id process.ID, membership string) (source.Status, error) {
			var e process.Event
			if err := m.Read(id.PID, &e); err != nil {
				return source.Status{}, err
			}
			return m.reference.Check(e.ID, membership)
		}
	}},
	{"a check that sees no move", []string{"tree", "cgroups"}, func(m *mutant) {
		m.check = func(id process.ID, _ string) (source.Status, error) { return m.reference.Check(id, "") }
	}},
	{"a check that sees moves where there are none", []string{"tree", "cgroups"}, func(m *mutant) {
		m.check = func(id process.ID, _ string) (source.Status, error) { return m.reference.Check(id, "0::/never\n") }
	}},
	{"a check that sees no adoption", []string{"double fork", "adoption by init"}, func(m *mutant) {
		var mu sync.Mutex
		parents := map[process.ID]int{}
		m.check = func(id process.ID, membership string) (source.Status, error) {
			st, err := m.reference.Check(id, membership)
			mu.Lock()
			defer mu.Unlock()
			if old, ok := parents[id]; ok {
				st.ParentPID = old
			}
			parents[id] = st.ParentPID
			return st, err
		}
	}},
	{"what is gone as hidden", []string{"exits", "errors"}, func(m *mutant) {
		m.read = func(pid int, e *process.Event) error {
			if err := m.reference.Read(pid, e); err != nil {
				return source.ErrHidden
			}
			return nil
		}
	}},
	{"threads of the kernel as programs", []string{"threads of the kernel"}, change(func(e *process.Event) { e.Kernel = false })},
	{"whoever adopted for the creator", []string{"opened late", "double fork", "zombies"}, change(func(e *process.Event) {
		e.Adoption = process.AdoptsNone
	})},
	{"more limits than it has", []string{"tree", "deep"}, claim(source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen, source.TicksOnly)},
	{"no word of missing creators", []string{"tree"}, claim(source.ShortLivedUnseen, source.ExitsUnseen)},
	{"no word of missing short lives", []string{"short lives"}, claim(source.CreatorsUnseen, source.ExitsUnseen)},
	{"no word of missing exits", []string{"exits"}, claim(source.CreatorsUnseen, source.ShortLivedUnseen)},
	{"a limit twice", []string{"tree"}, claim(source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsUnseen, source.ExitsUnseen)},
}

// TestMutants holds the suite to what it is for.
func TestMutants(t *testing.T) {
	linuxtest.Need(t, linuxtest.Pidfs)
	for _, mu := range mutants {
		t.Run(mu.name, func(t *testing.T) {
			mustCatch(t, mu.scenes, func(*testing.T) source.Source {
				m := &mutant{reference: reference{inodes: true}}
				mu.break_(m)
				return m
			})
		})
	}
}

// mustCatch fails the test if one of the scenes finds no fault in the source.
func mustCatch(t *testing.T, names []string, open func(*testing.T) source.Source) {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(scenes, func(s scene) bool { return s.name == name })
		if i < 0 {
			t.Fatalf("there is no scene %q", name)
		}
		t.Run(name, func(t *testing.T) {
			linuxtest.Need(t, scenes[i].needs...)
			problems := scenes[i].perform(t, open, true)
			if len(problems) == 0 {
				t.Error("not caught")
			} else {
				t.Logf("%d, the first: %s", len(problems), problems[0])
			}
		})
	}
}
