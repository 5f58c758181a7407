package answer

import (
	"cmp"
	"strconv"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// Stored describes a process from a history, with the wall-clock times of then. A
// Describer without names is what should be asked: those of now may be others'.
func (d *Describer) Stored(s *store.Process) Process {
	p := process.Process{
		ID: s.ID, Name: s.Name, State: process.Alive, Kernel: s.Kernel, Parent: s.Parent, Creator: s.Creator,
		GroupID: s.GroupID, SessionID: s.SessionID, TTY: s.TTY, Cgroup: process.Cgroup{Group: s.Group},
		Exec: s.Command(), Owner: s.Owner, NamespacePIDs: s.NamespacePIDs, Exit: s.Exit, Evidence: s.Evidence,
	}
	if s.Exit.Evidence != process.Unknown {
		p.State = process.Ended
	}
	o := d.Process(&p)
	o.Host, o.BootID = s.Host, s.Boot
	o.Start = timeText(s.Began)
	if o.Start == nil {
		o.StartPrecision = nil
	}
	if o.Exit != nil {
		o.Exit.Time = timeText(s.Ended)
	}
	if o.UID != nil { // the names of now may be others', and those of another host are
		o.User = new(cmp.Or(s.User, strconv.Itoa(*o.UID)))
	}
	o.Container = d.storedContainer(s, o.Container)
	o.Unit, o.UserUnit, o.LoginSession = Optional(s.Unit), Optional(s.UserUnit), Optional(s.Session)
	return o
}

// StoredExecs describes the calls of execve(2) of a process from a history.
func StoredExecs(s *store.Process) []Exec {
	execs := make([]Exec, len(s.Execs))
	for i := range s.Execs {
		c := &s.Execs[i]
		e := Exec{File: Optional(c.File), Args: c.Args, ArgsCut: c.ArgsCut}
		if c.At != 0 {
			e.BootTime = new(BootClock(c.At))
			if !s.Began.IsZero() {
				e.Time = timeText(s.Began.Add(time.Duration(c.At) - time.Duration(s.ID.Start)))
			}
		}
		execs[i] = e
	}
	return execs
}

// storedContainer is the container as the history has it. What the path of the
// cgroup tells of it is kept.
func (d *Describer) storedContainer(s *store.Process, path *Container) *Container {
	if s.Container == "" {
		return path
	}
	o := path
	if o == nil {
		o = &Container{Role: new("container")}
	}
	if s.Helper {
		o.Role, o.Serves = new("helper"), &s.Container
	} else {
		o.ID = &s.Container
	}
	if c := s.Stored; c != nil {
		nameContainer(o, c)
	}
	return o
}

// StoredContainer describes a container from a history.
func StoredContainer(c *store.Container) Container {
	o := Container{ID: Optional(c.ID), Role: new("container")}
	nameContainer(&o, c)
	return o
}

func nameContainer(o *Container, c *store.Container) {
	if c.Runtime != "" {
		o.Runtime = &c.Runtime
	}
	if c.PodUID != "" {
		o.Pod = &c.PodUID
	}
	o.Name, o.Image = Optional(c.Name), Optional(c.Image)
	o.PodName, o.PodNamespace, o.Workload = Optional(c.PodName), Optional(c.Namespace), Optional(c.Workload)
	o.ComposeService, o.ComposeProject = Optional(c.Service), Optional(c.Project)
}

// timeText is a wall-clock time as JSON has it, nil for one that is not known.
func timeText(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Round(time.Microsecond).Format(time.RFC3339Nano))
}
