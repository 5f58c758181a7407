package main

import (
	"fmt"
	"strings"
)

// A limit is one that lineage sets itself.
type limit struct {
	// Text says what is limited, for people.
	Text string
	// Max is the most that it may be.
	Max float64
	// Measured is what it was, and nothing if it was not measured.
	Measured *spread `json:",omitempty"`
	// CPU is the same of the processor time, which is not limited.
	CPU *spread `json:",omitempty"`
}

// met reports whether the limit was measured and kept: the median counts.
func (l *limit) met() bool { return l.Measured != nil && l.Measured.Median <= l.Max }

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
	lineageName = "lineage"
	freshName   = "lineage, a new Tree each time"
	rawName     = "raw read of /proc"
	psName      = "ps -eo pid,ppid,lstart,cgroup"
	treeName    = "lineage tree"
	pstreeName  = "pstree -p"
)

// limits returns the limits for the questions in all, as measured there.
func limits(all []result) []limit {
	var ls []limit
	for i := range all {
		r := &all[i]
		where := fmt.Sprintf("%s, %d processes: %s", r.Question, r.Processes, r.Contender)
		against := func(rival string, most float64) {
			l := limit{Text: where + " / " + rival, Max: most}
			if o := find(all, r, rival); o != nil {
				elapsed, cpu := ratio(r.rounds, o.rounds), ratio(r.cpus, o.cpus)
				l.Measured, l.CPU = &elapsed, &cpu
			}
			ls = append(ls, l)
		}
		allocated := func(what string, n uint64) {
			ls = append(ls, limit{Text: where + ", " + what, Measured: &spread{float64(n), float64(n), float64(n)}})
		}
		switch q := r.Question; {
		case r.Contender == lineageName && (q == inTurnText || q == sameText):
			against(rawName, 1./3)
			allocated("allocations", r.Allocs)
			allocated("bytes allocated", r.Bytes)
		case q == scanText && (r.Contender == lineageName || r.Contender == freshName):
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
	verdict, measured := "NOT met", "not measured"
	if l.met() {
		verdict = "met"
	}
	if m := l.Measured; m != nil {
		measured = "measured " + number3(m.Median)
		if m.P10 != m.P90 {
			measured += fmt.Sprintf(" (%s to %s)", number3(m.P10), number3(m.P90))
		}
	}
	if l.CPU != nil {
		measured += ", CPU " + number3(l.CPU.Median)
	}
	return []string{l.Text, "limit " + number3(l.Max), measured, verdict}
}

// number3 writes a number with at most three digits after the point, and a
// whole one without.
func number3(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3f", f)
}
