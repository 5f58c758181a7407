package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/proclineage/lineage/answer"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/cnproc"
)

// someTree is a tree that knows the processes in it.
type someTree struct {
	source string
	procs  []process.Process
	read   map[int][]string // the arguments that can be read
}

func (t *someTree) Time(i process.Instant) time.Time { return time.Unix(1_800_000_000, int64(i)) }
func (t *someTree) Source() lineage.SourceInfo {
	if t.source == cnproc.Name {
		return lineage.SourceInfo{
			Name: cnproc.Name, Limits: []source.Limit{source.ShortLivedUnseen},
			Passed: []lineage.PassedSource{{Name: "bpf", Err: errors.New("bpf: permission denied: it takes CAP_BPF as well")}},
		}
	}
	return lineage.SourceInfo{Name: "bpf"}
}

func (t *someTree) ProcessByID(id process.ID) (process.Process, error) {
	for _, p := range t.procs {
		if p.ID == id {
			return p, nil
		}
	}
	return process.Process{}, lineage.ErrNotFound
}

func (t *someTree) Details(id process.ID) (process.Details, error) {
	args, ok := t.read[id.PID]
	if !ok {
		return process.Details{}, lineage.ErrNotFound
	}
	return process.Details{Args: args}, nil
}

func exactly(pid int, start time.Duration) process.ID {
	return process.ID{PID: pid, Start: process.Instant(start), Precision: process.Exact}
}

func by(id process.ID) process.Link { return process.Link{ID: id, Evidence: process.Observed} }

// The host of the events below: a shell, started by one that has ended, for
// which nobody is known to have made it.
var (
	initID  = exactly(1, time.Second)
	sshdID  = exactly(811, 9*time.Second)
	shellID = exactly(20915, 60*time.Second)
	childID = exactly(48213, 100*time.Second)
	aTree   = someTree{procs: []process.Process{
		{ID: initID, Name: "systemd", State: process.Alive, Parent: process.Link{Evidence: process.Scanned}, Creator: process.Link{Evidence: process.Scanned}},
		{ID: sshdID, Name: "sshd", State: process.Ended, Exit: process.Exit{Evidence: process.Observed, At: process.Instant(90 * time.Second)}},
		{ID: shellID, Name: "bash", State: process.Alive, Parent: by(initID), Creator: by(sshdID)},
	}}
	aChain = []process.Ancestor{
		{Link: by(shellID), Name: "bash", State: process.Alive},
		{Link: by(sshdID), Name: "sshd", State: process.Ended},
		{Link: process.Link{ID: initID}, Name: "systemd", State: process.Alive},
	}
)

func event(kind process.Kind, at time.Duration, p process.Process) lineage.Event {
	p.ID = childID
	if p.Parent.Evidence == process.Unknown {
		p.Parent = by(shellID)
	}
	if p.Creator.Evidence == process.Unknown {
		p.Creator = by(shellID)
	}
	if kind == process.Exited {
		p.State, p.Exit.Evidence, p.Exit.At = process.Ended, process.Observed, process.Instant(at)
	}
	return lineage.Event{Kind: kind, Time: process.Instant(at), Process: p, Chain: aChain}
}

func ended(status syscall.WaitStatus) process.Process {
	return process.Process{Name: "ls", Exit: process.Exit{Status: status}}
}

// someEvents has one of each kind, and what is special in any.
func someEvents() []lineage.Event {
	const s, ms = time.Second, time.Millisecond
	used := ended(0)
	used.Exit.Usage = process.Usage{Known: true, User: 2 * ms, System: 1500 * time.Microsecond, MaxRSS: 2_202_010}
	return []lineage.Event{
		event(process.Fork, 100*s, process.Process{Name: "bash"}),
		event(process.Fork, 100*s+ms, process.Process{Name: "bash", Parent: by(initID)}),
		event(process.Exec, 100*s+2*ms, process.Process{Name: "ls", Exec: process.Command{File: "/bin/ls", Args: []string{"/bin/ls", "-l", "a b"}, At: 1}}),
		event(process.Exec, 100*s+3*ms, process.Process{Name: "configure", Exec: process.Command{Args: []string{"sh", "x\x1b[31m"}, ArgsCut: true, At: 1}}),
		event(process.Exec, 100*s+3*ms, process.Process{Name: "bash", Exec: process.Command{Args: []string{"-bash"}, At: 1}}),
		event(process.Exited, 100*s+7*ms, used),
		event(process.Exited, 102*s+500*ms, ended(3<<8)),
		event(process.Exited, 100*s+400*time.Microsecond, ended(syscall.WaitStatus(syscall.SIGSEGV)|0x80)),
		event(process.Exited, 200*s, ended(40)),
		event(process.Moved, 101*s, process.Process{Name: "job", Cgroup: in("/docker/" + hexID)}),
		{Kind: process.Loss, Since: process.Instant(103 * s), Time: process.Instant(104 * s)},
		{Kind: process.Loss, Time: process.Instant(105 * s)},
		event(process.Seen, 105*s, process.Process{Name: "evil\n"}),
		event(process.Gone, 106*s, process.Process{Name: "job", State: process.Ended, Exit: process.Exit{Evidence: process.Scanned, At: process.Instant(106 * s)}}),
	}
}

