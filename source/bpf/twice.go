package bpf

import "github.com/proclineage/lineage/process"

// ends is the processes whose ends were told last. Where the kernel does not
// say which thread is the last one (trace_sched_process_exit without
// group_dead), the program looks whether any is left, and of two that end at
// once each can find itself to be the last.
type ends struct {
	last [64]process.ID
	hand int
}

// again reports whether the end of the process was told before.
func (e *ends) again(id process.ID) bool {
	for _, last := range e.last {
		if last == id {
			return true
		}
	}
	e.last[e.hand] = id
	e.hand = (e.hand + 1) % len(e.last)
	return false
}
