package cnproc

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
)

// Open begins to listen. From its return on, everything that happens to a
// process is told. An error wraps [errors.ErrUnsupported] where the kernel
// lacks something or the caller is in a namespace that gets no events, and
// [fs.ErrPermission] where the caller lacks a privilege, and says what.
func Open(o Options) (*Source, error) {
	if o.Reader == nil {
		return nil, errors.New("cnproc: Options.Reader is not set")
	}
	if o.ProcPath == "" {
		o.ProcPath = "/proc"
	}
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if err := refuse(o.ProcPath); err != nil {
		return nil, err
	}
	conn, err := netlink.Dial(unix.NETLINK_CONNECTOR, nil)
	if err != nil {
		return nil, fmt.Errorf("cnproc: %w by this kernel: it takes CONFIG_CONNECTOR: %w", errors.ErrUnsupported, err)
	}
	s := &Source{conn: conn, reader: o.Reader, procs: make(map[int]*proc), room: make([]byte, 4096)}
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// refuse says in which other namespace the caller is than in the first one,
// where the kernel takes no notice of it (cn_proc_mcast_ctl).
func refuse(proc string) error {
	for _, ns := range []struct{ file, first, name string }{
		{"pid", linux.FirstPIDNamespace, "PID"},
		{"user", linux.FirstUserNamespace, "user"},
	} {
		is, err := os.Readlink(filepath.Join(proc, "self/ns", ns.file))
		if err == nil && is != ns.first {
			return fmt.Errorf("cnproc: %w in a %s namespace other than the first one; run in the host's", errors.ErrUnsupported, ns.name)
		}
	}
	return nil
}

func (s *Source) open(o Options) error {
	var err error
	if s.raw, err = s.conn.SyscallConn(); err != nil {
		return fmt.Errorf("cnproc: %w", err)
	}
	if err := s.raw.Control(func(fd uintptr) { s.fd = int(fd) }); err != nil {
		return fmt.Errorf("cnproc: %w", err)
	}
	// SO_RCVBUFFORCE, or what SO_RCVBUF gives without the privilege.
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.Buffer) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.Buffer); err != nil {
			return fmt.Errorf("cnproc: SO_RCVBUF: %w", err)
		}
	}
	s.skew = monotonicSkew(o.ProcPath)
	s.wholeStatus = atLeast(linux.Release(), 6, 6)
	if err := s.conn.JoinGroup(indexProc); err != nil {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("cnproc: %w: before Linux 6.6 it takes CAP_NET_ADMIN, this is %s; run as root: %w", fs.ErrPermission, linux.Release(), err)
		}
		return fmt.Errorf("cnproc: joining the process events: %w", err)
	}
	if err := s.listen(); err != nil {
		return err
	}
	s.setOffset()
	s.last = process.Instant(linux.Boottime())
	s.lost = s.last
	return nil
}

// listen asks for the events and waits for the kernel's word that it sends
// them. A request is dealt with before send returns (cn_rx_skb), so what has
// not been answered by then is not going to be.
func (s *Source) listen() error {
	var token [8]byte
	_, _ = rand.Read(token[:]) // it never fails
	seq, ack := native.Uint32(token[:]), native.Uint32(token[4:])
	// struct proc_input as of Linux 6.13 and of 6.6, and the plain operation,
	// which all kernels take. A request of another length is not answered.
	const events = whatFork | whatExec | whatExit
	input := native.AppendUint32(native.AppendUint32(nil, opListen), events)
	input = native.AppendUint32(input, 0)
	for _, size := range []int{12, 8, 4} {
		request := input[:size]
		b := native.AppendUint32(nil, indexProc)
		b = native.AppendUint32(b, valueProc)
		b = native.AppendUint32(b, seq)
		b = native.AppendUint32(b, ack)
		b = native.AppendUint16(b, uint16(len(request)))
		b = native.AppendUint16(b, 0)
		b = append(b, request...)
		_, err := s.conn.Send(netlink.Message{Header: netlink.Header{Type: netlink.Done}, Data: b})
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			return fmt.Errorf("cnproc: %w in a network namespace other than the first one; run in the host's: %w", errors.ErrUnsupported, err)
		case errors.Is(err, unix.EPERM):
			return fmt.Errorf("cnproc: %w: %w", fs.ErrPermission, err)
		case err != nil:
			return fmt.Errorf("cnproc: asking for process events: %w", err)
		}
		answered, err := s.answer(ack + 1)
		if err != nil || answered {
			return err
		}
	}
	return fmt.Errorf("cnproc: %w: the kernel does not answer; it takes CONFIG_PROC_EVENTS, and the first PID and user namespace", errors.ErrUnsupported)
}

// answer looks for the kernel's answer among what is queued, and drops all
// else: it was before there was a source.
func (s *Source) answer(ack uint32) (bool, error) {
	answered, result := false, error(nil)
	for {
		b, err := s.datagram()
		switch {
		case errors.Is(err, unix.EAGAIN):
			return answered, result
		case errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			return false, fmt.Errorf("cnproc: %w", err)
		}
		for len(b) > 0 {
			var m message
			var ok bool
			m, ok, b = parse(b)
			if !ok || m.what != whatNone || m.ack != ack {
				continue
			}
			answered = true
			switch errno := syscall.Errno(m.code); errno {
			case 0:
			case unix.EPERM:
				result = fmt.Errorf("cnproc: %w: before Linux 6.6 it takes CAP_NET_ADMIN, this is %s; run as root", fs.ErrPermission, linux.Release())
			default:
				result = fmt.Errorf("cnproc: the kernel refuses: %w", errno)
			}
		}
	}
}

// atLeast reports whether the release of a kernel is of a version or later.
func atLeast(release string, major, minor int) bool {
	var a, b int
	_, err := fmt.Sscanf(release, "%d.%d", &a, &b)
	return err == nil && (a > major || a == major && b >= minor)
}

// monotonicSkew returns what the monotonic clock of the caller's time namespace
// is ahead of the kernel's, time_namespaces(7).
func monotonicSkew(proc string) int64 {
	text, err := os.ReadFile(filepath.Join(proc, "self/timens_offsets"))
	if err != nil {
		return 0 // there are none
	}
	var clock string
	var sec, nsec int64
	for line := range bytes.Lines(text) {
		if _, err := fmt.Sscan(string(line), &clock, &sec, &nsec); err == nil && clock == "monotonic" {
			return sec*1e9 + nsec
		}
	}
	return 0
}
