package main

import (
	"testing"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// Of more than are kept the last are.
func TestExitedKeepsTheLast(t *testing.T) {
	const more = 3
	var x exited
	for i := range mostExited + more {
		x.take(&lineage.Event{Kind: process.Exited, Process: process.Process{ID: exactly(i+1, 0)}})
	}
	kept := map[int]bool{}
	for _, p := range x.with(nil) {
		kept[p.ID.PID] = true
	}
	if len(kept) != mostExited || x.dropped != more {
		t.Errorf("%d are kept, %d not", len(kept), x.dropped)
	}
	for pid := more + 1; pid <= mostExited+more; pid++ {
		if !kept[pid] {
			t.Fatalf("%d is not kept", pid)
		}
	}
}
