// Package store says what a history of processes is: what is kept of each
// process, and what may be asked of it later. Packages below this one keep it in
// one technology each.
//
// A store knows of two clocks. What happened is written down by the boot clock,
// which nobody can set; the wall clock that people ask by is known beside it as
// a [Clock].
package store

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/proclineage/lineage/process"
)

// The errors of stores, to be tested for with errors.Is.
var (
	// ErrNotFound says that the store has no such process, no longer or not at
	// that time. It is an [fs.ErrNotExist].
	ErrNotFound error = notFoundError{}
	// ErrQuery is wrapped by the errors for questions that make no sense: a
	// cursor of another question, an unknown order, an end before the start.
	ErrQuery = errors.New("malformed question")
	// ErrBusy is wrapped by the errors of a server that takes no more for a while, and
	// then rather a few large batches than many small ones.
	ErrBusy = errors.New("the server is busy")
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("the store is closed")
	// ErrCorrupt is wrapped by the errors for files that are damaged or no
	// store's.
	ErrCorrupt = errors.New("damaged, or not a store")
)

type notFoundError struct{}

func (notFoundError) Error() string        { return "no such process" }
func (notFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// A Store keeps processes and answers about them. It has one writer, which calls
// Append and Expire from one goroutine at a time; all other methods are
// safe for concurrent use and may be called meanwhile.
//
// Every method ends soon after its context, with the context's error.
type Store interface {
	// Append writes the batch, whole or not at all. When it has returned nil,
	// the batch survives the end of the program; when the machine itself fails,
	// the last batches may be missing, each of them whole. After an error, or the
	// end of the program, a store that is a server may have processes of a batch
	// of which Last does not tell, until it is appended again.
	//
	// A process that the store has, by its host, boot and ID ([process.ID.Same]),
	// is replaced by the later knowledge; appending a batch again changes
	// nothing. After an error (a full disk) the same batch may be given again.
	Append(ctx context.Context, b *Batch) error

	// Living calls yield with each process that the store has as not ended, of
	// all boots of the host, in no order, until that returns false.
	Living(ctx context.Context, host string, yield func(*Process) bool) error

	// Last returns when the last batch of the host was made, all of which is
	// there. It fails with ErrNotFound where there is none.
	Last(ctx context.Context, host string) (Mark, error)

	// Expire forgets what lies wholly before the wall-clock time, as far as that
	// is cheap: a store that keeps a file a day keeps the whole day. Processes
	// that lived on, and those above them, are kept.
	Expire(ctx context.Context, before time.Time) error

	// Process returns one process.
	Process(ctx context.Context, k Key) (Process, error)

	// Processes returns those of the processes that the store has, in no order, each
	// once. It is for many at once, which cost little more than one.
	Processes(ctx context.Context, keys []Key) ([]Process, error)

	// Holder returns the process that held the PID at the time, on the host.
	Holder(ctx context.Context, host string, pid int, at time.Time) (Process, error)

	// Ancestors returns who made the process, who made that one and so on,
	// nearest first and without the process itself, as far as is known: the last
	// has a Creator of evidence Unknown where there is a gap, and a zero Creator
	// of another evidence where there is nobody above it.
	Ancestors(ctx context.Context, k Key) ([]Process, error)

	// Select returns a page of the processes that the query asks for.
	Select(ctx context.Context, q *Query) (Page, error)

	// Hosts returns the hosts that the store knows of, by name, then by ID.
	Hosts(ctx context.Context) ([]Host, error)

	// Stats returns how much the store holds.
	Stats(ctx context.Context) (Stats, error)

	// Close writes what is left and frees what the store holds.
	Close() error
}

// A Key names one process among those of all hosts and boots.
type Key struct {
	// Host is the machine-id(5) of the host. It is empty for the only host of a
	// store that has no other.
	Host string
	// Boot is the boot ID of the host, as /proc/sys/kernel/random/boot_id has it.
	Boot string
	// ID is the process among those of the boot.
	ID process.ID
}

// A Host is one that a store has processes of.
type Host struct {
	// ID is the machine-id(5), and Name what the host was called last (the node name
	// of uname(2)), empty where that is not known.
	ID, Name string
	// Last is when its last batch was made.
	Last Mark
}

// A Batch is what is appended at once.
type Batch struct {
	// Host and Boot are those of everything in the batch.
	Host, Boot string
	// HostName is what the host is called, empty where that is not known.
	HostName string
	// Now and Wall are one instant by both clocks, of when the batch was made.
	Now  process.Instant
	Wall time.Time
	// Processes is what is known of processes now, a creator before those that
	// it made. Their Key, Began and Ended need not be set.
	Processes []Process
	// Containers is what is known of containers now.
	Containers []Container
	// Gaps are times of which something is missing.
	Gaps []Gap
}

// A Mark is when a batch was made.
type Mark struct {
	// Boot is the boot, and Now and Wall are as the batch had them.
	Boot string
	Now  process.Instant
	Wall time.Time
}

// A Process is what a store keeps of one process.
type Process struct {
	Key
	// Began and Ended are when it started and ended by the wall clock of that
	// time. A store sets them; Ended is zero while the process has not ended.
	Began, Ended time.Time

	// Name is its last name (comm).
	Name string
	// Creator is the process whose thread called clone(2) for it, and Parent its
	// last parent that is known.
	Creator, Parent process.Link
	// Kernel says that it is a thread of the kernel.
	Kernel bool
	// Owner is as whom it ran last, and User the name of the effective user.
	Owner process.Owner
	User  string
	// GroupID, SessionID and TTY are as [process.Process] has them.
	GroupID, SessionID, TTY int
	// NamespacePIDs is its PID in each PID namespace from the reader's to its
	// own, nil where that is the reader's.
	NamespacePIDs []int
	// Group is the path of its container group.
	Group string
	// Container is the ID of the container that it is in, empty for none; what
	// it is called is said by Stored.
	Container string
	// Helper says that it serves the container and is not in it.
	Helper bool
	// Unit, UserUnit and Session are of systemd: the unit, the unit of the user's
	// own systemd, and the login session.
	Unit, UserUnit, Session string
	// Execs are the calls of execve(2) that it was seen to make, the earliest
	// first, and at most [MaxExecs] of them: the first and the last ones. What a
	// process was running when it was found is one at the instant zero.
	Execs []process.Command
	// ExecCount is how many there were.
	ExecCount int
	// Exit is its end; with an Evidence of Unknown it has not ended.
	Exit process.Exit
	// Evidence is how the rest is known: Observed of a process that was seen
	// being made, Scanned of one that was found.
	Evidence process.Evidence
	// Stored is what the store knows of the container, by its ID. Append does not
	// look at it.
	Stored *Container
}

// MaxExecs is how many calls of execve(2) are kept of a process.
const MaxExecs = 16

// A Container is what is kept of a container.
type Container struct {
	ID        string `json:"id"`
	Runtime   string `json:"runtime,omitempty"`
	Name      string `json:"name,omitempty"`
	Image     string `json:"image,omitempty"`
	PodUID    string `json:"pod,omitempty"`
	PodName   string `json:"pod_name,omitempty"`
	Namespace string `json:"pod_namespace,omitempty"`
	Workload  string `json:"workload,omitempty"`
	Service   string `json:"compose_service,omitempty"`
	Project   string `json:"compose_project,omitempty"`
}

// A Gap is a time of which something is missing.
type Gap struct {
	// Host and Boot are those of the batch that it came with.
	Host, Boot string
	// Reason is why.
	Reason GapReason
	// Since and Until are the first and the last instant of it.
	Since, Until process.Instant
	// From and To are those by the wall clock. A store sets them.
	From, To time.Time
	// Lost is how many things were not written, zero where that is not known.
	Lost uint64
}

// A GapReason is why something is missing.
type GapReason string

const (
	// Away is the time in which nobody watched.
	Away GapReason = "away"
	// Lost is a time of which the kernel dropped events.
	Lost GapReason = "lost"
	// Dropped is a time of which the store could not keep up, or could not write.
	Dropped GapReason = "dropped"
	// Damaged is a time of which what was written can no longer be read.
	Damaged GapReason = "damaged"
)

// Stats is how much a store holds.
type Stats struct {
	// Processes is how many, each counted once however long it lived, or about
	// how many where that is cheaper.
	Processes int64
	// Bytes is what they take on disk.
	Bytes int64
	// Oldest and Newest are the bounds of the time that is covered.
	Oldest, Newest time.Time
}
