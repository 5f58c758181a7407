package rpctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// A Hostile is a runtime that means no good, or is broken.
type Hostile struct {
	Name   string
	Socket string
	// Met has a value for each caller that waits, Left for each that has gone.
	Met, Left <-chan struct{}
}

// Hanging returns runtimes that never come to the end of an answer, so that it
// is for the caller's context to end the call. One of them passes on what the
// runtime at the other socket says, of which each answer takes over a kilobyte.
func Hanging(tb testing.TB, other string) []Hostile {
	tb.Helper()
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	read := func(conn net.Conn) { io.Copy(io.Discard, conn) } //nolint:errcheck // until the caller has gone
	return []Hostile{
		hostile(tb, "mute", func(conn net.Conn, met func()) {
			met()
			read(conn)
		}),
		hostile(tb, "deaf", func(conn net.Conn, met func()) {
			met()
			waitGone(conn)
		}),
		hostile(tb, "settings and no more", func(conn net.Conn, met func()) {
			io.WriteString(conn, settings) //nolint:errcheck // then the caller has gone
			met()
			read(conn)
		}),
		hostile(tb, "settings for ever", func(conn net.Conn, met func()) {
			met()
			go read(conn)
			for {
				if _, err := io.WriteString(conn, settings); err != nil {
					return
				}
			}
		}),
		hostile(tb, "drip", func(conn net.Conn, met func()) { drip(conn, other, met) }),
	}
}

// Ends makes the calls of a client to runtimes that hang, and ends them by their
// context: see [Hanging].
func Ends(t *testing.T, other string, callsOf func(socket string) map[string]func(context.Context) error) {
	t.Helper()
	for _, h := range Hanging(t, other) {
		for name, call := range callsOf(h.Socket) {
			if h.Name == "drip" && name == "Inspect" {
				continue // too short an answer
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- call(ctx) }()
			<-h.Met
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: got %v, want %v", h.Name, name, err, context.Canceled)
			}
			<-h.Left
		}
	}
}

// Garbage returns runtimes that answer what is no gRPC.
func Garbage(tb testing.TB) []Hostile {
	tb.Helper()
	var all []Hostile
	for name, text := range map[string]string{
		"HTTP 1":   "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"text":     "hello\n",
		"zeros":    strings.Repeat("\x00", 4096),
		"ones":     strings.Repeat("\xff", 4096),
		"settings": "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + strings.Repeat("\xa5", 1<<20),
		"nothing":  "",
	} {
		all = append(all, hostile(tb, name, func(conn net.Conn, met func()) {
			met()
			io.WriteString(conn, text) //nolint:errcheck // the caller may have gone
		}))
	}
	return all
}

func hostile(tb testing.TB, name string, handle func(conn net.Conn, met func())) Hostile {
	tb.Helper()
	const many = 1000 // more callers than any test has
	met, left := make(chan struct{}, many), make(chan struct{}, many)
	socket := Accept(tb, func(conn net.Conn) {
		handle(conn, func() { met <- struct{}{} })
		left <- struct{}{}
	})
	return Hostile{Name: name, Socket: socket, Met: met, Left: left}
}

// drip passes on what the other runtime says, from the second kilobyte on a byte
// at a time.
func drip(conn net.Conn, other string, met func()) {
	up, err := new(net.Dialer).DialContext(context.Background(), "unix", other)
	if err != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		io.Copy(up, conn) //nolint:errcheck // until the caller has gone
		up.Close()        //nolint:errcheck // and so ends what comes down
		close(gone)
	}()
	io.CopyN(conn, up, 1024) //nolint:errcheck // then the caller has gone
	met()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			io.CopyN(conn, up, 1) //nolint:errcheck // then the caller has gone
		case <-gone:
			return
		}
	}
}

// waitGone waits until the other end is closed, and reads nothing.
func waitGone(conn net.Conn) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { //nolint:errcheck // then it is closed
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				return
			}
		}
	})
}

// Raw starts a server that answers each method, and any other one with
// Unimplemented, with these bytes for a message.
func Raw(tb testing.TB, socket string, answers map[string][]byte) {
	tb.Helper()
	unknown := func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		var request []byte
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		if b, ok := answers[method]; ok {
			return stream.SendMsg(&b)
		}
		return status.Error(codes.Unimplemented, method)
	}
	Serve(tb, socket, func(*grpc.Server) {}, grpc.UnknownServiceHandler(unknown), grpc.ForceServerCodecV2(rawCodec{}))
}

type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T", v)
	}
	*b = bytes.Clone(data.Materialize())
	return nil
}
