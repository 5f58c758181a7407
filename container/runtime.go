package container

import (
	"context"
	"errors"
	"io/fs"

	"github.com/proclineage/lineage/cgroup"
)

// A Runtime is asked over its socket about the containers that it has. Its
// methods only read, may be called from several goroutines at once and end with
// their context, whatever the runtime does.
type Runtime interface {
	// Name is what the runtime is called.
	Name() cgroup.Runtime

	// Socket is the path of its socket.
	Socket() string

	// List returns every container, also those that do not run. What it
	// takes one more question for each to learn, such as the PID, may be left
	// out. More than MaxContainers are an error.
	List(ctx context.Context) ([]Container, error)

	// Inspect returns all that the runtime says of the container with the ID,
	// in full. It fails with [ErrNotFound] or [ErrAmbiguous].
	Inspect(ctx context.Context, id string) (Container, error)

	// Close frees what it holds. It must not be used after.
	Close() error
}

// MaxContainers is how many containers a runtime may have.
const MaxContainers = 200_000

// The errors of runtimes, to be tested for with [errors.Is].
var (
	// ErrNotFound says that the runtime has no such container. It is an
	// [fs.ErrNotExist].
	ErrNotFound error = notFoundError{}
	// ErrAmbiguous says that it has more than one with the ID, as containerd may
	// in its namespaces.
	ErrAmbiguous = errors.New("more than one container with the ID")
	// ErrTooMany says that a runtime answers more than can be taken in.
	ErrTooMany = errors.New("more containers than a host can have")
)

type notFoundError struct{}

func (notFoundError) Error() string { return "no such container" }
func (notFoundError) Unwrap() error { return fs.ErrNotExist }
