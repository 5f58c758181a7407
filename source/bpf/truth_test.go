package bpf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
)

// A birth is an entry in the log of testdata/storm.c: the truth of one child.
type birth struct {
	Before, After               process.Instant // the fork and the wait
	Parent, PID, Status, Number uint32
}

const (
	stormWorkers  = 2
	stormChildren = 10_000 // of each worker
	stormKeep     = 8
)

// storming is the storm program.
type storming string

func buildStorm(t testing.TB) storming {
	t.Helper()
	linuxtest.Need(t, linuxtest.BPF, linuxtest.CC)
	path := filepath.Join(t.TempDir(), "storm")
	if out, err := exec.Command("cc", "-static", "-O2", "-o", path, "testdata/storm.c").CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return storming(path)
}

// run makes a storm, of programs or of forks, and returns its log.
func (s storming) run(t testing.TB, kind string) []birth {
	t.Helper()
	name := filepath.Join(t.TempDir(), kind)
	log, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) // of several writers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(string(s), strconv.Itoa(stormWorkers), strconv.Itoa(stormChildren), strconv.Itoa(stormKeep), kind)
	cmd.Stdout, cmd.Stderr = log, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("storm: %v", err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	births := make([]birth, stormWorkers*stormChildren)
	if err := binary.Read(bytes.NewReader(text), binary.NativeEndian, births); err != nil || len(text) != binary.Size(births) {
		t.Fatalf("a log of %d bytes: %v", len(text), err)
	}
	return births
}

// whose finds the entry about a process.
type whose map[int][]*birth

func (w whose) add(births []birth) {
	for i := range births {
		b := &births[i]
		w[int(b.PID)] = append(w[int(b.PID)], b)
	}
}

func (w whose) find(id process.ID) *birth {
	for _, b := range w[id.PID] {
		if b.Before <= id.Start && id.Start <= b.After {
			return b
		}
	}
	return nil
}

// TestStormAgainstItsLog holds all that is told of 40,000 processes, that come
// and go as fast as a C program can make them, to that program's own log.
func TestStormAgainstItsLog(t *testing.T) {
	storm := buildStorm(t)
	w := newWatch(t, Options{})
	w.table = process.NewTable(process.Retention{Age: time.Hour, Count: 1 << 20, Bytes: 1 << 30})
	w.scan()
	w.drain()
	stop := w.drainingOften()
	programs := storm.run(t, "exec")
	forks := storm.run(t, "fork")
	stop()
	truth := whose{}
	truth.add(programs)
	truth.add(forks)
	told := map[*birth][]process.Event{}
	for _, e := range w.events {
		if e.Kind == process.Loss {
			t.Errorf("a loss: %+v", e)
		}
		if b := truth.find(e.ID); b != nil {
			told[b] = append(told[b], e)
		}
	}
	for i := range programs {
		w.checkBirth(&programs[i], told[&programs[i]], true)
	}
	for i := range forks {
		w.checkBirth(&forks[i], told[&forks[i]], false)
	}
}

// checkBirth holds what was told of one child to the truth.
func (w *watch) checkBirth(b *birth, told []process.Event, program bool) {
	w.Helper()
	kinds := []process.Kind{process.Fork, process.Exited}
	if program {
		kinds = []process.Kind{process.Fork, process.Exec, process.Exited}
	}
	if len(told) != len(kinds) {
		w.Fatalf("%d events of %+v, want %d: %+v", len(told), *b, len(kinds), told)
	}
	for i := range told {
		e := &told[i]
		if e.Kind != kinds[i] || e.ID != told[0].ID || e.Time < b.Before || e.Time > b.After {
			w.Errorf("event %d of %+v is %v of %v at %d", i, *b, e.Kind, e.ID, e.Time)
		}
		number := fmt.Sprint(b.Number)
		switch {
		case e.Kind == process.Fork && (e.Creator.PID != int(b.Parent) || e.Parent != e.Creator || !e.Creator.Known()):
			w.Errorf("%+v: creator %v, parent %v", *b, e.Creator, e.Parent)
		case e.Kind == process.Exec && (len(e.Args) != 2 || e.Args[1] != number):
			w.Errorf("%+v: arguments %q", *b, e.Args)
		case e.Kind == process.Exited && e.Status != syscall.WaitStatus(b.Status):
			w.Errorf("%+v: status %#x", *b, e.Status)
		}
	}
	p := w.table.Process(w.table.ByID(told[0].ID))
	if p.State != process.Ended || p.Exit.Evidence != process.Observed || p.Exit.Status != syscall.WaitStatus(b.Status) ||
		p.Creator != (process.Link{ID: told[0].Creator, Evidence: process.Observed}) || p.Parent.ID != told[0].Creator {
		w.Errorf("%+v is %+v in the table", *b, p)
	}
	if w.Failed() {
		w.FailNow()
	}
}

