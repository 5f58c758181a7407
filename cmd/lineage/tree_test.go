package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
)

const hexID = "8fbd0ec4a1dba3ec6a8ed3e3c1ab2a6ef9f1b1e6f2f8a9a1b2c3d4e5f6a7b8c9"

// host is a small host with all that a tree has to show.
func host() []process.Process {
	container := "/system.slice/docker-" + hexID + ".scope"
	procs := []process.Process{
		{ID: process.ID{PID: 1}, Name: "systemd"},
		{ID: process.ID{PID: 2}, Name: "kthreadd", Kernel: true},
		{ID: process.ID{PID: 3}, Name: "kworker/0:1", Kernel: true, Parent: below(2)},
		{ID: process.ID{PID: 700}, Name: "sshd", Parent: below(1), Cgroup: in("/system.slice/ssh.service")},
		{ID: process.ID{PID: 902}, Name: "containerd-shim", Parent: below(1), Cgroup: in("/system.slice/containerd.service")},
		{ID: process.ID{PID: 990}, Name: "nginx", Parent: below(902), Cgroup: in(container)},
		{ID: process.ID{PID: 1011}, Name: "nginx", Parent: below(990), Cgroup: in(container)},
		{ID: process.ID{PID: 1012}, Name: "nginx", Parent: below(990), Cgroup: in(container)},
		{ID: process.ID{PID: 1100}, Name: "sshd-session", Parent: below(700), SessionID: 1100, Cgroup: in("/user.slice/user-1000.slice/session-4.scope")},
		{ID: process.ID{PID: 1101}, Name: "bash", Parent: below(1100), SessionID: 1101, TTY: 0x8802, Cgroup: in("/user.slice/user-1000.slice/session-4.scope")},
		{ID: process.ID{PID: 1102}, Name: "make", Parent: below(1101), SessionID: 1101, TTY: 0x8802, Cgroup: in("/user.slice/user-1000.slice/session-4.scope")},
		{ID: process.ID{PID: 1500}, Name: "evil\x1b[31m\n", Parent: below(1)},
		{ID: process.ID{PID: 1501}, Name: "defunct", State: process.Zombie, Parent: below(1)},
		{ID: process.ID{PID: 1502}, Name: "entered", Cgroup: in("/")},
	}
	for pid := 2000; pid < 2212; pid++ {
		procs = append(procs, process.Process{ID: process.ID{PID: pid}, Name: "cc1", Parent: below(1102), SessionID: 1101, TTY: 0x8802, Cgroup: in("/user.slice/user-1000.slice/session-4.scope")})
	}
	for i := range procs {
		p := &procs[i]
		p.ID.Start, p.ID.Precision = process.FromTicks(uint64(p.ID.PID)), process.ToTick
		if p.State == process.Unseen {
			p.State = process.Alive
		}
		if p.Parent.Evidence == process.Unknown && p.Name != "entered" {
			p.Parent.Evidence = process.Scanned // it has none
		}
	}
	return procs
}

func below(pid int) process.Link {
	return process.Link{ID: process.ID{PID: pid}, Evidence: process.Scanned}
}

func in(path string) process.Cgroup {
	return process.Cgroup{Membership: "0::" + path + "\n", Group: path}
}

// view prepares a tree of the host above, as lineage tree does.
func view(flags treeFlags, tops ...int) (*treeView, []grove) {
	if flags.by.value == "" {
		flags.by.value = "none"
	}
	v := &treeView{flags: flags, forest: newForest(host()), describer: answer.NewDescriber(clock{}, nil)}
	if !flags.kernel {
		v.kernel = v.forest.hide(func(p *process.Process) bool { return p.Kernel })
	}
	if len(tops) > 0 {
		var ids []process.ID
		for _, p := range host() {
			if slices.Contains(tops, p.ID.PID) {
				ids = append(ids, p.ID)
			}
		}
		v.forest.keepBelow(ids)
	}
	if flags.match != "" {
		v.forest.keepMatches(v.matcher())
	}
	return v, v.forest.groves(flags.by.value, v.describer)
}

// clock is a library that knows nothing but the time.
type clock struct{}

