package clickhouse

import (
	"encoding/binary"
	"strings"

	"github.com/proclineage/lineage/process"
)

// A key stands for a process in the tables for good, also where its ID becomes
// better known: it is made of the ID by which it was first told of, as itself or as
// another's creator. It is the start (8 bytes, in nanoseconds), the precision of
// that (1), the PID (3) and, where the start is not exact, the lower half of the
// inode (4), with the highest byte first. So keys of a boot are in the order of the
// starts.
type key string

const keySize = 16

func keyOf(id process.ID) key {
	var inode uint32
	if id.Precision != process.Exact {
		inode = uint32(id.Inode)
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, keySize), uint64(id.Start))
	b = binary.BigEndian.AppendUint32(b, uint32(id.Precision)<<24|uint32(id.PID)&0xffffff)
	return key(binary.BigEndian.AppendUint32(b, inode))
}

func (k key) start() process.Instant {
	var i process.Instant
	for n := range min(len(k), 8) {
		i = i<<8 | process.Instant(k[n])
	}
	return i
}

// literal is the key as one of a list after IN, where a server takes text without working
// anything out.
func (k key) literal() string { return quoteBytes(string(k)) }

// fixed is the key in SQL wherever else.
func (k key) fixed() string { return "toFixedString(" + k.literal() + ", 16)" }

// A window is the starts between which the key of a process lies whose ID is known
// by now. It is a tick wider than what the ID says.
type window struct{ from, to process.Instant }

func windowOf(id process.ID) window {
	const tick = process.Instant(process.Tick)
	from := id.Start - id.Start%tick
	return window{from - min(from, tick), from + 2*tick}
}

// keys are the first key of the window and the first one after it, in SQL.
func (w window) keys() (from, to string) {
	return keyOf(process.ID{Start: w.from}).fixed(), keyOf(process.ID{Start: w.to}).fixed()
}

// quote returns the text as a literal of SQL, whatever bytes it has.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			appendHex(&b, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// quoteBytes does the same for what nobody reads.
func quoteBytes(text string) string {
	var b strings.Builder
	b.Grow(2 + 4*len(text))
	b.WriteByte('\'')
	for i := range len(text) {
		appendHex(&b, text[i])
	}
	b.WriteByte('\'')
	return b.String()
}

func appendHex(b *strings.Builder, c byte) {
	const digits = "0123456789abcdef"
	b.WriteString(`\x`)
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// list is the elements with commas between them.
func list[T any](of []T, literal func(T) string) string {
	var b strings.Builder
	for i, v := range of {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(literal(v))
	}
	return b.String()
}
