package sqlite

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
)

// The columns of a process. Text stands for the number of a text.
const (
	colPID        = iota
	colStart      // of the ID, an instant
	colInode      // of the ID
	colFlags      // see flags
	colCreator    // in a block its place among the block's nodes and one, zero for none
	colParent     // the same, without that of the creator
	colName       // text
	colSetting    // text
	colGroup      // process group, without the PID
	colSession    // session
	colNamespaces // how many namespaces' PIDs are among the rest
	colExecs      // how many calls of execve(2) are kept
	colCommand    // text of the last of them
	colCommandAt  // its instant, without the start
	colMoreExecs  // how many are not kept
	colEnd        // instant, without the start
	colStatus     // wait status
	colUser       // nanoseconds
	colSystem     // nanoseconds
	colMemory     // bytes
	colRead       // bytes
	colWritten    // bytes
	colAsOf       // instant of the batch that it is from
	columns
)

// Flags are two bits each.
const (
	flagPrecision = 2 * iota
	flagCreator
	flagParent
	flagExit
	flagEvidence
	flagUsage
)

func flag(flags int64, which uint) int64 { return flags >> which & 3 }

// A boot is one boot of a host.
type boot struct {
	host, id string
	clock    atomic.Pointer[store.Clock] // is replaced, never changed
	last     mark                        // under the lock of the store
}

// A mark is the last batch of a boot.
type mark struct {
	now   process.Instant
	wall  int64 // nanoseconds since the epoch
	batch int64 // its number among all batches
}

// never is the time of the instant zero.
const never = math.MinInt64

// wall is what the wall clock showed, in nanoseconds since the epoch.
func wall(steps []store.Step, i process.Instant) int64 {
	if i == 0 || len(steps) == 0 {
		return never
	}
	n := len(steps) - 1
	for n > 0 && steps[n].From > i {
		n--
	}
	return int64(steps[n].Offset) + int64(i)
}

// span is the earliest and the latest that it showed from lo to hi.
func span(steps []store.Step, lo, hi process.Instant) (least, most int64) {
	least, most = wall(steps, lo), wall(steps, hi)
	least, most = min(least, most), max(least, most)
	for _, s := range steps {
		if s.From > lo && s.From <= hi {
			before, after := wall(steps, s.From-1), wall(steps, s.From)
			least, most = min(least, before, after), max(most, before, after)
		}
	}
	return least, most
}