func (clock) Time(i process.Instant) time.Time { return time.Unix(1_800_000_000, int64(i)) }
func (clock) Details(process.ID) (process.Details, error) {
	return process.Details{}, io.EOF
}

func TestTreeGolden(t *testing.T) {
	tests := []struct {
		file  string
		width int
		flags treeFlags
		tops  []int
	}{
		{file: "tree.txt"},
		{file: "tree_pids_60.txt", width: 60, flags: treeFlags{pids: true}},
		{file: "tree_kernel.txt", flags: treeFlags{kernel: true, depth: 2}},
		{file: "tree_match.txt", flags: treeFlags{match: "NGINX", pids: true}},
		{file: "tree_target.txt", flags: treeFlags{pids: true}, tops: []int{990, 1012, 1101}},
		{file: "tree_by_container.txt", flags: treeFlags{by: choice{value: "container"}}},
		{file: "tree_by_container_60.txt", width: 60, flags: treeFlags{by: choice{value: "container"}}},
		{file: "tree_by_unit.txt", flags: treeFlags{by: choice{value: "unit"}}},
		{file: "tree_by_session.txt", flags: treeFlags{by: choice{value: "session"}}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			golden(t, test.file, test.width, func(s *screen) {
				v, groves := view(test.flags, test.tops...)
				v.screen = s
				v.write(groves)
				s.sentence("shown", v.summary(), dim)
			})
		})
	}
}

// TestTreeExitedGolden draws a shell whose children ended, one of which had the
// PID that another one has now.
func TestTreeExitedGolden(t *testing.T) {
	child := func(pid int, start process.Instant, parent process.ID, status int) process.Process {
		p := process.Process{ID: process.ID{PID: pid, Start: start, Precision: process.Exact}, Name: "cc1", State: process.Ended, Parent: by(parent)}
		p.Exit = process.Exit{Evidence: process.Observed, At: start + 1, Status: syscall.WaitStatus(status)}
		return p
	}
	shell := process.Process{ID: exactly(10, 1), Name: "bash", State: process.Alive, Parent: process.Link{Evidence: process.Scanned}}
	makes := child(20, 2, shell.ID, 2<<8)
	makes.Name = "make"
	again := child(20, 9, shell.ID, 0)
	again.Name, again.State, again.Exit = "vi", process.Alive, process.Exit{}
	gone := child(26, 7, shell.ID, 0)
	gone.Exit.Evidence = process.Scanned
	var x exited
	for _, p := range []process.Process{makes, child(21, 3, makes.ID, 0), child(22, 4, makes.ID, 0), child(23, 5, makes.ID, 1<<8), child(24, 6, makes.ID, 9), gone, shell} {
		x.take(&lineage.Event{Kind: process.Exited, Process: p})
	}
	golden(t, "tree_exited.txt", 0, func(s *screen) {
		v := &treeView{flags: treeFlags{pids: true, exited: time.Minute}, forest: newForest(x.with([]process.Process{shell, again})), describer: answer.NewDescriber(clock{}, nil), screen: s}
		v.write(v.forest.groves("none", v.describer))
		s.sentence("shown", v.summary(), dim)
	})
}

// TestTreeTargetEnded has a target that ended, and whose PID was reused, before
// the others were read.
func TestTreeTargetEnded(t *testing.T) {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	others := slices.DeleteFunc(host(), func(p process.Process) bool { return p.ID.PID == os.Getpid() })
	reused := process.Process{ID: process.ID{PID: os.Getpid(), Start: 1, Precision: process.ToTick}, Name: "another"}
	for name, read := range map[string][]process.Process{"ended": others, "reused": append(others, reused)} {
		f := newFinder(&app{stdout: discard()}, tree)
		f.read = read
		err := drawTree(f, treeFlags{by: choice{value: "none"}}, []string{fmt.Sprint(os.Getpid())})
		if got := exitStatus(err); got != exitNotFound {
			t.Errorf("%s: status %d, want %d: %v", name, got, exitNotFound, err)
		}
	}
}

