package systemd

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// mostBytes is the longest message that is read. What is asked for takes
	// some 100 bytes and a description.
	mostBytes = 64 << 10
	// mostOthers is how many messages that nobody asked for are read before an
	// answer: a bus begins with one.
	mostOthers = 64
	// mostAuth is the longest line of the authentication.
	mostAuth = 1024
)

var (
	errMessage = errors.New("not a message of D-Bus")
	errLong    = errors.New("a message of D-Bus that is too long")
	errAuth    = errors.New("the message bus does not take this user")
)

// A busError is an error that came as an answer.
type busError struct{ name, text string }

func (e *busError) Error() string { return fmt.Sprintf("%s: %q", e.name, e.text) }

// A conn is a connection to a message bus on which one call is made after the
// other. The messages are read here and not by a connection of package dbus, so
// that they are bounded, each call has a deadline, and what is wrong with one
// ends here.
type conn struct {
	net.Conn
	timeout time.Duration
	serial  uint32
	stop    func() bool
}

// dial connects to the bus and authenticates as the user of the process. The
// connection ends with ctx.
func dial(ctx context.Context, socket string, timeout time.Duration) (*conn, error) {
	d := net.Dialer{Timeout: timeout}
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, timeout: timeout}
	c.stop = context.AfterFunc(ctx, func() { _ = nc.Close() })
	if err := c.authenticate(); err != nil {
		c.close()
		return nil, fmt.Errorf("authenticating: %w", err)
	}
	return c, nil
}

func (c *conn) close() {
	c.stop()
	_ = c.Close() // nothing was written that matters
}

// authenticate is the mechanism EXTERNAL: the bus asks the kernel who is at the
// other end.
func (c *conn) authenticate() error {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Geteuid())))
	if _, err := io.WriteString(c, "\x00AUTH EXTERNAL "+uid+"\r\n"); err != nil {
		return err
	}
	var line []byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		var one [1]byte
		if len(line) >= mostAuth {
			return errLong
		}
		if _, err := io.ReadFull(c, one[:]); err != nil {
			return err
		}
		line = append(line, one[0])
	}
	if !bytes.HasPrefix(line, []byte("OK ")) {
		return errAuth
	}
	_, err := io.WriteString(c, "BEGIN\r\n")
	return err
}

// call calls a method and returns what it answers. It does not make the bus
// start anything.
func (c *conn) call(dest string, path dbus.ObjectPath, api, method string, args ...any) ([]any, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return nil, err
	}
	m := dbus.Message{
		Type:  dbus.TypeMethodCall,
		Flags: dbus.FlagNoAutoStart,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(dest),
			dbus.FieldPath:        dbus.MakeVariant(path),
			dbus.FieldInterface:   dbus.MakeVariant(api),
			dbus.FieldMember:      dbus.MakeVariant(method),
		},
		Body: args,
	}
	if len(args) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(args...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		return nil, err
	}
	// Package dbus gives a number only to messages that its own connections
	// send. It stands after four bytes and the length of the body.
	c.serial++
	binary.LittleEndian.PutUint32(b.Bytes()[8:], c.serial)
	if _, err := c.Write(b.Bytes()); err != nil {
		return nil, err
	}
	for range mostOthers {
		m, err := read(c)
		if err != nil {
			return nil, err
		}
		serial, _ := m.Headers[dbus.FieldReplySerial].Value().(uint32)
		switch {
		case serial != c.serial:
		case m.Type == dbus.TypeMethodReply:
			return m.Body, nil
		case m.Type == dbus.TypeError:
			e := &busError{}
			e.name, _ = m.Headers[dbus.FieldErrorName].Value().(string)
			if len(m.Body) > 0 {
				e.text, _ = m.Body[0].(string)
			}
			return nil, e
		}
	}
	return nil, fmt.Errorf("no answer in %d messages", mostOthers)
}

// headSize is the size of the fixed head of a message: byte order, type, flags
// and version, the lengths of the body and of the fields, between them a number.
const headSize = 16

// read reads one message.
func read(r io.Reader) (*dbus.Message, error) {
	b := make([]byte, headSize, 1024)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	var order binary.ByteOrder
	switch b[0] {
	case 'l':
		order = binary.LittleEndian
	case 'B':
		order = binary.BigEndian
	default:
		return nil, errMessage
	}
	fields := uint64(order.Uint32(b[12:]))
	fields = (fields + 7) &^ 7 // the body begins at a multiple of eight
	rest := fields + uint64(order.Uint32(b[4:]))
	if rest > mostBytes-headSize {
		return nil, errLong
	}
	b = append(b, make([]byte, rest)...)
	if _, err := io.ReadFull(r, b[headSize:]); err != nil {
		return nil, err
	}
	return decode(b)
}

// decode decodes a whole message. That package dbus panics for one that is not
// well-formed is known to happen, and must not end the program.
func decode(b []byte) (m *dbus.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("%w: %v", errMessage, r)
		}
	}()
	m, err = dbus.DecodeMessage(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	return m, nil
}
