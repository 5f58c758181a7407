// Package cnproc learns of processes from the kernel's process events
// connector (drivers/connector/cn_proc.c): every fork, exec and exit, in the
// order of one queue. It works in the first PID, user and network namespace,
// as root, and from Linux 6.6 on as any user.
//
// A message has only PIDs. Start, name, cgroup and parent are read from /proc
// as soon as it is drained, and told as read, by events of kind Seen. A process
// that is gone by then has no identity and is not told of, and what it made has
// no known creator. The message of its fork gives it none: its time is taken a
// while after the start (copy_process, proc_fork_connector), maybe in another
// clock tick, and without the inode nothing tells it from another process that
// had the PID in that tick.
//
// The message of a fork or exec is queued before the system call returns to
// its caller. That of an exit is queued shortly after the parent can have
// reaped the process and the children are adopted (do_exit calls exit_notify
// before proc_exit_connector), and that of an exec after the parent in vfork(2)
// goes on; moves between cgroups have no message. Who must not be late there
// has to read the process besides.
package cnproc

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/source"
)

// Name is the name of this source.
const Name = "cnproc"

// DefaultBuffer is the default of Options.Buffer. A message takes about 800
// bytes of twice as much, which is how the kernel counts.
const DefaultBuffer = 8 << 20

// Options says how a [Source] works.
type Options struct {
	// Reader reads what the messages do not tell. It must be set, and is
	// not closed with the source.
	Reader source.Reader
	// Buffer is the size of the socket's queue in bytes. Zero means
	// DefaultBuffer. Without CAP_NET_ADMIN it is at most
	// /proc/sys/net/core/rmem_max.
	Buffer int
	// ProcPath is where procfs is mounted, "/proc" when empty.
	ProcPath string
}

// A Source tells of all processes: through [Source.Drain] what happens to them
// from the moment it is opened, and through [Source.Scan] which there are. It
// implements [source.Live].
type Source struct {
	conn   *netlink.Conn
	raw    syscall.RawConn
	fd     int // of conn
	reader source.Reader
	// wholeStatus says that the process ended as its last thread did.
	wholeStatus bool
	skew        int64 // the monotonic clock of the reader minus the kernel's

	waiting sync.Mutex
	busy    atomic.Bool  // messages are being taken from the socket or told
	unread  atomic.Int64 // messages in queue

	scanning sync.Mutex

	mu        sync.Mutex // for what follows
	closed    bool
	queue     queue
	overrun   bool  // the kernel drops messages until the socket is empty
	offset    int64 // see setOffset, at the least
	offsetMax int64
	last      process.Instant // the Time of the last event
	lost      process.Instant // last when the overrun began
	epoch     uint64          // how many overruns were told
	marks     int             // how many are in queue
	procs     map[int]*proc
	scan      uint64              // how many scans were begun
	scanEpoch uint64              // epoch when the last one was
	touched   map[int]bool        // PIDs with news while a scan runs, else nil
	doubtful  map[process.ID]bool // found by that scan, maybe before the news
	replaced  []*proc             // whose PIDs scans found others to have, which Drain is to tell
	room      []byte
	event     process.Event
	read      process.Event
	problems  error
}

var _ source.Live = (*Source)(nil)

// Name is what the source is called in options and in output.
func (*Source) Name() string { return Name }

// Limits names what the source cannot tell: who created the processes that
// were there before it, all of those that end before they are read and who
// created what these had made, exits at once, moves between cgroups, and
// identities where the reader knows only ticks.
func (s *Source) Limits() []source.Limit {
	limits := []source.Limit{source.CreatorsUnseen, source.ShortLivedUnseen, source.ExitsLate, source.MovesUnseen}
	if slices.Contains(s.reader.Limits(), source.TicksOnly) {
		limits = append(limits, source.TicksOnly)
	}
	return limits
}

// Close frees what the source holds. The source must not be used after, nor
// be in use.
func (s *Source) Close() error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.closed = true
	return s.conn.Close()
}

// fail keeps an error that a Drain is to return.
func (s *Source) fail(err error) { s.problems = errors.Join(s.problems, err) }
