// Package daemon puts together what lineage serve is: a [lineage.Tree] that is kept
// in step, a history that is written and a server that answers about both.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/history"
	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/otlp"
	"github.com/proclineage/lineage/redact"
	"github.com/proclineage/lineage/store"
)

// Options says how a daemon works.
type Options struct {
	// Tree is how the tree works. Its Containers are set from Names.
	Tree lineage.Options
	// Names has the names of containers, nil for none.
	Names *container.Names
	// Store has the history and is written by the daemon, nil for none.
	Store store.Store
	// Fleet is where the history is sent to, nil for nowhere.
	Fleet *Fleet
	// ReadOnly has nothing be watched: it answers from Store alone, which it does not
	// write.
	ReadOnly bool
	// OTLP is the address of an OpenTelemetry collector to which what happens is sent,
	// empty for where the OTEL_EXPORTER_OTLP_… variables say, and nil for nowhere.
	OTLP *string
	// HostName is what the host is called in the history and over OTLP, empty for the
	// node name of uname(2).
	HostName string
	// Retention is for how long history is kept, zero for ever.
	Retention time.Duration
	// Socket is the path of the Unix socket to listen on, empty for none.
	Socket string
	// Listen is the address of TCP to listen on, empty for none, and Access whom to
	// let in there.
	Listen string
	Access api.Access
	// ShowSecrets leaves in arguments what looks like a secret, also in what is
	// written.
	ShowSecrets bool
	// HidePID is what ordinary users see of the processes of others.
	HidePID api.HidePID
	// Page is the page, nil for none.
	Page http.Handler
	// Version is that of the program.
	Version string
	// KeepPrivileges keeps the capabilities that are not needed once the source is
	// open.
	KeepPrivileges bool
	// Logger takes what the daemon has to say.
	Logger *slog.Logger
	// Ready is called once the daemon answers, with the addresses that it listens on.
	Ready func([]net.Addr)
}

// Check returns an error where OTLP is no address.
func (o *Options) Check() error {
	if o.OTLP == nil || *o.OTLP == "" {
		return nil
	}
	return otlp.CheckEndpoint(*o.OTLP)
}

// Run runs the daemon until ctx ends, and then writes what is left. It fails where it
// cannot begin, and where a part of it can go on no more.
func Run(ctx context.Context, o Options) error {
	log := o.Logger
	listeners, err := o.listeners()
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // it is closed already, but where what follows has failed
		}
	}()
	if o.ReadOnly {
		return o.read(ctx, listeners)
	}
	o.Tree.Logger = log
	if o.Names != nil {
		o.Tree.Containers = o.Names
	}
	tree, err := lineage.NewTree(o.Tree)
	if err != nil {
		return err
	}
	defer tree.Close()
	source := tree.Source()
	log.Info("watching", "source", source.Name)
	for _, p := range source.Passed {
		log.Warn("a better source does not work", "source", p.Name, "error", p.Err)
	}
	if !o.KeepPrivileges {
		if err := dropPrivileges(); err != nil {
			log.Warn("privileges are kept", "error", err)
		}
	}

	var keeper *history.Keeper
	var collectors []prometheus.Collector
	kept := watchedTree(tree)
	if o.Store != nil {
		keeper = o.keeper(kept)
		collectors = append(collectors, writing{keeper})
	}
	var ships *shipping
	if o.Fleet != nil && keeper != nil {
		host, _ := tree.Host()
		ships = newShipping(o.Fleet, host, log)
		collectors = append(collectors, ships)
	}
	var collector *otlp.Exporter
	sent := watchedTree(tree)
	if o.OTLP != nil {
		if collector, err = o.exporter(ctx, sent); err != nil {
			return err
		}
		collectors = append(collectors, exporting{collector})
	}
	served := watchedTree(tree)
	server := o.server(served, keeper, ships, collectors)
	parts := newParts(ctx)
	// The tree goes on until what is told by it has been taken in.
	runTree, endTree := context.WithCancel(context.WithoutCancel(ctx))
	defer endTree()
	var treeRuns, shipRuns sync.WaitGroup
	treeRuns.Go(func() { parts.report("the tree", tree.Run(runTree)) })
	// Shipping goes on until what the keeper writes last has been sent.
	runShips, endShips := context.WithCancel(context.WithoutCancel(ctx))
	defer endShips()
	if ships != nil {
		shipRuns.Go(func() { ships.run(runShips) })
	}
	if keeper != nil {
		parts.watch("the history", kept, keeper.Run)
	}
	if collector != nil {
		parts.watch("OTLP", sent, func(ctx context.Context) error { return export(ctx, collector, log) })
	}
	parts.watch("events", served, server.Run)
	addresses := parts.serve(server, listeners)
	parts.run("the watchdog", func(ctx context.Context) error {
		watchdog(ctx, func() bool { return well(tree, keeper) })
		return nil
	})
	o.ready(addresses)
	err = parts.wait()
	tell("STOPPING=1")
	endTree()
	treeRuns.Wait()
	endShips()
	shipRuns.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// listeners listens where it is asked to, or has been by systemd.
