package sourcetest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/bpf"
)

// A liveMutant is a live source with a fault.
type liveMutant struct {
	source.Live
	limits []source.Limit

	// tell hands on what an event has become.
	tell  func(e *process.Event, emit func(*process.Event))
	after func(emit func(*process.Event)) // at the end of each drain
	seen  func(*process.Event)            // about each event of a scan
	idle  bool                            // nothing is ever pending
	wait  func(context.Context) error
}

func (m *liveMutant) Limits() []source.Limit { return m.limits }

// Close leaves the source to the next mutant.
func (m *liveMutant) Close() error { return nil }

func (m *liveMutant) Pending() bool { return !m.idle && m.Live.Pending() }

func (m *liveMutant) Wait(ctx context.Context) error {
	if m.wait != nil {
		return m.wait(ctx)
	}
	return m.Live.Wait(ctx)
}

func (m *liveMutant) Scan(ctx context.Context, emit func(*process.Event)) error {
	return m.Live.Scan(ctx, func(e *process.Event) {
		if m.seen != nil {
			m.seen(e)
		}
		emit(e)
	})
}

func (m *liveMutant) Drain(emit func(*process.Event)) error {
	err := m.Live.Drain(func(e *process.Event) {
		if m.tell != nil {
			m.tell(e, emit)
		} else {
			emit(e)
		}
	})
	if m.after != nil {
		m.after(emit)
	}
	return err
}

// changing makes a fault out of a change to each event of a kind.
func changing(kind process.Kind, f func(*process.Event)) func(*liveMutant) {
	return func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == kind {
				f(e)
			}
			emit(e)
		}
	}
}

// silent makes a fault out of events that are not told.
func silent(f func(*process.Event) bool) func(*liveMutant) {
	return func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if !f(e) {
				emit(e)
			}
		}
	}
}

func claiming(limits ...source.Limit) func(*liveMutant) {
	return func(m *liveMutant) { m.limits = limits }
}

// held tells each event of a kind with the next drain.
func held(kind process.Kind) func(*liveMutant) {
	return func(m *liveMutant) {
		var now, next []process.Event
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == kind {
				next = append(next, *e)
			} else {
				emit(e)
			}
		}
		m.after = func(emit func(*process.Event)) {
			for i := range now {
				emit(&now[i])
			}
			now, next = next, nil
		}
	}
}

