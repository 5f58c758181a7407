package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/proclineage/lineage/process"
)

// The kinds of record, enum kind of kernel/records.h.
const (
	recordFork = iota + 1
	recordExec
	recordExited
	recordMoved
	recordSeen
	recordLine
	recordRenamed
	recordSelf
)

// enum flag of kernel/records.h.
const (
	flagKernel    = 1 << 0
	flagZombie    = 1 << 1
	flagSubreaper = 1 << 2
	flagNoParent  = 1 << 3
	flagByThread  = 1 << 4
	flagExiting   = 1 << 5
	flagPart      = 1 << 6
)

// Sizes and offsets of the structures in kernel/records.h.
const (
	headSize = 16
	idSize   = 24

	processSize   = 144 // without the inner PIDs
	processInners = 124
	maxInner      = 32

	execSize   = 112 // without data
	exitedSize = 120
	movedSize  = 48
	lineSize   = 48 // without the path
	lineLength = 44
	selfSize   = 48
)

var errRecord = errors.New("bpf: a record that no program wrote")

var native = binary.NativeEndian

// recordSize returns how long the record is that b begins with.
func recordSize(b []byte) (int, error) {
	if len(b) < headSize {
		return 0, errRecord
	}
	size := 0
	switch native.Uint32(b) {
	case recordSeen:
		if len(b) >= processSize {
			size = processSize + 4*int(min(native.Uint32(b[processInners:]), maxInner+1))
		}
	case recordLine:
		if len(b) >= lineSize {
			size = lineSize + int(min(native.Uint32(b[lineLength:]), 1<<16))
		}
	case recordSelf:
		size = selfSize
	}
	if size == 0 || size > len(b) {
		return 0, errRecord
	}
	return size, nil
}

// A decoder turns records into events. It keeps what it needs to do so without
// an allocation for each.
type decoder struct {
	offset  process.Instant // from the kernel's boot clock to the reader's
	names   interned
	strings interned // longer ones
	pids    []int
	args    []string
	cgroup  func(set uint64) process.Cgroup
}

func newDecoder(offset process.Instant, cgroup func(uint64) process.Cgroup) *decoder {
	return &decoder{
		offset: offset, cgroup: cgroup,
		names:   interned{limit: 64 << 10},
		strings: interned{limit: 1 << 20},
	}
}

// event turns a record about a process into e. The event is valid until the
// next one. It reports whether a move has to follow it, of exec by a thread
// that may have been in another cgroup than its leader.
func (d *decoder) event(b []byte, e *process.Event) (moved bool, err error) {
	if len(b) < headSize {
		return false, errRecord
	}
	*e = process.Event{Time: process.Instant(native.Uint64(b[8:])) + d.offset}
	flags := native.Uint32(b[4:])
	switch kind := native.Uint32(b); {
	case (kind == recordFork || kind == recordSeen) && len(b) >= processSize:
		d.process(b, flags, e)
	case kind == recordExec && len(b) >= execSize:
		return flags&flagByThread != 0, d.exec(b, e)
	case kind == recordExited && len(b) >= exitedSize:
		d.exited(b, e)
	case kind == recordMoved && len(b) >= movedSize:
		e.Kind = process.Moved
		e.ID = d.id(b[headSize:])
		e.Cgroup = d.cgroup(native.Uint64(b[40:]))
	default:
		return false, fmt.Errorf("%w: kind %d, %d bytes", errRecord, kind, len(b))
	}
	return false, nil
}

// id reads a struct id.
func (d *decoder) id(b []byte) process.ID {
	pid := int(native.Uint32(b[16:]))
	if pid == 0 {
		return process.ID{}
	}
	return process.ID{
		PID: pid, Start: process.Instant(native.Uint64(b)) + d.offset,
		Inode: native.Uint64(b[8:]), Precision: process.Exact,
	}
}

func (d *decoder) process(b []byte, flags uint32, e *process.Event) {
	e.Kind = process.Fork
	if native.Uint32(b) == recordSeen {
		e.Kind = process.Seen
		e.Zombie = flags&flagZombie != 0
		e.Exiting = flags&flagExiting != 0
		e.Adoption = process.AdoptsNone
		if flags&flagSubreaper != 0 {
			e.Adoption = process.Adopts
		}
	}
	e.ID = d.id(b[16:])
	e.Parent = d.id(b[40:])
	e.Creator = d.id(b[64:])
	e.NoParent = flags&flagNoParent != 0
	e.Kernel = flags&flagKernel != 0
	e.Cgroup = d.cgroup(native.Uint64(b[88:]))
	e.Owner = owner(b[96:])
	session(b[112:], e)
	e.Name = d.names.get(untilNUL(b[128:144]))
	d.pids = append(d.pids[:0], e.ID.PID)
	inners := b[processSize:]
	for i := uint32(0); i < native.Uint32(b[processInners:]) && len(inners) >= 4; i++ {
		d.pids = append(d.pids, int(native.Uint32(inners)))
		inners = inners[4:]
	}
	e.NamespacePIDs = d.pids
}

