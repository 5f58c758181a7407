package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// needPrograms skips the test where there is no such program, unless
// LINEAGE_MUST_RUN demands all.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		switch {
		case err == nil:
		case strings.Contains(os.Getenv(linuxtest.MustRunEnv), "all"):
			t.Fatal(err)
		default:
			t.Skip(err)
		}
	}
}

// contenders returns how many there are for each of the three questions: the
// live sources do not work everywhere.
func contenders() []int {
	walkers, scanners := 7, 7
	if linuxtest.Has(linuxtest.BPF) {
		walkers++
		scanners += 2
	}
	if linuxtest.Has(linuxtest.Connector) {
		walkers++
		scanners++
	}
	return []int{walkers, walkers, scanners}
}

// TestAnswers compares what every contender says with the truth: questions
// fails where one is wrong.
func TestAnswers(t *testing.T) {
	needPrograms(t, "ps")
	c := &contestants{ctx: t.Context(), of: makePopulation(t, 60)}
	defer c.Close()
	qs, err := c.questions(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range contenders() {
		if got := len(qs[i].contenders); got != want {
			t.Errorf("%s: %d contenders, not %d", qs[i].text, got, want)
		}
		for _, contender := range qs[i].contenders {
			if err := contender.ask(2); err != nil {
				t.Errorf("%s: %s: %v", qs[i].text, contender.name, err)
			}
		}
	}
}

// TestAnswersAcrossCgroups has a process in the middle of a chain in another
// container group than the rest.
func TestAnswersAcrossCgroups(t *testing.T) {
	linuxtest.Need(t, linuxtest.Cgroups)
	p := makePopulation(t, 60)
	moved := p.Chains[0][2]
	move(t, moved)
	c := &contestants{ctx: t.Context(), of: p}
	defer c.Close()
	peers, err := c.peers()
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		w, ok := peer.impl.(walker)
		if !ok {
			continue
		}
		if err := p.verifyWalker(w, peer.lacks != ""); err != nil {
			t.Errorf("%s: %v", peer.name, err)
		}
		got, err := w.appendSameGroup(nil, p.asked()[0])
		if err != nil {
			t.Fatal(err)
		}
		if in := slices.Contains(got, moved); in != (peer.lacks != "") {
			t.Errorf("%s: the process in another cgroup is in the answer: %t", peer.name, in)
		}
	}
	for _, peer := range peers {
		if s, ok := peer.impl.(scanner); ok {
			if err := p.verifyScanner(s, peer.lacks == "" && !peer.outside); err != nil {
				t.Errorf("%s: %v", peer.name, err)
			}
		}
	}
}

// move puts a process into a new cgroup that is its container group, until the
// test has ended.
func move(t *testing.T, pid int) {
	t.Helper()
	own, err := truthGroup(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"} {
		home := filepath.Join(root, own)
		dir, err := os.MkdirTemp(home, "lineage-bench") //nolint:usetesting // a cgroup, and not where tests have files
		if err != nil {
			continue
		}
		procs := func(dir string) string { return filepath.Join(dir, "cgroup.procs") }
		t.Cleanup(func() {
			err := os.WriteFile(procs(home), []byte(strconv.Itoa(pid)), 0)
			if err := errors.Join(err, os.Remove(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
		err = os.WriteFile(procs(dir), []byte(strconv.Itoa(pid)), 0)
		if err != nil {
			continue
		}
		if now, err := truthGroup(pid); err == nil && now != own {
			return
		}
	}
	t.Fatal("no cgroup that is a container group can be made")
}

// wrongWalker leaves out the farthest ancestor.
type wrongWalker struct{ walker }

func (w wrongWalker) appendSameGroup(dst []int, pid int) ([]int, error) {
	dst, err := w.walker.appendSameGroup(dst, pid)
	return dst[:len(dst)-1], err
}

// wrongScanner changes what another one found.
type wrongScanner struct {
	scanner
	change func([]row) []row
}

func (w wrongScanner) rows() ([]row, error) {
	rows, err := w.scanner.rows()
	return w.change(rows), err
}

func TestWrongAnswers(t *testing.T) {
	p := makePopulation(t, 60)
	raw, err := newRawPeer()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := p.verifyWalker(wrongWalker{&gopsPeer{}}, true); err == nil {
		t.Error("a walker that leaves one out is right")
	}
	at := func(rows []row) *row {
		return &rows[slices.IndexFunc(rows, func(r row) bool { return r.pid == p.Others[0] })]
	}
	for name, change := range map[string]func([]row) []row{
		"leaves one out":     func(rows []row) []row { at(rows).pid = 0; return rows },
		"has a wrong parent": func(rows []row) []row { at(rows).ppid++; return rows },
		"has a wrong group":  func(rows []row) []row { at(rows).group += "/other"; return rows },
	} {
		if err := p.verifyScanner(wrongScanner{raw, change}, true); err == nil {
			t.Errorf("a scanner that %s is right", name)
		}
	}
	if err := p.verifyTree(&command{ctx: t.Context(), name: "true"}); err == nil {
		t.Error("a tree of nothing is right")
	}
}

func TestTrees(t *testing.T) {
	needPrograms(t, "go", "ps", "pstree")
	program, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &contestants{ctx: t.Context(), of: makePopulation(t, 40)}
	qs, err := c.trees(program, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range qs {
		for _, contender := range q.contenders {
			if err := contender.ask(1); err != nil {
				t.Errorf("%s: %s: %v", q.text, contender.name, err)
			}
		}
	}
	for _, note := range c.notes { // only pstree, which cuts long lines
		if !strings.HasPrefix(note, pstreeName) {
			t.Error(note)
		}
	}
}
