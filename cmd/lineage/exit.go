package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/proclineage/lineage"
)

// The exit statuses.
const (
	exitDone = iota
	exitError
	exitUsage
	exitNotFound
	exitPermission
	exitIncomplete // only with --strict
)

// exitHelp is what help texts and the manual say of them.
const exitHelp = `0  done
1  an error
2  wrong usage
3  no such process, or nothing that matches
4  not permitted
5  answered, but not completely (with --strict; 0 without)`

// A statusError is an error that has its own exit status.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

func notFoundf(format string, args ...any) error {
	return &statusError{exitNotFound, fmt.Errorf(format, args...)}
}

func permissionf(format string, args ...any) error {
	return &statusError{exitPermission, fmt.Errorf(format, args...)}
}

// exitStatus returns the status that an error ends the command with.
func exitStatus(err error) int {
	if own, ok := errors.AsType[*statusError](err); ok {
		return own.status
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, lineage.ErrIncomplete): // before its reason
		return exitIncomplete
	case errors.Is(err, lineage.ErrNotFound):
		return exitNotFound
	case errors.Is(err, fs.ErrPermission): // [lineage.ErrPermission] is one
		return exitPermission
	case errors.Is(err, lineage.ErrInvalidPID):
		return exitUsage
	default:
		return exitError
	}
}

// explain says of an error of the library what to do about it. What names the
// process as the user did.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, lineage.ErrIncomplete):
		return err
	case errors.Is(err, lineage.ErrNotFound):
		return notFoundf("%s: there is no such process", what)
	case errors.Is(err, lineage.ErrPermission):
		return permissionf("%s: the process may not be read by this user: run as root (sudo), or see 'lineage doctor'", what)
	case errors.Is(err, lineage.ErrInvalidPID):
		return usagef("%s: a PID is 1 or more", what)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
