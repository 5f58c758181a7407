package main

import (
	"fmt"
	"strings"

	"github.com/prometheus/procfs"
)

// procfsPeer is github.com/prometheus/procfs.
type procfsPeer struct {
	fs    procfs.FS
	found []procfsProcess
}

type procfsProcess struct {
	pid, ppid int
	start     uint64
	cgroups   []procfs.Cgroup
}

func newProcfsPeer() (*procfsPeer, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, err
	}
	return &procfsPeer{fs: fs}, nil
}

func (p *procfsPeer) appendSameGroup(dst []int, pid int) ([]int, error) {
	ppid, own, err := p.one(pid)
	if err != nil {
		return dst, err
	}
	for ppid != 0 {
		pid = ppid
		var its string
		if ppid, its, err = p.one(pid); err != nil {
			return dst, err
		}
		if its == own {
			dst = append(dst, pid)
		}
	}
	return dst, nil
}

// one returns the parent and the container group of a process.
func (p *procfsPeer) one(pid int) (ppid int, path string, err error) {
	proc, err := p.fs.Proc(pid)
	if err != nil {
		return 0, "", err
	}
	stat, err := proc.Stat()
	if err != nil {
		return 0, "", err
	}
	cgroups, err := proc.Cgroups()
	if err != nil {
		return 0, "", err
	}
	path, err = groupOfAll(cgroups)
	return stat.PPID, path, err
}

// groupOfAll is cgroup.Group of what procfs has parsed.
func groupOfAll(all []procfs.Cgroup) (string, error) {
	if len(all) == 1 {
		return all[0].Path, nil
	}
	for _, c := range all {
		if strings.HasPrefix(c.Path, "/system.slice/") || strings.HasPrefix(c.Path, "/user.slice/") {
			return c.Path, nil
		}
		for _, name := range c.Controllers {
			if name == "cpu" || strings.Contains(name, "systemd") {
				return c.Path, nil
			}
		}
	}
	return "", errNoGroup
}

func (p *procfsPeer) scan() error {
	p.found = nil
	all, err := p.fs.AllProcs()
	if err != nil {
		return err
	}
	for _, proc := range all {
		f := procfsProcess{pid: proc.PID}
		stat, err := proc.Stat()
		if err == nil {
			f.ppid, f.start = stat.PPID, stat.Starttime
			f.cgroups, err = proc.Cgroups()
		}
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("process %d: %w", proc.PID, err)
		}
		p.found = append(p.found, f)
	}
	return nil
}

func (p *procfsPeer) rows() ([]row, error) {
	rows := make([]row, 0, len(p.found))
	for _, f := range p.found {
		g, err := groupOfAll(f.cgroups)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{f.pid, f.ppid, g})
	}
	return rows, nil
}

func (p *procfsPeer) forget() { p.found = nil }
