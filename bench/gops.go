package main

import (
	"fmt"
	"io/fs"

	"github.com/mitchellh/go-ps"
)

// gopsPeer is github.com/mitchellh/go-ps, which knows PIDs, parents and names:
// it answers with all the ancestors, of whatever cgroup.
type gopsPeer struct{ found []ps.Process }

func (*gopsPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	for first := true; ; first = false {
		p, err := ps.FindProcess(pid)
		if err == nil && p == nil {
			err = fs.ErrNotExist
		}
		if err != nil {
			return dst, fmt.Errorf("process %d: %w", pid, err)
		}
		if !first {
			dst = append(dst, pid)
		}
		if pid = p.PPid(); pid == 0 {
			return dst, nil
		}
	}
}

func (p *gopsPeer) scan() (err error) {
	p.found, err = ps.Processes()
	return err
}

//nolint:unparam // the error is of the interface
func (p *gopsPeer) rows() ([]row, error) {
	rows := make([]row, 0, len(p.found))
	for _, f := range p.found {
		rows = append(rows, row{pid: f.Pid(), ppid: f.PPid()})
	}
	return rows, nil
}

func (p *gopsPeer) forget() { p.found = nil }
