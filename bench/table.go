package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

var columns = []string{"question", "processes", "contender", "median", "p10 to p90", "time / first", "p10 to p90", "CPU", "allocs", "bytes"}

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
		digits3(r.Ratio.Median), digits3(r.Ratio.P10) + " to " + digits3(r.Ratio.P90),
		duration(r.CPU.Median), allocs, bytes,
	}
}

// duration writes nanoseconds with three digits that count.
func duration(ns float64) string {
	if ns < 0 {
		return "-" + duration(-ns)
	}
	for _, unit := range []struct {
		ns   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if v := ns / float64(unit.ns); v >= 0.9995 {
			return digits3(v) + unit.name
		}
	}
	return strconv.FormatFloat(ns, 'f', 0, 64) + "ns"
}

// digits3 writes a number with three digits that count.
func digits3(v float64) string {
	digits := 2
	for ten := 10.; digits > 0 && v >= ten; ten *= 10 {
		digits--
	}
	for one := 0.9995; v > 0 && v < one && digits < 6; one /= 10 {
		digits++
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// text returns the table and the limits for a terminal.
func (s *sheaf) text() string {
	rows := [][]string{columns}
	for i := range s.Results {
		if i > 0 && !s.Results[i].follows(&s.Results[i-1]) {
			rows = append(rows, make([]string, len(columns)))
		}
		rows = append(rows, s.Results[i].cells())
	}
	return s.head() + align(rows) + "\n" + s.end()
}

// follows reports whether both are of one question in one population.
func (r *result) follows(before *result) bool {
	return r.Question == before.Question && r.Processes == before.Processes
}

// markdown returns the same for a document.
func (s *sheaf) markdown() string {
	var b strings.Builder
	b.WriteString(s.head())
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n")
	b.WriteString("|" + strings.Repeat("---|", 3) + strings.Repeat("--:|", len(columns)-3) + "\n")
	for i := range s.Results {
		b.WriteString("| " + strings.Join(s.Results[i].cells(), " | ") + " |\n")
	}
	return b.String() + "\n```\n" + s.end() + "```\n"
}

// head returns the line above the table.
func (s *sheaf) head() string {
	if s.Depth == 0 {
		return s.Machine + "\n\n"
	}
	return fmt.Sprintf("%s; depth %d\n\n", s.Machine, s.Depth)
}

// end returns the limits and the notes.
func (s *sheaf) end() string {
	var rows [][]string
	for i := range s.Limits {
		rows = append(rows, s.Limits[i].cells())
	}
	for _, note := range s.Notes {
		rows = append(rows, []string{"note: " + note})
	}
	return align(rows)
}

// align returns a line for each row, its cells under one another.
func align(rows [][]string) string {
	var widths []int
	for _, cells := range rows {
		if len(cells) == 1 {
			continue // it has the line for itself
		}
		for i, cell := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, cells := range rows {
		gap := 0 // spaces owed before the next cell that is not empty
		for i, cell := range cells {
			if cell != "" {
				b.WriteString(strings.Repeat(" ", gap) + cell)
				gap = -utf8.RuneCountInString(cell)
			}
			if len(cells) > 1 {
				gap += widths[i] + 2
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
