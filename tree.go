package lineage

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Options says how a [Tree] works. The zero value is a good choice.
type Options struct {
	// ProcPath is where procfs is mounted, "/proc" when empty. In a
	// container that shares the PID namespace of the host it is where the
	// host's is mounted, for example "/host/proc".
	ProcPath string
	// Logger takes what the tree has to say while it runs, which is
	// little. Nothing is logged when it is nil.
	Logger *slog.Logger
	// MaxUpdateInterval is the least time between two full updates of
	// [Tree.Run]. Zero means DefaultMaxUpdateInterval.
	MaxUpdateInterval time.Duration
	// Source names the way to learn of processes: "procfs", or "auto" or
	// nothing for the best that works.
	Source string
	// Retention says how long ended processes are kept.
	Retention process.Retention
}

// DefaultMaxUpdateInterval is the MaxUpdateInterval of zero [Options].
const DefaultMaxUpdateInterval = 10 * time.Second

// A Tree is the live view of the processes of the host. It is safe for
// concurrent use, and answers from the moment it is made; [Tree.Run] keeps its
// memory in step with the host.
type Tree struct {
}

// NewTree returns a tree that has read nothing yet.
func NewTree(o Options) (*Tree, error) { return &Tree{}, nil }

// Run ...
func (t *Tree) Run(ctx context.Context) error { return nil }

// Close frees what the tree holds.
func (t *Tree) Close() error { return nil }

// SourceInfo says where a tree has its knowledge from.
type SourceInfo struct {
	// Name is the source in use.
	Name string
	// Limits is what that source cannot tell.
	Limits []source.Limit
	// Passed names better sources and why they are not in use.
	Passed []PassedSource
}

// PassedSource is a source that is not in use, and why.
type PassedSource struct {
	Name string
	Err  error
}

// Source says where the tree has its knowledge from.
func (t *Tree) Source() SourceInfo { return SourceInfo{} }

// Time returns the wall-clock time of an instant on the boot clock, as the
// wall clock stands now.
func (t *Tree) Time(i process.Instant) time.Time { return time.Time{} }

func (t *Tree) FindAllAncestorProcessIDsInSameCgroup(pid int) ([]int, error) {
	return nil, ErrUnsupported
}
func (t *Tree) AppendAncestorProcessIDsInSameCgroup(dst []int, pid int) ([]int, error) {
	return dst, ErrUnsupported
}
func (t *Tree) Process(pid int) (process.Process, error) { return process.Process{}, ErrUnsupported }
func (t *Tree) ProcessByID(id process.ID) (process.Process, error) {
	return process.Process{}, ErrUnsupported
}
func (t *Tree) Parent(pid int) (process.Process, error) { return process.Process{}, ErrUnsupported }
func (t *Tree) ParentByID(id process.ID) (process.Process, error) {
	return process.Process{}, ErrUnsupported
}
func (t *Tree) Ancestors(pid int) ([]process.Process, error)           { return nil, ErrUnsupported }
func (t *Tree) AncestorsByID(id process.ID) ([]process.Process, error) { return nil, ErrUnsupported }
func (t *Tree) AppendAncestors(dst []process.Process, pid int) ([]process.Process, error) {
	return dst, ErrUnsupported
}
func (t *Tree) Lineage(pid int) ([]process.Step, error)           { return nil, ErrUnsupported }
func (t *Tree) LineageByID(id process.ID) ([]process.Step, error) { return nil, ErrUnsupported }
func (t *Tree) Children(pid int) ([]process.Process, error)       { return nil, ErrUnsupported }
func (t *Tree) Descendants(pid int) iter.Seq2[process.Process, error] {
	return func(func(process.Process, error) bool) {}
}
func (t *Tree) Processes() ([]process.Process, error)           { return nil, ErrUnsupported }
func (t *Tree) InGroup(group string) ([]process.Process, error) { return nil, ErrUnsupported }