// watchOf returns a watcher of the tree that writes to b.
func watchOf(t *someTree, b *strings.Builder, output string, width int) *watcher {
	a := &app{stdout: bufio.NewWriter(b), stderr: b, columns: func() int { return width }, getenv: func(string) string { return "dumb" }}
	a.output.value = output
	w := newWatcher(a, t, &eventFilter{kinds: allKinds})
	w.zone = time.UTC
	return w
}

func TestWatchGolden(t *testing.T) {
	tests := []struct {
		file   string
		output string
		width  int
		chain  bool
	}{
		{file: "watch.txt", output: "text"},
		{file: "watch_60.txt", output: "text", width: 60},
		{file: "watch_chain_100.txt", output: "text", width: 100, chain: true},
		{file: "watch.ndjson", output: "ndjson", chain: true},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			var b strings.Builder
			w := watchOf(&aTree, &b, test.output, test.width)
			w.chain = test.chain
			if test.output == "text" {
				w.begin() // the first object has the time of now
			} else {
				w.source = "bpf"
			}
			for _, e := range someEvents() {
				if !w.take(&e) {
					t.Fatal("it ended")
				}
			}
			w.flush()
			goldenText(t, test.file, b.String())
		})
	}
}

// TestWatchReadsWhatIsNotTold has a source that tells no names and arguments.
func TestWatchReadsWhatIsNotTold(t *testing.T) {
	tree := someTree{source: cnproc.Name, procs: append([]process.Process{{ID: childID, Name: "ls", State: process.Alive}}, aTree.procs...), read: map[int][]string{childID.PID: {"ls", "-l"}}}
	var b strings.Builder
	w := watchOf(&tree, &b, "text", 0)
	w.begin()
	for _, e := range []lineage.Event{event(process.Fork, 1, process.Process{}), event(process.Exec, 2, process.Process{Name: "bash"})} {
		w.take(&e)
	}
	w.flush()
	if got := b.String(); !strings.Contains(got, "fork    48213  ls ") || !strings.Contains(got, "exec    48213  ls -l\n") {
		t.Errorf("%s", got)
	}
}

// TestWatchEnds counts events but not losses, and tells of a source that fails.
func TestWatchEnds(t *testing.T) {
	tree := aTree
	var b strings.Builder
	w := watchOf(&tree, &b, "ndjson", 0)
	w.left = 2
	w.begin()
	fork, loss := someEvents()[0], lineage.Event{Kind: process.Loss, Time: 5}
	if !w.take(&fork) {
		t.Error("it ended after the first of two")
	}
	tree.source = cnproc.Name
	if !w.take(&loss) {
		t.Error("it ended with a loss")
	}
	if w.take(&fork) {
		t.Error("it did not end after the second")
	}
	w.flush()
	if !strings.Contains(b.String(), "lineage: watching with cnproc; cannot tell short lives (lineage doctor); not with bpf: permission denied: it takes CAP_BPF as well\n") {
		t.Errorf("it is not told that the source failed: %s", b.String())
	}
	var names []string
	for line := range strings.Lines(b.String()) {
		var e Event
		if json.Unmarshal([]byte(line), &e) == nil {
			names = append(names, e.Event)
		}
	}
	if got := strings.Join(names, " "); got != "watching fork loss watching fork" {
		t.Errorf("%s", got)
	}
	w.app.strict = true
	if err := w.app.incomplete(nil); exitStatus(err) != exitIncomplete {
		t.Errorf("after a loss: %v", err)
	}
}

