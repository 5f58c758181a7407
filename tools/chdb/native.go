package main

import (
	"bufio"
	"bytes"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// customSerialization is the revision of the protocol from which on a byte before
// the data of each column says whether these are serialized in another way than
// usual (DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION).
const customSerialization = 54454

// reframe returns blocks in the format Native as a server writes them for the
// revision of the protocol that a client names (client_protocol_version). The
// library writes them for revision 0: without information on the block before it
// (BlockInfo) and without the byte of customSerialization.
func reframe(blocks []byte, revision int) ([]byte, error) {
	if revision == 0 {
		return blocks, nil
	}
	f := framer{blocks: blocks, in: bytes.NewReader(blocks), revision: revision}
	// proto.Reader reads through this buffer, as its own would be smaller.
	f.buffered = bufio.NewReaderSize(f.in, 1<<18)
	f.r = proto.NewReader(f.buffered)
	for f.at() < len(blocks) {
		if err := f.block(); err != nil {
			return nil, fmt.Errorf("the library's answer in the format Native: %w", err)
		}
	}
	return f.out.Buf, nil
}

type framer struct {
	blocks   []byte
	in       *bytes.Reader
	buffered *bufio.Reader
	r        *proto.Reader
	out      proto.Buffer
	revision int
}

// at is how much of the blocks is read.
func (f *framer) at() int { return len(f.blocks) - f.in.Len() - f.buffered.Buffered() }

func (f *framer) block() error {
	columns, err := f.r.UVarInt()
	if err != nil {
		return err
	}
	rows, err := f.r.UVarInt()
	if err != nil {
		return err
	}
	proto.BlockInfo{BucketNum: -1}.Encode(&f.out)
	f.out.PutUVarInt(columns)
	f.out.PutUVarInt(rows)
	for range columns {
		if err := f.column(int(rows)); err != nil {
			return err
		}
	}
	return nil
}

func (f *framer) column(rows int) error {
	name, err := f.r.Str()
	if err != nil {
		return err
	}
	kind, err := f.r.Str()
	if err != nil {
		return err
	}
	f.out.PutString(name)
	f.out.PutString(kind)
	if f.revision >= customSerialization {
		f.out.PutBool(false)
	}
	if rows == 0 {
		return nil
	}
	start := f.at()
	if err := skip(f.r, name, kind, rows); err != nil {
		return fmt.Errorf("column %s: %w", name, err)
	}
	f.out.PutRaw(f.blocks[start:f.at()])
	return nil
}

// skip reads the data of a column, to find where it ends.
func skip(r *proto.Reader, name, kind string, rows int) error {
	c, err := column.Type(kind).Column(name, &column.ServerContext{Timezone: time.UTC})
	if err != nil {
		return err
	}
	if prefixed, ok := c.(column.CustomSerialization); ok {
		if err := prefixed.ReadStatePrefix(r); err != nil {
			return err
		}
	}
	return c.Decode(r, rows)
}
