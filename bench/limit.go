package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A limit is one that lineage sets itself.
type limit struct {
	// Text says what is limited, for people.
	Text string
	// Max is the most that it may be.
	Max float64
	// Measured is what it was, and nothing if it was not measured.
	Measured *spread `json:",omitempty"`
}

// met reports whether the limit was measured and kept: the median counts.
func (l limit) met() bool { return l.Measured != nil && l.Measured.Median <= l.Max }

// The texts of the questions, by which limits find what was measured.
const (
	inTurnText = "same cgroup, 100 processes in turn"
	sameText   = "same cgroup, one process again and again"
	scanText   = "everything"
	treeText   = "tree to /dev/null"
	pipedText  = "tree to a pipe"
)

// The names of contenders that limits are about.
const (
	lineageName = "lineage"
	rawName     = "raw read of /proc"
	psName      = "ps -eo pid,ppid,lstart,cgroup"
	treeName    = "lineage tree"
	pstreeName  = "pstree -p"
)

// limits returns the limits for the questions in all, as measured there.
func limits(all []result) []limit {
	var ls []limit
	seen := make(map[string]bool)
	for _, r := range all {
		key := fmt.Sprint(r.Question, r.Processes)
		if seen[key] {
			continue
		}
		seen[key] = true
		where := fmt.Sprintf("%s, %d processes", r.Question, r.Processes)
		ratio := func(own, rival string, most float64) {
			ls = append(ls, limit{where + ": " + own + " / " + rival, most, against(all, r, rival)})
		}
		switch r.Question {
		case inTurnText, sameText:
			ratio(lineageName, rawName, 1./3)
			ls = append(ls,
				limit{where + ": allocations of lineage", 0, &spread{float64(r.Allocs), float64(r.Allocs), float64(r.Allocs)}},
				limit{where + ": bytes of lineage", 0, &spread{float64(r.Bytes), float64(r.Bytes), float64(r.Bytes)}})
		case scanText:
			ratio(lineageName, psName, 1./2)
		case treeText, pipedText:
			ratio(treeName, pstreeName, 1./4)
		}
	}
	return ls
}

// against returns the time of lineage by that of the rival at the question of
// r, or nil where there is no such rival.
func against(all []result, r result, rival string) *spread {
	for _, o := range all {
		if o.Question == r.Question && o.Processes == r.Processes && o.Contender == rival {
			s := o.Ratio.inverse()
			return &s
		}
	}
	return nil
}

// writeLimits writes a line for each limit.
func writeLimits(w io.Writer, ls []limit) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range ls {
		verdict := "NOT met"
		measured := "not measured"
		if l.met() {
			verdict = "met"
		}
		if m := l.Measured; m != nil {
			measured = "measured " + number3(m.Median)
			if m.P10 != m.P90 {
				measured += fmt.Sprintf(" (%s to %s)", number3(m.P10), number3(m.P90))
			}
		}
		fmt.Fprintf(tw, "%s\tlimit %s\t%s\t%s\n", l.Text, number3(l.Max), measured, verdict)
	}
	return tw.Flush()
}

// number3 writes a number with at most three digits after the point, and a
// whole one without.
func number3(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3f", f)
}
