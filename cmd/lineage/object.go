package main

// schema is the name of the form of everything that --output json and ndjson
// write. Fields may be added to it; one that is there keeps its name and its
// meaning.
const schema = "lineage/v1"

// Object is one process in JSON. docs/output.md says what each field means.
// A pointer that is nil is written as null: not known, or not asked for.
type Object struct {
	// Schema is set where the object stands alone, in ndjson.
	Schema string `json:"schema,omitempty"`

	PID             int     `json:"pid"`
	ID              string  `json:"id"`
	PPID            *int    `json:"ppid"`
	ParentID        *string `json:"parent_id"`
	ParentEvidence  string  `json:"parent_evidence"`
	CreatorPID      *int    `json:"creator_pid"`
	CreatorID       *string `json:"creator_id"`
	CreatorEvidence string  `json:"creator_evidence"`

	Name           string   `json:"name"`
	State          string   `json:"state"`
	Kernel         bool     `json:"kernel"`
	Evidence       string   `json:"evidence"`
	Start          *string  `json:"start"`
	StartPrecision *string  `json:"start_precision"`
	UID            *int     `json:"uid"`
	User           *string  `json:"user"`
	RUID           *int     `json:"ruid"`
	Exe            *string  `json:"exe"`
	Args           []string `json:"args"`
	ArgsCut        bool     `json:"args_cut,omitempty"`
	File           *string  `json:"file,omitempty"`
	PGID           *int     `json:"pgid"`
	SID            *int     `json:"sid"`
	TTY            *string  `json:"tty"`
	NamespacePIDs  []int    `json:"namespace_pids"`

	ContainerGroup *string    `json:"container_group"`
	Container      *Container `json:"container"`
	Unit           *string    `json:"unit"`
	UserUnit       *string    `json:"user_unit"`
	LoginSession   *string    `json:"login_session"`

	// Exit is how it ended, nil while it has not.
	Exit *Exit `json:"exit,omitempty"`

	// Missing is why exe, args or the user are null although asked for.
	Missing string `json:"missing,omitempty"`
	// InvalidUTF8 says that bytes of name, exe or args are U+FFFD here.
	InvalidUTF8 bool `json:"invalid_utf8,omitempty"`

	// Gap is for lineage ancestors --creators.
	Gap *bool `json:"gap,omitempty"`
	// Chain and Listens are for lineage why.
	Chain   []Link   `json:"chain,omitempty"`
	Listens []string `json:"listens,omitempty"`
	// ChainComplete is false where Chain does not reach the outermost.
	ChainComplete *bool `json:"chain_complete,omitempty"`
	// Depth, Match and Group are for lineage tree.
	Depth *int    `json:"depth,omitempty"`
	Match *bool   `json:"match,omitempty"`
	Group *string `json:"group,omitempty"`
}

// Container is the container that a process is in or serves.
type Container struct {
	Runtime *string `json:"runtime"`
	ID      *string `json:"id"`
	Pod     *string `json:"pod"`
	Role    *string `json:"role"`
	// Serves is the container that a helper serves.
	Serves *string `json:"serves,omitempty"`
}

// Exit is the end of a process.
type Exit struct {
	Evidence string  `json:"evidence"`
	Time     *string `json:"time"`
	// Status is nil of a process that was ended by a signal, and Signal of
	// any other.
	Status     *int    `json:"status"`
	Signal     *string `json:"signal"`
	CoreDumped bool    `json:"core_dumped,omitempty"`
	// LivedSeconds is how long it lived.
	LivedSeconds *float64 `json:"lived_seconds"`
	// What it used.
	UserSeconds   *float64 `json:"user_seconds"`
	SystemSeconds *float64 `json:"system_seconds"`
	MaxRSSBytes   *uint64  `json:"max_rss_bytes"`
	ReadBytes     *uint64  `json:"read_bytes"`
	WrittenBytes  *uint64  `json:"written_bytes"`
}

// Link is one process of a chain.
type Link struct {
	PID   int    `json:"pid"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
	// Gap says that it is not known to have made the one before it.
	Gap bool `json:"gap,omitempty"`
}

// Event is one line of lineage watch. Those of a process have its fields.
type Event struct {
	Schema string `json:"schema"`
	Event  string `json:"event"`
	Time   string `json:"time"`
	// BootTime is the instant on the boot clock, by which events can be
	// put in order and compared with the ids of processes.
	BootTime string `json:"boot_time"`
	*Object

	AdopterPID *int    `json:"adopter_pid,omitempty"`
	AdopterID  *string `json:"adopter_id,omitempty"`
	// Membership and FromMembership are, of a move, the lines of
	// /proc/PID/cgroup after it and before it.
	Membership     *string `json:"membership,omitempty"`
	FromMembership *string `json:"from_membership,omitempty"`
	Creators       []Link  `json:"creators,omitempty"`
	// CreatorsComplete is false where it is not known who made the last.
	CreatorsComplete *bool `json:"creators_complete,omitempty"`
	// Since and SinceBoot are, of a loss, when the last event before it was.
	Since     *string `json:"since,omitempty"`
	SinceBoot *string `json:"since_boot,omitempty"`
	// Source is where the next events come from.
	Source *Source `json:"source,omitempty"`
}

// Document is what --output json writes of processes.
type Document struct {
	Schema  string `json:"schema"`
	Command string `json:"command"`
	Source  Source `json:"source"`
	// Complete is false where the answer is not the whole one; Note says
	// why.
	Complete  bool     `json:"complete"`
	Note      string   `json:"note,omitempty"`
	Processes []Object `json:"processes"`
}

// Source is where an answer comes from.
type Source struct {
	Name       string   `json:"name"`
	CannotTell []string `json:"cannot_tell"`
	// Passed is the better sources that are not in use, and why.
	Passed []Passed `json:"passed,omitempty"`
}

// Passed is a source that is not in use.
type Passed struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// PathObject is what lineage cgroup writes of a path in JSON, an object a
// line.
type PathObject struct {
	Schema    string  `json:"schema"`
	Path      string  `json:"path"`
	Runtime   *string `json:"runtime"`
	Container *string `json:"container"`
	Pod       *string `json:"pod"`
	Role      *string `json:"role"`
	Serves    *string `json:"serves"`
	Inside    *string `json:"inside"`

	Unit         *string `json:"unit"`
	Slice        *string `json:"slice"`
	UserUnit     *string `json:"user_unit"`
	LoginSession *string `json:"login_session"`
	OwnerUID     *int    `json:"owner_uid"`

	// PID and Lines are there where a PID was given instead of a path.
	PID   *int        `json:"pid,omitempty"`
	Lines []GroupLine `json:"lines,omitempty"`
}

// GroupLine is one line of /proc/PID/cgroup.
type GroupLine struct {
	Line string `json:"line"`
	// ContainerGroup marks the line that has the container group.
	ContainerGroup bool `json:"container_group"`
}

// optional returns nil for the zero value, which stands for none.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
