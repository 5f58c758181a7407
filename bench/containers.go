package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// inEach is how many processes each container has.
const inEach = 20

// The texts of the questions about containers, and the contenders that limits
// are about.
const (
	byContainerText = "tree by container to /dev/null"
	whyHostText     = "why, a process of the host"
	whyInsideText   = "why, a process in a container"

	byContainerName = "lineage tree --by container"
	noRuntime       = "no runtime"
	answering       = "one that answers"
	hanging         = "one that hangs"
	bothRuntimes    = "one that answers and one that hangs"
)

// A harbour is containers with processes in them, and those who know their names.
type harbour struct {
	ctx        context.Context //nolint:containedctx // the one of the whole run
	program    string
	of         *population
	containers []inhabited
	// answering and hanging are the sockets as --runtime reads them.
	answering, hanging string
	daemons            []*daemon
}

// containers measures the command where n processes are in containers.
func (s *sheaf) containers(ctx context.Context, dir, program string, n, rounds, short int, progress func(string, ...any)) (err error) {
	containers := newContainers(max(n/inEach, 1))
	var ids []string
	for _, c := range containers {
		ids = append(ids, c.ID)
	}
	where, err := newCgroups(ids)
	if err != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("containers: %v", err))
		return nil
	}
	progress("making %d containers with %d processes each", len(containers), inEach)
	p, err := newPopulation(order{Processes: len(ids) * inEach, Chains: len(ids), Length: inEach, Cgroups: where})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	for i := range containers {
		containers[i].PID = p.Chains[i][0]
	}
	h := &harbour{ctx: ctx, program: program, of: p, containers: containers}
	defer func() { err = errors.Join(err, h.Close()) }()
	if err := h.open(dir); err != nil {
		return err
	}
	progress("%d processes: %s", h.size(), byContainerText)
	if err := h.trees(s, rounds); err != nil {
		return err
	}
	for _, q := range []struct {
		text string
		pid  int
		rows func(all []result, where string) []limit
	}{{whyHostText, p.Head, whyHostLimits}, {whyInsideText, p.asked()[0], whyInsideLimits}} {
		progress("%d processes: %s", h.size(), q.text)
		all, err := h.why(q.text, q.pid, short)
		if err != nil {
			return err
		}
		s.Results = append(s.Results, all...)
		s.Limits = append(s.Limits, q.rows(all, fmt.Sprintf("%s, %d processes: ", q.text, h.size()))...)
	}
	return nil
}

// newContainers returns n of them, which no other run has.
func newContainers(n int) []inhabited {
	all := make([]inhabited, n)
	for i := range all {
		var id [32]byte
		_, _ = rand.Read(id[:]) // it never fails
		all[i] = inhabited{ID: hex.EncodeToString(id[:]), Name: fmt.Sprintf("bench-%04d", i)}
	}
	return all
}

// open starts the daemons.
func (h *harbour) open(dir string) error {
	for _, e := range []engine{
		{Socket: filepath.Join(dir, "answers.sock"), Containers: h.containers},
		{Socket: filepath.Join(dir, "hangs.sock"), Hangs: true},
	} {
		d, err := newDaemon(e)
		if err != nil {
			return err
		}
		h.daemons = append(h.daemons, d)
		if e.Hangs {
			h.hanging = "docker:" + e.Socket
		} else {
			h.answering = "docker:" + e.Socket
		}
	}
	return nil
}

// Close ends the daemons.
func (h *harbour) Close() error {
	var all []error
	for _, d := range h.daemons {
		all = append(all, d.Close())
	}
	return errors.Join(all...)
}

func (h *harbour) size() int { return len(h.of.parents()) }

// trees measures the tree by container with each source, of which the first
// contender has the one that a user gets.
func (h *harbour) trees(s *sheaf, rounds int) error {
	q := question{text: byContainerText, processes: h.size(), rounds: rounds, turn: 1}
	var shares []limit
	for _, t := range []struct{ name, source, runtime string }{
		{byContainerName, "", h.answering},
		{byContainerName + " --source procfs", procfsSource, h.answering},
		{byContainerName + " --source bpf", bpfSource, h.answering},
		{byContainerName + " --runtime none", "", "none"},
	} {
		args := []string{"tree", "--by", "container", "--runtime", t.runtime}
		if t.source != "" {
			args = append(args, "--source", t.source)
		}
		c := &command{ctx: h.ctx, name: h.program, args: args}
		var named []float64
		const patience = time.Minute // until the runtime, which shares the machine, answers in time once
		for began := time.Now(); len(named) < 3 || slices.Max(named) == 0 && t.runtime != "none" && time.Since(began) < patience; {
			n, err := h.verify(c)
			if err != nil && t.source == bpfSource && len(named) == 0 {
				s.Notes = append(s.Notes, t.name+": "+err.Error())
				break
			}
			if err != nil {
				return err
			}
			named = append(named, float64(n))
		}
		if named == nil {
			continue
		}
		share := newSpread(named)
		if t.runtime != "none" {
			if slices.Max(named) == 0 {
				return fmt.Errorf("%s: no container has its name", t.name)
			}
			shares = append(shares, limit{
				Text:     fmt.Sprintf("%s, %d processes: %s, containers with their names, of %d", q.text, q.processes, t.name, len(h.containers)),
				Measured: &share,
			})
		}
		q.contenders = append(q.contenders, contender{name: t.name, outside: true, ask: repeat(c.run)})
	}
	for _, args := range [][]string{{"pstree", "-p"}, {"ps", "-ef", "--forest"}} {
		c := &command{ctx: h.ctx, name: args[0], args: args[1:]}
		if err := c.run(); err != nil {
			s.Notes = append(s.Notes, err.Error())
			continue
		}
		q.contenders = append(q.contenders, contender{name: c.String(), outside: true, ask: repeat(c.run)})
	}
	samples, err := measure(h.ctx, q)
	if err != nil {
		return err
	}
	all := results(q, samples)
	s.Results = append(s.Results, all...)
	for i := range all {
		r := &all[i]
		l := limit{Text: fmt.Sprintf("%s, %d processes: %s", q.text, q.processes, r.Contender), Unit: nanoseconds, Measured: &r.Nanoseconds, CPU: &r.CPU}
		switch r.Contender {
		case byContainerName:
			l.Rule, l.Bound = atMost, float64(150*time.Millisecond)
		case byContainerName + " --source bpf", byContainerName + " --runtime none":
		default:
			continue
		}
		s.Limits = append(s.Limits, l)
	}
	s.Limits = append(s.Limits, shares...)
	return nil
}

