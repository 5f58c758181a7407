package main

import (
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
)

// SummaryObject is a summary of a recording in JSON.
type SummaryObject struct {
	Schema    string          `json:"schema"`
	Command   string          `json:"command"`
	Recording RecordingObject `json:"recording"`

	// Exit is how the command ended, nil while it has not.
	Exit *Exit `json:"exit,omitempty"`

	WallSeconds    float64 `json:"wall_seconds"`
	WholeSeconds   float64 `json:"whole_seconds"`
	ProcessSeconds float64 `json:"process_seconds"`
	UsageObject
	Processes int `json:"processes"`
	Execs     int `json:"execs"`
	Failed    int `json:"failed"`

	Alive   ProfileObject `json:"alive"`
	Working ProfileObject `json:"working"`

	Slowest  []CostObject    `json:"slowest"`
	CPU      []CostObject    `json:"most_cpu"`
	RSS      []CostObject    `json:"most_rss"`
	IO       []CostObject    `json:"most_io"`
	Programs []ProgramObject `json:"programs"`
	Failures []FailureObject `json:"failures"`
	Path     []StepObject    `json:"critical_path"`

	// Complete is false where events were lost or there is no end; Note says so.
	Complete bool          `json:"complete"`
	Note     string        `json:"note,omitempty"`
	Unknown  UnknownObject `json:"unknown"`
}

// UsageObject is what was used, null where that is not known.
type UsageObject struct {
	UserSeconds   *float64 `json:"user_seconds"`
	SystemSeconds *float64 `json:"system_seconds"`
	MaxRSSBytes   *uint64  `json:"max_rss_bytes"`
	ReadBytes     *uint64  `json:"read_bytes"`
	WrittenBytes  *uint64  `json:"written_bytes"`
}

// ProfileObject is how many processes there were at once.
type ProfileObject struct {
	Peak    int           `json:"peak"`
	PeakAt  string        `json:"peak_time"`
	Average float64       `json:"average"`
	Levels  []LevelObject `json:"levels"`
}

// LevelObject is for how long there were so many.
type LevelObject struct {
	Processes int     `json:"processes"`
	Seconds   float64 `json:"seconds"`
}

// CostObject is what a process took.
type CostObject struct {
	Which
	Seconds    float64 `json:"seconds"`
	OwnSeconds float64 `json:"own_seconds"`
	UsageObject
}

// Which names a process of a recording.
type Which struct {
	PID  int    `json:"pid"`
	ID   string `json:"id"`
	Name string `json:"name"`
	// Line is the command line as a shell takes it, empty where the process ran
	// no program of its own.
	Line string `json:"command_line"`
	// Cut says that it had more arguments.
	Cut bool `json:"args_cut,omitempty"`
}

// ProgramObject is what all processes took that ran a program.
type ProgramObject struct {
	Name        string  `json:"name"`
	Processes   int     `json:"processes"`
	Failed      int     `json:"failed"`
	Seconds     float64 `json:"seconds"`
	OwnSeconds  float64 `json:"own_seconds"`
	PathSeconds float64 `json:"critical_path_seconds"`
	UsageObject
}

// FailureObject is a process that failed.
type FailureObject struct {
	Which
	Status *int    `json:"status"`
	Signal *string `json:"signal"`
	// Origin says that none of those that it made failed.
	Origin bool `json:"origin"`
}

// StepObject is a step of the critical path.
type StepObject struct {
	Which
	From      string  `json:"from"`
	Seconds   float64 `json:"seconds"`
	Uncertain bool    `json:"uncertain,omitempty"`
}

// UnknownObject is what is not known, each as of how many processes.
type UnknownObject struct {
	Losses         int     `json:"losses"`
	LostSeconds    float64 `json:"lost_seconds"`
	Open           bool    `json:"open"`
	Running        int     `json:"running"`
	EndUnseen      int     `json:"end_unseen"`
	NoUsage        int     `json:"no_usage"`
	NoCreator      int     `json:"no_creator"`
	GuessedCreator int     `json:"guessed_creator"`
	CoarseStart    int     `json:"coarse_start"`
	CutArgs        int     `json:"cut_args"`
}

