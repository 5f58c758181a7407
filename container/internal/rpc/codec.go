package rpc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/proclineage/lineage/container"
)

const (
	// MaxList is how many bytes a list may have. A container of Kubernetes
	// takes 1,000 bytes with the annotations that the kubelet gives it, so
	// 100,000 of them are 100 MB.
	MaxList = 128 << 20
	// MaxMessage is how many bytes any other message may have, and one in a
	// list.
	MaxMessage = 4 << 20

	maxItems = container.MaxContainers
	// maxParts is how many messages there may be within a list, labels among
	// them, and maxPartsOfOne within another answer. An empty one takes two
	// bytes on the wire and a hundred in memory.
	maxParts      = 20 * maxItems
	maxPartsOfOne = 100_000
)

var errTooManyItems = fmt.Errorf("%w: over %d", container.ErrTooMany, maxItems)

// An answer takes in what the codec is given, and keeps the error, of which
// gRPC would leave the text alone.
type answer interface {
	read(data mem.BufferSlice) error
}

// codec is that of Protocol Buffers, for an answer.
type codec struct{}

var _ encoding.CodecV2 = codec{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", v)
	}
	b, err := proto.Marshal(m)
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	a, ok := v.(answer)
	if !ok {
		return fmt.Errorf("%T is not an answer", v)
	}
	return a.read(data)
}

// one is an answer that is one message.
type one struct {
	message proto.Message
	parts   int // that it may still have
	failed
}

func (a *one) read(data mem.BufferSlice) error {
	b := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer b.Free()
	a.err = decode(b.ReadOnlyData(), a.message, &a.parts)
	return a.err
}

// list is an answer of which each message in the field 1 is taken by itself, so
// that no more than one is in memory besides what the caller keeps.
type list struct {
	each  func([]byte) error
	parts int // that the messages may still have
	failed
}

func (a *list) read(data mem.BufferSlice) error {
	r := data.Reader()
	defer r.Close() //nolint:errcheck // it only gives the memory back
	a.err = a.items(bufio.NewReader(r))
	return a.err
}

func (a *list) items(r *bufio.Reader) error {
	var room []byte
	for n := 0; ; {
		tag, err := binary.ReadUvarint(r)
		if err == io.EOF { //nolint:errorlint // of the io.ByteReader, whose io.EOF is not wrapped
			return nil
		} else if err != nil {
			return err
		}
		num, typ := protowire.DecodeTag(tag)
		if num != 1 || typ != protowire.BytesType {
			if err := skip(r, typ); err != nil {
				return err
			}
			continue
		}
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		if size > MaxMessage {
			return fmt.Errorf("one of %d bytes, over %d", size, MaxMessage)
		}
		if n++; n > maxItems {
			return errTooManyItems
		}
		room = slices.Grow(room[:0], int(size))[:size]
		if _, err := io.ReadFull(r, room); err != nil {
			return err
		}
		if err := a.each(room); err != nil {
			return err
		}
	}
}

// skip reads over the value of a field.
func skip(r *bufio.Reader, typ protowire.Type) error {
	var n uint64
	var err error
	switch typ {
	case protowire.VarintType:
		_, err = binary.ReadUvarint(r)
	case protowire.Fixed32Type:
		n = 4
	case protowire.Fixed64Type:
		n = 8
	case protowire.BytesType:
		n, err = binary.ReadUvarint(r)
	default: // the groups, which nobody uses, or none at all
		err = errMalformed
	}
	if err != nil {
		return err
	}
	if n > MaxList {
		return errMalformed
	}
	_, err = r.Discard(int(n))
	return err
}

var errMalformed = errors.New("malformed")

// decode reads the message, if no more than so many others are within it.
func decode(b []byte, m proto.Message, parts *int) error {
	if err := count(b, m.ProtoReflect().Descriptor(), parts); err != nil {
		return err
	}
	return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// count counts the messages within one down from parts.
func count(b []byte, d protoreflect.MessageDescriptor, parts *int) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return protowire.ParseError(n)
		}
		if field := d.Fields().ByNumber(num); field != nil && field.Message() != nil && typ == protowire.BytesType {
			if *parts--; *parts < 0 {
				return fmt.Errorf("%w: too many labels or the like", container.ErrTooMany)
			}
			inner, _ := protowire.ConsumeBytes(b)
			if err := count(inner, field.Message(), parts); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
