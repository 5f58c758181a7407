package bpf

import (
	"testing"

	"github.com/proclineage/lineage/process"
)

func TestEndToldTwice(t *testing.T) {
	var e ends
	for pid := 1; pid <= 200; pid++ {
		id := process.ID{PID: pid, Start: 7, Precision: process.Exact}
		if e.again(id) {
			t.Errorf("%v was not told yet", id)
		}
		if !e.again(id) {
			t.Errorf("%v was told", id)
		}
		if other := (process.ID{PID: pid, Start: 8, Precision: process.Exact}); e.again(other) {
			t.Errorf("%v was not told yet", other)
		}
		if !e.again(id) {
			t.Errorf("%v was told a while ago", id)
		}
	}
}
