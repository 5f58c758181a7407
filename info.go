package lineage

import (
	"errors"
	"time"

	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// ProcessInfo is all that a [Tree] tells of one process, each fact as it was at
// some instant of the question. What is not known is zero; see package otel for
// its names in telemetry.
type ProcessInfo struct {
	// Process is what the tree has in memory.
	Process process.Process
	// Details is what is read of a process that has not ended. It is zero,
	// with no NamespacePIDs, where it was not read.
	Details process.Details
	// Ancestors is who stands above it by current parent, nearest first, as
	// [Tree.Ancestors] has them.
	Ancestors []process.ID
	// Creators is who made it, who made that one and so on, nearest first, as
	// far as that is known without a gap; see [Tree.Lineage].
	Creators []process.ID
	// Container is the container and the systemd unit that it belongs to.
	Container container.Membership
	// Start is when it began by the wall clock, as that stands now, to
	// Process.ID.Precision.
	Start time.Time
	// Exit is when it ended by the wall clock, where that was observed.
	Exit time.Time
	// User is the name of the effective user. The tree leaves it empty: in
	// which directory of users to look it up is the caller's to choose.
	User string
	// BootID names the boot of the host, in the kernel's words: "boot_id" of
	// random(4).
	BootID string
	// HostID is the machine-id(5) of the host. It is empty where the host has
	// none and in a container that may not read the host's. The host of a
	// cloud has another ID by OpenTelemetry's conventions, which is the
	// caller's to put here.
	HostID string
}

// Info returns what there is to know of the process that holds the PID, read
// anew. Where the answer is an [IncompleteError], it holds as far as it goes.
func (t *Tree) Info(pid int) (ProcessInfo, error) {
	p, err := t.Process(pid)
	if err != nil {
		return ProcessInfo{}, err
	}
	return t.InfoByID(p.ID)
}

// InfoByID is [Tree.Info] for a process ID. Of a process that has ended it is
// what memory has.
func (t *Tree) InfoByID(id process.ID) (ProcessInfo, error) {
	steps, err := t.LineageByID(id)
	if len(steps) == 0 {
		return ProcessInfo{}, err
	}
	partial := err
	info := ProcessInfo{Process: steps[0].Process}
	for _, s := range steps[1:] {
		if s.Gap {
			break
		}
		info.Creators = append(info.Creators, s.Process.ID)
	}
	p := &info.Process
	ancestors, err := t.AncestorsByID(p.ID)
	switch {
	case err != nil && !errors.Is(err, ErrIncomplete):
		return ProcessInfo{}, err
	case err != nil && partial == nil && !errors.Is(err, errLastParent):
		partial = err
	}
	for i := range ancestors {
		info.Ancestors = append(info.Ancestors, ancestors[i].ID)
	}
	if p.State != process.Ended {
		d, err := t.Details(p.ID)
		switch {
		case err == nil:
			info.Details = d
		case errors.Is(err, ErrNotFound): // since it was read, or a moment before
		case partial == nil:
			partial = &IncompleteError{PID: p.ID.PID, Err: err}
		}
	}
	info.Container = t.Container(p)
	if p.ID.Precision != process.StartUnknown {
		info.Start = t.Time(p.ID.Start)
	}
	if p.Exit.Evidence == process.Observed {
		info.Exit = t.Time(p.Exit.At)
	}
	info.HostID, info.BootID = t.Host()
	return info, partial
}

// Host returns the machine-id(5) of the host and the ID of its boot, as
// [ProcessInfo] has them.
func (t *Tree) Host() (hostID, bootID string) {
	bootID, _ = t.proc.BootID()
	hostID, _ = t.proc.MachineID()
	return hostID, bootID
}
