// Bench measures lineage beside its peers, all in one run: it makes processes,
// asks each contender the same questions about them in turn and prints one
// table, and then the limits that lineage sets itself with what was measured.
//
//	go run . [-only peers,live,storms,containers,record] [-processes 1000,20000] [-rounds N] [-quick] [-markdown | -json]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// depth is how many ancestors the processes have that are asked about, and
// leaves how many of those there are.
const (
	depth  = 8
	leaves = 100
)

func main() {
	if play() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// The parts of a run.
const (
	peersPart      = "peers"
	livePart       = "live"
	stormsPart     = "storms"
	containersPart = "containers"
	recordPart     = "record"
)

var parts = []string{peersPart, livePart, stormsPart, containersPart, recordPart}

// settings is what the flags say.
type settings struct {
	only      []string
	processes []int
	rounds    int
	often     int
	storm     int
	recorded  int
	quick     bool
	markdown  bool
	json      bool
	command   string
}

func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{only: parts, processes: []int{1000, 20000}, storm: 20000, recorded: 1_000_000}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("processes", "how many processes to make, one `number` after the other with commas between (default 1000,20000)", func(text string) error {
		s.processes = nil
		for word := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 {
				return fmt.Errorf("%q is no number of processes", word)
			}
			s.processes = append(s.processes, n)
		}
		return nil
	})
	f.Func("only", "which `parts` to make, with commas between: peers, the table of all contenders; live, what lineage is limited to with the bpf source; storms, what it takes of those who make processes; containers, the command where all processes are in containers; record, what the recording of a command takes of it (default all)", func(text string) error {
		s.only = strings.Split(text, ",")
		for _, word := range s.only {
			if !slices.Contains(parts, word) {
				return fmt.Errorf("%q is none of %s", word, strings.Join(parts, ", "))
			}
		}
		return nil
	})
	f.IntVar(&s.rounds, "rounds", 5, "how many `rounds` of scans and of trees by container to make; of storms there are twice as many, and half as many other trees")
	f.IntVar(&s.often, "often", 40, "how many `rounds` of the short questions to make for one of the scans")
	f.BoolVar(&s.quick, "quick", false, "200 processes, 2,000 in a storm, 20,000 in one that is recorded, and 3 rounds, to see that it works")
	f.BoolVar(&s.markdown, "markdown", false, "write the table for a document")
	f.BoolVar(&s.json, "json", false, "write JSON")
	f.StringVar(&s.command, "command", "", "the lineage `program` for trees and containers (default: built from this source)")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("%q: there are no arguments, only flags", f.Arg(0))
	}
	if s.quick {
		s.processes, s.rounds, s.storm, s.recorded = []int{200}, 3, 2000, 20000
	}
	if s.rounds < 1 || s.often < 1 {
		return s, fmt.Errorf("-rounds %d -often %d: there must be one", s.rounds, s.often)
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	most := 0
	for _, n := range s.processes {
		if err := checkRoom(n); err != nil {
			return err
		}
		most = max(most, n)
	}
	progress := func(format string, values ...any) {
		_, _ = fmt.Fprintf(stderr, format+"\n", values...) // it is not what was asked for
	}
	out := sheaf{Machine: machine()}
	dir, err := os.MkdirTemp("", "lineage-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := s.command
	needs := func(part string) bool { return part == peersPart || part == containersPart || part == recordPart }
	if program == "" && slices.ContainsFunc(s.only, needs) {
		if program, err = build(ctx, dir); err != nil {
			out.Notes = append(out.Notes, "the lineage command: "+err.Error())
		}
	}
	if slices.Contains(s.only, peersPart) {
		for _, n := range s.processes {
			tree := program
			if n != most {
				tree = ""
			}
			if err := out.ask(ctx, n, s.rounds, s.often*s.rounds, tree, progress); err != nil {
				return err
			}
		}
		out.Limits = limits(out.Results)
	}
	if slices.Contains(s.only, livePart) || slices.Contains(s.only, stormsPart) {
		st, err := newStorm(ctx, dir, s.storm)
		if err != nil {
			return err
		}
		if slices.Contains(s.only, livePart) {
			if err := out.live(ctx, most, s.rounds, s.often*s.rounds, st, progress); err != nil {
				return err
			}
		}
		if slices.Contains(s.only, stormsPart) {
			if err := out.storms(ctx, st, 2*s.rounds-1, progress); err != nil {
				return err
			}
		}
	}
	if slices.Contains(s.only, containersPart) && program != "" {
		if err := out.containers(ctx, dir, program, most, s.rounds, s.often*s.rounds, progress); err != nil {
			return err
		}
	}
	if slices.Contains(s.only, recordPart) && program != "" {
		if err := out.records(ctx, dir, program, s.rounds, s.recorded, progress); err != nil {
			return err
		}
	}
	text := out.text()
	switch {
	case s.json:
		encoded, err := json.MarshalIndent(&out, "", "  ")
		if err != nil {
			return err
		}
		text = string(encoded) + "\n"
	case s.markdown:
		text = out.markdown()
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// newSleepers makes a population in which some are to be asked about.
func newSleepers(n int) (*population, error) {
	return newPopulation(order{Processes: n, Chains: min(leaves, max(n/(depth+1), 1)), Depth: depth})
}

// ask makes n processes and asks everything about them; about the whole tree
// only with a program to draw it.
func (s *sheaf) ask(ctx context.Context, n, rounds, short int, program string, progress func(string, ...any)) (err error) {
	progress("making %d processes", n)
	p, err := newSleepers(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	s.Depth = p.depth()
	c := &contestants{ctx: ctx, of: p}
	defer func() { err = errors.Join(err, c.Close()) }()
	qs, err := c.questions(rounds, short)
	if err != nil {
		return err
	}
	if program != "" {
		trees, err := c.trees(program, (rounds+1)/2)
		if err != nil {
			c.notes = append(c.notes, err.Error())
		}
		qs = append(qs, trees...)
	}
	for _, q := range qs {
		progress("%d processes: %s", n, q.text)
		samples, err := measure(ctx, q)
		if err != nil {
			return err
		}
		s.Results = append(s.Results, results(q, samples)...)
	}
	s.Notes = append(s.Notes, c.notes...)
	return nil
}

// source returns the folder of the source that the bench is built of.
func source(ctx context.Context) (string, error) {
	find := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/proclineage/lineage")
	dir, err := find.Output()
	if err != nil {
		return "", fmt.Errorf("the source is found from the folder of the bench only: %w", err)
	}
	return strings.TrimSpace(string(dir)), nil
}

// build builds the lineage command from that source.
func build(ctx context.Context, dir string) (string, error) {
	from, err := source(ctx)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "lineage")
	compile := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/lineage")
	compile.Dir = from
	compile.Env = append(compile.Environ(), "CGO_ENABLED=0")
	if text, err := compile.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return program, nil
}

// machine says what the figures are of.
func machine() string {
	var u unix.Utsname
	release := "unknown"
	if unix.Uname(&u) == nil {
		release = unix.ByteSliceToString(u.Release[:])
	}
	user := "an ordinary user"
	if os.Geteuid() == 0 {
		user = "root"
	}
	return fmt.Sprintf("Linux %s, %s, %d CPUs, %s, as %s", release, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), user)
}
