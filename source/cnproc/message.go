package cnproc

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A message is what the kernel tells of one thread (struct proc_event of
// <linux/cn_proc.h>), or a mark that the source itself put between two.
type message struct {
	what uint32
	// at is when it happened, on the kernel's monotonic clock; of
	// markOverrunEnd it is an instant of the reader's boot clock.
	at     uint64
	pid    int32  // the process
	tid    int32  // the thread
	parent int32  // of a new process
	code   uint32 // of an exit, or the error of an answer
	ack    uint32 // of an answer
}

// What a message tells, enum proc_cn_event.
const (
	whatNone = 0 // the answer to a request (cn_proc_ack)
	whatFork = 0x00000001
	whatExec = 0x00000002
	whatExit = 0x80000000

	// The marks of the source itself, which are no bits of the kernel's.
	markOverrun    = 0x10000001
	markOverrunEnd = 0x10000002
)

// The connector's address of process events, and the requests it takes, enum
// proc_cn_mcast_op.
const (
	indexProc = 1 // CN_IDX_PROC
	valueProc = 1 // CN_VAL_PROC
	opListen  = 1 // PROC_CN_MCAST_LISTEN
)

const (
	connectorSize = 20 // struct cn_msg
	eventSize     = 16 // struct proc_event without event_data
)

var native = binary.NativeEndian

// parse takes the first message from a datagram. Ok is false where that is
// none about processes.
func parse(b []byte) (m message, ok bool, rest []byte) {
	if len(b) < unix.SizeofNlMsghdr {
		return message{}, false, nil
	}
	size := uint64(native.Uint32(b))
	if size < unix.SizeofNlMsghdr || size > uint64(len(b)) {
		return message{}, false, nil
	}
	// The next one begins where this one's end is rounded up to.
	rest = b[min((size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), uint64(len(b))):]
	m, ok = parseConnector(b[unix.SizeofNlMsghdr:size])
	return m, ok, rest
}

// parseConnector reads a struct cn_msg and the event in it.
func parseConnector(b []byte) (message, bool) {
	if len(b) < connectorSize+eventSize ||
		native.Uint32(b) != indexProc || native.Uint32(b[4:]) != valueProc {
		return message{}, false
	}
	ack := native.Uint32(b[12:])
	size := int(native.Uint16(b[16:]))
	b = b[connectorSize:]
	if size < eventSize || size > len(b) {
		return message{}, false
	}
	m := message{what: native.Uint32(b), at: native.Uint64(b[8:]), ack: ack}
	d := b[eventSize:size]
	word := func(i int) int32 { return int32(native.Uint32(d[4*i:])) }
	switch {
	case m.what == whatNone && len(d) >= 4:
		m.code = native.Uint32(d)
		return m, true
	case m.what == whatFork && len(d) >= 16:
		m.parent, m.tid, m.pid = word(1), word(2), word(3)
	case m.what == whatExec && len(d) >= 8:
		m.tid, m.pid = word(0), word(1)
	case m.what == whatExit && len(d) >= 12:
		m.tid, m.pid, m.code = word(0), word(1), native.Uint32(d[8:])
	default:
		return message{}, false
	}
	return m, m.pid > 0 && m.tid > 0 && m.parent >= 0
}
