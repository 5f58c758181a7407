package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/process"
	"golang.org/x/sys/unix"
)

// library is what a describer asks a [lineage.Tree].
type library interface {
	Details(process.ID) (process.Details, error)
	Time(process.Instant) time.Time
}

// describer turns processes into objects. It remembers what many processes
// share.
type describer struct {
	tree   library
	users  map[int]string
	places map[process.Cgroup]whereabouts
}

func newDescriber(t library) *describer {
	return &describer{tree: t, users: map[int]string{}, places: map[process.Cgroup]whereabouts{}}
}

// object describes a process by what the tree has told of it already.
func (d *describer) object(p *process.Process) Object {
	o := Object{
		PID:             p.ID.PID,
		ID:              p.ID.String(),
		ParentEvidence:  p.Parent.Evidence.String(),
		CreatorEvidence: p.Creator.Evidence.String(),
		Name:            p.Name,
		State:           p.State.String(),
		Kernel:          p.Kernel,
		Evidence:        p.Evidence.String(),
		PGID:            optional(p.GroupID),
		SID:             optional(p.SessionID),
		TTY:             optional(terminalName(p.TTY)),
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
	w := d.whereabouts(p.Cgroup)
	o.ContainerGroup = optional(p.Cgroup.Group)
	o.Container = containerObject(w.identity)
	o.Unit = optional(w.unit.Name)
	o.UserUnit = optional(w.unit.UserUnit)
	o.LoginSession = optional(w.unit.Session)
	o.Exit = d.ending(p)
	o.NamespacePIDs = p.NamespacePIDs
	if p.Owner.Known {
		o.UID, o.RUID = &p.Owner.EffectiveUID, &p.Owner.UID
		o.User = new(d.user(p.Owner.EffectiveUID))
	}
	o.File, o.ArgsCut = optional(p.Exec.File), p.Exec.ArgsCut
	o.setArgs(p.Exec.Args)
	o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(p.Exec.File)
	return o
}

// detailed describes a process by all that can be read of it.
func (d *describer) detailed(p *process.Process) Object {
	o := d.object(p)
	x, err := d.tree.Details(p.ID)
	if err != nil {
		o.Missing = oneLine(err.Error())
		if errors.Is(err, lineage.ErrNotFound) {
			o.Missing = "the process has ended"
		}
		return o
	}
	switch {
	case errors.Is(x.Missing, fs.ErrPermission):
		o.Missing = "it may not be read by this user"
	case x.Missing != nil:
		o.Missing = oneLine(x.Missing.Error())
	}
	if x.UID >= 0 && x.EffectiveUID >= 0 {
		o.UID, o.RUID = &x.EffectiveUID, &x.UID
		o.User = new(d.user(x.EffectiveUID))
	}
	o.Exe = optional(x.Exe)
	o.setArgs(x.Args)
	o.ArgsCut = false
	o.NamespacePIDs = x.NamespacePIDs
	o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(x.Exe)
	return o
}

func (o *Object) setArgs(args []string) {
	o.Args = args
	for _, arg := range args {
		o.InvalidUTF8 = o.InvalidUTF8 || !utf8.ValidString(arg)
	}
}

// started returns the wall-clock time at which the process began.
func (d *describer) started(p *process.Process) (time.Time, bool) {
	if p.ID.Precision == process.StartUnknown {
		return time.Time{}, false
	}
	return d.tree.Time(p.ID.Start), true
}

// user returns the name of a user of this host, or else the number.
func (d *describer) user(uid int) string {
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

// whereabouts is what the cgroups of a process tell of where it belongs.
type whereabouts struct {
	identity cgroup.Identity
	unit     cgroup.Unit
}

func (d *describer) whereabouts(c process.Cgroup) whereabouts {
	w, ok := d.places[c]
	if !ok {
		if len(d.places) >= mostPlaces {
			clear(d.places) // a watch meets new ones without end
		}
		w = whereaboutsOf(c)
		d.places[c] = w
	}
	return w
}

// whereaboutsOf reads the container from the container group, or where that
// tells of none, from the first line that does; and the unit from the
// hierarchy that systemd names itself in, which is not the container group's
// on every host.
func whereaboutsOf(c process.Cgroup) whereabouts {
	w := whereabouts{identity: cgroup.Identify(c.Group), unit: cgroup.UnitOf(c.Group)}
	var systemd, unified string
	for line, err := range cgroup.Lines(c.Membership) {
		if err != nil {
			continue
		}
		if w.identity.Role == cgroup.RoleNone && w.identity.Pod == "" {
			w.identity = cgroup.Identify(line.Path)
		}
		switch {
		case line.Has("name=systemd"):
			systemd = line.Path
		case line.Unified():
			unified = line.Path
		}
	}
	for _, path := range []string{unified, systemd} {
		if u := cgroup.UnitOf(path); u.Name != "" {
			w.unit = u
		}
	}
	return w
}

func containerObject(i cgroup.Identity) *Container {
	if i.Role == cgroup.RoleNone && i.Pod == "" {
		return nil
	}
	return &Container{
		Runtime: optional(string(i.Runtime)),
		ID:      optional(i.Container),
		Pod:     optional(i.Pod),
		Role:    optional(roleName(i.Role)),
		Serves:  optional(i.Beside),
	}
}

// roleName returns the name of a role, empty for none.
func roleName(r cgroup.Role) string {
	if r == cgroup.RoleNone {
		return ""
	}
	return r.String()
}

// terminalName returns the name of a terminal by its device number, below
// /dev, empty for none. The numbers are those of the kernel's devices.txt.
func terminalName(dev int) string {
	if dev == 0 {
		return ""
	}
	major, minor := unix.Major(uint64(uint32(dev))), unix.Minor(uint64(uint32(dev)))
	switch {
	case major >= 136 && major <= 143:
		return fmt.Sprintf("pts/%d", (major-136)<<20+minor)
	case major == 4 && minor < 64:
		return fmt.Sprintf("tty%d", minor)
	case major == 4:
		return fmt.Sprintf("ttyS%d", minor-64)
	case major == 5 && minor == 1:
		return "console"
	case major == 204 && minor >= 64 && minor < 68:
		return fmt.Sprintf("ttyAMA%d", minor-64)
	case major == 229:
		return fmt.Sprintf("hvc%d", minor)
	default:
		return fmt.Sprintf("%d:%d", major, minor)
	}
}
