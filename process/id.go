package process

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Instant is a moment on the boot clock (CLOCK_BOOTTIME), in nanoseconds
// since the host booted, time spent in suspend included. Zero means that the
// moment is not known.
type Instant uint64

// Tick is the unit in which /proc/PID/stat tells when a process started:
// USER_HZ is 100 on every architecture that Go runs on, and the kernel rounds
// down (nsec_to_clock_t).
const Tick = 10 * time.Millisecond

// FromTicks returns the first instant of the given clock tick.
func FromTicks(ticks uint64) Instant { return Instant(ticks * uint64(Tick)) }

// tick returns the clock tick that i lies in.
func (i Instant) tick() uint64 { return uint64(i) / uint64(Tick) }

// Precision is how well a start is known.
type Precision uint8

const (
	// StartUnknown says that the start is not known.
	StartUnknown Precision = iota
	// ToTick says that the start is the first instant of the clock tick in
	// which the process began (/proc/PID/stat).
	ToTick
	// Exact says that the start is known to the nanosecond
	// (task_struct.start_boottime).
	Exact
)

// An ID names one process among all that one boot of a host ever has. It
// stays the same for the whole life of the process, across execve(2) and
// across restarts of whoever asks.
//
// The zero ID names no process. IDs from different boots or hosts must not be
// compared.
type ID struct {
	// PID is the thread group ID in the PID namespace of the reader.
	PID int
	// Start is when the process began, as precisely as Precision says.
	Start Instant
	// Inode is the number of the process in pidfs, which no two processes
	// of a boot share: the inode that fstat(2) shows for a pidfd on
	// Linux 6.9 and later. It is zero where it is not known.
	Inode uint64
	// Precision says how well Start is known.
	Precision Precision
}

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// Known reports whether id names one process for good, which a PID alone
// does not.
func (id ID) Known() bool { return id.Precision != StartUnknown || id.Inode != 0 }

// Same reports whether both name the same process, as far as both tell: by
// the inode where both have it, else by the start, to the tick where one of
// them knows no better. Two processes that held one PID within one tick are
// told apart unless an inode is missing on either side. An ID that is not
// [ID.Known] is the same as no other.
func (id ID) Same(other ID) bool {
	switch {
	case id.PID != other.PID:
		return false
	case id.Inode != 0 && other.Inode != 0:
		return id.Inode == other.Inode
	case id.Precision == StartUnknown || other.Precision == StartUnknown:
		return false
	case id.Precision == Exact && other.Precision == Exact:
		return id.Start == other.Start
	default:
		return id.Start.tick() == other.Start.tick()
	}
}

// refine returns id with what only other knows of the same process.
func (id ID) refine(other ID) ID {
	if other.Precision > id.Precision {
		id.Start, id.Precision = other.Start, other.Precision
	}
	if id.Inode == 0 {
		id.Inode = other.Inode
	}
	return id
}

// youngerThan reports whether the process certainly began after other.
func (id ID) youngerThan(other ID) bool {
	switch {
	case id.Precision == StartUnknown || other.Precision == StartUnknown:
		return false
	case id.Precision == Exact && other.Precision == Exact:
		return id.Start > other.Start
	default:
		return id.Start.tick() > other.Start.tick()
	}
}

// begun returns an instant before which the process began, now where no
// earlier one is known.
func (id ID) begun(now Instant) Instant {
	switch id.Precision {
	case Exact:
		return id.Start
	case ToTick:
		return id.Start + Instant(Tick)
	default:
		return now
	}
}

// String returns the ID as PID@SECONDS, where SECONDS is the start on the
// boot clock: with two decimals where it is known to the tick, with nine
// where it is exact. The pidfs inode follows after "~" where it is known:
// 48213@17123.45~90122. [ParseID] is the inverse. A start that is not known
// is written as "?", which ParseID does not take.
func (id ID) String() string {
	b, _ := id.AppendText(make([]byte, 0, 48))
	return string(b)
}

// AppendText implements [encoding.TextAppender]. It never fails.
func (id ID) AppendText(b []byte) ([]byte, error) {
	b = strconv.AppendInt(b, int64(id.PID), 10)
	b = append(b, '@')
	whole, frac := uint64(id.Start)/uint64(time.Second), uint64(id.Start)%uint64(time.Second)
	switch id.Precision {
	case Exact:
		b = fmt.Appendf(b, "%d.%09d", whole, frac)
	case ToTick:
		b = fmt.Appendf(b, "%d.%02d", whole, frac/uint64(Tick))
	default:
		b = append(b, '?')
	}
	if id.Inode != 0 {
		b = append(b, '~')
		b = strconv.AppendUint(b, id.Inode, 10)
	}
	return b, nil
}

// MarshalText implements [encoding.TextMarshaler]. It never fails.
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseID] does.
func (id *ID) UnmarshalText(b []byte) error {
	parsed, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ErrSyntax is wrapped by the errors of [ParseID].
var ErrSyntax = errors.New("not a process ID of the form PID@SECONDS.FRACTION")

// ParseID reads what [ID.String] writes, and nothing else.
func ParseID(s string) (ID, error) {
	bad := func() (ID, error) {
		return ID{}, fmt.Errorf("%q: %w, for example 48213@17123.45 or 48213@17123.45~90122", s, ErrSyntax)
	}
	head, tail, ok := strings.Cut(s, "@")
	if !ok {
		return bad()
	}
	pid, err := strconv.ParseUint(head, 10, 31)
	if err != nil {
		return bad()
	}
	id := ID{PID: int(pid), Precision: ToTick}
	start, inode, hasInode := strings.Cut(tail, "~")
	if hasInode {
		if id.Inode, err = strconv.ParseUint(inode, 10, 64); err != nil || id.Inode == 0 {
			return bad()
		}
	}
	whole, frac, _ := strings.Cut(start, ".")
	seconds, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || seconds > math.MaxUint64/uint64(time.Second) {
		return bad()
	}
	f, err := strconv.ParseUint(frac, 10, 64)
	if err != nil {
		return bad()
	}
	switch len(frac) {
	case 2:
		f *= uint64(Tick)
	case 9:
		id.Precision = Exact
	default:
		return bad()
	}
	id.Start = Instant(seconds*uint64(time.Second) + f)
	if id.String() != s { // a sign, a leading zero, too many seconds
		return bad()
	}
	return id, nil
}
