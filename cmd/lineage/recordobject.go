package main

import (
	"os"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// RecordedObject is one process of a recording in JSON.
type RecordedObject struct {
	Object
	// Execs are the programs that it ran, in order; none where it ran what its
	// creator did, whose command line args is then.
	Execs []ExecObject `json:"execs"`
}

// ExecObject is one execve(2) of a process.
type ExecObject struct {
	Time    string   `json:"time"`
	File    *string  `json:"file"`
	Args    []string `json:"args"`
	ArgsCut bool     `json:"args_cut,omitempty"`
	// UID is nil where that stayed as it was.
	UID *int `json:"uid,omitempty"`
}

// RecordingObject is what there is to say of a recording itself.
type RecordingObject struct {
	// Recording is how the object can be told from those of processes.
	Recording int      `json:"recording"`
	Command   []string `json:"command"`
	Dir       string   `json:"dir"`
	Began     string   `json:"began"`
	// Ended is nil of a recording that was cut short or goes on.
	Ended  *string      `json:"ended"`
	Host   string       `json:"host"`
	Kernel string       `json:"kernel"`
	BootID string       `json:"boot_id"`
	CPUs   int          `json:"cpus"`
	Source Source       `json:"source"`
	Losses []LossObject `json:"losses"`
}

// LossObject is a time in which events were lost.
type LossObject struct {
	// Since is nil where it is not known when the last event before it was.
	Since *string `json:"since"`
	Until string  `json:"until"`
}

// RecordingDocument is what lineage show --output json writes.
type RecordingDocument struct {
	Schema    string           `json:"schema"`
	Command   string           `json:"command"`
	Recording RecordingObject  `json:"recording"`
	Complete  bool             `json:"complete"`
	Note      string           `json:"note,omitempty"`
	Processes []RecordedObject `json:"processes"`
}

// recordObjects turns the processes of a recording into objects.
type recordObjects struct {
	describer *answer.Describer
	rec       *record.Recording
	here      bool // it was made on this host, whose users have names
}

func newRecordObjects(rec *record.Recording) *recordObjects {
	host, err := os.Hostname()
	return &recordObjects{
		describer: answer.NewDescriber(recordedLibrary{&rec.Header}, nil), rec: rec,
		here: err == nil && host == rec.Header.Host,
	}
}

var recordedID = regexp.MustCompile(`^[0-9a-f]{32,64}$`)

// object describes a process.
func (o *recordObjects) object(n int) RecordedObject {
	p := &o.rec.Processes[n]
	q := processOfRecord(o.rec, n)
	x := RecordedObject{Object: o.describer.Process(&q), Execs: []ExecObject{}}
	if uid := p.LastUID(); uid >= 0 {
		x.UID = &uid
		if o.here {
			x.User = new(o.describer.User(uid))
		}
	}
	if p.Creator < 0 {
		x.CreatorPID, x.CreatorID, x.CreatorEvidence = nil, nil, process.Unknown.String()
	} else {
		x.CreatorEvidence = p.CreatorEvidence.String()
	}
	if p.Container != "" {
		x.Container = &Container{Name: &p.Container}
		if recordedID.MatchString(p.Container) {
			x.Container = &Container{ID: &p.Container}
		}
	}
	if x.Exit != nil && p.Exit.Usage.MaxRSS == 0 {
		x.Exit.MaxRSSBytes = nil
	}
	for i := range p.Execs {
		e := &p.Execs[i]
		x.Execs = append(x.Execs, ExecObject{Time: o.time(e.At), File: optional(e.File), Args: e.Args, ArgsCut: e.ArgsCut, UID: e.UID})
		for _, arg := range e.Args {
			x.InvalidUTF8 = x.InvalidUTF8 || !utf8.ValidString(arg)
		}
	}
	return x
}

func (o *recordObjects) time(at process.Instant) string { return o.describer.WallClock(at) }

// recording describes the recording itself.
func (o *recordObjects) recording() RecordingObject {
	h := &o.rec.Header
	x := RecordingObject{
		Recording: h.Version, Command: h.Command, Dir: h.Dir, Began: h.Began.UTC().Format(time.RFC3339Nano),
		Host: h.Host, Kernel: h.Kernel, BootID: h.BootID, CPUs: h.CPUs,
		Source: Source{Name: h.Source, CannotTell: append([]string{}, h.Limits...)}, Losses: []LossObject{},
	}
	if o.rec.Ended != 0 {
		x.Ended = new(o.time(o.rec.Ended))
	}
	for _, l := range o.rec.Losses {
		loss := LossObject{Until: o.time(l.Until)}
		if l.Since != 0 {
			loss.Since = new(o.time(l.Since))
		}
		x.Losses = append(x.Losses, loss)
	}
	return x
}

func (v *recordView) object(n int) RecordedObject { return newRecordObjects(v.rec).object(n) }

// emit writes what is shown as json or ndjson: in the order of the tree, or of
// the list.
func (v *recordView) emit() error {
	objects := newRecordObjects(v.rec)
	var list []RecordedObject
	add := func(n, depth int) error {
		o := objects.object(n)
		if v.flags.sort.value == "none" {
			o.Depth = &depth
			if v.filter.any() {
				o.Match = new(v.forest.hit[n])
			}
		}
		if v.app.output.value == "ndjson" {
			o.Schema = schema
			return v.app.encode(o, "")
		}
		list = append(list, o)
		return nil
	}
	var err error
	if v.flags.sort.value == "none" {
		err = v.eachInTree(add)
	} else {
		for _, n := range v.places() {
			if err = add(n, 0); err != nil {
				break
			}
		}
	}
	if err != nil || v.app.output.value == "ndjson" {
		return err
	}
	return v.document(objects, list)
}

func (v *recordView) document(objects *recordObjects, list []RecordedObject) error {
	if list == nil {
		list = []RecordedObject{}
	}
	return v.app.encode(RecordingDocument{
		Schema: schema, Command: "show", Recording: objects.recording(),
		Complete: len(v.app.gaps) == 0, Note: gapText(v.app.gaps), Processes: list,
	}, "  ")
}

// eachInTree calls visit with what is shown, a maker before what it has made.
func (v *recordView) eachInTree(visit func(n, depth int) error) error {
	depth := make([]int, len(v.rec.Processes))
	for _, root := range v.forest.roots {
		for at := root; at != none; {
			if err := visit(int(at), depth[at]); err != nil {
				return err
			}
			next := v.forest.first[at]
			if v.flags.depth > 0 && depth[at]+1 >= v.flags.depth {
				next = none
			}
			if next != none {
				depth[next] = depth[at] + 1
				at = next
				continue
			}
			for at != root && v.forest.next[at] == none {
				at = v.forest.parent[at]
			}
			if at == root {
				break
			}
			depth[v.forest.next[at]] = depth[at]
			at = v.forest.next[at]
		}
	}
	return nil
}

// emitWhy writes what --why means, each with its chain.
func (v *recordView) emitWhy(places []int) error {
	objects := newRecordObjects(v.rec)
	var list []RecordedObject
	for _, n := range places {
		o := objects.object(n)
		whole := true
		for _, at := range v.above(n) {
			link := linkOf(&v.forest.procs[at])
			o.Chain = append(o.Chain, link)
			whole = whole && (v.rec.Processes[at].Creator >= 0 || at == 0)
		}
		o.ChainComplete = &whole
		if v.app.output.value == "ndjson" {
			o.Schema = schema
			if err := v.app.encode(o, ""); err != nil {
				return err
			}
			continue
		}
		list = append(list, o)
	}
	if v.app.output.value == "ndjson" {
		return nil
	}
	return v.document(objects, list)
}
