package main

import (
	"strconv"
	"strings"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/process"
)

// maxPID is the greatest PID that the kernel gives out (PID_MAX_LIMIT).
const maxPID = 1 << 22

// parsePID reads a PID, which is digits and nothing else.
func parsePID(arg string) (int, error) {
	if digits, negative := strings.CutPrefix(arg, "-"); negative && isDigits(digits) {
		return 0, usagef("%s: a PID is 1 or more", arg)
	}
	if !isDigits(arg) {
		return 0, usagef("%s is not a PID: to ask by name or port, use 'lineage why'", quoted(arg))
	}
	pid, err := strconv.Atoi(arg)
	switch {
	case err != nil || pid > maxPID:
		return 0, notFoundf("process %s: no PID is greater than %d", arg, maxPID)
	case pid < 1:
		return 0, usagef("process %s: a PID is 1 or more", arg)
	}
	return pid, nil
}

// isDigits reports whether s has nothing but digits, and at least one.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// processOf returns the process that a PID, a thread's ID or an ID names.
func processOf(t *lineage.Tree, arg string) (process.Process, error) {
	if strings.Contains(arg, "@") {
		id, err := process.ParseID(arg)
		if err != nil {
			return process.Process{}, usagef("%w", err)
		}
		p, err := t.ProcessByID(id)
		if err != nil {
			return p, explain(arg, err)
		}
		return p, nil
	}
	pid, err := parsePID(arg)
	if err != nil {
		return process.Process{}, err
	}
	p, err := t.Process(pid)
	if err != nil {
		return p, explain("process "+arg, err)
	}
	return p, nil
}
