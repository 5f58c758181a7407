package chrome

import (
	"bufio"
	"encoding/json"
	"strconv"
	"time"
)

// An output writes the events of a trace, one a line. An error of the writer
// comes out at its Flush.
type output struct {
	w     *bufio.Writer
	b     []byte // the event that is being made
	more  bool   // it is not the first
	first bool   // no field is in the innermost object yet
}

// begin begins an event of the phase, named so.
func (o *output) begin(phase byte, name string) {
	o.b = o.b[:0]
	if o.more {
		o.b = append(o.b, ",\n"...)
	}
	o.more, o.first = true, true
	o.b = append(o.b, '{')
	o.text("ph", string(phase))
	o.text("name", name)
}

// on says on which thread of the trace's one process it is.
func (o *output) on(tid int) {
	o.int("pid", pid)
	o.int("tid", int64(tid))
}

// args begins the arguments, which are the last of an event.
func (o *output) args() {
	o.key("args")
	o.b = append(o.b, '{')
	o.first = true
}

// end ends the event and its arguments, and writes it.
func (o *output) end() {
	o.b = append(o.b, "}}"...)
	_, _ = o.w.Write(o.b) // Flush tells of an error
}

func (o *output) key(key string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(o.b, '"')
	o.b = append(o.b, key...)
	o.b = append(o.b, '"', ':')
}

func (o *output) text(key, value string) {
	o.key(key)
	o.b = appendString(o.b, value)
}

// known adds a text, unless it is empty.
func (o *output) known(key, value string) {
	if value != "" {
		o.text(key, value)
	}
}

func (o *output) int(key string, v int64) {
	o.key(key)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *output) uint(key string, v uint64) {
	o.key(key)
	o.b = strconv.AppendUint(o.b, v, 10)
}

// micros adds a time in microseconds, the unit of the format, with three
// decimals: to the nanosecond.
func (o *output) micros(key string, d time.Duration) {
	o.key(key)
	o.b = appendMicros(o.b, d)
}

// appendMicros takes no negative time.
func appendMicros(b []byte, d time.Duration) []byte {
	b = strconv.AppendInt(b, int64(d/time.Microsecond), 10)
	if ns := d % time.Microsecond; ns != 0 {
		b = append(b, '.', byte('0'+ns/100), byte('0'+ns/10%10), byte('0'+ns%10))
	}
	return b
}

// appendString appends s as JSON has it.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string has no reason to fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
