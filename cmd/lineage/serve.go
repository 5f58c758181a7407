package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/daemon"
	"github.com/proclineage/lineage/ship"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
	"github.com/proclineage/lineage/web"
)

// serveFlags are the flags of lineage serve.
type serveFlags struct {
	socket, listen       string
	stores               []string
	otlp, nodeName       string
	shipInterval         time.Duration
	readOnly             bool
	retention            days
	tokenFile            string
	certificate, key, ca string
	hosts                []string
	hidepid              choice
	showSecrets          bool
	keepPrivileges       bool
	config               string
	verbose              bool
}

func newServe(a *app) *cobra.Command {
	flags := serveFlags{hidepid: choice{"0", []string{"0", "1", "2"}}, retention: days(7 * 24 * time.Hour)}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Keep the history of this host, and answer over HTTP and on a page",
		Long: `Watch all processes of this host, keep their history, and answer about both:
lineage's own commands over the Unix socket, programs by the HTTP API (its
description is at /openapi.yaml), and people on a page.

Everybody on the host may ask over the socket. The kernel tells who asks: root
sees everything, others of processes that are not theirs what /proc shows, less
with --hidepid.

TCP is listened on only with --listen, and whoever connects must have the token;
beyond the loopback that takes a certificate as well (--tls-certificate,
--tls-key). Without --token-file it is made once and kept in the file "token"
beside the history; where stderr is a terminal the address of the page with it is
written there.

The history is kept in a file of SQLite for each day. What looks like a secret in
arguments is left out of it and of answers, unless --show-secrets is given.

With --store clickhouse://USER@HOST:9000/DATABASE it is also sent to the store of a
fleet, which 'lineage fleet init' makes: what cannot be sent now is sent later, as long
as the own history has it. --store may be given twice, to say as well where that is. A
password is best left to CLICKHOUSE_PASSWORD or to the file of --config.

With --read-only nothing is watched and no history kept: it answers about the hosts
in the one --store, and needs no privileges. It has no socket unless one is asked for.

Each flag can be set by a variable as well, such as LINEAGE_LISTEN for --listen,
or by a line of the file of --config: "listen = 127.0.0.1:7979". A flag goes
before its variable, and that before the file. SIGTERM and Ctrl-C end it, with
everything written.

--output, --color, --no-trunc and --strict do not concern it.`,
		Example: `  lineage serve
  lineage serve --listen 127.0.0.1:7979
  lineage serve --socket ./lineage.sock --store sqlite:./history --retention 2d
  lineage serve --store clickhouse://writer@fleet:9000/lineage
  lineage serve --read-only --store clickhouse://reader@fleet:9000/lineage --listen 127.0.0.1:7979
  lineage serve --listen :7979 --tls-certificate cert.pem --tls-key key.pem --token-file token`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := settle(c.Flags(), flags.config, a.getenv); err != nil {
				return err
			}
			if flags.readOnly && !c.Flags().Changed("socket") && a.getenv(variable("socket")) == "" {
				flags.socket = ""
			}
			return a.serve(&flags)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.socket, "socket", defaultSocket(a.getenv), "listen on a Unix socket at `PATH`; none where it is empty")
	f.StringVar(&flags.listen, "listen", "", "listen on `ADDRESS`:PORT as well")
	f.StringArrayVar(&flags.stores, "store", nil, "a `STORE`: keep the history in sqlite:DIRECTORY (the usual one is "+defaultHistory(a.getenv)+") or, with none, not at all, and send it to clickhouse://HOST/DATABASE")
	f.DurationVar(&flags.shipInterval, "ship-interval", ship.DefaultInterval, "how long what was written may wait to be sent to a fleet, a `TIME` as 10s")
	f.StringVar(&flags.otlp, "otlp", "", "send what happens to processes to the OpenTelemetry collector at `URL`, as http://localhost:4318, or with env where the OTEL_EXPORTER_OTLP_… variables say")
	f.StringVar(&flags.nodeName, "node-name", "", "what this host is called in the history and over OTLP, instead of its node `NAME` (uname -n)")
	f.BoolVar(&flags.readOnly, "read-only", false, "watch nothing, and answer from the --store")
	f.Var(&flags.retention, "retention", "for how long history is kept, as 36h, 7d or 4w; 0 for ever")
	f.StringVar(&flags.tokenFile, "token-file", "", "the token that clients over TCP must have is in `FILE`")
	f.StringVar(&flags.certificate, "tls-certificate", "", "the certificate of the server is in `FILE` (PEM)")
	f.StringVar(&flags.key, "tls-key", "", "its key is in `FILE` (PEM)")
	f.StringVar(&flags.ca, "tls-client-ca", "", "clients must show a certificate by one of those in `FILE` (PEM)")
	f.StringSliceVar(&flags.hosts, "host", nil, "clients over TCP may call the server by `NAME`, besides localhost and addresses")
	f.Var(&flags.hidepid, "hidepid", "what ordinary users see of the processes of others, as of procfs: 0 all but what /proc hides, 1 not their arguments, 2 nothing")
	f.BoolVar(&flags.showSecrets, "show-secrets", false, "do not take secrets out of arguments")
	f.BoolVar(&flags.keepPrivileges, "keep-privileges", false, "do not drop the capabilities that are no longer needed")
	f.StringVar(&flags.config, "config", "", "further settings are in `FILE`")
	f.BoolVar(&flags.verbose, "verbose", false, "log more")
	must(c.RegisterFlagCompletionFunc("hidepid", cobra.FixedCompletions(flags.hidepid.allowed, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// days is the value of a flag that takes a duration, of days too.
type days time.Duration

func (d *days) Type() string   { return "TIME" }
func (d *days) String() string { return shortDuration(time.Duration(*d)) }

// Set implements [pflag.Value].
func (d *days) Set(text string) error {
	if text == "0" {
		*d = 0
		return nil
	}
	t, err := store.ParseDuration(text)
	if err != nil || t <= 0 {
		return errChoice
	}
	*d = days(t)
	return nil
}

func (d *days) list() string { return "a time as 36h, 7d or 4w, or 0" }

// shortDuration is a duration in days where it is some.
func shortDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// usualSocket is where the commands look for a daemon: where that of the host
// listens, or else the user's own.
func usualSocket(getenv func(string) string) string {
	if own := defaultSocket(getenv); own != client.DefaultSocket {
		if _, err := os.Lstat(client.DefaultSocket); err != nil {
			if _, err := os.Lstat(own); err == nil {
				return own
			}
		}
	}
	return client.DefaultSocket
}

// defaultSocket is where the daemon listens.
func defaultSocket(getenv func(string) string) string {
	switch dir := getenv("RUNTIME_DIRECTORY"); {
	case dir != "": // of a unit of systemd
		return filepath.Join(strings.Split(dir, ":")[0], "lineage.sock")
	case os.Geteuid() == 0:
		return client.DefaultSocket
	default:
		return filepath.Join(cmp.Or(getenv("XDG_RUNTIME_DIR"), os.TempDir()), "lineage.sock")
	}
}

// defaultHistory is the directory of the history.
func defaultHistory(getenv func(string) string) string {
	switch dir := getenv("STATE_DIRECTORY"); {
	case dir != "":
		return strings.Split(dir, ":")[0]
	case os.Geteuid() == 0:
		return "/var/lib/lineage"
	default:
		return filepath.Join(cmp.Or(getenv("XDG_STATE_HOME"), filepath.Join(getenv("HOME"), ".local/state")), "lineage")
	}
}

// serve runs the daemon.
func (a *app) serve(flags *serveFlags) error {
	level := slog.LevelInfo
	if flags.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(daemon.NewLog(a.stderr, daemon.Journaled(os.Stderr), level))
	a.log = log
	where, err := flags.where(defaultHistory(a.getenv))
	if err != nil {
		return err
	}
	if flags.readOnly && flags.socket == "" && flags.listen == "" && a.getenv("LISTEN_FDS") == "" {
		return usagef("--read-only has no socket of its own: say where to listen with --socket or --listen")
	}
	if flags.readOnly && where.dir != "" {
		if err := isHistory(where.dir); err != nil {
			return err
		}
	}
	access, err := flags.access()
	if err != nil {
		return err
	}
	token := flags.tokenFile
	if flags.listen != "" && access.Token == "" && flags.ca == "" {
		if access.Token, token, err = ownToken(where.dir); err != nil {
			return err
		}
	}
	if !flags.readOnly {
		if err := a.watchNames(); err != nil {
			return err
		}
	}
	o := daemon.Options{
		Tree: lineage.Options{ProcPath: a.proc, Source: a.source.value}, Retention: time.Duration(flags.retention),
		Socket: flags.socket, Listen: flags.listen, Access: access, ShowSecrets: flags.showSecrets,
		HidePID: api.HidePID(flags.hidepid.value[0] - '0'), Page: web.Handler(), Version: readVersion().String(),
		KeepPrivileges: flags.keepPrivileges, ReadOnly: flags.readOnly, HostName: flags.nodeName, Logger: log,
	}
	if a.names != nil {
		o.Names = a.names.Names
	}
	switch {
	case flags.shipInterval <= 0:
		return usagef("--ship-interval %v: it is a time as 10s", flags.shipInterval)
	case flags.otlp != "" && flags.readOnly:
		return usagef("--otlp does not go with --read-only, which watches nothing")
	case flags.otlp == "env":
		o.OTLP = new(string)
	case flags.otlp != "":
		o.OTLP = &flags.otlp
	}
	if err := o.Check(); err != nil {
		return usagef("--otlp: %w", err)
	}
	if where.fleet != "" {
		if _, err := fullStore(where.fleet, a.getenv); err != nil {
			return err
		}
	}
	o.Ready = func(all []net.Addr) {
		for _, addr := range all {
			switch page := fmt.Sprintf("%s://%s/", flags.scheme(), addr); {
			case addr.Network() != "tcp":
			case access.Token != "" && (a.attended || token == ""):
				a.warn("the page is at " + page + "?token=" + access.Token)
			default: // what is written may be read by others
				a.warn("the page is at " + page + ", with ?token= and what is in " + token)
			}
		}
	}
	if flags.socket != "" {
		if err := os.MkdirAll(filepath.Dir(flags.socket), 0o755); err != nil {
			return fmt.Errorf("the directory of the socket: %w", err)
		}
	}
	ctx, stop := untilStopped()
	defer stop()
	var s store.Store
	switch {
	case flags.readOnly:
		s, err = openAny(ctx, flags.stores[0], a.getenv, log)
		o.Store, err = s, asked(err)
	case where.dir != "":
		var own *sqlite.Store
		own, err = openLocal(where.dir, log)
		s, o.Store = own, own
		if where.fleet != "" {
			o.Fleet = &daemon.Fleet{From: own, Name: shownStore(where.fleet), Interval: flags.shipInterval, Open: func(ctx context.Context) (store.Store, error) {
				return openFleet(ctx, where.fleet, a.getenv)
			}}
		}
	}
	if err != nil {
		return err
	}
	err = daemon.Run(ctx, o)
	if s != nil {
		err = errors.Join(err, s.Close())
	}
	return err
}

// where is where a history is kept: the directory, empty for none, and the name of the
// store that it is sent to, empty for none.
type where struct{ dir, fleet string }

// where reads --store.
func (f *serveFlags) where(usual string) (w where, err error) {
	none := false
	for _, name := range f.stores {
		dir, local := strings.CutPrefix(name, "sqlite:")
		switch {
		case name == "none":
			none = true
		case local && dir != "" && w.dir == "":
			w.dir = dir
		case isFleet(name) && w.fleet == "":
			w.fleet = name
		case local && dir != "" || isFleet(name):
			return w, usagef("--store %s: there is one of that kind already", quoted(shownStore(name)))
		default:
			return w, usagef("--store %s: it is sqlite:DIRECTORY, clickhouse://HOST/DATABASE or none", quoted(shownStore(name)))
		}
	}
	switch {
	case none && len(f.stores) > 1:
		return w, usagef("--store none goes with no other: what is sent to a fleet is kept here before")
	case f.readOnly && len(f.stores) != 1, f.readOnly && none:
		return w, usagef("--read-only takes one --store to answer from")
	case !f.readOnly && !none && w.dir == "":
		w.dir = usual
	}
	return w, nil
}

func (f *serveFlags) scheme() string {
	if f.certificate != "" {
		return "https"
	}
	return "http"
}

// ownToken returns the token of the daemon with the history in the directory, and the file that it is
// in, which is made where there is none. Without a history it is another one at each
// start, and in no file.
func ownToken(dir string) (token, path string, err error) {
	if dir == "" {
		return rand.Text(), "", nil
	}
	path = filepath.Join(dir, "token")
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), path, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("the token: %w", err)
	}
	token = rand.Text()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("the token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", "", fmt.Errorf("the token: %w", err)
	}
	return token, path, nil
}

// access is whom to let in over TCP.
func (f *serveFlags) access() (a api.Access, err error) {
	a.Hosts = f.hosts
	if f.tokenFile != "" {
		text, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return a, fmt.Errorf("the token: %w", err)
		}
		a.Token = strings.TrimSpace(string(text))
		if a.Token == "" {
			return a, fmt.Errorf("the token: %s is empty", f.tokenFile)
		}
	}
	if (f.certificate == "") != (f.key == "") {
		return a, usagef("--tls-certificate and --tls-key go together")
	}
	if f.certificate != "" {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		if err != nil {
			return a, fmt.Errorf("the certificate: %w", err)
		}
		a.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if f.ca != "" {
		if a.TLS == nil {
			return a, usagef("--tls-client-ca goes with --tls-certificate")
		}
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return a, fmt.Errorf("the certificates of clients: %w", err)
		}
		a.TLS.ClientCAs, a.TLS.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !a.TLS.ClientCAs.AppendCertsFromPEM(text) {
			return a, fmt.Errorf("the certificates of clients: there is none in %s", f.ca)
		}
	}
	return a, nil
}