// TestTreeShowsEach counts: each process is in the text once, and in JSON once
// and after its parent.
func TestTreeShowsEach(t *testing.T) {
	for _, by := range []string{"none", "container", "unit", "session"} {
		v, groves := view(treeFlags{by: choice{value: by}, pids: true, kernel: true})
		text := drawn(0, func(s *screen) { v.screen = s; v.write(groves) })
		seen := map[int]int{}
		for field := range strings.FieldsSeq(stripParents(text)) {
			var pid int
			if _, err := fmt.Sscanf(field, "%d", &pid); err == nil && fmt.Sprint(pid) == field {
				seen[pid]++
			}
		}
		objects := v.objects(groves)
		if len(objects) != len(host()) {
			t.Errorf("by %s: %d objects of %d processes", by, len(objects), len(host()))
		}
		for _, p := range host() {
			if seen[p.ID.PID] != 1 && by != "session" { // there PIDs are in the headings
				t.Errorf("by %s: %d is there %d times", by, p.ID.PID, seen[p.ID.PID])
			}
		}
		depth := map[int]int{}
		for _, o := range objects {
			depth[o.PID] = *o.Depth
			if *o.Depth > 0 && depth[*o.PPID] != *o.Depth-1 {
				t.Errorf("by %s: %d is not below its parent", by, o.PID)
			}
		}
	}
}

// stripParents takes out what stands after an arrow and the headings.
func stripParents(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		before, _, _ := strings.Cut(line, "  ← ")
		if !strings.HasPrefix(line, "unit ") && !strings.HasPrefix(line, "container ") && !strings.Contains(line, " processes") {
			kept = append(kept, before)
		}
	}
	return strings.Join(kept, "\n")
}

// TestForestCircles reads parents that run in a circle, as PIDs read one after
// the other can.
func TestForestCircles(t *testing.T) {
	procs := []process.Process{
		{ID: process.ID{PID: 10}, Parent: below(12)},
		{ID: process.ID{PID: 11}, Parent: below(10)},
		{ID: process.ID{PID: 12}, Parent: below(11)},
		{ID: process.ID{PID: 13}, Parent: below(12)},
		{ID: process.ID{PID: 14}, Parent: below(14)},
	}
	f := newForest(procs)
	f.link(func(_, _ int32) bool { return true })
	total := 0
	for _, r := range f.roots {
		total += 1 + f.below(r)
	}
	if total != len(procs) {
		t.Errorf("%d of %d processes are in the forest", total, len(procs))
	}
}

// TestForestReusedPID has a parent link to a process that no longer has the
// PID.
func TestForestReusedPID(t *testing.T) {
	old := process.ID{PID: 10, Start: 5, Precision: process.Exact}
	procs := []process.Process{
		{ID: process.ID{PID: 10, Start: 90, Precision: process.Exact}},
		{ID: process.ID{PID: 11, Start: 7, Precision: process.Exact}, Parent: process.Link{ID: old, Evidence: process.Scanned}},
	}
	f := newForest(procs)
	f.link(func(_, _ int32) bool { return true })
	if len(f.roots) != 2 {
		t.Errorf("roots = %d: a process was put below one that only has its parent's PID", len(f.roots))
	}
}

func BenchmarkTree(b *testing.B) {
	const n = 20_000
	procs := make([]process.Process, n)
	for i := range procs {
		procs[i] = process.Process{
			ID:    process.ID{PID: i + 1, Start: process.FromTicks(uint64(i)), Precision: process.ToTick},
			Name:  fmt.Sprint("proc", i%100),
			State: process.Alive, Parent: below(i / 8), Cgroup: in(fmt.Sprint("/system.slice/s", i%300, ".service")),
		}
	}
	for _, by := range []string{"none", "unit"} {
		b.Run(by, func(b *testing.B) {
			for b.Loop() {
				v := &treeView{flags: treeFlags{pids: true, all: true}, forest: newForest(procs), describer: answer.NewDescriber(clock{}, nil)}
				groves := v.forest.groves(by, v.describer)
				v.screen = &screen{w: bufio.NewWriterSize(io.Discard, 64<<10), width: 120}
				v.write(groves)
			}
		})
	}
}
