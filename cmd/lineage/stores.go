package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

// fromFlags say which history a command asks, and about which host.
type fromFlags struct {
	store, host string
}

// add adds them to a command.
func (f *fromFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.store, "store", "", "ask the `STORE` itself and no daemon, as clickhouse://USER@HOST/DATABASE of a fleet")
	c.Flags().StringVar(&f.host, "host", "", "the `HOST` of the history, by its name, its machine-id or the beginning of that")
	for _, name := range []string{"store", "host"} {
		must(c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
}

// storeHelp is what help texts say of --store, and credentialsHelp of who asks it.
const (
	storeHelp = `With --store a store is asked and no daemon, such as that of a fleet, which has the
histories of many hosts: clickhouse://USER@HOST:9000/DATABASE. Whoever may read it
sees all that is in it. No variable stands for --store here.

` + credentialsHelp
	credentialsHelp = `What the address does not say of the user and the password is in the variables
CLICKHOUSE_USER and CLICKHOUSE_PASSWORD.`
)

// ask has the question asked of the daemon or of the store, until the user wants no
// more.
func (a *app) ask(from *fromFlags, question func(ctx context.Context, c *client.Client) error) error {
	ctx, stop := untilStopped()
	defer stop()
	if from.store == "" {
		c, err := a.daemon()
		if err != nil {
			return err
		}
		defer c.Close()
		return asked(question(ctx, c))
	}
	s, err := openAny(ctx, from.store, a.getenv, nil)
	if err != nil {
		return asked(err)
	}
	defer func() {
		if ctx.Err() == nil { // else it may hang
			_ = s.Close() // it was read
		}
	}()
	server := api.New(api.Options{
		History: s, Candid: true, Version: readVersion().String(), Limits: api.Limits{Query: patient, Rows: store.MaxLimit * 10},
	})
	return asked(question(ctx, client.Through(server.Transport(), shownStore(from.store))))
}

// patient is how long a store may take for a question of a user, who can stop it.
const patient = 24 * time.Hour

// openAny opens a store by its name, to be asked.
func openAny(ctx context.Context, name string, getenv func(string) string, log *slog.Logger) (store.Store, error) {
	if isFleet(name) {
		return openFleet(ctx, name, getenv)
	}
	dir, ok := strings.CutPrefix(name, "sqlite:")
	if !ok || dir == "" {
		return nil, usagef("--store %s: it is clickhouse://HOST/DATABASE, or sqlite:DIRECTORY", quoted(shownStore(name)))
	}
	if err := isHistory(dir); err != nil {
		return nil, err
	}
	s, err := openLocal(dir, log)
	if errors.Is(err, sqlite.ErrInUse) {
		return nil, fmt.Errorf("%w: ask the daemon, without --store", err)
	}
	return s, err
}

// isHistory fails where there is no directory that a history may be in: it would be made.
func isHistory(dir string) error {
	switch _, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no history in %s", dir)
	case err != nil:
		return fmt.Errorf("the history: %w", err)
	}
	return nil
}

// openLocal opens the history of this host.
func openLocal(dir string, log *slog.Logger) (*sqlite.Store, error) {
	s, err := sqlite.Open(dir, sqlite.Options{Log: log})
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: give another directory with --store", err)
	}
	return s, err
}
