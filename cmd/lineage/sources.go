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

// bestSource returns the first that works of those that tell what happens, or of
// these the one that is asked for; empty where none does.
func bestSource(trials []sourceTrial, asked string) string {
	for _, t := range trials {
		if t.err == nil && t.name != procfs.Name && (asked == "auto" || asked == t.name) {
			return t.name
		}
	}
	return ""
}

// check tells of a source. Best is the one that is taken for what happens, of
// those that are asked for.
func (t *sourceTrial) check(best, asked string) Check {
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
	case t.name == best && asked == t.name:
		c.Detail += " and is asked for: everything takes it"
	case t.name == best:
		c.Detail += " and is the best: watch, tree --exited and the library take it"
	case asked == t.name:
		c.Detail += " and is asked for: watch and tree --exited need one that tells what happens"
	case asked != "auto":
		c.Detail += "; --source asks for " + asked
	case t.name == procfs.Name && best == "":
		c.Detail += "; all questions about the present take it, and the library; watch and tree --exited need one that tells what happens"
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
