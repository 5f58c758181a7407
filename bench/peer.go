package main

import (
	"errors"

	"github.com/proclineage/lineage/cgroup"
)

// A walker answers the same-cgroup question: it appends to dst the PIDs of the
// ancestors of a process that are in its container group, nearest first.
type walker interface {
	appendSameGroup(dst []int, pid int) ([]int, error)
}

// A scanner reads every process there is.
type scanner interface {
	// scan reads them and keeps what it found.
	scan() error
	// rows returns what the last scan found. It is not measured.
	rows() ([]row, error)
	// forget lets go of what the last scan found, where the next one does
	// not use its memory again. It is not measured.
	forget()
}

// A row is one process that a scanner found.
type row struct {
	pid, ppid int
	// group is the path of its container group, empty where the scanner
	// does not read it.
	group string
}

// group returns the container group of a membership. All contenders use it:
// the rule is not what is measured.
func group[T string | []byte](membership T) (T, error) {
	path, ok := cgroup.Group(membership)
	if !ok {
		return path, errNoGroup
	}
	return path, nil
}

var errNoGroup = errors.New("a membership without a container group")
