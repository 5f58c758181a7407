package perfetto

import (
	"bufio"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/proclineage/lineage/process"
)

// sequence is the ID of the one sequence of packets in the trace.
const sequence = 1

// A stream writes packets. An error of the writer comes out at its Flush.
type stream struct {
	w       *bufio.Writer
	intern  intern
	cleared bool   // the reader is told that nothing is interned
	event   []byte // the TrackEvent or TrackDescriptor that is being made
	note    []byte // the DebugAnnotation that is being made
	packet  []byte
	head    []byte
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// send writes a packet with the message in data, at the instant if it has one.
func (s *stream) send(data protowire.Number, message []byte, at process.Instant) {
	p := s.packet[:0]
	if at != 0 {
		p = appendUint(p, packetTimestamp, uint64(at))
	}
	p = appendUint(p, packetSequence, sequence)
	p = appendBytes(p, data, message)
	flags := uint64(needsState)
	if !s.cleared {
		flags, s.cleared = flags|stateCleared, true
	}
	p = appendUint(p, packetSequenceFlags, flags)
	if len(s.intern.new) > 0 {
		p = appendBytes(p, packetInternedData, s.intern.new)
		s.intern.new = s.intern.new[:0]
	}
	s.packet = p
	s.head = protowire.AppendVarint(protowire.AppendTag(s.head[:0], tracePacket, protowire.BytesType), uint64(len(p)))
	_, _ = s.w.Write(s.head) // Flush tells of an error
	_, _ = s.w.Write(p)
}

// A track is where events are drawn. Its fields are those of TrackDescriptor.
type track struct {
	uuid, parent      uint64
	name, description string
	ordering          uint64 // of the tracks below it
	rank              uint64 // in a parent whose ordering is explicit
	counter           bool
}

func (s *stream) track(t track) {
	b := appendUint(s.event[:0], trackUUID, t.uuid)
	if t.parent != 0 {
		b = appendUint(b, trackParent, t.parent)
	}
	b = appendString(b, trackName, t.name)
	if t.counter {
		b = appendBytes(b, trackCounter, nil)
	}
	if t.ordering != 0 {
		b = appendUint(b, trackChildOrdering, t.ordering)
	}
	if t.rank != 0 {
		b = appendUint(b, trackRank, t.rank)
	}
	if t.description != "" {
		b = appendString(b, trackDescription, t.description)
	}
	s.event = appendUint(b, trackMerge, mergeNone) // two of one name are two
	s.send(packetTrackDescriptor, s.event, 0)
}

// begin begins an event, which annotations may follow and end ends.
func (s *stream) begin(typ, uuid uint64, called string, categories ...string) {
	if s.intern.full() {
		s.intern.forget()
		s.cleared = false
	}
	b := s.event[:0]
	for _, c := range categories {
		b = appendUint(b, eventCategory, s.intern.id(category, c))
	}
	b = appendUint(b, eventType, typ)
	b = appendUint(b, eventName, s.intern.id(name, called))
	s.event = appendUint(b, eventTrack, uuid)
}

// end sends the event that was begun.
func (s *stream) end(at process.Instant) { s.send(packetTrackEvent, s.event, at) }

// close ends a slice of the track.
func (s *stream) close(uuid uint64, at process.Instant) {
	s.event = appendUint(appendUint(s.event[:0], eventType, typeSliceEnd), eventTrack, uuid)
	s.end(at)
}

// count gives a counter its value.
func (s *stream) count(uuid uint64, at process.Instant, value int) {
	b := appendUint(appendUint(s.event[:0], eventType, typeCounterValue), eventTrack, uuid)
	s.event = appendUint(b, eventCounter, uint64(value))
	s.end(at)
}

func (s *stream) annotate(key string, field protowire.Number, v uint64) {
	s.note = appendUint(appendUint(s.note[:0], annotationName, s.intern.id(annotation, key)), field, v)
	s.event = appendBytes(s.event, eventAnnotation, s.note)
}

// text annotates the event with a string, unless that is empty.
func (s *stream) text(key, value string) {
	if value != "" {
		s.annotate(key, annotationString, s.intern.id(text, value))
	}
}

func (s *stream) int(key string, v int64)   { s.annotate(key, annotationInt, uint64(v)) }
func (s *stream) uint(key string, v uint64) { s.annotate(key, annotationUint, v) }
func (s *stream) yes(key string)            { s.annotate(key, annotationBool, 1) }
