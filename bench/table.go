package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A sheaf is all that one run has to say.
type sheaf struct {
	// Machine is what the figures are of: kernel, architecture, processors.
	Machine string
	// Depth is how many ancestors the processes asked about have.
	Depth   int
	Results []result
	Limits  []limit
	// Notes is what went otherwise than it should.
	Notes []string `json:",omitempty"`
}

var columns = []string{"question", "processes", "contender", "median", "p10 to p90", "time / lineage's", "p10 to p90", "CPU", "allocs", "bytes"}

// cells returns the texts of a row of the table.
func (r *result) cells() []string {
	name := r.Contender
	if r.Lacks != "" {
		name += " (" + r.Lacks + ")"
	}
	allocs, bytes := "-", "-"
	if !r.Outside {
		allocs, bytes = strconv.FormatUint(r.Allocs, 10), strconv.FormatUint(r.Bytes, 10)
	}
	return []string{
		r.Question, strconv.Itoa(r.Processes), name,
		duration(r.Nanoseconds.Median), duration(r.Nanoseconds.P10) + " to " + duration(r.Nanoseconds.P90),
		fmt.Sprintf("%.2f", r.Ratio.Median), fmt.Sprintf("%.2f to %.2f", r.Ratio.P10, r.Ratio.P90),
		duration(r.CPU.Median), allocs, bytes,
	}
}

// duration writes nanoseconds with three digits that count.
func duration(ns float64) string {
	for _, unit := range []struct {
		ns   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if v := ns / float64(unit.ns); v >= 0.9995 {
			digits := 2
			for ten := 10.; digits > 0 && v >= ten; ten *= 10 {
				digits--
			}
			return strconv.FormatFloat(v, 'f', digits, 64) + unit.name
		}
	}
	return strconv.FormatFloat(ns, 'f', 0, 64) + "ns"
}

// writeText writes the table and the limits for a terminal.
func (s *sheaf) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s; depth %d\n\n", s.Machine, s.Depth)
	var table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for i := range s.Results {
		if i > 0 && !s.Results[i].follows(&s.Results[i-1]) {
			fmt.Fprintln(tw, strings.Repeat("\t", len(columns)-1))
		}
		fmt.Fprintln(tw, strings.Join(s.Results[i].cells(), "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintln(w)
	return s.writeEnd(w)
}

// follows reports whether both are of one question in one population.
func (r *result) follows(before *result) bool {
	return r.Question == before.Question && r.Processes == before.Processes
}

// writeMarkdown writes the same for a document.
func (s *sheaf) writeMarkdown(w io.Writer) error {
	fmt.Fprintf(w, "%s; depth %d\n\n", s.Machine, s.Depth)
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", 3)+strings.Repeat("--:|", len(columns)-3))
	for i := range s.Results {
		fmt.Fprintf(w, "| %s |\n", strings.Join(s.Results[i].cells(), " | "))
	}
	fmt.Fprintf(w, "\n```\n")
	if err := s.writeEnd(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "```")
	return err
}

// writeEnd writes the limits and the notes.
func (s *sheaf) writeEnd(w io.Writer) error {
	if err := writeLimits(w, s.Limits); err != nil {
		return err
	}
	for _, note := range s.Notes {
		if _, err := fmt.Fprintln(w, "note:", note); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes the same for programs.
func (s *sheaf) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
