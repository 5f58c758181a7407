// Command chdb is today's ClickHouse for tests: a front to libchdb, the whole
// engine as a library, that speaks as much of ClickHouse's HTTP interface as
// clickhouse-go uses, with settings, parameters, the format Native and compressed
// frames. Each request has a session of its own, so that any number run at once;
// there are no users.
//
// It prints the DSN for clickhouse-go when it is ready, and ends at SIGINT and
// SIGTERM. The library comes from the npm registry:
//
//	npm ci --ignore-scripts --prefix tools/chdb
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "the `address` to listen on")
	folder := flag.String("data", "", "the `folder` of the data (default: one that is removed at the end)")
	config := flag.String("config", "", "a `file` of configuration, as of clickhouse-local; ON CLUSTER is left out then")
	lib := flag.String("lib", "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so", "the `path` of the library")
	flag.Parse()
	if err := run(*listen, *folder, *config, *lib); err != nil {
		fmt.Fprintln(os.Stderr, "chdb:", err)
		os.Exit(1)
	}
}

func run(listen, folder, config, path string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if folder == "" {
		if folder, err = os.MkdirTemp("", "chdb-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	args := []string{"clickhouse", "--path=" + folder}
	if config != "" {
		args = append(args, "--config-file="+config)
	}
	lib, err := load(path)
	if err != nil {
		return err
	}
	// The engine runs as long as this session does.
	first, err := lib.open(args)
	if err != nil {
		return err
	}
	defer first.close()

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &front{lib, args, config != ""}}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Printf("http://%s/default\n", listener.Addr())
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(patience))
}

// A front answers HTTP requests as ClickHouse does.
type front struct {
	lib  *library
	args []string // of the engine
	// It is the only node of its cluster. The library runs no distributed DDL,
	// which needs a server that fetches it from ZooKeeper.
	alone bool
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ping" {
		_, _ = io.WriteString(w, "Ok.\n") // a client that has gone
		return
	}
	q, err := parseRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if f.alone {
		q.query = onCluster.ReplaceAllString(q.query, "$1")
	}
	s, err := f.lib.open(f.args)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.close()
	answer, err := q.do(s)
	if err == nil {
		answer, err = q.packed(answer)
	}
	if err != nil {
		if thrown, ok := errors.AsType[*exception](err); ok {
			w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(thrown.code))
		}
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-ClickHouse-Format", q.format)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // a client that has gone
}