func TestEventFilter(t *testing.T) {
	fork := event(process.Fork, 1, process.Process{Name: "bash"})
	exec := event(process.Exec, 1, process.Process{Name: "java", Cgroup: in("/docker/" + hexID), Exec: process.Command{File: "/opt/jre/bin/java", Args: []string{"java", "-jar", "web.jar"}, At: 1}})
	exit := event(process.Exited, 1, ended(0))
	fails := event(process.Exited, 1, ended(1<<8))
	killed := event(process.Exited, 1, ended(9))
	gone := event(process.Gone, 1, process.Process{Name: "x"})
	loss := lineage.Event{Kind: process.Loss, Time: 1}
	all := []lineage.Event{fork, exec, exit, fails, killed, gone, loss}
	other := exactly(811, 7*time.Second) // the PID of sshd, and not sshd

	tests := []struct {
		name   string
		filter eventFilter
		want   string // which of all
	}{
		{"usual", eventFilter{kinds: usualKinds}, "0 1 2 3 4 6"},
		{"all", eventFilter{kinds: allKinds}, "0 1 2 3 4 5 6"},
		{"failed", eventFilter{kinds: allKinds, failed: true}, "0 1 3 4 5 6"},
		{"itself", eventFilter{kinds: usualKinds, under: map[int]process.ID{childID.PID: childID}}, "0 1 2 3 4 6"},
		{"under one that has ended", eventFilter{kinds: usualKinds, under: map[int]process.ID{sshdID.PID: sshdID}}, "0 1 2 3 4 6"},
		{"under one that may have adopted it", eventFilter{kinds: usualKinds, under: map[int]process.ID{1: initID}}, "0 1 2 3 4 6"},
		{"under another with the PID", eventFilter{kinds: usualKinds, under: map[int]process.ID{other.PID: other}}, "6"},
		{"container", eventFilter{kinds: allKinds, container: hexID[:5]}, "1 6"},
		{"other container", eventFilter{kinds: allKinds, container: hexID[1:7]}, "6"},
		{"name", eventFilter{kinds: allKinds, match: regexp.MustCompile("^ba")}, "0 6"},
		{"file", eventFilter{kinds: allKinds, match: regexp.MustCompile("^/opt/")}, "1 6"},
		{"arguments", eventFilter{kinds: allKinds, match: regexp.MustCompile(`-jar web`)}, "1 6"},
	}
	for _, test := range tests {
		var got []string
		d := answer.NewDescriber(&aTree, nil)
		for i := range all {
			if test.filter.tells(&all[i], d) {
				got = append(got, fmt.Sprint(i))
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

func TestKinds(t *testing.T) {
	for list, want := range map[string]string{
		"fork": "fork", "exit,exec": "exit,exec", "all": "fork,exec,exit,move,seen,gone",
	} {
		var k kinds
		if err := k.Set(list); err != nil || k.String() != want {
			t.Errorf("%s: %s, %v", list, &k, err)
		}
	}
	for _, list := range []string{"", "fork,", "loss", "Fork", "fork exec"} {
		var k kinds
		if k.Set(list) == nil {
			t.Errorf("%q is taken for %s", list, &k)
		}
	}
}

// TestKin asks again for one that has ended, whose last name is another, and
// stays within its bounds.
func TestKin(t *testing.T) {
	tree := someTree{}
	k := kin{tree: &tree, known: map[process.ID]relative{}}
	at := func(i process.Instant) *lineage.Event { return &lineage.Event{Time: i} }
	e := event(process.Fork, 1, process.Process{Name: "first"})
	k.note(&e)
	if got := k.link(at(5), by(childID)); got.Name != "first" || got.State != "alive" {
		t.Errorf("%+v", got)
	}
	tree.procs = []process.Process{{ID: childID, Name: "second", Exit: process.Exit{Evidence: process.Observed, At: 7}}}
	e = event(process.Exited, 7, process.Process{Name: "second"})
	k.note(&e)
	if before, after := k.link(at(6), by(childID)), k.link(at(7), by(childID)); before.State != "alive" || after.State != "ended" || after.Name != "second" {
		t.Errorf("%+v, then %+v", before, after)
	}
	if got := k.link(at(7), by(exactly(5, 5))); got.State != "ended" || got.Name != "" {
		t.Errorf("a forgotten one: %+v", got)
	}
	if got := k.link(at(7), process.Link{ID: process.ID{PID: 5}}); got.State != "unseen" || !got.Gap {
		t.Errorf("a PID: %+v", got)
	}
	then := at(7) // under the name that it had
	then.Chain = []process.Ancestor{{Link: by(childID), Name: "first", State: process.Alive}}
	if got := k.link(then, by(childID)); got.Name != "first" || got.State != "alive" {
		t.Errorf("one of the chain: %+v", got)
	}
	for i := range mostKin + 5 {
		k.keep(&process.Process{ID: exactly(i, 3)})
	}
	if len(k.known) > mostKin {
		t.Errorf("%d are remembered", len(k.known))
	}
}

// TestMovedLines tells only of the hierarchies in which something changed.
func TestMovedLines(t *testing.T) {
	tests := []struct{ from, to, want string }{
		{"", "0::/a\n", ""},
		{"0::/a\n", "0::/b\n", "/b"},
		{"2:cpu:/\n1:name=systemd:/x\n", "2:cpu:/rbm\n1:name=systemd:/x\n", "cpu:/rbm"},
		{"2:cpu:/\n0::/\n", "2:cpu:/a\n0::/b\n", "cpu:/a, /b"},
	}
	for _, test := range tests {
		if got := movedLines(test.from, test.to); got != test.want {
			t.Errorf("%q to %q: %q, want %q", test.from, test.to, got, test.want)
		}
	}
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 360 * time.Microsecond: "0.4 ms", 7 * time.Millisecond: "7 ms", 310*time.Millisecond + 600: "310 ms",
		1250 * time.Millisecond: "1.2 s", 5 * time.Second: "5 s", 75 * time.Second: "1 min",
	} {
		if got := brief(d); got != want {
			t.Errorf("brief(%v) = %s, want %s", d, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0 bytes", 1023: "1023 bytes", 2_202_010: "2.1 MiB", 4 << 20: "4 MiB", 700 << 20: "700 MiB", 3 << 60: "3072 PiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