// verify makes sure that what the command writes is right, and returns how many
// containers have their names.
func (h *harbour) verify(c *command) (named int, err error) {
	text, err := c.output()
	if err == nil {
		named, err = h.check(text)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c, err)
	}
	return named, nil
}

// check makes sure that a tree has every process in its container, and returns
// how many of these have their names. A heading is
//
//	container NAME (image IMAGE)  docker, SHORT ID, 20 processes
//	container ID  docker, 20 processes
func (h *harbour) check(text string) (named int, err error) {
	left := make(map[string]bool, len(h.containers)) // by ID, those not met yet
	ids := make(map[string]string, len(h.containers))
	for _, c := range h.containers {
		left[c.ID], ids[c.Name] = true, c.ID
	}
	inside, ours := 0, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		heading, ok := strings.CutPrefix(line, "container ")
		switch {
		case ok:
			word, rest, _ := strings.Cut(heading, " ")
			id, isName := ids[word]
			if !isName {
				id = word
			}
			_, ours = left[id]
			switch {
			case !ours: // another one of the host
			case !left[id], isName && !strings.HasPrefix(rest, "(image "+image+")"), !strings.HasSuffix(rest, fmt.Sprintf(", %d processes", inEach)):
				return 0, fmt.Errorf("wrong answer: %q", line)
			case isName:
				named++
			}
			if ours {
				left[id] = false
			}
		case line == "" || strings.HasPrefix(line, "host "):
			ours = false
		case ours && strings.Contains(line, "sleeper"):
			inside++
		}
	}
	for _, c := range h.containers {
		if left[c.ID] {
			return 0, fmt.Errorf("wrong answer: container %s is missing", c.Name)
		}
	}
	if want := len(h.containers) * inEach; inside != want {
		return 0, fmt.Errorf("wrong answer: %d of %d processes are in their containers", inside, want)
	}
	return named, nil
}

// why measures the answers about one process with who may name its container.
func (h *harbour) why(text string, pid, rounds int) ([]result, error) {
	q := question{text: text, processes: h.size(), rounds: rounds, turn: 1}
	for _, t := range []struct {
		name, runtime string
	}{{noRuntime, "none"}, {answering, h.answering}, {hanging, h.hanging}, {bothRuntimes, h.hanging + "," + h.answering}} {
		c := &command{ctx: h.ctx, name: h.program, args: []string{"why", strconv.Itoa(pid), "--runtime", t.runtime}}
		text, err := c.output()
		if err != nil {
			return nil, err
		}
		if !strings.Contains(text, " "+strconv.Itoa(pid)) {
			return nil, fmt.Errorf("%s: wrong answer: %q", c, text)
		}
		q.contenders = append(q.contenders, contender{name: t.name, outside: true, ask: repeat(c.run)})
	}
	samples, err := measure(h.ctx, q)
	if err != nil {
		return nil, err
	}
	return results(q, samples), nil
}

// whyHostLimits are those where no runtime has anything to say of the process.
func whyHostLimits(all []result, where string) []limit {
	return []limit{
		against(all, where, hanging, noRuntime, 1.05),
		against(all, where, bothRuntimes, noRuntime, 0),
		against(all, where, answering, noRuntime, 0),
	}
}

// whyInsideLimits are those where the name of the container is waited for.
func whyInsideLimits(all []result, where string) []limit {
	ls := []limit{
		against(all, where, bothRuntimes, answering, 1.05),
		against(all, where, bothRuntimes, noRuntime, 0),
		against(all, where, answering, noRuntime, 0),
	}
	with, without := byName(all, hanging), byName(all, noRuntime)
	var more []float64
	for i := range with.rounds {
		more = append(more, with.rounds[i]-without.rounds[i])
	}
	waited := newSpread(more)
	return append(ls, limit{Text: where + hanging + " - " + noRuntime, Unit: nanoseconds, Measured: &waited})
}

// against compares two contenders, by a limit unless most is zero.
func against(all []result, where, name, rival string, most float64) limit {
	a, b := byName(all, name), byName(all, rival)
	elapsed, cpu := ratio(a.rounds, b.rounds), ratio(a.cpus, b.cpus)
	l := limit{Text: where + name + " / " + rival, Measured: &elapsed, CPU: &cpu}
	if most > 0 {
		l.Rule, l.Bound = atMost, most
	}
	return l
}

func byName(all []result, contender string) *result {
	for i := range all {
		if all[i].Contender == contender {
			return &all[i]
		}
	}
	return nil
}
