// Fleet measures a fleet's store: how fast many hosts' histories come in, end to end,
// and how fast it answers about many processes.
//
//	go run ./fleet ingest    -dsn clickhouse://127.0.0.1:9000/bench [-hosts 100] [-rate 1000] [-for 60s]
//	go run ./fleet questions -dsn http://127.0.0.1:8123/bench [-rows 100000000] [-rounds 9]
//
// The database must be there, and empty: tables are made in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/store/clickhouse"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "ingest" && args[0] != "questions" {
		return errors.New("say what to measure: ingest or questions")
	}
	f := flag.NewFlagSet("fleet "+args[0], flag.ContinueOnError)
	dsn := f.String("dsn", "", "the fleet's `database`, as lineage takes it")
	var in ingest
	var q questions
	if args[0] == "ingest" {
		f.IntVar(&in.hosts, "hosts", 100, "how many hosts")
		f.IntVar(&in.rate, "rate", 1000, "how many processes begin on each in a second")
		f.DurationVar(&in.length, "for", time.Minute, "for how long")
	} else {
		f.IntVar(&q.rows, "rows", 100_000_000, "how many processes are asked about")
		f.IntVar(&q.rounds, "rounds", 9, "how often each question is asked")
	}
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if *dsn == "" || f.NArg() > 0 {
		return errors.New("give the database with -dsn, and no arguments")
	}
	if _, err := clickhouse.Init(ctx, *dsn, clickhouse.InitOptions{}); err != nil {
		return err
	}
	if args[0] == "ingest" {
		return in.run(ctx, *dsn)
	}
	return q.run(ctx, *dsn)
}

// connect is for what the store does not tell.
func connect(dsn string) (driver.Conn, error) {
	o, err := driver.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	o.ReadTimeout = time.Hour
	return driver.Open(o)
}
