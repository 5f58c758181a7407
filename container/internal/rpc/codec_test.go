package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpctest"
)

// field is a field of bytes as it is on the wire.
func field(num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), value)
}

// TestLies has answers that are more than can be taken in, or nothing at all.
func TestLies(t *testing.T) {
	var (
		empty = field(1, nil)
		id    = field(1, []byte("a"))
	)
	tests := []struct {
		name   string
		answer []byte
		want   error // nil for any
	}{
		{"too many", bytes.Repeat(empty, maxItems+1), container.ErrTooMany},
		{"too long", make([]byte, MaxList+1), container.ErrTooMany},
		{"one too long", field(1, make([]byte, MaxMessage+1)), nil},
		{"longer than it is", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f}, nil},
		{"a negative length", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, nil},
		{"cut in a length", []byte{0x0a, 0x80}, nil},
		{"cut in a tag", []byte{0x80}, nil},
		{"cut before the length", []byte{0x0a}, nil},
		{"cut in the value", field(1, id)[:4], nil},
		{"cut in one", field(1, id[:2]), nil},
		{"cut in what is not known", field(2, id)[:4], nil},
		{"a group", []byte{0x0b, 0x0c}, nil},
		{"an ID that is not text", field(1, field(1, []byte{0xff})), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := rpctest.Socket(t)
			rpctest.Raw(t, socket, map[string][]byte{cri.RuntimeService_ListContainers_FullMethodName: tt.answer})
			err := Ask(t.Context(), socket, func(c *Conn) error {
				return Each(t.Context(), c, cri.RuntimeService_ListContainers_FullMethodName, &cri.ListContainersRequest{}, func(*cri.Container) error { return nil })
			})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestLiesOfOne has answers that are not a list.
func TestLiesOfOne(t *testing.T) {
	status := func(field []byte, n int) []byte {
		inner := bytes.Repeat(field, n)
		return protowire.AppendBytes([]byte{0x0a}, inner)
	}
	for name, answer := range map[string][]byte{
		"too long":        make([]byte, MaxMessage+1),
		"too many mounts": status(field(14, nil), MaxMessage/2-10),
		"garbage":         []byte("garbage"),
	} {
		socket := rpctest.Socket(t)
		rpctest.Raw(t, socket, map[string][]byte{cri.RuntimeService_ContainerStatus_FullMethodName: answer})
		err := Ask(t.Context(), socket, func(c *Conn) error {
			return c.Call(t.Context(), cri.RuntimeService_ContainerStatus_FullMethodName, &cri.ContainerStatusRequest{}, &cri.ContainerStatusResponse{})
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestParts has labels that are together more than a list may have.
func TestParts(t *testing.T) {
	labels := bytes.Repeat(field(8, nil), 10)
	for n, want := range map[int]error{10: nil, 11: container.ErrTooMany} {
		a := &list{parts: 100}
		a.each = func(b []byte) error { return decode(b, &cri.Container{}, &a.parts) }
		if err := a.read(mem.BufferSlice{mem.SliceBuffer(bytes.Repeat(field(1, labels), n))}); !errors.Is(err, want) {
			t.Errorf("of %d: got %v, want %v", n, err, want)
		}
	}
}

// TestManyInAStream has one more than there may be.
func TestManyInAStream(t *testing.T) {
	if _, err := ask(t.Context(), serve(t, &runtime{containers: maxItems + 1}), "stream"); !errors.Is(err, container.ErrTooMany) {
		t.Errorf("got %v, want %v", err, container.ErrTooMany)
	}
}

// TestEachEnds has what is done with the items end it.
func TestEachEnds(t *testing.T) {
	socket := serve(t, &runtime{containers: 1000})
	enough := errors.New("enough")
	for name, question := range map[string]func(context.Context, *Conn, func() error) error{
		"each": func(ctx context.Context, c *Conn, stop func() error) error {
			return Each(ctx, c, cri.RuntimeService_ListContainers_FullMethodName, &cri.ListContainersRequest{}, func(*cri.Container) error { return stop() })
		},
		"stream": func(ctx context.Context, c *Conn, stop func() error) error {
			return Stream(ctx, c, cri.RuntimeService_StreamContainers_FullMethodName, &cri.StreamContainersRequest{}, func(*cri.StreamContainersResponse) error { return stop() })
		},
	} {
		err := Ask(t.Context(), socket, func(c *Conn) error { return question(t.Context(), c, func() error { return enough }) })
		if !errors.Is(err, enough) {
			t.Errorf("%s: got %v, want %v", name, err, enough)
		}
		// The context ends while the answer is read.
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err = Ask(ctx, socket, func(c *Conn) error {
			return question(ctx, c, func() error {
				cancel()
				n++
				return nil
			})
		})
		if !errors.Is(err, context.Canceled) || n != 1 {
			t.Errorf("%s: got %v after %d, want %v after 1", name, err, n, context.Canceled)
		}
	}
}

// FuzzList reads as a list what the generated code reads as one message, and
// finds the same in it.
func FuzzList(f *testing.F) {
	whole, err := proto.Marshal(&cri.ListContainersResponse{Containers: []*cri.Container{
		{Id: "a", Labels: map[string]string{"k": "v"}, Metadata: &cri.ContainerMetadata{Name: "n"}}, {}, {Id: "b"},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte("\x08\x01\x0a\x00\x15abcd\x19abcdefgh\x1a\x01a"))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []*cri.Container
		a := &list{parts: maxParts}
		a.each = func(b []byte) error {
			var m cri.Container
			got = append(got, &m)
			return decode(b, &m, &a.parts)
		}
		// In two pieces, as it may come from the socket.
		data := mem.BufferSlice{mem.SliceBuffer(b[:len(b)/2]), mem.SliceBuffer(b[len(b)/2:])}
		if err := a.read(data); err != nil {
			return
		}
		var want cri.ListContainersResponse
		if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, &want); err != nil {
			return // what is not kept is not looked at as closely
		}
		if !proto.Equal(&cri.ListContainersResponse{Containers: got}, &want) {
			t.Errorf("got %v, want %v", got, want.GetContainers())
		}
	})
}

// TestReadsWhatIsWritten has FuzzList find that a list is read at all.
func TestReadsWhatIsWritten(t *testing.T) {
	var want []string
	var b []byte
	for i := range 1000 {
		id := strings.Repeat(fmt.Sprint(i), i%50)
		want = append(want, id)
		b = append(b, field(1, field(1, []byte(id)))...)
		b = append(b, "\x10\x01\x1d1234\x2112345678\x2a\x01x"...) // what is not known
	}
	var got []string
	a := &list{parts: maxParts}
	a.each = func(b []byte) error {
		var m cri.Container
		err := decode(b, &m, &a.parts)
		got = append(got, m.GetId())
		return err
	}
	if err := a.read(mem.BufferSlice{mem.SliceBuffer(b)}); err != nil || strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("got %q, %v", got, err)
	}
}
