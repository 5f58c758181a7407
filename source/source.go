// Package source is the seam between lineage and the ways to learn of
// processes. Each way is a package below this one, named as the kernel names
// what it uses.
package source

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/proclineage/lineage/process"
)

// A Source learns of the processes of a host and tells what it learns as
// events. Its methods, those of [Reader] and [Live] among them, may be called
// from several goroutines at once.
type Source interface {
	// Name is what the source is called in options and in output.
	Name() string

	// Limits names what the source cannot tell, whatever it is asked.
	Limits() []Limit

	// Scan tells of every process there is and hands each to emit as an
	// event of kind Seen, which is valid only during the call. All processes
	// that live from the beginning to the end of the scan are among them.
	// A process that ends meanwhile, or that the caller may not read, is
	// left out. With an error, what was emitted holds all the same, but is
	// not all.
	Scan(ctx context.Context, emit func(*process.Event)) error

	// Close frees what the source holds. The source must not be used after.
	Close() error
}

// A Reader is a source that can be asked about single processes.
type Reader interface {
	Source

	// Read reads the process that holds the PID, or whose thread has it as
	// its TID, into e, an event of kind Seen. Its Parent has only a PID:
	// who holds that one is the caller's to find out, see [Reader.Check].
	// It fails with ErrGone or ErrHidden.
	Read(pid int, e *process.Event) error

	// Check asks for what may have changed since the process was read, at
	// the least cost there is, given the membership it had then. It fails
	// with ErrGone where the process has ended and been reaped, also if
	// its PID is held by another process by now, and with ErrHidden.
	Check(id process.ID, membership string) (Status, error)
}

// A Live source tells what happens from the moment it is opened. To know all
// processes: open, scan, drain, in this order, and the same after a Loss.
type Live interface {
	Source

	// Pending reports whether there is anything to drain. It costs a few
	// loads.
	Pending() bool

	// Drain hands to emit, in order, what has happened until the call and was
	// not handed over before, as events that are each valid only during the
	// call of emit. What was dropped comes as an event of kind Loss. An event
	// counts as pending until emit has returned; emit must not call Drain.
	// After an error the source has to be closed.
	Drain(emit func(*process.Event)) error

	// Wait returns when so much is pending that it should be drained soon
	// for nothing to be lost, or with the error of ctx.
	Wait(ctx context.Context) error
}

// Status is what [Reader.Check] finds.
type Status struct {
	// ParentPID is the PID of the parent, zero where that is in no PID
	// namespace that the reader sees.
	ParentPID int
	// Moved says that the membership is no longer the one given.
	Moved bool
}

// The errors of a source, to be tested for with [errors.Is].
var (
	// ErrGone says that the process has ended. It is an [fs.ErrNotExist].
	ErrGone error = &kindError{"no such process", fs.ErrNotExist}
	// ErrHidden says that there is such a process, and that the caller may
	// not read what was asked for (hidepid, or a security module). It is an
	// [fs.ErrPermission].
	ErrHidden error = &kindError{"the process may not be read", fs.ErrPermission}
)

// kindError is an error of a more general kind, which its text leaves out.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// A Limit is one thing that a source cannot tell.
type Limit uint8

const (
	// CreatorsUnseen limits promise 3, two parents: of a process it is not
	// known whether its first known parent made or adopted it.
	CreatorsUnseen Limit = iota + 1
	// ShortLivedUnseen limits promise 4, honesty, to what is alive when
	// looked at: a process that ends before that is never known, and who
	// created what it had made is not known either.
	ShortLivedUnseen
	// ExitsUnseen says that the time and the status of an exit are not
	// known, only that a process is gone.
	ExitsUnseen
	// TicksOnly limits promise 1, identity: two processes that hold one
	// PID within one clock tick are taken for one unless a descriptor of
	// the first is held.
	TicksOnly
	// ExitsLate limits promise 2, freshness: an exit is told of shortly
	// after wait(2) can have returned it.
	ExitsLate
	// MovesUnseen says that a move to another cgroup is not told of.
	MovesUnseen
	// PeaksInherited says that Usage.MaxRSS also has what the process had
	// before execve(2), be it its creator's.
	PeaksInherited
)

var limitTexts = [...]string{
	CreatorsUnseen:   "creators: whether a parent made or adopted its child is not known",
	ShortLivedUnseen: "short lives: a process that ends before it is read is never known, nor who created what it had made",
	ExitsUnseen:      "exits: that a process is gone is known, not when nor with which status",
	TicksOnly:        "identity: a PID reused within 10 ms by another process can go unnoticed (needs Linux 6.9)",
	ExitsLate:        "exits: told of shortly after the parent can know, so that each question has to read as well",
	MovesUnseen:      "moves: that a process is in another cgroup is known when it is read, not when it happens",
	PeaksInherited:   "memory: the most that a program had is told no lower than what its creator had when it made it (needs Linux 6.16)",
}

// String returns a sentence for people.
func (l Limit) String() string {
	if l > 0 && int(l) < len(limitTexts) {
		return limitTexts[l]
	}
	return fmt.Sprintf("Limit(%d)", l)
}