func (o *Options) listeners() (list []*api.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range list {
				_ = l.Close()
			}
		}
	}()
	local, err := passed()
	if err != nil {
		return nil, fmt.Errorf("the sockets of systemd: %w", err)
	}
	for _, l := range local {
		list = append(list, api.Over(l))
	}
	if o.Socket != "" && len(local) == 0 {
		l, err := api.Listen(o.Socket)
		if err != nil {
			return list, fmt.Errorf("listening on %s: %w", o.Socket, err)
		}
		list = append(list, l)
	}
	if o.Listen != "" {
		l, err := api.ListenTCP(o.Listen, o.Access)
		if err != nil {
			return list, err
		}
		list = append(list, l)
	}
	if len(list) == 0 {
		return nil, errors.New("there is nothing to listen on: give a socket or an address")
	}
	return list, nil
}

// read answers from the store alone until ctx ends.
func (o *Options) read(ctx context.Context, listeners []*api.Listener) error {
	server := api.New(api.Options{
		History: o.Store, Page: o.Page, ShowSecrets: o.ShowSecrets, HidePID: o.HidePID, Version: o.Version, Logger: o.Logger,
	})
	parts := newParts(ctx)
	addresses := parts.serve(server, listeners)
	parts.run("the watchdog", func(ctx context.Context) error {
		watchdog(ctx, func() bool { return true })
		return nil
	})
	o.ready(addresses)
	err := parts.wait()
	tell("STOPPING=1")
	return err
}

// serve has the server answer at the listeners, and returns where they listen.
func (p *parts) serve(server *api.Server, listeners []*api.Listener) (addresses []net.Addr) {
	for _, l := range listeners {
		addresses = append(addresses, l.Addr())
		p.run("the server", func(ctx context.Context) error { return server.Serve(ctx, l) })
	}
	return addresses
}

// ready tells who waits for it that the daemon answers.
func (o *Options) ready(addresses []net.Addr) {
	tell("READY=1")
	if o.Ready != nil {
		o.Ready(addresses)
	}
	o.Logger.Info("ready", "listening", addresses)
}

func (o *Options) server(tree *watched, keeper *history.Keeper, ships *shipping, collectors []prometheus.Collector) *api.Server {
	a := api.Options{
		Collectors: collectors, HostName: o.HostName,
		Tree: tree, Page: o.Page, ShowSecrets: o.ShowSecrets, HidePID: o.HidePID, Version: o.Version, Logger: o.Logger,
	}
	if ships != nil {
		a.Shipping = ships.stats
	}
	if o.Store != nil {
		a.History = o.Store
		a.Writing = func() api.Writing {
			s := keeper.Stats()
			return api.Writing{Err: s.Err, Pending: s.Pending, Last: s.Last, Dropped: s.Dropped}
		}
	}
	if o.Names != nil {
		a.Names = patient{o.Names}
	}
	return api.New(a)
}

func (o *Options) keeper(tree *watched) *history.Keeper {
	return history.New(history.Options{
		Tree: tree, Store: o.Store, Retention: o.Retention, Logger: o.Logger, User: userNames(), Args: o.args(),
		HostName: o.HostName,
	})
}

// args is what of the arguments of a command leaves the daemon, nil for all of them.
func (o *Options) args() func([]string) []string {
	if o.ShowSecrets {
		return nil
	}
	return func(args []string) []string {
		args, _ = redact.Args(args)
		return args
	}
}

// patient waits for names, but not for long.
type patient struct{ *container.Names }

func (p patient) Await(enough func() bool) {
	const patience = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.Names.Await(ctx, enough)
}

// userNames returns what names the users of the host, and remembers them. It is to
// be called from one goroutine at a time.
func userNames() func(uid int) string {
	known := map[int]string{}
	return func(uid int) string {
		name, ok := known[uid]
		if !ok {
			if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
				name = u.Username
			}
			known[uid] = name
		}
		return name
	}
}

// well reports whether questions are answered, and the history has not hung for so
// long that to begin anew is better.
func well(tree *lineage.Tree, k *history.Keeper) bool {
	if _, err := tree.Process(os.Getpid()); err != nil {
		return false
	}
	if k == nil {
		return true
	}
	s := k.Stats()
	return s.Err != nil || s.Pending == 0 || time.Since(s.Last) < time.Minute
}

// dropPrivileges keeps what reading about the processes of others takes: CAP_BPF and
// CAP_PERFMON are of no use once the source is open.
func dropPrivileges() error {
	has, err := linux.EffectiveCapabilities()
	if err != nil || has == 0 {
		return err
	}
	return linux.DropCapabilities(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH)
}
