package main

import (
	"fmt"
	"strings"
	"time"
)

// A limit is one that lineage sets itself, or a figure beside one.
type limit struct {
	// Text says what is limited, for people.
	Text string
	// Rule says how Bound limits what was measured.
	Rule  rule    `json:",omitempty"`
	Bound float64 `json:",omitempty"`
	// Unit is of Bound and Measured.
	Unit unit `json:",omitempty"`
	// Measured is what it was, and nothing if it was not measured.
	Measured *spread `json:",omitempty"`
	// CPU is the same of the processor time, which is not limited.
	CPU *spread `json:",omitempty"`
}

// A rule is how a limit limits, in words. An empty one does not.
type rule string

const (
	atMost  rule = "at most"
	atLeast rule = "at least"
)

// A unit is what numbers count. An empty one is of ratios and plain numbers.
type unit string

const (
	nanoseconds unit = "ns"
	inBytes     unit = "bytes"
	inMiB       unit = "MiB"
)

// met reports whether the limit was measured and kept: the median counts.
func (l *limit) met() bool {
	switch {
	case l.Measured == nil:
		return false
	case l.Rule == atMost:
		return l.Measured.Median <= l.Bound
	case l.Rule == atLeast:
		return l.Measured.Median >= l.Bound
	}
	return true
}

// The texts of the questions, by which limits find what was measured.
const (
	inTurnText = "same cgroup, processes in turn"
	sameText   = "same cgroup, one process again and again"
	scanText   = "everything"
	treeText   = "tree to /dev/null"
	pipedText  = "tree to a pipe"
)

// The names of contenders that limits are about.
const (
	procfsName = "lineage, procfs"
	bpfName    = "lineage, bpf"
	cnprocName = "lineage, cnproc"
	freshName  = "lineage, procfs, a new Tree each time"
	newBPFName = "lineage, bpf, a new Tree each time"
	plainName  = "bare walk in memory"
	rawName    = "raw read of /proc"
	psName     = "ps -eo pid,ppid,lstart,cgroup"
	treeName   = "lineage tree"
	pstreeName = "pstree -p"
)

// limits returns the limits for the questions in all, as measured there.
func limits(all []result) []limit {
	var ls []limit
	for i := range all {
		r := &all[i]
		where := fmt.Sprintf("%s, %d processes: %s", r.Question, r.Processes, r.Contender)
		against := func(rival string, most float64) {
			l := limit{Text: where + " / " + rival, Rule: atMost, Bound: most}
			if o := find(all, r, rival); o != nil {
				elapsed, cpu := ratio(r.rounds, o.rounds), ratio(r.cpus, o.cpus)
				l.Measured, l.CPU = &elapsed, &cpu
			}
			ls = append(ls, l)
		}
		nothing := func(what string, n uint64) {
			ls = append(ls, limit{Text: where + ", " + what, Rule: atMost, Measured: &spread{float64(n), float64(n), float64(n)}})
		}
		switch q, walk := r.Question, r.Question == inTurnText || r.Question == sameText; {
		case r.Contender == procfsName && walk:
			against(rawName, 1./3)
			nothing("allocations", r.Allocs)
			nothing("bytes allocated", r.Bytes)
		case r.Contender == bpfName && walk:
			ls = append(ls, limit{Text: where, Rule: atMost, Bound: float64(150 * time.Nanosecond), Unit: nanoseconds, Measured: &r.Nanoseconds, CPU: &r.CPU})
			against(plainName, 3)
			nothing("allocations", r.Allocs)
			nothing("bytes allocated", r.Bytes)
		case q == scanText && (r.Contender == procfsName || r.Contender == freshName):
			against(psName, 1./2)
		case (q == treeText || q == pipedText) && strings.HasPrefix(r.Contender, treeName):
			against(pstreeName, 1./4)
		}
	}
	return ls
}

// find returns what the rival took for the same question as r, or nil.
func find(all []result, r *result, rival string) *result {
	for i := range all {
		if all[i].follows(r) && all[i].Contender == rival {
			return &all[i]
		}
	}
	return nil
}

// cells returns what a line about the limit says.
func (l *limit) cells() []string {
	bound, verdict, measured := "no limit", "", "not measured"
	if l.Rule != "" {
		bound, verdict = string(l.Rule)+" "+l.Unit.of(l.Bound), "NOT met"
		if l.met() {
			verdict = "met"
		}
	}
	if m := l.Measured; m != nil {
		measured = "measured " + l.Unit.of(m.Median)
		if m.P10 != m.P90 {
			measured += fmt.Sprintf(" (%s to %s)", l.Unit.of(m.P10), l.Unit.of(m.P90))
		}
	}
	if l.CPU != nil {
		measured += ", CPU " + l.Unit.of(l.CPU.Median)
	}
	return []string{l.Text, bound, measured, verdict}
}

// of writes a number of the unit.
func (u unit) of(f float64) string {
	switch u {
	case nanoseconds:
		return duration(f)
	case inBytes:
		return fmt.Sprintf("%.0f B", f)
	case inMiB:
		return fmt.Sprintf("%.0f MiB", f)
	}
	return number3(f)
}

// number3 writes a number with at most three digits after the point, and a
// whole one without.
func number3(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3f", f)
}
