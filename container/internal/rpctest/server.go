// Package rpctest has runtimes to test against: gRPC servers on unix sockets,
// and such that only look like one.
package rpctest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/grpc"
)

// Socket returns a path for a socket, short enough for one (unix(7)).
func Socket(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "rpc") //nolint:usetesting // a path with the test's name in it may be too long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a temporary folder
	return filepath.Join(dir, "s")
}

// Serve starts a server on the socket, which ends with stop, or with the test.
func Serve(tb testing.TB, socket string, register func(*grpc.Server), o ...grpc.ServerOption) (stop func()) {
	tb.Helper()
	l := listen(tb, socket)
	s := grpc.NewServer(o...)
	register(s)
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			tb.Error(err)
		}
	})
	stop = func() {
		s.Stop()
		done.Wait()
	}
	tb.Cleanup(stop)
	return stop
}

// Accept has handle called with each connection to the socket that it returns,
// and closes the connection thereafter.
func Accept(tb testing.TB, handle func(net.Conn)) string {
	tb.Helper()
	socket := Socket(tb)
	l := listen(tb, socket)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer conn.Close() //nolint:errcheck // it may be closed
				handle(conn)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close() //nolint:errcheck // and ends Accept in any case
		done.Wait()
	})
	return socket
}

func listen(tb testing.TB, socket string) net.Listener {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