// TestLossInAStorm holds that with far too little room all is known again with
// the next scan, and that nothing said to be observed is false.
func TestLossInAStorm(t *testing.T) {
	storm := buildStorm(t)
	w := newWatch(t, Options{Buffer: 4096})
	w.table = process.NewTable(process.Retention{Age: time.Hour, Count: 1 << 20, Bytes: 1 << 30})
	w.heal()
	stop := w.drainingOften()
	programs := storm.run(t, "exec")
	forks := storm.run(t, "fork")
	ended := time.Now()
	stop()
	rounds := w.heal()
	t.Logf("in step %v after the end of the storm, by %d scans", time.Since(ended), rounds)
	truth := whose{}
	truth.add(programs)
	truth.add(forks)
	losses := w.gapsAreMarked(truth, programs, forks)
	met, observed := 0, 0
	for ref := range w.table.All() {
		p := w.table.Process(ref)
		b := truth.find(p.ID)
		if b == nil {
			continue
		}
		met++
		if p.State != process.Ended {
			t.Errorf("%+v is %v", *b, p.State)
		}
		if p.Exit.Evidence == process.Observed {
			observed++
		}
		if p.Exit.Evidence == process.Observed && p.Exit.Status != syscall.WaitStatus(b.Status) {
			t.Errorf("%+v ended with %#x", *b, p.Exit.Status)
		}
		for _, l := range []process.Link{p.Creator, p.Parent} {
			if l.Evidence != process.Unknown && l.ID.PID != int(b.Parent) {
				t.Errorf("%+v: creator %+v, parent %+v", *b, p.Creator, p.Parent)
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d of %d were met, the ends of %d observed, in %d losses", met, len(programs)+len(forks), observed, losses)
	w.isOfTheKernel()
}

// gapsAreMarked holds that wherever an event was not told there is a Loss, and
// that the table says of the process what is not known for it. It returns the
// number of losses.
func (w *watch) gapsAreMarked(truth whose, programs, forks []birth) (losses int) {
	w.Helper()
	told := map[*birth]map[process.Kind]bool{}
	var lost []process.Event
	for _, e := range w.events {
		if e.Kind == process.Loss {
			lost = append(lost, e)
		} else if b := truth.find(e.ID); b != nil {
			if told[b] == nil {
				told[b] = map[process.Kind]bool{}
			}
			told[b][e.Kind] = true
		}
	}
	if len(lost) == 0 {
		w.Error("no loss")
	}
	known := map[*birth]process.Process{}
	for ref := range w.table.All() {
		if b := truth.find(w.table.ID(ref)); b != nil {
			known[b] = w.table.Process(ref)
		}
	}
	gaps := 0
	check := func(b *birth, kinds ...process.Kind) {
		p, met := known[b]
		for _, kind := range kinds {
			if told[b][kind] {
				continue
			}
			gaps++
			if !slices.ContainsFunc(lost, func(e process.Event) bool { return e.Since < b.After && e.Time > b.Before }) {
				w.Errorf("the %v of %+v is in no loss", kind, *b)
			}
			if marked := map[process.Kind]bool{
				process.Fork:   p.Creator.Evidence != process.Observed,
				process.Exec:   p.Evidence == process.Unknown && p.Exec.Args == nil,
				process.Exited: p.Exit.Evidence != process.Observed && !p.Exit.Usage.Known,
			}[kind]; met && !marked {
				w.Errorf("the %v of %+v was not told, and it is %+v", kind, *b, p)
			}
		}
		if w.Failed() {
			w.FailNow()
		}
	}
	for i := range programs {
		check(&programs[i], process.Fork, process.Exec, process.Exited)
	}
	for i := range forks {
		check(&forks[i], process.Fork, process.Exited)
	}
	if gaps == 0 {
		w.Error("nothing was lost: the test is wrong")
	}
	w.Logf("%d gaps, all of them marked", gaps)
	return len(lost)
}

// heal brings the table in step as after a loss, until none is told.
func (w *watch) heal() (rounds int) {
	for lost := true; lost; rounds++ {
		began := linuxtest.Now()
		w.scan()
		w.table.EndUnseen(began)
		lost = false
		for _, e := range w.drain() {
			lost = lost || e.Kind == process.Loss
		}
	}
	return rounds
}

// isOfTheKernel holds the table to /proc: all that live there all the while
// live here, with the same parent, and no others.
func (w *watch) isOfTheKernel() {
	w.Helper()
	began := linuxtest.Now()
	before := listProc(w)
	w.heal()
	after := listProc(w)
	const exiting = 4 // PF_EXITING: the end is told before /proc shows it
	for pid, st := range before {
		again, ok := after[pid]
		if !ok || again.Start != st.Start || st.State == 'Z' || again.Flags&exiting != 0 || again.PPID != st.PPID || pid == 1 {
			continue
		}
		ref := w.table.ByPID(pid)
		p := w.table.Process(ref)
		if ref == 0 || p.State != process.Alive || p.Parent.Evidence == process.Unknown || p.Parent.ID.PID != st.PPID {
			w.Errorf("%+v is %+v in the table", st, p)
		}
	}
	for ref := range w.table.All() {
		id := w.table.ID(ref)
		if _, ok := before[id.PID]; !ok && id.Start < began && w.table.State(ref) == process.Alive {
			w.Errorf("%v is alive in the table, and not in /proc", id)
		}
	}
}

func listProc(t testing.TB) map[int]linuxtest.Stat {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]linuxtest.Stat{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if st, err := linuxtest.ReadStat(pid); err == nil {
			found[pid] = st
		}
	}
	return found
}
