package lineage

import (
	"fmt"

	"github.com/proclineage/lineage/process"
)

// Details reads what else there is to know of the process that id names. It
// fails with [ErrNotFound] when that has ended, and never mixes two processes
// that held one PID.
func (t *Tree) Details(id process.ID) (process.Details, error) {
	if err := t.check(id.PID); err != nil {
		return process.Details{}, err
	}
	if !id.Known() {
		return process.Details{}, fmt.Errorf("%v: %w", id, ErrNotFound)
	}
	d, err := t.proc.Details(id)
	if err != nil {
		return process.Details{}, about(id.PID, err)
	}
	return d, nil
}
