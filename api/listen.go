package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// A Listener is where a server is asked. Make one with [Listen], [ListenTCP] or
// [Over].
type Listener struct {
	net.Listener
	access *Access // nil over a Unix socket
}

// Listen listens on a Unix socket, which every user may connect to: the kernel tells
// who it is. A socket that nobody listens on any more is replaced; one that is in
// use is an error.
func Listen(path string) (*Listener, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		if gone(path) {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
			l, err = net.Listen("unix", path)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Listener{Listener: l}, nil
}

// gone reports whether the path is a socket that nobody listens on.
func gone(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// ListenTCP listens on an address of TCP. Its error wraps [ErrAccess], and nothing
// was listened on, where that would let in anybody, or without TLS beyond the
// loopback.
func ListenTCP(address string, a Access) (*Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if err := a.check(addr); err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l, access: &a}, nil
}

// Over returns the Listener over a Unix socket that somebody else listens on, as
// systemd does.
func Over(l *net.UnixListener) *Listener { return &Listener{Listener: l} }

// goodbye is how long answers may take that are being given when the server ends.
const goodbye = 2 * time.Second

// endingKey is the key of the channel that is closed when the server begins to end.
type endingKey struct{}

// untilEnding returns the context of a request that has no end of its own, and ends
// with the server.
func untilEnding(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	ending, _ := ctx.Value(endingKey{}).(<-chan struct{})
	go func() {
		select {
		case <-ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Serve answers what is asked until ctx ends, and closes the listener. It returns
// when what was being answered then has been sent, or has had its time. Streams of
// events end at once.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	// Requests go on when ctx has ended, for as long as the goodbye takes.
	base, end := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), endingKey{}, ctx.Done()))
	defer end()
	h := http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.o.Limits.Stall / 2,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       connContext(l.access),
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	h.Protocols = new(http.Protocols)
	h.Protocols.SetHTTP1(true) // one request at a time on a connection, so that limits hold for each
	var in net.Listener = &bounded{l.Listener, newRoom(int64(s.o.Limits.Connections), int64(s.o.Limits.Connections+1)/2)}
	if l.access != nil && l.access.TLS != nil {
		in = tls.NewListener(in, l.access.TLS)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		if h.Shutdown(soon) != nil {
			end() // they had their time
			_ = h.Close()
		}
	})
	err := h.Serve(in)
	if !stop() {
		<-ended // h.Serve returns as the goodbye begins
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
	}
	return fmt.Errorf("serving %v: %w", l.Addr(), err)
}
