package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/proclineage/lineage"
)

func TestExitStatus(t *testing.T) {
	incomplete := &lineage.IncompleteError{PID: 7, Err: lineage.ErrPermission}
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{usagef("x"), 2},
		{lineage.ErrInvalidPID, 2},
		{notFoundf("x"), 3},
		{lineage.ErrNotFound, 3},
		{permissionf("x"), 4},
		{lineage.ErrPermission, 4},
		{incomplete, 5},
	}
	for _, test := range tests {
		if got := exitStatus(test.err); got != test.want {
			t.Errorf("exitStatus(%v) = %d, want %d", test.err, got, test.want)
		}
		if test.err == nil {
			continue
		}
		wrapped := explain("process 7", fmt.Errorf("wrapped: %w", test.err))
		if got := exitStatus(wrapped); got != test.want {
			t.Errorf("exitStatus(%v) = %d, want %d", wrapped, got, test.want)
		}
	}
}

// TestIncomplete has answers that are right as far as they go.
func TestIncomplete(t *testing.T) {
	for _, strict := range []bool{false, true} {
		var stderr strings.Builder
		a := &app{stderr: &stderr, stdout: discard(), strict: strict}
		if err := a.tolerate(&lineage.IncompleteError{PID: 7, Err: lineage.ErrPermission}); err != nil {
			t.Errorf("tolerate: %v", err)
		}
		if err := a.tolerate(lineage.ErrNotFound); !errors.Is(err, lineage.ErrNotFound) {
			t.Errorf("tolerated %v", lineage.ErrNotFound)
		}
		if err := a.incomplete(notFoundf("nobody")); exitStatus(err) != exitNotFound || !strings.HasPrefix(err.Error(), "nobody; the answer stops at process 7: ") {
			t.Errorf("nothing found, and perhaps for a reason: %v", err)
		}
		err := a.incomplete(nil)
		want := exitDone
		if strict {
			want = exitIncomplete
		} else if !strings.HasPrefix(stderr.String(), "lineage: the answer stops at process 7: ") {
			t.Errorf("stderr: %s", stderr.String())
		}
		if got := exitStatus(err); got != want {
			t.Errorf("strict %v: status %d, want %d", strict, got, want)
		}
	}
}
