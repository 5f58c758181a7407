package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
)

// verifyWalker makes sure that the walker answers with the truth about every
// process that will be asked about. With all, its answer is to be all the
// ancestors, since it knows of no cgroups.
func (p *population) verifyWalker(w walker, all bool) error {
	for i, pid := range p.asked() {
		want := p.ancestors(i)
		if !all {
			var err error
			if want, err = inGroupOf(pid, want); err != nil {
				return err
			}
		}
		got, err := w.appendSameGroup(nil, pid)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("wrong answer about %d: %v, not %v", pid, got, want)
		}
	}
	return nil
}

// inGroupOf returns those of the processes that are in the container group of
// pid.
func inGroupOf(pid int, pids []int) ([]int, error) {
	own, err := truthGroup(pid)
	if err != nil {
		return nil, err
	}
	in := []int{}
	for _, other := range pids {
		its, err := truthGroup(other)
		if err != nil {
			return nil, err
		}
		if its == own {
			in = append(in, other)
		}
	}
	return in, nil
}

func truthGroup(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", err
	}
	return group(string(text))
}

// verifyScanner makes sure that the scanner finds every process of the
// population once, under its parent and in its container group; without
// groups, the latter is left out.
func (p *population) verifyScanner(s scanner, groups bool) error {
	if err := s.scan(); err != nil {
		return err
	}
	rows, err := s.rows()
	if err != nil {
		return err
	}
	s.forget()
	want := p.parents()
	for _, r := range rows {
		parent, ok := want[r.pid]
		if !ok {
			continue // another process of the host, or one found twice
		}
		delete(want, r.pid)
		if r.ppid != parent {
			return fmt.Errorf("wrong answer: the parent of %d is %d, not %d", r.pid, parent, r.ppid)
		}
		if !groups {
			continue
		}
		g, err := truthGroup(r.pid)
		if err != nil {
			return err
		}
		if r.group != g {
			return fmt.Errorf("wrong answer: the container group of %d is %q, not %q", r.pid, g, r.group)
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("wrong answer: %d of %d processes are missing", len(want), len(p.parents()))
	}
	return nil
}

// verifyTree makes sure that what the command writes has the PID of every
// process of the population.
func (p *population) verifyTree(c *command) error {
	text, err := c.output()
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, n := range regexp.MustCompile(`[0-9]+`).FindAllString(text, -1) {
		seen[n] = true
	}
	missing := 0
	for pid := range p.parents() {
		if !seen[fmt.Sprint(pid)] {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("wrong answer: %d of %d processes are missing", missing, len(p.parents()))
	}
	return nil
}
