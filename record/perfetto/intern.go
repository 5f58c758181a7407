package perfetto

import "google.golang.org/protobuf/encoding/protowire"

// internedBytes is how much text is kept to be referred to again. When there is
// more, all is forgotten and the reader told so: the memory stays bounded
// however many command lines there are.
const internedBytes = 2 << 20

// intern numbers the strings of one sequence of packets. A number is never given
// to another string, also after all were forgotten, as InternedData demands.
type intern struct {
	tables [4]table // by the order of kinds
	bytes  int
	new    []byte // the InternedData for the next packet
}

type table struct {
	ids  map[string]uint64
	last uint64
}

// kind is what a string is interned as.
type kind int

const (
	category kind = iota
	name
	annotation
	text
)

var kindField = [...]protowire.Number{internedCategories, internedEventNames, internedAnnotations, internedStrings}

// id returns the number of the string, which it has in packets from the next one
// on.
func (n *intern) id(k kind, s string) uint64 {
	t := &n.tables[k]
	if id, ok := t.ids[s]; ok {
		return id
	}
	if t.ids == nil {
		t.ids = make(map[string]uint64)
	}
	t.last++
	t.ids[s] = t.last
	n.bytes += len(s)
	var entry [16]byte
	e := protowire.AppendTag(entry[:0], entryID, protowire.VarintType)
	e = protowire.AppendVarint(e, t.last)
	e = protowire.AppendTag(e, entryText, protowire.BytesType)
	e = protowire.AppendVarint(e, uint64(len(s)))
	n.new = protowire.AppendTag(n.new, kindField[k], protowire.BytesType)
	n.new = protowire.AppendVarint(n.new, uint64(len(e)+len(s)))
	n.new = append(append(n.new, e...), s...)
	return t.last
}

// full reports whether so much is kept that it is to be forgotten.
func (n *intern) full() bool { return n.bytes > internedBytes }

// forget forgets all strings, before a packet that says so.
func (n *intern) forget() {
	for i := range n.tables {
		n.tables[i].ids = nil
	}
	n.bytes = 0
}