var liveMutants = []struct {
	name   string
	scenes []string // each of which has to catch it
	break_ func(*liveMutant)
}{
	{"one birth in ten is not told", []string{"deep", "storm", "siblings"}, silent(func(e *process.Event) bool {
		return e.Kind == process.Fork && e.ID.PID%10 == 0
	})},
	{"one end in ten is not told", []string{"siblings", "storm"}, silent(func(e *process.Event) bool {
		return e.Kind == process.Exited && e.ID.PID%10 == 0
	})},
	{"no exec is told", []string{"exec", "vfork"}, silent(func(e *process.Event) bool { return e.Kind == process.Exec })},
	{"no end is told", []string{"exits", "zombies"}, silent(func(e *process.Event) bool { return e.Kind == process.Exited })},
	{"no move is told", []string{"cgroups", "cgroup of the dying"}, silent(func(e *process.Event) bool { return e.Kind == process.Moved })},
	{"births a drain late", []string{"tree", "double fork"}, held(process.Fork)},
	{"ends a drain late", []string{"exits", "double fork"}, held(process.Exited)},
	{"moves a drain late", []string{"cgroups"}, held(process.Moved)},
	{"events twice", []string{"tree"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) { emit(e); emit(e) }
	}},
	{"births twice, the second later", []string{"tree"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			emit(e)
			if e.Kind == process.Fork {
				e.Time++
				emit(e)
			}
		}
	}},
	{"all at one instant", []string{"tree"}, func(m *liveMutant) {
		now := linuxtest.Now()
		m.tell = func(e *process.Event, emit func(*process.Event)) { e.Time = now; emit(e) }
	}},
	{"the newest first", []string{"double fork"}, func(m *liveMutant) {
		var all []process.Event
		m.tell = func(e *process.Event, _ func(*process.Event)) { all = append(all, *e) }
		m.after = func(emit func(*process.Event)) {
			for _, e := range slices.Backward(all) {
				emit(&e)
			}
			all = nil
		}
	}},
	{"times of the drain", []string{"exits", "tree"}, func(m *liveMutant) {
		last := process.Instant(0)
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			last = max(last+1, linuxtest.Now())
			e.Time = last
			emit(e)
		}
	}},
	{"times ahead", []string{"tree"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) { e.Time += 1e9; emit(e) }
	}},
	{"births as seen", []string{"tree"}, changing(process.Fork, func(e *process.Event) { e.Kind = process.Seen })},
	{"the parent for the creator", []string{"CLONE_PARENT"}, changing(process.Fork, func(e *process.Event) { e.Creator = e.Parent })},
	{"the creator for the parent", []string{"CLONE_PARENT"}, changing(process.Fork, func(e *process.Event) { e.Parent = e.Creator })},
	{"no creator, and no word of it", []string{"tree"}, changing(process.Fork, func(e *process.Event) { e.Creator = process.ID{} })},
	{"only the PID of the parent, at birth", []string{"tree"}, changing(process.Fork, func(e *process.Event) {
		e.Parent = process.ID{PID: e.Parent.PID}
	})},
	{"no cgroup at birth", []string{"tree"}, changing(process.Fork, func(e *process.Event) { e.Cgroup = process.Cgroup{} })},
	{"the name of before at birth", []string{"names"}, changing(process.Fork, func(e *process.Event) { e.Name = "init" })},
	{"threads for processes", []string{"worker threads"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			emit(e)
			if e.Kind == process.Fork {
				e.ID.PID, e.Creator, e.Time = e.ID.PID+1, e.ID, e.Time+1
				e.ID.Inode++
				emit(e)
			}
		}
	}},
	{"a kernel's thread at birth", []string{"tree"}, changing(process.Fork, func(e *process.Event) { e.Kernel = true })},
	{"PIDs from the inside out", []string{"PID namespaces"}, changing(process.Fork, func(e *process.Event) { slices.Reverse(e.NamespacePIDs) })},
	{"only the first PID", []string{"PID namespaces"}, changing(process.Fork, func(e *process.Event) { e.NamespacePIDs = e.NamespacePIDs[:1] })},
	{"root for all", []string{"owners"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			e.Owner = process.Owner{Known: e.Owner.Known}
			emit(e)
		}
	}},
	{"the owner of before exec", []string{"owners"}, changing(process.Exec, func(e *process.Event) { e.Owner = process.Owner{Known: true} })},
	{"no owner", []string{"tree"}, changing(process.Fork, func(e *process.Event) { e.Owner = process.Owner{} })},
	{"the group for the session", []string{"sessions"}, changing(process.Fork, func(e *process.Event) { e.SessionID = e.GroupID })},
	{"no session at exec", []string{"exec"}, changing(process.Exec, func(e *process.Event) { e.GroupID, e.SessionID = 0, 0 })},
	{"no terminal at birth", []string{"terminal"}, changing(process.Fork, func(e *process.Event) { e.TTY = 0 })},
	{"no terminal at exec", []string{"terminal"}, changing(process.Exec, func(e *process.Event) { e.TTY = 0 })},
	{"the name of before exec", []string{"exec"}, func(m *liveMutant) {
		names := map[process.ID]string{}
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			old, ok := names[e.ID]
			names[e.ID] = e.Name
			if ok && e.Kind == process.Exec {
				e.Name = old
			}
			emit(e)
		}
	}},
	{"the name for the file", []string{"exec"}, changing(process.Exec, func(e *process.Event) { e.File = "/bin/" + e.Name[:min(3, len(e.Name))] })},
	{"arguments by spaces", []string{"exec"}, changing(process.Exec, func(e *process.Event) { e.Args = strings.Fields(strings.Join(e.Args, " ")) })},
	{"one argument less", []string{"exec"}, changing(process.Exec, func(e *process.Event) {
		if n := len(e.Args); n > 1 {
			e.Args = e.Args[:n-1]
		}
	})},
	{"whole arguments said to be cut", []string{"exec"}, changing(process.Exec, func(e *process.Event) { e.ArgsCut = true })},
	{"the exit code for the status", []string{"exits"}, changing(process.Exited, func(e *process.Event) { e.Status >>= 8 })},
	{"killed as exited", []string{"exits"}, changing(process.Exited, func(e *process.Event) {
		if e.Status.Signaled() {
			e.Status = syscall.WaitStatus(128+int(e.Status)) << 8
		}
	})},
	{"nobody adopts", []string{"double fork", "zombies", "nested subreapers"}, changing(process.Exited, func(e *process.Event) { e.Adopter = process.ID{} })},
	{"whoever adopted first adopts all", []string{"nested subreapers", "PID namespaces"}, func(m *liveMutant) {
		var first process.ID
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == process.Exited {
				if first.IsZero() {
					first = e.Adopter
				}
				e.Adopter = first
			}
			emit(e)
		}
	}},
	{"memory in bytes for pages", []string{"exits"}, changing(process.Exited, func(e *process.Event) { e.Usage.MaxRSS *= 4096 * 4096 })},
	{"time since boot for time used", []string{"exits"}, changing(process.Exited, func(e *process.Event) { e.Usage.User += 1e13 })},
	{"the use of those below with it", []string{"usage"}, func(m *liveMutant) {
		creators, below := map[process.ID]process.ID{}, map[process.ID]process.Usage{}
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == process.Fork {
				creators[e.ID] = e.Creator
			} else if u := &e.Usage; e.Kind == process.Exited {
				u.ReadBytes += below[e.ID].ReadBytes
				u.WrittenBytes += below[e.ID].WrittenBytes
				all := below[creators[e.ID]]
				all.ReadBytes += u.ReadBytes
				all.WrittenBytes += u.WrittenBytes
				below[creators[e.ID]] = all
			}
			emit(e)
		}
	}},
	{"nothing read", []string{"usage"}, changing(process.Exited, func(e *process.Event) { e.Usage.ReadBytes = 0 })},
	{"blocks for bytes written", []string{"usage"}, changing(process.Exited, func(e *process.Event) { e.Usage.WrittenBytes >>= 9 })},
	{"the memory of the creator", []string{"usage"}, func(m *liveMutant) {
		peaks := map[process.ID]uint64{}
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == process.Exited {
				e.Usage.MaxRSS = max(e.Usage.MaxRSS, peaks[e.ID])
			} else if peak := statusField(e.Creator.PID, "VmHWM"); e.Kind == process.Fork && peak != nil {
				kib, _ := strconv.ParseUint(peak[0], 10, 64)
				peaks[e.ID] = kib << 10
			}
			emit(e)
		}
	}},
	{"the memory of the program before", []string{"usage"}, func(m *liveMutant) {
		peaks := map[process.ID]uint64{}
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			if e.Kind == process.Exited {
				e.Usage.MaxRSS += peaks[e.ID]
			} else if e.Kind == process.Exec {
				peaks[e.ID] = hogged
			}
			emit(e)
		}
	}},
	{"memory said to be told too high", []string{"usage"}, claiming(source.PeaksInherited)},
	{"no usage", []string{"exits"}, changing(process.Exited, func(e *process.Event) { e.Usage = process.Usage{} })},
	{"the leader's exit for the process's", []string{"leader first", "exec by a worker thread"}, func(m *liveMutant) {
		alive := map[process.ID]bool{}
		var last process.Instant
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			last = max(last+1, e.Time)
			e.Time = last
			switch {
			case e.Kind == process.Fork:
				alive[e.ID] = true
			case e.Kind == process.Exited && !alive[e.ID]:
				return
			case e.Kind == process.Exited:
				delete(alive, e.ID)
			}
			emit(e)
		}
		m.after = func(emit func(*process.Event)) {
			for id := range alive {
				if st, err := linuxtest.ReadStat(id.PID); err == nil && st.State == 'Z' {
					delete(alive, id)
					last++
					emit(&process.Event{Kind: process.Exited, Time: last, ID: id})
				}
			}
		}
	}},
	{"moved to nowhere", []string{"cgroups"}, changing(process.Moved, func(e *process.Event) { e.Cgroup = process.Cgroup{} })},
	{"moved to where it was", []string{"cgroups"}, func(m *liveMutant) {
		var mu sync.Mutex
		was := map[process.ID]process.Cgroup{}
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			mu.Lock()
			defer mu.Unlock()
			if old, ok := was[e.ID]; ok && e.Kind == process.Moved {
				e.Cgroup = old
			}
			if e.Kind == process.Fork {
				was[e.ID] = e.Cgroup
			}
			emit(e)
		}
	}},
	{"identity by a start rounded to ticks, exact at that", []string{"tree"}, func(m *liveMutant) {
		m.tell = func(e *process.Event, emit func(*process.Event)) {
			e.ID.Start -= e.ID.Start % process.Instant(process.Tick)
			e.ID.Inode = 0
			emit(e)
		}
	}},
	{"another identity in scans than in events", []string{"tree"}, func(m *liveMutant) {
		m.seen = func(e *process.Event) { e.ID.Start++; e.ID.Inode = 0 }
	}},
	{"zombies as alive in scans", []string{"zombies"}, func(m *liveMutant) {
		m.seen = func(e *process.Event) { e.Zombie = false }
	}},
	{"nothing is ever pending", []string{"tree"}, func(m *liveMutant) { m.idle = true }},
	{"a wait that cannot be stopped", []string{"errors"}, func(m *liveMutant) {
		m.wait = func(ctx context.Context) error { <-ctx.Done(); return nil }
	}},
	{"creators said to be missing", []string{"double fork"}, claiming(source.CreatorsUnseen)},
	{"ends said to be missing", []string{"exits"}, claiming(source.ExitsUnseen)},
	{"short lives said to be missing", []string{"short lives"}, claiming(source.ShortLivedUnseen)},
	{"moves said to be missing", []string{"cgroups"}, claiming(source.MovesUnseen)},
	{"identities said to be missing", []string{"tree"}, claiming(source.TicksOnly)},
}

// TestLiveMutants holds the suite to what it is for where events are told.
func TestLiveMutants(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Pidfs)
	src, err := bpf.Open(bpf.Options{Buffer: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}()
	// opened is the source as if it had just been opened.
	opened := func(t *testing.T) source.Live {
		if err := src.Drain(func(*process.Event) {}); err != nil {
			t.Fatal(err)
		}
		return src
	}
	for _, mu := range liveMutants {
		t.Run(mu.name, func(t *testing.T) {
			mustCatch(t, mu.scenes, func(t *testing.T) source.Source {
				m := &liveMutant{Live: opened(t)}
				mu.break_(m)
				return m
			})
		})
	}
}
