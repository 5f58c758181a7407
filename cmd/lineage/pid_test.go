package main

import "testing"

func TestParsePID(t *testing.T) {
	for arg, want := range map[string]struct{ pid, status int }{
		"1": {1, exitDone}, "4194304": {maxPID, exitDone},
		"4194305": {0, exitNotFound}, "99999999999999999999": {0, exitNotFound},
		"0": {0, exitUsage}, "-1": {0, exitUsage}, "+1": {0, exitUsage}, " 1": {0, exitUsage}, "1_0": {0, exitUsage},
		"0x10": {0, exitUsage}, "١": {0, exitUsage}, "": {0, exitUsage}, "-": {0, exitUsage}, "nginx": {0, exitUsage},
	} {
		pid, err := parsePID(arg)
		if pid != want.pid || exitStatus(err) != want.status {
			t.Errorf("parsePID(%q) = %d, %v; want %d, status %d", arg, pid, err, want.pid, want.status)
		}
	}
}
