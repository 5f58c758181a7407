package main

import (
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v4/process"
)

// gopsutilPeer is github.com/shirou/gopsutil/v4/process. It does not read
// cgroups, so that is done beside it.
type gopsutilPeer struct{ found []gopsutilProcess }

type gopsutilProcess struct {
	pid, ppid  int32
	start      int64
	membership string
}

func (*gopsutilPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return dst, err
	}
	own, err := groupOf(p.Pid)
	if err != nil {
		return dst, err
	}
	for p.Pid != 1 { // it has a parent in this PID namespace
		if p, err = p.Parent(); err != nil {
			return dst, err
		}
		its, err := groupOf(p.Pid)
		if err != nil {
			return dst, err
		}
		if its == own {
			dst = append(dst, int(p.Pid))
		}
	}
	return dst, nil
}

func groupOf(pid int32) (string, error) {
	membership, err := membershipOf(pid)
	if err != nil {
		return "", err
	}
	return group(membership)
}

func membershipOf(pid int32) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return string(text), err
}

func (p *gopsutilPeer) scan() error {
	p.found = nil
	all, err := process.Processes()
	if err != nil {
		return err
	}
	for _, one := range all {
		f := gopsutilProcess{pid: one.Pid}
		if f.ppid, err = one.Ppid(); err == nil {
			f.start, err = one.CreateTime()
		}
		if err == nil {
			f.membership, err = membershipOf(one.Pid)
		}
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		p.found = append(p.found, f)
	}
	return nil
}

func (p *gopsutilPeer) rows() ([]row, error) {
	rows := make([]row, 0, len(p.found))
	for _, f := range p.found {
		g, err := group(f.membership)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{int(f.pid), int(f.ppid), g})
	}
	return rows, nil
}

func (p *gopsutilPeer) forget() { p.found = nil }
