package api_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestRealProcesses asks about processes of this host, of a tree that watches it.
func TestRealProcesses(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	tree, err := lineage.NewTree(lineage.Options{Source: "bpf"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- tree.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, tree.Close()); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(serve(t, api.Options{Tree: tree}), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	events, err := c.Events(ctx, client.EventQuery{})
	for err != nil { // they are told from soon after the start on
		events, err = c.Events(ctx, client.EventQuery{})
	}
	defer events.Close()
	if e, err := events.Next(); err != nil || e.Event.Event != "watching" {
		t.Fatalf("%+v, %v", e, err)
	}
	parent := linuxtest.Start(t)
	child := parent.Fork()
	one, err := c.Process(ctx, client.Subject{Process: strconv.Itoa(child.PID)})
	if err != nil || one.Source.Name != "bpf" || one.Process.CreatorPID == nil || *one.Process.CreatorPID != parent.PID ||
		len(one.Process.Chain) < 2 || one.Process.Chain[len(one.Process.Chain)-1].PID != child.PID {
		t.Errorf("%+v, %v", one, err)
	}
	below, err := c.Descendants(ctx, client.Subject{Process: strconv.Itoa(parent.PID)})
	if err != nil || len(below.Processes) != 1 || below.Processes[0].PID != child.PID || *below.Processes[0].Depth != 1 {
		t.Errorf("%+v, %v", below, err)
	}
	child.Exit(3)
	parent.Wait(child)
	gone, err := c.Process(ctx, client.Subject{Process: one.Process.ID})
	if err != nil || gone.Process.Exit == nil || gone.Process.Exit.Status == nil || *gone.Process.Exit.Status != 3 {
		t.Errorf("%+v, %v", gone.Process, err)
	}
	for want := []string{"fork", "exit"}; len(want) > 0; {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Process != nil && e.ID == one.Process.ID && e.Event.Event == want[0] {
			want = want[1:]
		}
	}
}
