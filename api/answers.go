package api

import (
	"github.com/proclineage/lineage/answer"
)

// An Answer is what every answer has. What the fields mean is in openapi.yaml.
type Answer struct {
	Schema   string        `json:"schema"`
	Source   answer.Source `json:"source"`
	Complete bool          `json:"complete"`
	Note     string        `json:"note,omitempty"`
	AsOf     string        `json:"as_of"`
	// BootTime, Host and BootID are nil of more hosts than one.
	BootTime *string `json:"boot_time"`
	Host     *string `json:"host"`
	BootID   *string `json:"boot_id"`
	Gaps     []Gap   `json:"gaps"`
}

// lack says that the answer is not complete, and why.
func (a *Answer) lack(note string) {
	a.Complete = false
	if a.Note != "" {
		note = a.Note + "; " + note
	}
	a.Note = note
}

// A Gap is a time of which something is missing.
type Gap struct {
	Reason    string  `json:"reason"`
	Since     string  `json:"since"`
	Until     string  `json:"until"`
	SinceBoot string  `json:"since_boot"`
	UntilBoot string  `json:"until_boot"`
	BootID    string  `json:"boot_id"`
	Host      *string `json:"host"`
	Lost      *uint64 `json:"lost"`
}

// Processes is a page of processes.
type Processes struct {
	Answer
	Processes []answer.Process `json:"processes"`
	// Next is what to ask for after them, nil where there is no more.
	Next *string `json:"next"`
}

// One is one process.
type One struct {
	Answer
	Process answer.Process `json:"process"`
}

// Containers are those that are known.
type Containers struct {
	Answer
	Containers []ContainerCount `json:"containers"`
}

// A ContainerCount is a container with how many processes it has.
type ContainerCount struct {
	answer.Container
	Processes int `json:"processes"`
}

// TreeAnswer is a window of time to be drawn.
type TreeAnswer struct {
	Answer
	Since      string             `json:"since"`
	Until      string             `json:"until"`
	Rows       []Row              `json:"rows"`
	Containers []answer.Container `json:"containers"`
	Hosts      []TreeHost         `json:"hosts"`
	Groups     []Group            `json:"groups"`
	Cut        bool               `json:"cut"`
}

// A TreeHost is a host of a tree.
type TreeHost struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

// A Row is one process to be drawn.
type Row struct {
	ID           string   `json:"id"`
	PID          int      `json:"pid"`
	BootID       string   `json:"boot_id,omitempty"`
	Up           *int     `json:"up"`
	Gap          bool     `json:"gap,omitempty"`
	Depth        int      `json:"depth"`
	ParentRow    *int     `json:"parent_row"`
	CreatorRow   *int     `json:"creator_row"`
	PPID         *int     `json:"ppid"`
	CreatorPID   *int     `json:"creator_pid"`
	Adopted      bool     `json:"adopted,omitempty"`
	Name         string   `json:"name"`
	Command      string   `json:"command,omitempty"`
	CommandCut   bool     `json:"command_cut,omitempty"`
	State        string   `json:"state"`
	Kernel       bool     `json:"kernel,omitempty"`
	Scanned      bool     `json:"scanned,omitempty"`
	BeganMS      *float64 `json:"began_ms"`
	EndedMS      *float64 `json:"ended_ms"`
	EndUncertain bool     `json:"end_uncertain,omitempty"`
	Status       *int     `json:"status,omitempty"`
	Signal       string   `json:"signal,omitempty"`
	Failed       bool     `json:"failed,omitempty"`
	User         string   `json:"user,omitempty"`
	NamespacePID int      `json:"namespace_pid,omitempty"`
	Container    *int     `json:"container,omitempty"`
	Unit         string   `json:"unit,omitempty"`
	Session      string   `json:"session,omitempty"`
	Group        *int     `json:"group,omitempty"`
	Host         *int     `json:"host,omitempty"`
	Matched      bool     `json:"matched"`
}

// A Group is what rows are grouped by.
type Group struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

// Counts is how many processes there were over time.
type Counts struct {
	Answer
	Since         string   `json:"since"`
	Until         string   `json:"until"`
	BucketSeconds float64  `json:"bucket_seconds"`
	Estimated     bool     `json:"estimated"`
	Buckets       []Bucket `json:"buckets"`
}

// A Bucket is a part of the time, and how many processes lived, started, ended and
// failed in it.
type Bucket struct {
	Time    string `json:"time"`
	Lived   int    `json:"lived"`
	Started int    `json:"started"`
	Ended   int    `json:"ended"`
	Failed  int    `json:"failed"`
}

// An Event is one event, with the cursor to go on from.
type Event struct {
	answer.Event
	Cursor string `json:"cursor"`
}

// Status is what the daemon is and has.
type Status struct {
	Answer
	Version       string  `json:"version"`
	Started       string  `json:"started"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	Sees          string  `json:"sees"`
	// ReadOnly says that nothing is watched, and Live is nil then.
	ReadOnly bool        `json:"read_only"`
	Live     *LiveStatus `json:"live"`
	Store    *StoreStats `json:"store"`
	Events   EventStatus `json:"events"`
	// Shipping is nil where the history is sent nowhere.
	Shipping *ShippingStatus `json:"shipping,omitempty"`
}

// ShippingStatus is how the history is sent to another store.
type ShippingStatus struct {
	To            string  `json:"to"`
	BehindSeconds float64 `json:"behind_seconds"`
	Shipped       uint64  `json:"shipped"`
	Failures      uint64  `json:"failures"`
	Error         string  `json:"error,omitempty"`
	Last          *string `json:"last"`
}

// LiveStatus is what the live view holds and has seen.
type LiveStatus struct {
	Alive   int    `json:"alive"`
	Zombie  int    `json:"zombie"`
	Ended   int    `json:"ended"`
	Reused  uint64 `json:"reused"`
	Evicted uint64 `json:"evicted"`
	Losses  uint64 `json:"losses"`
}

// StoreStats is what the history holds.
type StoreStats struct {
	Processes int64   `json:"processes"`
	Bytes     int64   `json:"bytes"`
	Oldest    *string `json:"oldest"`
	Newest    *string `json:"newest"`
	Error     string  `json:"error,omitempty"`
	// Writing is nil where nobody tells how the writing goes.
	Writing *WritingStatus `json:"writing,omitempty"`
}

// WritingStatus is how the writing of the history goes.
type WritingStatus struct {
	Error   string  `json:"error,omitempty"`
	Pending int     `json:"pending"`
	Last    *string `json:"last"`
	Dropped uint64  `json:"dropped"`
}

// EventStatus is who reads events.
type EventStatus struct {
	Live       bool `json:"live"`
	Streams    int  `json:"streams"`
	StreamsMax int  `json:"streams_max"`
}
