package perfetto_test

import (
	"cmp"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// message is what the tests read a message through: fields by their names.
type message struct{ protoreflect.Message }

func (m message) field(name string) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func (m message) has(name string) bool {
	return m.Has(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
}

func (m message) sub(name string) message { return message{m.field(name).Message()} }
func (m message) uint(name string) uint64 { return m.field(name).Uint() }

func (m message) each(name string, f func(message)) {
	list := m.field(name).List()
	for i := range list.Len() {
		f(message{list.Get(i).Message()})
	}
}

// decode reads a trace by the descriptor in testdata, which has to know each
// field and each enum's value in it.
func decode(t *testing.T, trace []byte) message {
	t.Helper()
	source, err := os.ReadFile("testdata/trace.textproto")
	if err != nil {
		t.Fatal(err)
	}
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal(source, &file); err != nil {
		t.Fatal(err)
	}
	desc, err := protodesc.NewFile(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(desc.Messages().ByName("Trace"))
	if err := proto.Unmarshal(trace, m); err != nil {
		t.Fatal(err)
	}
	known(t, m)
	if n := proto.Size(m); n != len(trace) {
		t.Fatalf("%d bytes are %d when written again", len(trace), n)
	}
	return message{m}
}

// known fails the test for a field that the descriptor does not have.
func known(t *testing.T, m protoreflect.Message) {
	t.Helper()
	if u := m.GetUnknown(); len(u) > 0 {
		t.Fatalf("%s has unknown fields: %x", m.Descriptor().Name(), u)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Kind() == protoreflect.MessageKind && fd.IsList():
			for i := range v.List().Len() {
				known(t, v.List().Get(i).Message())
			}
		case fd.Kind() == protoreflect.MessageKind:
			known(t, v.Message())
		case fd.Kind() == protoreflect.StringKind && !utf8.ValidString(v.String()):
			t.Fatalf("%s is not UTF-8: %q", fd.FullName(), v.String())
		case fd.Kind() == protoreflect.EnumKind && fd.Enum().Values().ByNumber(v.Enum()) == nil:
			t.Fatalf("%s has no value %d", fd.FullName(), v.Enum())
		}
		return true
	})
}

// A drawn is a track with what is on it, as the trace processor makes it of the
// packets.
type drawn struct {
	name   string
	parent uint64
	slices []*slice // in the order of their begins
	counts []int64
	open   []*slice
}

type slice struct {
	name       string
	begin, end uint64 // end is zero of what has none
	instant    bool
	depth      int
	categories []string
	args       map[string]string
}

// draw reads packets as the trace processor does: interned strings in the order
// of the packets, then events in the order of their times.
func draw(t *testing.T, trace message) map[uint64]*drawn {
	t.Helper()
	tracks := map[uint64]*drawn{}
	type table map[uint64]string
	interned := map[string]table{}
	look := func(what string, id uint64) string {
		s, ok := interned[what][id]
		if !ok {
			t.Fatalf("%s has no %d", what, id)
		}
		return s
	}
	ever := map[string]map[uint64]string{}
	type event struct {
		message
		at    uint64
		slice *slice
	}
	var events []event
	cleared := false
	trace.each("packet", func(p message) {
		flags := p.uint("sequence_flags")
		if flags&1 != 0 {
			cleared = true
			interned = map[string]table{}
		}
		if p.uint("trusted_packet_sequence_id") != 1 || flags&2 == 0 || !cleared {
			t.Fatalf("a packet without its state: %v", p)
		}
		data := p.sub("interned_data")
		for what, text := range map[string]string{"event_categories": "name", "event_names": "name", "debug_annotation_names": "name", "debug_annotation_string_values": "str"} {
			data.each(what, func(m message) {
				if interned[what] == nil {
					interned[what] = table{}
				}
				if ever[what] == nil {
					ever[what] = table{}
				}
				id := m.uint("iid")
				s := m.field(text)
				value := s.String()
				if text == "str" {
					value = string(s.Bytes())
				}
				if was, ok := ever[what][id]; id == 0 || ok && was != value {
					t.Fatalf("%s: %d was %q and is %q", what, id, was, value)
				}
				interned[what][id], ever[what][id] = value, value
			})
		}
		switch {
		case p.has("track_descriptor"):
			d := p.sub("track_descriptor")
			id := d.uint("uuid")
			if _, ok := tracks[id]; ok || id == 0 {
				t.Fatalf("two tracks have the ID %d", id)
			}
			parent := d.uint("parent_uuid")
			if _, ok := tracks[parent]; !ok && parent != 0 {
				t.Fatalf("the track %d comes before its parent %d", id, parent)
			}
			tracks[id] = &drawn{name: d.field("name").String(), parent: parent}
		case p.has("track_event"):
			e := event{message: p.sub("track_event"), at: p.uint("timestamp")}
			if e.at == 0 || e.at > math.MaxInt64 {
				t.Fatalf("an event at %d", e.at)
			}
			e.slice = &slice{begin: e.at, args: map[string]string{}}
			if e.has("name_iid") {
				e.slice.name = look("event_names", e.uint("name_iid"))
			}
			ids := e.field("category_iids").List()
			for i := range ids.Len() {
				e.slice.categories = append(e.slice.categories, look("event_categories", ids.Get(i).Uint()))
			}
			e.each("debug_annotations", func(m message) {
				key := look("debug_annotation_names", m.uint("name_iid"))
				which := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
				value := m.Get(which).String()
				if which.Name() == "string_value_iid" {
					value = look("debug_annotation_string_values", m.uint("string_value_iid"))
				}
				if _, ok := e.slice.args[key]; ok {
					t.Fatalf("%q is there twice", key)
				}
				e.slice.args[key] = value
			})
			events = append(events, e)
		}
	})
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for _, e := range events {
		track := tracks[e.uint("track_uuid")]
		if track == nil {
			t.Fatal("an event of a track that is not there")
		}
		e.slice.depth = len(track.open)
		switch typ := e.field("type").Enum(); typ {
		case 1:
			track.slices = append(track.slices, e.slice)
			track.open = append(track.open, e.slice)
		case 2:
			if len(track.open) == 0 {
				t.Fatalf("%s: an end without a begin", track.name)
			}
			track.open[len(track.open)-1].end = e.at
			track.open = track.open[:len(track.open)-1]
		case 3:
			e.slice.instant = true
			track.slices = append(track.slices, e.slice)
		case 4:
			track.counts = append(track.counts, e.field("counter_value").Int())
		default:
			t.Fatal("an event of the type " + strconv.Itoa(int(typ)))
		}
	}
	return tracks
}
