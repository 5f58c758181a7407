package answer

import (
	"errors"
	"io/fs"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// A Library is what a Describer asks a [lineage.Tree].
type Library interface {
	Details(process.ID) (process.Details, error)
	Time(process.Instant) time.Time
}

// Names is who names containers, as [container.Names] does.
type Names interface {
	container.Resolver
	// Await waits until enough, called again and again, returns true, or no more
	// can be had for now.
	Await(enough func() bool)
}

// A Describer turns processes into objects. It remembers what many processes
// share, and is not safe for concurrent use.
type Describer struct {
	tree  Library
	names Names
	users map[int]string
	// settled says that no more names come than there are, and what is in
	// places holds for good.
	settled bool
	places  map[process.Cgroup]container.Membership
}

// NewDescriber returns one that asks the library, and whoever names containers,
// nil for nobody.
func NewDescriber(l Library, n Names) *Describer {
	return &Describer{tree: l, names: n, users: map[int]string{}, places: map[process.Cgroup]container.Membership{}}
}

// Details reads what else there is to know of a process, as the library tells it.
func (d *Describer) Details(id process.ID) (process.Details, error) { return d.tree.Details(id) }

// Time is the wall-clock time of an instant, as the library tells it.
func (d *Describer) Time(i process.Instant) time.Time { return d.tree.Time(i) }

// Named reports whether there is anybody who names containers.
func (d *Describer) Named() bool { return d.names != nil }

// Settle takes the names that are there for all that there will be.
func (d *Describer) Settle() { d.settled = true }

// Place says where the processes with the cgroups belong.
func (d *Describer) Place(c process.Cgroup, m container.Membership) { d.places[c] = m }

// Prepare waits, but not for long, for the names of the containers that the
// processes are in, and then settles.
func (d *Describer) Prepare(procs []process.Process) {
	d.Settle()
	if d.names == nil {
		return
	}
	d.names.Await(func() bool {
		clear(d.places)
		for i := range procs {
			c := procs[i].Cgroup
			if m := d.Whereabouts(c); !named(&m, c.Group) {
				return false
			}
		}
		return true
	})
	clear(d.places)
}

// AwaitName is [Describer.Whereabouts] once somebody has named the container, or
// nobody does for now.
func (d *Describer) AwaitName(c process.Cgroup) (m container.Membership) {
	if d.names == nil {
		return d.Whereabouts(c)
	}
	d.names.Await(func() bool {
		m = d.Whereabouts(c)
		return m.Container.ID != ""
	})
	return m
}

// named reports whether a runtime has no more to say of who is in the container
// group.
func named(m *container.Membership, group string) bool {
	if m.Identity.Role == cgroup.RoleNone {
		return container.Explained(group)
	}
	return m.Container.ID != ""
}

// Process describes a process by what the tree has told of it already.
func (d *Describer) Process(p *process.Process) Process {
	o := Process{
		PID:             p.ID.PID,
		ID:              p.ID.String(),
		ParentEvidence:  p.Parent.Evidence.String(),
		CreatorEvidence: p.Creator.Evidence.String(),
		Name:            p.Name,
		State:           p.State.String(),
		Kernel:          p.Kernel,
		Evidence:        p.Evidence.String(),
		PGID:            Optional(p.GroupID),
		SID:             Optional(p.SessionID),
		TTY:             Optional(TerminalName(p.TTY)),
		InvalidUTF8:     !utf8.ValidString(p.Name),
	}
	o.PPID, o.ParentID = linkFields(p.Parent)
	o.CreatorPID, o.CreatorID = linkFields(p.Creator)
	if start, ok := d.started(p); ok {
		// The wall clock is not known to the nanosecond; what is finer than
		// this would be another number at every call.
		precision, unit := "tick", process.Tick
		if p.ID.Precision == process.Exact {
			precision, unit = "ns", time.Microsecond
		}
		o.Start = new(start.UTC().Round(unit).Format(time.RFC3339Nano))
		o.StartPrecision = &precision
	}
	m := d.Whereabouts(p.Cgroup)
	o.ContainerGroup = Optional(p.Cgroup.Group)
	o.Container = ContainerOf(&m)
	if o.Container != nil {
		o.Container.Nameless = d.names != nil && o.Container.Shown == ""
	}
	o.Unit = Optional(m.Unit.Name)
	o.UserUnit = Optional(m.Unit.UserUnit)
	o.LoginSession = Optional(m.Unit.Session)
	o.Exit = d.ending(p)
	o.NamespacePIDs = p.NamespacePIDs
	if p.Owner.Known {
		o.UID, o.RUID = &p.Owner.EffectiveUID, &p.Owner.UID
		o.User = new(d.User(p.Owner.EffectiveUID))
	}
	o.File, o.ArgsCut = Optional(p.Exec.File), p.Exec.ArgsCut
	o.SetArgs(p.Exec.Args)
	o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(p.Exec.File)
	return o
}

// Detailed describes a process by all that can be read of it.
func (d *Describer) Detailed(p *process.Process) Process {
	o := d.Process(p)
	x, err := d.tree.Details(p.ID)
	if err != nil {
		o.Missing = OneLine(err)
		if errors.Is(err, lineage.ErrNotFound) {
			o.Missing = "the process has ended"
		}
		return o
	}
	switch {
	case errors.Is(x.Missing, fs.ErrPermission):
		o.Missing = "it may not be read by this user"
	case x.Missing != nil:
		o.Missing = OneLine(x.Missing)
	}
	if x.UID >= 0 && x.EffectiveUID >= 0 {
		o.UID, o.RUID = &x.EffectiveUID, &x.UID
		o.User = new(d.User(x.EffectiveUID))
	}
	o.Exe = Optional(x.Exe)
	o.SetArgs(x.Args)
	o.ArgsCut = false
	o.NamespacePIDs = x.NamespacePIDs
	o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(x.Exe)
	return o
}

// SetArgs sets the arguments.
func (o *Process) SetArgs(args []string) {
	o.Args = args
	for _, arg := range args {
		o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(arg)
	}
}

// started returns the wall-clock time at which the process began.
func (d *Describer) started(p *process.Process) (time.Time, bool) {
	if p.ID.Precision == process.StartUnknown {
		return time.Time{}, false
	}
	return d.tree.Time(p.ID.Start), true
}

// User returns the name of a user of this host, or else the number.
func (d *Describer) User(uid int) string {
	name, ok := d.users[uid]
	if !ok {
		name = strconv.Itoa(uid)
		if u, err := user.LookupId(name); err == nil && u.Username != "" {
			name = u.Username
		}
		d.users[uid] = name
	}
	return name
}

// linkFields are the fields of a link: the PID is nil where it is not known
// and 0 where there is none.
func linkFields(l process.Link) (pid *int, id *string) {
	if l.Evidence == process.Unknown {
		return nil, nil
	}
	pid = new(l.ID.PID)
	if l.ID.Known() {
		id = new(l.ID.String())
	}
	return pid, id
}

// mostPlaces is how many cgroups are remembered at most.
const mostPlaces = 4096

// Whereabouts is where a process with the cgroups belongs.
func (d *Describer) Whereabouts(c process.Cgroup) container.Membership {
	m, ok := d.places[c]
	if !ok {
		m = container.Of(c, d.resolver())
		if len(d.places) >= mostPlaces {
			clear(d.places) // a watch meets new ones without end
		}
		if d.settled || d.names == nil || named(&m, c.Group) {
			d.places[c] = m
		}
	}
	return m
}

// resolver is d.names, but nil where that is.
func (d *Describer) resolver() container.Resolver {
	if d.names == nil {
		return nil
	}
	return d.names
}

// OneLine is the text of an error in one line, without what is not printable.
func OneLine(err error) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error())), " ")
}
