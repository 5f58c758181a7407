package main

import (
	"context"
	"errors"
	"strings"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
	"github.com/proclineage/lineage/source/bpf"
	"github.com/proclineage/lineage/source/cnproc"
	"github.com/proclineage/lineage/source/procfs"
)

// sourceNeeds is what each source takes at the least.
var sourceNeeds = map[string]string{
	bpf.Name: "Linux 5.8 with BTF (CONFIG_DEBUG_INFO_BTF), CAP_BPF and CAP_PERFMON; CAP_SYS_PTRACE as well to read the programs of other users' processes",
	cnproc.Name: "the first PID, user and network namespace; before Linux 6.6 CAP_NET_ADMIN; " +
		"CAP_SYS_PTRACE as well to read the programs of other users' processes",
	procfs.Name: "nothing but procfs; CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH to read the programs and sockets of other users' processes",
}

// sourceTrial is how it went with a source.
type sourceTrial struct {
	name   string
	limits []source.Limit
	buffer int    // bytes between the kernel and lineage
	note   string // what else there is to say
	err    error
}

// trySources opens each source, the best first.
func trySources(proc string, reader *procfs.Source) []sourceTrial {
	return []sourceTrial{
		tryBPF(proc),
		tryConnector(proc, reader),
		{name: procfs.Name, limits: reader.Limits()},
	}
}

func tryBPF(proc string) sourceTrial {
	t := sourceTrial{name: bpf.Name, buffer: bpf.DefaultBuffer}
	s, err := bpf.Open(bpf.Options{ProcPath: proc})
	if err != nil {
		t.err = err
		return t
	}
	first := false
	t.err = s.Scan(context.Background(), func(e *process.Event) { first = first || e.ID.PID == 1 })
	if !first && t.err == nil {
		t.note = "its task iterator does not show PID 1 here, which is read from /proc instead"
	}
	t.limits = s.Limits()
	t.err = errors.Join(t.err, s.Close())
	return t
}

func tryConnector(proc string, reader *procfs.Source) sourceTrial {
	t := sourceTrial{name: cnproc.Name, buffer: cnproc.DefaultBuffer}
	s, err := cnproc.Open(cnproc.Options{ProcPath: proc, Reader: reader})
	if err != nil {
		t.err = err
		return t
	}
	t.limits = s.Limits()
	t.err = s.Close()
	return t
}

// bestSource returns the name of the first that works.
func bestSource(trials []sourceTrial) string {
	for _, t := range trials {
		if t.err == nil {
			return t.name
		}
	}
	return ""
}

// check tells of a source. Best is the one that is taken.
func (t *sourceTrial) check(best string) Check {
	c := Check{Name: "source " + t.name, Status: statusOK, Detail: "works", Needs: sourceNeeds[t.name]}
	if t.err != nil {
		why, remedy, ok := strings.Cut(reason(t.name, t.err), "; ")
		if !ok {
			remedy = "see what it needs"
		}
		c.Status, c.Detail, c.Remedy = statusMissing, "does not work: "+why, remedy
		return c
	}
	c.BufferBytes = t.buffer
	switch {
	case t.name == best:
		c.Detail += " and is the best: watch, tree --exited and the library take it"
	case t.name == procfs.Name:
		c.Detail += "; questions about the present take it: why, ancestors, tree, cgroup"
	default:
		c.Detail += "; taken where no better one works"
	}
	if t.note != "" {
		c.Detail += "; " + t.note
	}
	for _, l := range t.limits {
		c.CannotTell = append(c.CannotTell, l.String())
	}
	return c
}
