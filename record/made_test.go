package record

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
)

// made returns a recording of the lines: name, name of the creator or "-", start
// and end in milliseconds or "-", and the command line. Each word "name=value"
// before that is something that is said of it: cpu, rss, read (numbers), code,
// signal, evidence (of its creator) and end (the evidence).
func made(text string) *Recording {
	r := &Recording{Header: Header{Version: Version, Command: []string{"make"}, BeganAt: began, Source: "bpf", CPUs: 2}}
	place := map[string]int{"-": -1}
	last := process.Instant(0)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		at := func(word string) process.Instant {
			n, err := strconv.Atoi(word)
			if err != nil {
				return 0
			}
			return began + process.Instant(n)*process.Instant(time.Millisecond)
		}
		start := at(words[2])
		p := Process{ID: process.ID{PID: 100 + len(r.Processes), Start: start, Precision: process.Exact}, Name: words[0], Creator: place[words[1]], CreatorEvidence: process.Observed,
			Start: start, End: at(words[3])}
		if p.End != 0 {
			p.Exit = process.Exit{Evidence: process.Observed, At: p.End}
		}
		place[words[0]] = len(r.Processes)
		words = words[4:]
		for len(words) > 0 && strings.Contains(words[0], "=") {
			p.say(words[0])
			words = words[1:]
		}
		if len(words) > 0 {
			p.Execs = []Exec{{At: start, File: words[0], Args: words}}
		}
		r.Processes = append(r.Processes, p)
		last = max(last, p.End)
	}
	r.Ended = last
	return r
}

// say sets what the word says.
func (p *Process) say(word string) {
	key, value, _ := strings.Cut(word, "=")
	n, _ := strconv.ParseUint(value, 10, 64)
	p.Exit.Usage.Known = p.Exit.Usage.Known || key == "cpu" || key == "rss" || key == "read"
	evidence := map[string]process.Evidence{"unknown": process.Unknown, "inferred": process.Inferred, "scanned": process.Scanned}[value]
	switch key {
	case "cpu":
		p.Exit.Usage.User = time.Duration(n) * time.Millisecond
	case "rss":
		p.Exit.Usage.MaxRSS = n
	case "read":
		p.Exit.Usage.ReadBytes = n
	case "code":
		p.Exit.Status = syscall.WaitStatus(n << 8)
	case "signal":
		p.Exit.Status = syscall.WaitStatus(n)
	case "evidence":
		p.CreatorEvidence = evidence
	case "end":
		p.End, p.Exit.Evidence = 0, evidence
	default:
		panic(word)
	}
}

// names returns the names of the processes.
func names(r *Recording, places []int) string {
	var all []string
	for _, i := range places {
		all = append(all, r.Processes[i].Name)
	}
	return strings.Join(all, " ")
}

// ranking returns the names of the processes.
func ranking(r *Recording, costs []Cost) string {
	var places []int
	for _, c := range costs {
		places = append(places, c.Process)
	}
	return names(r, places)
}

// steps returns the path as name, begin and end of each step.
func steps(r *Recording, path []Step) string {
	var all []string
	for _, s := range path {
		text := fmt.Sprintf("%s %d-%d", r.Processes[s.Process].Name, (s.From-began)/1e6, (s.Until-began)/1e6)
		if s.Uncertain {
			text += "?"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// levels returns the profile as processes×milliseconds.
func levels(p Profile) string {
	var all []string
	for _, l := range p.Levels {
		all = append(all, fmt.Sprintf("%d×%d", l.Processes, l.Time.Milliseconds()))
	}
	return strings.Join(all, " ")
}
