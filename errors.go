package lineage

import (
	"errors"
	"fmt"

	"github.com/proclineage/lineage/source"
)

// The errors of a [Tree], to be tested for with [errors.Is].
var (
	// ErrNotFound says that there is no such process, or that it has ended
	// and is forgotten. It is an [fs.ErrNotExist].
	ErrNotFound = source.ErrGone

	// ErrPermission says that the process exists and may not be read. It is
	// an [fs.ErrPermission].
	ErrPermission = source.ErrHidden

	// ErrInvalidPID says that a number below 1 was given as a PID.
	ErrInvalidPID = errors.New("a PID is 1 or more")

	// ErrIncomplete says that the answer is not the whole answer. The error
	// that wraps it is an [IncompleteError].
	ErrIncomplete = errors.New("the answer is incomplete")

	// ErrUnsupported says that the host cannot give what was asked for.
	ErrUnsupported = errors.ErrUnsupported

	// ErrClosed says that the tree has been closed.
	ErrClosed = errors.New("the tree is closed")
)

// IncompleteError comes with an answer that is right as far as it goes, and
// says where and why it stops.
type IncompleteError struct {
	// PID is the process that could not be read, zero where that is not
	// known.
	PID int
	// Err is why.
	Err error
}

// Error implements error.
func (e *IncompleteError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%v: %v", ErrIncomplete, e.Err)
	}
	return fmt.Sprintf("the answer stops at process %d: %v", e.PID, e.Err)
}

// Unwrap lets the error be found as [ErrIncomplete] and as its reason.
func (e *IncompleteError) Unwrap() []error { return []error{ErrIncomplete, e.Err} }
