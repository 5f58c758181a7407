package process

import (
	"fmt"
	"syscall"
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
	// Adopter is, of an Exited, who adopts the children that are left.
	Adopter ID

	// Name is the name (comm) of a Fork, Exec and Seen, empty where it is
	// not known.
	Name string
	// Cgroup is the membership of a Fork, Moved and Seen. An empty
	// Membership is one that is not known.
	Cgroup Cgroup
	// GroupID, SessionID and TTY are those of a Fork and Seen, all zero where
	// they are not known.
	GroupID, SessionID, TTY int
	// Kernel says, of a Fork and Seen, that it is a thread of the kernel.
	Kernel bool
	// Zombie says, of a Seen, that the process has ended already.
	Zombie bool
	// Adoption is, of a Seen, whether the process is a subreaper.
	Adoption Adoption
	// Status is the wait status of an Exited.
	Status syscall.WaitStatus
}
