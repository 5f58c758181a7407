package lineage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// ProcessInNamespace returns the process that has the PID in a PID namespace,
// read anew. The namespace is given by its inode number, as the link
// /proc/PID/ns/pid and [process.Details] have it. Also found is a process of a
// namespace inside that one, which has a PID in each of those around its own.
// What the number of a thread that leads no process is in another namespace
// than the tree's is not known. The NamespacePIDs of the answer are known.
//
// Of a namespace that is gone, the kernel gives the number to the next one
// (ns_alloc_inum): who holds a number for long should hold the namespace too,
// for example by a descriptor of the link. To name the process found for good,
// take its ID.
//
// It fails with [ErrNotFound] where no process has the PID there, as where there
// is no such namespace, and with [ErrIncomplete] where a process that may be the
// one could not be read: to learn in which namespace a process is takes the
// right to read it by ptrace(2).
//
// With the bpf source the other processes cost nothing but a look at memory,
// else each one costs a read of /proc.
func (t *Tree) ProcessInNamespace(namespace uint64, pid int) (process.Process, error) {
	if err := t.check(pid); err != nil {
		return process.Process{}, err
	}
	switch namespace {
	case 0: // the inode of none
		return process.Process{}, fmt.Errorf("process %d of PID namespace 0: %w", pid, ErrNotFound)
	case t.proc.Namespace():
		return t.Process(pid)
	}
	for range maxTries {
		p, err := t.findInside(namespace, pid)
		switch {
		case err != nil && !errors.Is(err, ErrClosed):
			return p, fmt.Errorf("process %d of PID namespace %d: %w", pid, namespace, err)
		case err != nil || p.State != process.Ended:
			return p, err
		}
		// It has ended since it was found, and the PID may be another's.
	}
	return process.Process{}, &IncompleteError{Err: errUnsettled}
}

// findInside is one try to answer ProcessInNamespace. A process that has ended
// meanwhile may be returned as one.
func (t *Tree) findInside(namespace uint64, pid int) (process.Process, error) {
	candidates, partial := t.candidates(pid)
	if partial != nil && !errors.Is(partial, ErrIncomplete) {
		return process.Process{}, partial
	}
	var unsure error
	for _, c := range candidates {
		id, levels, err := t.proc.Inside(c, namespace, pid)
		switch {
		case errors.Is(err, source.ErrGone):
			continue
		case errors.Is(err, source.ErrHidden), errors.Is(err, ErrUnsupported):
			if unsure == nil {
				unsure = &IncompleteError{PID: c, Err: err}
			}
			continue
		case err != nil:
			return process.Process{}, about(c, err)
		case id.IsZero():
			continue
		}
		p, err := t.Process(c) // by its PID, which a zombie still holds
		if errors.Is(err, ErrNotFound) || err == nil && !p.ID.Same(id) {
			return process.Process{State: process.Ended}, nil
		}
		p.NamespacePIDs = levels
		return p, err
	}
	switch {
	case unsure != nil:
		return process.Process{}, unsure
	case partial != nil:
		return process.Process{}, partial
	}
	return process.Process{}, ErrNotFound
}

// candidates returns the PIDs of the processes that may have the PID in another
// namespace than the reader's: where the source tells, those that have it in
// some namespace, else all. With an IncompleteError some may be missing.
func (t *Tree) candidates(pid int) ([]int, error) {
	if !t.drain() {
		all, err := t.proc.List()
		hides := t.proc.Hides()
		switch {
		case err != nil:
		case hides != "":
			err = &IncompleteError{Err: fmt.Errorf("procfs is mounted with %s: %w", hides, ErrPermission)}
		case !slices.Contains(all, 1): // which every PID namespace has
			err = &IncompleteError{PID: 1, Err: ErrPermission}
		}
		return all, err
	}
	partial := t.all()
	if partial != nil && !errors.Is(partial, ErrIncomplete) {
		return nil, partial
	}
	var found []int
	t.mu.RLock()
	defer t.mu.RUnlock()
	for r := range t.table.All() {
		if !there(t.table.State(r)) {
			continue
		}
		p := t.table.Process(r)
		// Who was read from /proc, since the source left it out, has no
		// owner in memory, and its namespaces are not known.
		if p.NamespacePIDs == nil && !p.Owner.Known || p.NamespacePIDs != nil && slices.Contains(p.NamespacePIDs[1:], pid) {
			found = append(found, p.ID.PID)
		}
	}
	slices.Sort(found)
	return found, partial
}
