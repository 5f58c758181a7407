package api

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// A peer is who is at the other end of a connection.
type peer struct {
	// local says that it is over a Unix socket, and the kernel has told who it is.
	local    bool
	uid, gid int
	// access is what lets in who comes over TCP.
	access *Access
	// name is the peer's among all, for limits.
	name string
}

type peerKey struct{}

// peerOf returns who is at the other end of the connection.
func peerOf(c net.Conn, a *Access) (*peer, error) {
	if b, ok := c.(*countedConn); ok {
		c = b.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			return nil, err
		}
		return &peer{access: a, name: host, uid: -1, gid: -1}, nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	return &peer{local: true, uid: int(cred.Uid), gid: int(cred.Gid), name: "uid " + strconv.Itoa(int(cred.Uid))}, nil
}

// viewer returns who a local peer is.
func (p *peer) viewer() *viewer {
	return &viewer{all: p.uid == 0 || p.uid == os.Geteuid(), uid: p.uid, gid: p.gid, client: p.name}
}

// bounded is a listener that closes what is too many connections, of one peer or
// in all.
type bounded struct {
	net.Listener
	room *room
}

func (l *bounded) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p, err := peerOf(c, nil)
		if err != nil || !l.room.take(p.name, 1) {
			_ = c.Close() // it was given nothing yet
			continue
		}
		return &countedConn{Conn: c, done: sync.OnceFunc(func() { l.room.give(p.name, 1) })}, nil
	}
}

// countedConn is one of the connections that there may be.
type countedConn struct {
	net.Conn
	done func()
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.done()
	return err
}

// connContext keeps of a connection who is at its other end.
func connContext(a *Access) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
			c = t.NetConn()
		}
		p, err := peerOf(c, a)
		if err != nil {
			return ctx // nobody is let in
		}
		return context.WithValue(ctx, peerKey{}, p)
	}
}

// admit lets the request in: it returns it with who asks, if that is known. It
// returns nil for one that it has answered.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (*http.Request, error) {
	p, ok := r.Context().Value(peerKey{}).(*peer)
	if !ok {
		return nil, errUnknown
	}
	if !s.rates.allow(p.name, s.now()) {
		w.Header().Set("Connection", "close")
		return nil, errTooMany
	}
	if err := check(w, r); err != nil {
		return nil, err
	}
	if p.local {
		return withViewer(r, p.viewer()), nil
	}
	return p.access.admit(w, r, p)
}