func timeOf(ns int64) time.Time {
	if ns == never {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// A row is a process as the file has it. What others can see is not changed any
// more.
type row struct {
	boot            *boot
	cell            [columns]int64
	rest            []int64 // PIDs in namespaces, and of each kept exec but the last its text and instant
	creator, parent *node   // nil for a zero ID

	// home is the number in the table of recent processes, zero for none.
	home int64
	// origin is, of a copy for those that it has made, the file that has the
	// process itself, zero for that one.
	origin int64
}

// A node is a process in what stands above others.
type node struct {
	id process.ID
	up *node // who created it
	// final says that up is known, and nil where there is nobody; else it is to
	// be looked up.
	final bool
}

func (r *row) id() process.ID {
	return process.ID{PID: int(r.cell[colPID]), Start: process.Instant(r.cell[colStart]), Inode: uint64(r.cell[colInode]),
		Precision: process.Precision(flag(r.cell[colFlags], flagPrecision))}
}

func (r *row) ended() bool { return flag(r.cell[colFlags], flagExit) != int64(process.Unknown) }

func (r *row) flag(which uint) process.Evidence {
	return process.Evidence(flag(r.cell[colFlags], which))
}

// creatorKnown reports whether the link to the creator is, nobody included.
func (r *row) creatorKnown() bool { return r.flag(flagCreator) != process.Unknown }

func (r *row) end() process.Instant {
	return process.Instant(r.cell[colStart] + r.cell[colEnd])
}

// lived is for how long, in nanoseconds, as [store.Process.Lived] has it of those
// that have ended.
func lived(start, length int64) int64 {
	if start == 0 || start+length == 0 {
		return 0
	}
	return length
}

// newRow returns the row of a process without its links.
func newRow(p *store.Process, at *boot, asOf process.Instant, in *interner) *row {
	r := &row{boot: at}
	c := &r.cell
	id, x := p.ID, &p.Exit
	c[colPID], c[colStart], c[colInode] = int64(id.PID), int64(id.Start), int64(id.Inode)
	c[colFlags] = int64(id.Precision)<<flagPrecision | int64(p.Creator.Evidence)<<flagCreator | int64(p.Parent.Evidence)<<flagParent |
		int64(x.Evidence)<<flagExit | int64(p.Evidence)<<flagEvidence | bit(x.Usage.Known, 1)<<flagUsage
	var b [512]byte
	c[colName] = in.id(append(b[:0], p.Name...))
	c[colSetting] = in.id(appendSetting(b[:0], p))
	c[colGroup], c[colSession] = int64(p.GroupID-id.PID), int64(p.SessionID)
	c[colNamespaces] = int64(len(p.NamespacePIDs))
	for _, pid := range p.NamespacePIDs {
		r.rest = append(r.rest, int64(pid))
	}
	c[colExecs], c[colMoreExecs] = int64(len(p.Execs)), int64(p.ExecCount-len(p.Execs))
	for i := range p.Execs {
		e := &p.Execs[i]
		text := in.id(appendCommand(b[:0], e))
		if i == len(p.Execs)-1 {
			c[colCommand], c[colCommandAt] = text, int64(e.At)-c[colStart]
		} else {
			r.rest = append(r.rest, text, int64(e.At))
		}
	}
	if x.Evidence != process.Unknown {
		c[colEnd] = int64(x.At) - c[colStart]
	}
	c[colStatus] = int64(x.Status)
	if u := &x.Usage; u.Known {
		c[colUser], c[colSystem] = int64(u.User), int64(u.System)
		c[colMemory], c[colRead], c[colWritten] = int64(u.MaxRSS), int64(u.ReadBytes), int64(u.WrittenBytes)
	}
	c[colAsOf] = int64(asOf)
	return r
}

// texts calls f with where each number of a text stands in the row.
func (r *row) texts(f func(*int64)) {
	f(&r.cell[colName])
	f(&r.cell[colSetting])
	if r.cell[colExecs] > 0 {
		f(&r.cell[colCommand])
	}
	for i := int(r.cell[colNamespaces]); i < len(r.rest); i += 2 {
		f(&r.rest[i])
	}
}

// appendRow appends a row as the table of recent processes has it.
func appendRow(b []byte, r *row) []byte {
	for c, v := range r.cell {
		if c != colCreator && c != colParent {
			b = binary.AppendVarint(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.rest)))
	for _, v := range r.rest {
		b = binary.AppendVarint(b, v)
	}
	for _, n := range [...]*node{r.creator, r.parent} {
		var id process.ID
		if n != nil {
			id = n.id
		}
		b = binary.AppendVarint(b, int64(id.PID))
		b = binary.AppendUvarint(b, uint64(id.Start))
		b = binary.AppendUvarint(b, id.Inode)
		b = append(b, byte(id.Precision))
	}
	return b
}

// parseRow is the inverse. The nodes know their IDs only.
func parseRow(b []byte, at *boot) (*row, bool) {
	r, d := &row{boot: at}, decoder{b: b}
	for c := range r.cell {
		if c != colCreator && c != colParent {
			r.cell[c] = d.varint()
		}
	}
	if n := d.count(); n > 0 {
		r.rest = make([]int64, n)
		for i := range r.rest {
			r.rest[i] = d.varint()
		}
	}
	for _, n := range [...]**node{&r.creator, &r.parent} {
		id := process.ID{PID: int(d.varint()), Start: process.Instant(d.uvarint()), Inode: d.uvarint(), Precision: process.Precision(d.uvarint())}
		if !id.IsZero() {
			*n = &node{id: id}
		}
	}
	return r, !d.bad && r.sound()
}

// sound reports whether the rest is as long as the row says.
func (r *row) sound() bool {
	names, execs := r.cell[colNamespaces], r.cell[colExecs]
	return names >= 0 && execs >= 0 && execs <= store.MaxExecs && names+2*max(execs-1, 0) == int64(len(r.rest))
}
