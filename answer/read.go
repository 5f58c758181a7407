package answer

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// Read returns what the object says as a [process.Process], as far as JSON has
// that: of the cgroups it is the container group alone, and the terminal is left
// out. The error wraps [process.ErrSyntax].
func (o *Process) Read() (process.Process, error) {
	id, err := readID(o.PID, o.ID)
	if err != nil {
		return process.Process{}, err
	}
	p := process.Process{
		ID: id, Name: o.Name, Kernel: o.Kernel, State: readState(o.State),
		GroupID: Value(o.PGID), SessionID: Value(o.SID), NamespacePIDs: o.NamespacePIDs,
		Exec:     process.Command{File: Value(o.File), Args: o.Args, ArgsCut: o.ArgsCut},
		Evidence: readEvidence(o.Evidence),
	}
	p.Cgroup.Group = Value(o.ContainerGroup)
	if p.Parent, err = readLink(o.PPID, o.ParentID, o.ParentEvidence); err != nil {
		return p, err
	}
	if p.Creator, err = readLink(o.CreatorPID, o.CreatorID, o.CreatorEvidence); err != nil {
		return p, err
	}
	if o.UID != nil {
		p.Owner = process.Owner{Known: true, UID: Value(o.RUID), EffectiveUID: *o.UID, GID: -1, EffectiveGID: -1}
	}
	if x := o.Exit; x != nil {
		p.Exit = x.read(id)
	}
	return p, nil
}

// read is the end of the process with the ID.
func (x *Exit) read(id process.ID) process.Exit {
	e := process.Exit{Evidence: readEvidence(x.Evidence)}
	if x.LivedSeconds != nil {
		e.At = id.Start + process.Instant(*x.LivedSeconds*float64(time.Second))
	}
	switch {
	case x.Status != nil:
		e.Status = syscall.WaitStatus(*x.Status << 8) // __W_EXITCODE of wait(2)
	case x.Signal != nil:
		e.Status = syscall.WaitStatus(readSignal(*x.Signal))
		if x.CoreDumped {
			e.Status |= 0x80
		}
	}
	if x.UserSeconds != nil {
		seconds := func(f *float64) time.Duration { return time.Duration(Value(f) * float64(time.Second)) }
		e.Usage = process.Usage{
			Known: true, User: seconds(x.UserSeconds), System: seconds(x.SystemSeconds),
			MaxRSS: Value(x.MaxRSSBytes), ReadBytes: Value(x.ReadBytes), WrittenBytes: Value(x.WrittenBytes),
		}
	}
	return e
}

// ReadInstant is the inverse of [BootClock], zero for what that does not write.
func ReadInstant(text string) process.Instant {
	seconds, fraction, _ := strings.Cut(text, ".")
	if len(fraction) != 9 {
		return 0
	}
	n, err := strconv.ParseUint(seconds+fraction, 10, 64)
	if err != nil {
		return 0
	}
	return process.Instant(n)
}

// Read returns what the link says as an [process.Ancestor], known by the evidence.
func (l *Link) Read(known process.Evidence) (process.Ancestor, error) {
	id, err := readID(l.PID, l.ID)
	if l.Gap {
		known = process.Unknown
	}
	return process.Ancestor{Link: process.Link{ID: id, Evidence: known}, Name: l.Name, State: readState(l.State)}, err
}

// readID reads an ID, or that of which the PID alone is known.
func readID(pid int, text string) (process.ID, error) {
	if strings.HasSuffix(text, "@?") {
		return process.ID{PID: pid}, nil
	}
	id, err := process.ParseID(text)
	if err != nil {
		return id, fmt.Errorf("the ID %q: %w", text, err)
	}
	return id, nil
}

func readLink(pid *int, id *string, evidence string) (l process.Link, err error) {
	if pid == nil {
		return l, nil
	}
	l = process.Link{ID: process.ID{PID: *pid}, Evidence: readEvidence(evidence)}
	if id != nil {
		l.ID, err = readID(*pid, *id)
	}
	return l, err
}

func readState(name string) process.State {
	for _, s := range []process.State{process.Alive, process.Zombie, process.Ended} {
		if s.String() == name {
			return s
		}
	}
	return process.Unseen
}

func readEvidence(name string) process.Evidence {
	for _, e := range []process.Evidence{process.Inferred, process.Scanned, process.Observed} {
		if e.String() == name {
			return e
		}
	}
	return process.Unknown
}

// readSignal is the inverse of [SignalName].
func readSignal(name string) syscall.Signal {
	if s := unix.SignalNum(name); s != 0 {
		return s
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "signal "))
	return syscall.Signal(n)
}

// Value is the inverse of [Optional]: the zero value where there is none.
func Value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Place is where the process is, as far as the object says that.
func (o *Process) Place() container.Membership {
	m := container.Membership{Unit: cgroup.Unit{Name: Value(o.Unit), UserUnit: Value(o.UserUnit), Session: Value(o.LoginSession)}}
	c := o.Container
	if c == nil {
		return m
	}
	m.Identity = cgroup.Identity{
		Runtime: cgroup.Runtime(Value(c.Runtime)), Container: Value(c.ID), Pod: Value(c.Pod), Beside: Value(c.Serves),
		Role: readRole(Value(c.Role)),
	}
	if c.Name != nil {
		m.Container = container.Container{
			Runtime: m.Identity.Runtime, ID: Value(c.ID), Name: *c.Name, Image: Value(c.Image), Labels: c.Labels,
			Pod: container.Pod{UID: Value(c.Pod), Name: Value(c.PodName), Namespace: Value(c.PodNamespace), Workload: Value(c.Workload)},
		}
	}
	return m
}

func readRole(name string) cgroup.Role {
	for _, r := range []cgroup.Role{cgroup.RoleContainer, cgroup.RoleHelper, cgroup.RoleSandbox} {
		if r.String() == name {
			return r
		}
	}
	return cgroup.RoleNone
}
