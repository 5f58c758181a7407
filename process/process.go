package process

import (
	"fmt"
	"syscall"
)

// Evidence is how a fact is known.
type Evidence uint8

const (
	// Unknown is the evidence of what is not known.
	Unknown Evidence = iota
	// Inferred facts follow by a rule of the kernel from what was read or
	// observed, and are wrong where the rule has an exception that was not seen.
	Inferred
	// Scanned facts were read some time after they came to be.
	Scanned
	// Observed facts came as an event of the kernel.
	Observed
)

var evidenceNames = [...]string{"unknown", "inferred", "scanned", "observed"}

// String returns the name of the evidence in lower case.
func (e Evidence) String() string {
	if int(e) < len(evidenceNames) {
		return evidenceNames[e]
	}
	return fmt.Sprintf("Evidence(%d)", e)
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (e Evidence) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// A Link is an edge from a process to another one, and how it is known.
type Link struct {
	// ID names the other process. With an Evidence other than Unknown, a
	// zero ID says that there is none in this PID namespace: the link of
	// the first process to its parent. An ID that is not Known is a PID
	// that was read without learning who held it.
	ID ID
	// Evidence is Unknown where the link is a gap.
	Evidence Evidence
}

// Adoption is whether a process adopts the children of its dead descendants.
type Adoption uint8

const (
	// AdoptionUnknown is what /proc tells: nothing.
	AdoptionUnknown Adoption = iota
	// AdoptsNone says that the process was no subreaper whenever looked at.
	AdoptsNone
	// Adopts says that the process is or was a subreaper
	// (PR_SET_CHILD_SUBREAPER) or the init of its PID namespace.
	Adopts
)

// State is how far a process has got.
type State uint8

const (
	// Unseen processes are known only because another one named them.
	Unseen State = iota
	// Alive processes have at least one thread that has not ended. Among them
	// is one whose Exit is known already if it was found since to have its PID,
	// and its children, as a living one: the kernel tells of the end, takes the
	// memory down, for which it can need a while, and makes a zombie of it then
	// (do_exit, exit_notify).
	Alive
	// Zombie processes have ended, have no children and were found since to
	// hold their PID still. Their Parent is the one that has them now, which
	// may have adopted them after their end.
	Zombie
	// Ended processes have ended. One whose end was observed may hold its
	// PID still, until its parent takes note (see [Table.Unreaped]), and until
	// the kernel is through with it its children as well.
	Ended
)

var stateNames = [...]string{"unseen", "alive", "zombie", "ended"}

// String returns the name of the state in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", s)
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Cgroup is the cgroups that a process is in.
type Cgroup struct {
	// Membership is the text of /proc/PID/cgroup, a line for each
	// hierarchy. It is empty where it is not known.
	Membership string
	// Group is the path of the container group, the one cgroup that stands
	// for the process's container. It is empty where the membership is not
	// known or has no such group.
	Group string
}

// Exit is the end of a process.
type Exit struct {
	// Evidence is Observed for an event, Scanned where the process was
	// found gone, Inferred where another process was found to hold its
	// PID since, and Unknown while the process has not ended.
	Evidence Evidence
	// At is when the process ended; where that was not observed, a time at
	// which it was known to have ended.
	At Instant
	// Status is the wait status, meaningful only where it was observed.
	Status syscall.WaitStatus
	// Usage is what the process had used, where that was told.
	Usage Usage
}

// A Command is what a call of execve(2) was given.
type Command struct {
	// File is the path that was given, of a script that of the script. It is
	// empty where it is not known.
	File string
	// Args is the arguments that the program got, of a script those of its
	// interpreter. With ArgsCut it is not all of
	// them, and the last may be the beginning of one. The slice is shared
	// and must not be changed.
	Args    []string
	ArgsCut bool
	// At is when it was observed, zero where none was.
	At Instant
}

// Process is what is known of one process. It is a copy: nothing changes it.
type Process struct {
	// ID names the process.
	ID ID
	// Name is the kernel's name for the process (comm), at most 15 bytes
	// and whatever bytes the process chose.
	Name string
	// State is how far it has got.
	State State
	// Kernel says that it is a thread of the kernel (PF_KTHREAD).
	Kernel bool
	// Parent is what getppid(2) returns in the process now, or last
	// returned before it ended. It is Inferred where the parent has ended and
	// nobody has read since who has adopted the process, or, of one that has
	// ended as well, nobody had until then: it is the one that was to adopt,
	// if that did not change and the parent was through with its end.
	Parent Link
	// Creator is the process whose thread called clone(2) for it.
	Creator Link
	// GroupID and SessionID are the process group and the session as
	// getpgid(2) and getsid(2) tell them, zero where not known or outside
	// this PID namespace.
	GroupID, SessionID int
	// TTY is the device number of the controlling terminal, zero for none.
	TTY int
	// Cgroup is the cgroups it is in, or was in when it ended.
	Cgroup Cgroup
	// Birthplace is the cgroups it was in when it was forked, empty where that
	// was not observed.
	Birthplace Cgroup
	// Exec is the last execve(2) of the process that was observed; a later one
	// may be among events that were dropped since. It is zero where none was,
	// also where the process runs what its creator ran.
	Exec Command
	// Owner is as whom it runs, as it was told last.
	Owner Owner
	// NamespacePIDs is its PID in each PID namespace from the reader's to the
	// one that it is in. It is nil where they are not known and where that is
	// the reader's. The slice is shared and must not be changed.
	NamespacePIDs []int
	// Exit is its end.
	Exit Exit
	// Evidence is how Name, State and Cgroup are known: as the least known
	// of them, Unknown where events were dropped that may have changed one.
	Evidence Evidence
	// AsOf is when the process was last known to be alive. Where its end was not
	// observed, one that had ended may have been taken for a living one then.
	AsOf Instant
}

// An Ancestor is a process that stands above another one by creation.
type Ancestor struct {
	// Link names it, and says how it is known that it created the one below.
	// With an Unknown evidence there is a gap, see [Step].
	Link
	// Name and State are as of the same instant as what they come with.
	Name  string
	State State
}

// A Step is one element of a lineage, which runs from a process to its
// creator, to the creator's creator and so on.
type Step struct {
	Process Process
	// Gap says that this process is not known to have created the one
	// before it: it is the earliest known parent of that one, and others,
	// ended since, may stand between the two.
	Gap bool
}
