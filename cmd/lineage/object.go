package main

import "github.com/proclineage/lineage/answer"

// schema is the name of the form of everything that --output json and ndjson
// write.
const schema = answer.Schema

// What an answer is made of.
type (
	Object    = answer.Process
	Container = answer.Container
	Exit      = answer.Exit
	Link      = answer.Link
	Event     = answer.Event
	Document  = answer.Document
	Source    = answer.Source
	Passed    = answer.Passed
)

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

	Unit *string `json:"unit"`
	// UnitDescription is what systemd says of the unit.
	UnitDescription *string `json:"unit_description,omitempty"`
	Slice           *string `json:"slice"`
	UserUnit        *string `json:"user_unit"`
	LoginSession    *string `json:"login_session"`
	OwnerUID        *int    `json:"owner_uid"`

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
func optional[T comparable](v T) *T { return answer.Optional(v) }