func newSummaryObject(rec *record.Recording) SummaryObject {
	sum := record.Summarize(rec)
	objects := newRecordObjects(rec)
	u := &sum.Unknown
	x := SummaryObject{
		Schema: schema, Command: "show --summary", Recording: objects.recording(),
		WallSeconds: sum.Wall.Seconds(), WholeSeconds: sum.Whole.Seconds(), ProcessSeconds: sum.Time.Seconds(),
		UsageObject: usageObject(sum.Usage), Processes: sum.Processes, Execs: sum.Execs, Failed: sum.Failed,
		Alive: objects.profile(&sum.Alive), Working: objects.profile(&sum.Working),
		Slowest: objects.costs(sum.Slowest), CPU: objects.costs(sum.CPU), RSS: objects.costs(sum.RSS), IO: objects.costs(sum.IO),
		Programs: []ProgramObject{}, Failures: []FailureObject{}, Path: []StepObject{},
		Unknown: UnknownObject{
			Losses: u.Losses, LostSeconds: u.Lost.Seconds(), Open: u.Open, Running: u.Running, EndUnseen: u.EndUnseen,
			NoUsage: u.NoUsage, NoCreator: u.NoCreator, GuessedCreator: u.GuessedCreator, CoarseStart: u.Coarse, CutArgs: u.CutArgs,
		},
	}
	if len(rec.Processes) > 0 {
		x.Exit = objects.object(0).Exit
	}
	for i := range sum.Programs {
		p := &sum.Programs[i]
		x.Programs = append(x.Programs, ProgramObject{
			Name: p.Name, Processes: p.Processes, Failed: p.Failed, Seconds: p.Time.Seconds(), OwnSeconds: p.Own.Seconds(),
			PathSeconds: p.OnPath.Seconds(), UsageObject: usageObject(p.Usage),
		})
	}
	for _, f := range sum.Failures {
		o := FailureObject{Which: objects.which(f.Process), Origin: f.Origin}
		if s := rec.Processes[f.Process].Exit.Status; s.Signaled() {
			o.Signal = new(answer.SignalName(s.Signal()))
		} else {
			o.Status = new(s.ExitStatus())
		}
		x.Failures = append(x.Failures, o)
	}
	for _, s := range sum.Path {
		x.Path = append(x.Path, StepObject{
			Which: objects.which(s.Process), From: objects.time(s.From),
			Seconds: time.Duration(s.Until - s.From).Seconds(), Uncertain: s.Uncertain,
		})
	}
	return x
}

func usageObject(u process.Usage) UsageObject {
	if !u.Known {
		return UsageObject{}
	}
	x := UsageObject{
		UserSeconds: new(u.User.Seconds()), SystemSeconds: new(u.System.Seconds()),
		ReadBytes: &u.ReadBytes, WrittenBytes: &u.WrittenBytes,
	}
	x.MaxRSSBytes = optional(u.MaxRSS)
	return x
}

func (o *recordObjects) which(n int) Which {
	p := &o.rec.Processes[n]
	w := Which{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name}
	if last := len(p.Execs) - 1; last >= 0 {
		w.Line, w.Cut = record.Shell(p.Execs[last].Args), p.Execs[last].ArgsCut
	}
	return w
}

func (o *recordObjects) costs(costs []record.Cost) []CostObject {
	list := []CostObject{}
	for i := range costs {
		c := &costs[i]
		list = append(list, CostObject{
			Which: o.which(c.Process), Seconds: c.Time.Seconds(), OwnSeconds: c.Own.Seconds(), UsageObject: usageObject(c.Usage),
		})
	}
	return list
}

func (o *recordObjects) profile(p *record.Profile) ProfileObject {
	x := ProfileObject{Peak: p.Peak, PeakAt: o.time(p.PeakAt), Average: p.Average(), Levels: []LevelObject{}}
	for _, l := range p.Levels {
		x.Levels = append(x.Levels, LevelObject{l.Processes, l.Time.Seconds()})
	}
	return x
}
