package process

import (
	"fmt"
	"syscall"
	"time"
)

// Kind is what an [Event] tells.
type Kind uint8

const (
	// Fork tells of a process made by clone(2), fork(2) or vfork(2).
	Fork Kind = iota + 1
	// Exec tells of a process that runs another program.
	Exec
	// Exited tells of a process whose last thread has ended.
	Exited
	// Moved tells of a process that is in another cgroup.
	Moved
	// Seen tells of a process that was read.
	Seen
	// Gone tells of a process that was found to have ended.
	Gone
	// Loss tells that events after Since and until Time were dropped.
	Loss
)

var kindNames = [...]string{"", "fork", "exec", "exit", "move", "seen", "gone", "loss"}

// String returns the name of the kind in lower case.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// An Event is one thing learnt about one process. Which fields it has follows
// from its Kind; an ID that stands for "not known" is zero.
type Event struct {
	// Kind is what the event tells.
	Kind Kind
	// Time orders the events of a source: of two facts about one thing the
	// one with the greater Time holds. For what was observed it is when it
	// happened, and no two events of a source have the same. For what was
	// read it is when the reading of the process began, or where starts are
	// exact when that of the whole scan did.
	Time Instant
	// Renamed says, of a Loss, that no event was dropped: cgroups have other
	// paths than were told.
	Renamed bool
	// Since is, of a Loss, when the last event before it happened, zero
	// where that is not known: then all before it is doubtful, also of
	// processes that have ended.
	Since Instant
	// ID is the process that the event is about. A Loss has none.
	ID ID

	// Parent is the parent: of a Fork the one the child starts with, of a
	// Seen the one it had when it was read. It is zero where it is not known,
	// and with NoParent where there is none.
	Parent ID
	// NoParent says that the process has no parent in this PID namespace.
	NoParent bool
	// Creator is, of a Fork, the process whose thread called clone(2).
	Creator ID
	// Adopter is, of an Exited, who adopted the children that are left if it
	// came to that now. The kernel decides later, and so maybe otherwise:
	// sched_process_exit is told first, and then the memory is taken down
	// (exit_mm), before the children are given away (exit_notify).
	Adopter ID

	// Name is the name (comm) of a Fork, Exec and Seen, empty where it is
	// not known.
	Name string
	// Cgroup is the membership of a Fork, Moved and Seen. An empty
	// Membership is one that is not known.
	Cgroup Cgroup
	// GroupID, SessionID and TTY are those of a Fork, Exec and Seen, all zero
	// where they are not known.
	GroupID, SessionID, TTY int
	// Kernel says, of a Fork and Seen, that it is a thread of the kernel.
	Kernel bool
	// Zombie says, of a Seen, that the process has ended already and has left
	// its children.
	Zombie bool
	// Exiting says, of a Seen, that the process has ended and is no zombie
	// yet: it has its children still. Who cannot tell it from a living one
	// leaves it out, and tells of the end by an Exited.
	Exiting bool
	// Adoption is, of a Seen, whether the process is a subreaper.
	Adoption Adoption
	// Status is the wait status of an Exited.
	Status syscall.WaitStatus

	// Owner is, of a Fork, Exec and Seen, as whom the process runs.
	Owner Owner
	// NamespacePIDs is, of a Fork and Seen, the PID in each PID namespace
	// from the reader's to the one that the process is in, nil where that is
	// not known. The slice is valid only as long as the event.
	NamespacePIDs []int
	// File is, of an Exec, the path that was given to execve(2), of a script
	// that of the script. It is empty where it is not known.
	File string
	// Args is, of an Exec, the arguments that the program got: those that were
	// given to execve(2), and of a script those of its interpreter. With
	// ArgsCut it is not all of them, and the last may be the beginning of
	// one: bpf tells the first 4,096 bytes, and 128 arguments at most. The
	// slice, not the strings, is valid only as long as the event.
	Args    []string
	ArgsCut bool
	// Usage is, of an Exited, what the process had used.
	Usage Usage
}

// Owner is as whom a process runs, by the user and group IDs of the first
// user namespace.
type Owner struct {
	// Known says that the rest means anything: 0 is root's ID.
	Known bool
	// UID and EffectiveUID are the real and the effective user ID.
	UID, EffectiveUID int
	// GID and EffectiveGID are the real and the effective group ID.
	GID, EffectiveGID int
}

// Usage is what a process, with all its threads and without its children, had
// used when it ended.
type Usage struct {
	// Known says that the rest means anything.
	Known bool
	// User and System are the time that it ran, as far as the kernel had
	// counted it: what came after the last clock tick or switch of the last
	// thread, at most a few milliseconds, is not in it.
	User, System time.Duration
	// MaxRSS is the most memory that was resident at a time, in bytes, of the
	// program that the process ran last (get_mm_hiwater_rss): what it had
	// before its last execve(2) does not count, be it its own or its creator's.
	// A process that never called execve has what it shared with its creator
	// from the beginning. Before Linux 6.16 it is what getrusage(2) tells, in
	// which what came before execve counts too, and so is too much for a small
	// program that a large one made. The kernel counts each processor's pages
	// apart for a while, so it may be off by some hundred for each processor
	// that it ran on, and is zero where none were counted yet.
	MaxRSS uint64
	// ReadBytes and WrittenBytes are what its own threads had storage read and
	// write, without those of its children (ru_inblock and ru_oublock of
	// getrusage(2), in bytes). What was in the page cache is not read. A page
	// is written when it is made dirty, also where the file is removed or cut
	// before storage gets it (cancelled_write_bytes of /proc/PID/io is not
	// subtracted).
	ReadBytes, WrittenBytes uint64
}
