package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Schema is the name of the form of the answers.
const Schema = answer.Schema

// A Tree is what a server asks a [lineage.Tree].
type Tree interface {
	answer.Library
	Process(pid int) (process.Process, error)
	ProcessByID(process.ID) (process.Process, error)
	AncestorsByID(process.ID) ([]process.Process, error)
	LineageByID(process.ID) ([]process.Step, error)
	Processes() ([]process.Process, error)
	Events(context.Context) (<-chan lineage.Event, error)
	Source() lineage.SourceInfo
	Stats() lineage.Stats
	Host() (hostID, bootID string)
}

// A History is what a server asks a [store.Store].
type History interface {
	Last(ctx context.Context, host string) (store.Mark, error)
	Process(context.Context, store.Key) (store.Process, error)
	Processes(context.Context, []store.Key) ([]store.Process, error)
	Holder(ctx context.Context, host string, pid int, at time.Time) (store.Process, error)
	Ancestors(context.Context, store.Key) ([]store.Process, error)
	Select(context.Context, *store.Query) (store.Page, error)
	Hosts(context.Context) ([]store.Host, error)
	Stats(context.Context) (store.Stats, error)
}

// Names is who names containers and knows those that have no process.
type Names interface {
	answer.Names
	All(yield func(container.Container) bool)
}

// Options says what a server answers from, and whom. Tree or History must be set; of
// the rest the zero value is a good choice.
type Options struct {
	// Tree is the live view. [lineage.Tree.Run] must run, for its events. Where it is
	// nil, what is about now is answered from the history, as of the last batch of the
	// host, and there are no events.
	Tree Tree
	// HostName is what the host of the live view is called, empty for the node name of
	// uname(2).
	HostName string
	// History is the history, nil where none is kept.
	History History
	// Writing tells how the writing of the history goes. Nil for nobody who knows.
	Writing func() Writing
	// Shipping tells how the history is sent elsewhere, nil where it is not.
	Shipping func() Shipping
	// Names names containers, nil for nobody.
	Names Names
	// Page is the page, served at / and below it. Nil for none.
	Page http.Handler
	// ShowSecrets leaves in arguments what looks like a secret. Else it is replaced,
	// see package redact.
	ShowSecrets bool
	// HidePID is what ordinary users see of the processes of others.
	HidePID HidePID
	// Candid says that clients are told what went wrong in the server too, and not only
	// that something did. It is for a program that asks its own server.
	Candid bool
	// Version is that of the program.
	Version string
	// Collectors have metrics to be told besides the server's own.
	Collectors []prometheus.Collector
	// Logger takes what goes wrong in the server. Nothing is logged when it is nil.
	Logger *slog.Logger
	// Limits are how much clients may ask for.
	Limits Limits
}

// Writing is how the writing of a history goes.
type Writing struct {
	// Err is why it cannot be written, nil while it can.
	Err error
	// Pending is how many processes wait to be written.
	Pending int
	// Last is when it was written last, zero for never.
	Last time.Time
	// Dropped is how many things were given up since they could not be written.
	Dropped uint64
}

// Shipping is how a history is sent to another store.
type Shipping struct {
	// To is where it goes, without a password.
	To string
	// Err is why it cannot be sent, nil while it can.
	Err error
	// Behind is how long what is not yet there has waited.
	Behind time.Duration
	// Shipped is how many processes were sent, of which one that changed later counts
	// again, and Failures how often that failed.
	Shipped, Failures uint64
	// Last is up to when all is there, zero where that is not known.
	Last time.Time
}

// HidePID is what an ordinary user sees of a process of another one, as the mount
// option hidepid of procfs has it. Never seen are its program's file and what it
// read and wrote. What was running as whom is not known counts as another's.
type HidePID int

const (
	// HideNothing shows all the rest.
	HideNothing HidePID = iota
	// HideArgs hides its arguments as well.
	HideArgs
	// HideProcess hides the process, also as an ancestor of one's own.
	HideProcess
)

// Limits are how much clients may ask for. What is zero has a default.
type Limits struct {
	// Rows is how many rows a tree, and processes an export, may have at most:
	// 100,000. MaxCounted is how many processes are counted exactly: 200,000.
	Rows, MaxCounted int
	// Window is how long a window of a tree, of counts or of an export may be: 32
	// days.
	Window time.Duration
	// Query is how long an answer may take to be made: 15 s. Export is the same
	// for an export: a minute.
	Query, Export time.Duration
	// Working is how many answers are made at a time, and Heavy how many of them of
	// many processes: 4 and 2. Others wait for at most Query. Of Heavy a user or an
	// address may have one, and one of several is kept for who sees everything.
	Working, Heavy int
	// Unsent is how many bytes of answers may wait for clients that read slowly:
	// 128 MiB, of which one client may have half. What is small does not count.
	Unsent int64
	// Stall is for how long a client may not read before it is cut off: 10 s.
	// Sending is how long an answer may take to be sent: a minute.
	Stall, Sending time.Duration
	// Streams is how many clients may read events: 256, of which one user or address
	// may have StreamsEach: 64.
	Streams, StreamsEach int
	// Recent is how many bytes of events are kept for those that read them: 16 MiB.
	Recent int
	// Rate is how many requests a second a user or an address may make, and Burst how
	// many at once: 200 and 1,000.
	Rate, Burst int
	// Connections is how many there may be: 4,096, of which a user or an address may
	// have half.
	Connections int
}

func (l Limits) withDefaults() Limits {
	set(&l.Rows, 100_000)
	set(&l.MaxCounted, 200_000)
	set(&l.Window, 32*24*time.Hour)
	set(&l.Query, 15*time.Second)
	set(&l.Export, time.Minute)
	set(&l.Working, 4)
	set(&l.Heavy, 2)
	set(&l.Unsent, 128<<20)
	set(&l.Stall, 10*time.Second)
	set(&l.Sending, time.Minute)
	set(&l.Streams, 256)
	set(&l.StreamsEach, 64)
	set(&l.Recent, 16<<20)
	set(&l.Rate, 200)
	set(&l.Burst, 1000)
	set(&l.Connections, 4096)
	return l
}

func set[T ~int | ~int64](v *T, usual T) {
	if *v <= 0 {
		*v = usual
	}
}
