package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/runtimes"
)

// namePatience is how long an answer may wait for names. A runtime at work takes
// less, and one that hangs takes no more.
const namePatience = 50 * time.Millisecond

// loadPatience is the same for a question about a container by its name.
const loadPatience = 500 * time.Millisecond

// watchedNames are asked for in the background while a command reads.
type watchedNames struct{ *container.Names }

func (n *watchedNames) Await(enough func() bool) {
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	n.Names.Await(ctx, enough)
}

func (n *watchedNames) load() error {
	ctx, cancel := context.WithTimeout(context.Background(), loadPatience)
	defer cancel()
	n.Load(ctx)
	for _, s := range n.Runtimes() {
		switch {
		case s.Err != nil:
			return fmt.Errorf("%s does not name its containers: %w", s.Socket, s.Err)
		case !s.Answered:
			return fmt.Errorf("%s has not named its containers within %v", s.Socket, loadPatience)
		}
	}
	return nil
}

// prefetch has all containers be asked for while the command reads.
func (n *watchedNames) prefetch() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.Load(ctx)
}

// sockets is the value of --runtime.
type sockets struct {
	text string
	auto bool
	list []runtimes.Socket
}

func (s *sockets) Type() string   { return "LIST" }
func (s *sockets) String() string { return s.text }

// Set implements [pflag.Value].
func (s *sockets) Set(text string) error {
	set := sockets{text: text}
	switch text {
	case "auto":
		set.auto = true
	case "none":
	default:
		for socket := range strings.SplitSeq(text, ",") {
			one, err := runtimes.Parse(socket)
			if err != nil {
				return err
			}
			set.list = append(set.list, one)
		}
	}
	*s = set
	return nil
}

// choose says what the flag may be set to.
func (s *sockets) choose() string {
	return "auto, none, or sockets with commas between, each as KIND:PATH, where KIND is cri, containerd, docker or podman"
}

// find returns the sockets that are meant.
func (s *sockets) find() []runtimes.Socket {
	if s.auto {
		return runtimes.Find("/")
	}
	return s.list
}

// watchNames begins to ask for the names of containers, where there is anybody
// to ask.
func (a *app) watchNames() error {
	found := a.runtimes.find()
	if a.names != nil || len(found) == 0 {
		return nil
	}
	all, err := runtimes.Open(found)
	if err != nil {
		return err
	}
	a.names = &watchedNames{container.Watch(container.NamesOptions{Runtimes: all, ProcPath: a.proc, Logger: a.log})}
	return nil
}

// checkRuntimes looks which runtimes name their containers.
func (a *app) checkRuntimes() []Check {
	if err := a.watchNames(); err != nil {
		return []Check{{Name: "containers", Status: statusLimited, Detail: oneLine(err.Error())}}
	}
	if a.names == nil {
		c := Check{Name: "containers", Status: statusLimited, Detail: "no runtime was found at the usual sockets: containers are shown by ID"}
		if !a.runtimes.auto {
			c.Detail = "--runtime " + a.runtimes.text + ": containers are shown by ID"
		}
		return []Check{c}
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialTime)
	defer cancel()
	a.names.Load(ctx)
	var checks []Check
	for _, s := range a.names.Runtimes() {
		c := Check{Name: "containers", Status: statusOK}
		who := safe(string(cmp.Or(s.Name, "a runtime")) + " at " + s.Socket)
		switch {
		case !s.Answered:
			c.Status, c.Detail = statusLimited, who+fmt.Sprintf(" has not answered within %v", trialTime)
		case s.Err != nil:
			c.Status, c.Detail = statusLimited, who+": "+oneLine(s.Err.Error())
			if errors.Is(s.Err, fs.ErrPermission) {
				c.Remedy = "run as root (sudo), or as a user who may use the socket"
			}
		default:
			c.Detail = who + " names " + plural(s.Containers, "container", "containers")
		}
		checks = append(checks, c)
	}
	return checks
}

// trialTime is how long the doctor waits for runtimes.
const trialTime = 2 * time.Second
