package clickhousetest

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between a client and a server, and fails as networks do. It
// passes everything on until it is told otherwise. Any goroutine may call its
// methods.
type Proxy struct {
	listener net.Listener
	to       string
	serving  sync.WaitGroup

	mu      sync.Mutex
	cut     bool
	delay   time.Duration
	flowing chan struct{} // closed while nothing hangs
	conns   map[net.Conn]bool
}

// NewProxy starts a proxy for the server at the address. It ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, to: to, flowing: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.flowing)
	p.serving.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.serving.Wait()
	})
	return p
}

// Addr is the address that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections by a reset, the present ones and new ones as they
// come, until Mend.
func (p *Proxy) Cut() {
	p.Mend()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		reset(c)
	}
}

// Hang lets nothing through, until Mend: connections, also new ones, stay open,
// and what is sent waits.
func (p *Proxy) Hang() {
	p.Mend()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flowing = make(chan struct{})
}

// Slow makes everything that is sent in either direction wait for the delay,
// until Mend.
func (p *Proxy) Slow(delay time.Duration) {
	p.Mend()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// Mend ends what Cut, Hang or Slow has begun.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

// reset closes a connection by a TCP reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && p.add(client) {
			p.serving.Go(func() { p.serve(client) })
		}
	}
}

// add takes a connection in, unless they are cut.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		reset(c)
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	reset(c)
}

func (p *Proxy) serve(client net.Conn) {
	defer p.remove(client)
	p.wait()
	server, err := net.Dial("tcp", p.to)
	if err != nil || !p.add(server) {
		return
	}
	defer p.remove(server)
	var back sync.WaitGroup
	back.Go(func() { p.copy(client, server) })
	p.copy(server, client)
	back.Wait()
}

// copy passes on what is sent in one direction, also its end.
func (p *Proxy) copy(to, from net.Conn) {
	b := make([]byte, 1<<15)
	for {
		n, err := from.Read(b)
		p.wait()
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			// What one side ended is over for both: the protocols of ClickHouse
			// know no half-closed connections.
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// wait waits as Hang and Slow say.
func (p *Proxy) wait() {
	p.mu.Lock()
	flowing, delay := p.flowing, p.delay
	p.mu.Unlock()
	<-flowing
	<-time.After(delay)
}
