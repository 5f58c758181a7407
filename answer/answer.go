// Package answer has the JSON form of what lineage answers: the objects that the
// command writes with --output json, the daemon serves and clients read. What each
// field means is in docs/output.md.
package answer

// Schema is the name of the form. Fields may be added to it; one that is there
// keeps its name and its meaning.
const Schema = "lineage/v1"

// A Process is one process. A pointer that is nil is written as null: not known, or
// not asked for.
type Process struct {
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
	// EnteredFrom is the process outside that brought it into the container.
	EnteredFrom *Link   `json:"entered_from,omitempty"`
	Unit        *string `json:"unit"`
	// UnitDescription is what systemd says of the unit.
	UnitDescription *string `json:"unit_description,omitempty"`
	UserUnit        *string `json:"user_unit"`
	LoginSession    *string `json:"login_session"`

	// Exit is how it ended, nil while it has not.
	Exit *Exit `json:"exit,omitempty"`

	// Missing is why exe, args, the user or what is in execs are null although asked for.
	Missing string `json:"missing,omitempty"`
	// InvalidUTF8 says that bytes of name, exe or args are U+FFFD here.
	InvalidUTF8 bool `json:"invalid_utf8,omitempty"`

	// The rest is of a daemon's answers alone. Host and BootID are set where they
	// are others than the daemon's, or the answer is about more than one host, and
	// HostName, what the host is called, with Host where it is known.
	Host     string `json:"host,omitempty"`
	HostName string `json:"host_name,omitempty"`
	BootID   string `json:"boot_id,omitempty"`
	// Redacted says that arguments were taken for secrets and replaced.
	Redacted bool `json:"redacted,omitempty"`
	// Parents is, as Chain, who stands above it by parent.
	Parents         []Link `json:"parents,omitempty"`
	ParentsComplete *bool  `json:"parents_complete,omitempty"`
	// Execs are the calls of execve(2) that are known, of the ExecCount that
	// there were, the earliest first.
	Execs     []Exec `json:"execs,omitempty"`
	ExecCount *int   `json:"exec_count,omitempty"`

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

// A Container is the container that a process is in or serves.
type Container struct {
	Runtime *string `json:"runtime"`
	ID      *string `json:"id"`
	// Name and what follows it up to Pod is what the runtime says.
	Name   *string           `json:"name"`
	Image  *string           `json:"image"`
	State  *string           `json:"state"`
	Labels map[string]string `json:"labels,omitempty"`

	Pod            *string `json:"pod"`
	PodName        *string `json:"pod_name,omitempty"`
	PodNamespace   *string `json:"pod_namespace,omitempty"`
	Workload       *string `json:"workload,omitempty"`
	ComposeService *string `json:"compose_service,omitempty"`
	ComposeProject *string `json:"compose_project,omitempty"`

	Role *string `json:"role"`
	// Serves is the container that a helper serves.
	Serves *string `json:"serves,omitempty"`
	// Outer are those that it is in, the nearest first.
	Outer []Container `json:"outer,omitempty"`

	// Shown is the name with what goes with it, empty where that is not known.
	Shown string `json:"-"`
	// Nameless says that somebody was asked for the name and did not say.
	Nameless bool `json:"-"`
}

// An Exit is the end of a process.
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

// An Exec is one call of execve(2). Its times are nil of what a process was running
// when it was found.
type Exec struct {
	Time     *string  `json:"time"`
	BootTime *string  `json:"boot_time"`
	File     *string  `json:"file"`
	Args     []string `json:"args"`
	ArgsCut  bool     `json:"args_cut,omitempty"`
	Redacted bool     `json:"redacted,omitempty"`
}

// A Link is one process of a chain.
type Link struct {
	PID   int    `json:"pid"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
	// Gap says that it is not known to have made the one before it.
	Gap bool `json:"gap,omitempty"`
}

// An Event is one line of lineage watch. Those of a process have its fields.
type Event struct {
	Schema string `json:"schema"`
	Event  string `json:"event"`
	Time   string `json:"time"`
	// BootTime is the instant on the boot clock, by which events can be
	// put in order and compared with the ids of processes.
	BootTime string `json:"boot_time"`
	*Process

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

// A Document is an answer about processes.
type Document struct {
	Schema  string `json:"schema"`
	Command string `json:"command"`
	Source  Source `json:"source"`
	// Complete is false where the answer is not the whole one; Note says
	// why.
	Complete  bool      `json:"complete"`
	Note      string    `json:"note,omitempty"`
	Processes []Process `json:"processes"`
}

// A Source is where an answer comes from.
type Source struct {
	Name       string   `json:"name"`
	CannotTell []string `json:"cannot_tell"`
	// Daemon is the daemon that was asked as well, for what it has seen.
	Daemon string `json:"daemon,omitempty"`
	// Passed is the better sources that are not in use, and why.
	Passed []Passed `json:"passed,omitempty"`
}

// A Passed is a source that is not in use.
type Passed struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Optional returns nil for the zero value, which stands for none.
func Optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