func (d *decoder) exec(b []byte, e *process.Event) error {
	e.Kind = process.Exec
	e.ID = d.id(b[16:])
	e.Cgroup = d.cgroup(native.Uint64(b[40:]))
	e.Owner = owner(b[48:])
	e.Name = d.names.get(untilNUL(b[64:80]))
	session(b[96:], e)
	count, file, args, all := native.Uint32(b[80:]), native.Uint32(b[84:]), native.Uint32(b[88:]), native.Uint32(b[92:])
	data := b[execSize:]
	if uint64(file)+uint64(args) > uint64(len(data)) {
		return errRecord
	}
	e.File = d.strings.get(data[:file])
	text := d.strings.get(data[file : file+args])
	d.args = splitArgs(d.args[:0], text, maxArgs)
	e.Args = d.args
	e.ArgsCut = args < all || len(e.Args) < int(count)
	return nil
}

// maxArgs is the most arguments that an event has.
const maxArgs = 128

// splitArgs appends the arguments in text, each of which ends with a NUL but
// the last if it was cut.
func splitArgs(args []string, text string, most int) []string {
	for begin, i := 0, 0; i < len(text) && len(args) < most; i++ {
		switch {
		case text[i] == 0:
			args = append(args, text[begin:i])
			begin = i + 1
		case i == len(text)-1:
			args = append(args, text[begin:])
		}
	}
	return args
}

func (d *decoder) exited(b []byte, e *process.Event) {
	e.Kind = process.Exited
	e.ID = d.id(b[16:])
	e.Adopter = d.id(b[40:])
	e.Status = syscall.WaitStatus(native.Uint32(b[64:]))
	if native.Uint32(b[4:])&flagPart != 0 {
		return // of more threads than are added up (MAX_THREADS): it is not known
	}
	user, system := cpuTime(native.Uint64(b[72:]), native.Uint64(b[80:]), native.Uint64(b[88:]))
	e.Usage = process.Usage{
		Known: true, User: user, System: system,
		MaxRSS:    native.Uint64(b[96:]) * uint64(os.Getpagesize()),
		ReadBytes: native.Uint64(b[104:]), WrittenBytes: native.Uint64(b[112:]),
	}
}

// cpuTime divides the exact time that a process ran by what the clock ticks
// found it doing, as wait4(2) does (cputime_adjust).
func cpuTime(utime, stime, runtime uint64) (user, system time.Duration) {
	switch {
	case stime == 0:
		return time.Duration(runtime), 0
	case utime == 0:
		return 0, time.Duration(runtime)
	}
	part := float64(stime) / float64(utime+stime)
	s := time.Duration(part * float64(runtime))
	return time.Duration(runtime) - s, s
}

func owner(b []byte) process.Owner {
	return process.Owner{
		Known: true,
		UID:   int(native.Uint32(b)), EffectiveUID: int(native.Uint32(b[4:])),
		GID: int(native.Uint32(b[8:])), EffectiveGID: int(native.Uint32(b[12:])),
	}
}

func session(b []byte, e *process.Event) {
	e.GroupID = int(native.Uint32(b))
	e.SessionID = int(native.Uint32(b[4:]))
	e.TTY = int(native.Uint32(b[8:]))
}

func untilNUL(b []byte) []byte {
	before, _, _ := bytes.Cut(b, []byte{0})
	return before
}

// interned keeps the strings made so far, which are needed again and again,
// for as long as they take no more than limit bytes.
type interned struct {
	strings     map[string]string
	size, limit int
}

// entrySize is about what an empty string costs in the map.
const entrySize = 64

func (in *interned) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	s, ok := in.strings[string(b)]
	if ok {
		return s
	}
	if in.strings == nil || in.size > in.limit {
		in.strings, in.size = make(map[string]string), 0
	}
	s = string(b)
	in.strings[s] = s
	in.size += len(s) + entrySize
	return s
}
