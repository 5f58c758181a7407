package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
)

// chainOf is a tree that knows one process, the first, and those above it. It
// can be asked by ID alone, as its PIDs may be other processes' by now.
type chainOf []process.Process

func (c chainOf) AncestorsByID(id process.ID) ([]process.Process, error) {
	_, err := c.ProcessByID(id)
	return c[1:], err
}

func (c chainOf) ProcessByID(id process.ID) (process.Process, error) {
	if id != c[0].ID {
		return process.Process{}, lineage.ErrNotFound
	}
	return c[0], nil
}

func (chainOf) LineageByID(process.ID) ([]process.Step, error) { return nil, errors.ErrUnsupported }
func (chainOf) Source() lineage.SourceInfo                     { return lineage.SourceInfo{Name: "chain"} }

func TestSameCgroup(t *testing.T) {
	unknown := process.Cgroup{}
	ungrouped := process.Cgroup{Membership: "5:pids:/x\n4:memory:/y\n"}
	tests := []struct {
		name    string
		cgroups []process.Cgroup // the process's own, and those above it
		want    string
		stops   int // the PID at which the answer is not complete
	}{
		{"all", []process.Cgroup{in("/a"), in("/a"), in("/a")}, "99 98", 0},
		{"also behind another", []process.Cgroup{in("/a"), in("/b"), in("/a")}, "98", 0},
		{"none", []process.Cgroup{in("/a"), in("/b"), in("/b")}, "", 0},
		{"alone", []process.Cgroup{in("/a")}, "", 0},
		{"without a group", []process.Cgroup{ungrouped, ungrouped, in("/a")}, "99", 0},
		{"one is not known", []process.Cgroup{in("/a"), unknown, in("/a")}, "98", 99},
		{"its own is not known", []process.Cgroup{unknown, in("/a"), unknown}, "", 100},
	}
	for _, test := range tests {
		var tree chainOf
		for i, c := range test.cgroups {
			pid := 100 - i
			tree = append(tree, process.Process{ID: process.ID{PID: pid, Start: 7, Precision: process.ToTick}, Name: fmt.Sprint("p", pid), Cgroup: c})
		}
		a := &app{}
		l := ancestry{a: a, tree: tree, describer: answer.NewDescriber(clock{}, nil), process: tree[0]}
		if err := l.inSameCgroup(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range l.objects {
			got = append(got, strings.TrimPrefix(o.Name, "p"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
		if stops := gapText(a.gaps); test.stops == 0 && stops != "" ||
			test.stops != 0 && !strings.HasPrefix(stops, fmt.Sprintf("the answer stops at process %d: its cgroup is not known", test.stops)) {
			t.Errorf("%s: %s", test.name, stops)
		}
	}
}

// TestSameCgroupAgrees compares the command with the library's question.
func TestSameCgroupAgrees(t *testing.T) {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	want, err := tree.FindAllAncestorProcessIDsInSameCgroup(os.Getpid())
	if err != nil && !errors.Is(err, lineage.ErrIncomplete) {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if status := run([]string{"ancestors", "--same-cgroup", "-o", "json", fmt.Sprint(os.Getpid())}, strings.NewReader(""), &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	var d Document
	if err := json.Unmarshal([]byte(stdout.String()), &d); err != nil {
		t.Fatal(err)
	}
	got := []int{}
	for _, o := range d.Processes {
		got = append(got, o.PID)
	}
	if !slices.Equal(got, want) || d.Complete != (err == nil) {
		t.Errorf("%v, complete %v; want %v, %v", got, d.Complete, want, err)
	}
}
