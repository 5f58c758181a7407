// Package record keeps what one command started: the processes that descend from
// it by creation, in one append-only file, and tells what there is to tell of them.
//
// A [Writer] makes the file while the command runs. [Read] takes it in again,
// also where it was cut short, and [Follow] does so while it is being written.
// docs/recording.md describes the file, and how [Summarize] and [Compare] come
// to what they say.
package record

import (
	"slices"
	"time"

	"github.com/proclineage/lineage/process"
)

// Version is the version of the format that a [Writer] writes.
const Version = 1

// A Recording is one command and what descends from it by creation.
type Recording struct {
	Header Header
	// Processes are in the order of their starts, a creator before what it
	// made. The first is the command itself.
	Processes []Process
	// Losses are what was dropped while it was recorded: processes, or what
	// became of them, may be missing.
	Losses []Loss
	// Ended is when the recording ended, zero where it was cut short (a crash,
	// a full disk) or goes on.
	Ended process.Instant
}

// A Header is what is known when a recording begins.
type Header struct {
	// Version is that of the format.
	Version int
	// Command is the command line, and Dir where it was started.
	Command []string
	Dir     string
	// Began is when the recording began, by the wall clock and the boot clock.
	Began   time.Time
	BeganAt process.Instant
	// Host and Kernel are the host's name and the release of its kernel, BootID
	// is that of the boot.
	Host, Kernel, BootID string
	// CPUs is how many processors there were.
	CPUs int
	// Source is what the recording was made with, and Limits what that cannot
	// tell, a sentence each.
	Source string
	Limits []string
	// Locked says that the file is locked while it is written, see [Lock].
	Locked bool
}

// A Process is one process of a recording.
type Process struct {
	// ID names it.
	ID process.ID
	// Creator is the place in Recording.Processes of the one that made it, -1
	// of the command itself and where that one is not in the recording, as
	// after a loss. With CreatorEvidence other than Observed it is inferred, or
	// not known.
	Creator         int
	CreatorEvidence process.Evidence
	// Start is when it began. End is when it ended, zero where it had not when
	// the recording ended or that is not known.
	Start, End process.Instant
	// Name is its last name (comm).
	Name string
	// Execs are the programs that it ran, in order. None where it ran what its
	// creator did.
	Execs []Exec
	// Exit is how it ended.
	Exit process.Exit
	// Container is the container it was in when it began, by name or ID, empty
	// for none.
	Container string
	// UID is as whom it ran when it began, -1 where not known. See Exec.UID.
	UID int
	// Found says that it was found after events had been lost: it may have run
	// others before the programs of Execs, or where there are none another one
	// than its creator.
	Found bool
}

// LastUID is as whom it ran when it ran its last program, -1 where not known.
func (p *Process) LastUID() int {
	for _, x := range slices.Backward(p.Execs) {
		if x.UID != nil {
			return *x.UID
		}
	}
	return p.UID
}

// An Exec is one execve(2). The Args of one that was read may be shared with
// others and must not be changed.
type Exec struct {
	// At is when it was. Of the first of a process that was found, it is when
	// that was.
	At      process.Instant
	File    string
	Args    []string
	ArgsCut bool
	// UID is as whom the process ran from then on, nil where that stayed as it
	// was or is not known.
	UID *int
}

// A Loss is a time in which events were dropped. Since is zero where it is not
// known when the last event before it happened.
type Loss struct{ Since, Until process.Instant }

// When returns the moment by the wall clock, as it was when the recording began.
func (h *Header) When(at process.Instant) time.Time {
	return h.Began.Add(time.Duration(at - h.BeganAt))
}
