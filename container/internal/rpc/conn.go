// Package rpc asks a container runtime questions over gRPC on a unix socket, and
// takes nothing that it answers on trust.
//
// Each set of questions has a connection of its own, which ends with it. So a
// runtime that was started again is known at once, one that hangs holds nothing
// back once the caller has given up, and nothing runs between the questions.
package rpc

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// maxHeaders is how many bytes the headers and the trailers of an answer may
// have, which hold no more than the text of an error.
const maxHeaders = 64 << 10

// A Conn is a connection to a runtime, for as long as [Ask] runs.
type Conn struct {
	client *grpc.ClientConn
}

// Ask connects to the socket, has ask put its questions and hangs up. The error
// wraps that of connect(2), such as [io/fs.ErrNotExist], where nobody answers.
func Ask(ctx context.Context, socket string, ask func(*Conn) error) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	// The resolver "passthrough" looks nothing up, and with a dialer of one's
	// own gRPC goes through no proxy.
	var given atomic.Bool
	client, err := grpc.NewClient("passthrough:///localhost",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if given.Swap(true) {
				return nil, errHungUp
			}
			return conn, nil
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableServiceConfig(),
		grpc.WithMaxHeaderListSize(maxHeaders))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	// The socket first, or gRPC waits up to five seconds for a runtime that
	// does not read to take in that the connection ends.
	defer client.Close() //nolint:errcheck // it was only asked
	defer conn.Close()   //nolint:errcheck // and gRPC may have closed it
	return ask(&Conn{client: client})
}

var errHungUp = errors.New("the runtime has hung up")

// Call asks for one message.
func (c *Conn) Call(ctx context.Context, method string, request, reply proto.Message) error {
	a := &one{message: reply, parts: maxPartsOfOne}
	return a.failure(ctx, method, c.client.Invoke(ctx, method, request, a, grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(MaxMessage)))
}

// Each asks for a message that is a list, the field 1 as in all of the answers
// that runtimes list things in, and hands over one after the other. What each
// returns ends it. More than [container.MaxContainers] or [MaxList] bytes are
// [container.ErrTooMany].
func Each[M any, P message[M]](ctx context.Context, c *Conn, method string, request proto.Message, each func(P) error) error {
	a := &list{parts: maxParts}
	a.each = func(b []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		m := P(new(M))
		if err := decode(b, m, &a.parts); err != nil {
			return err
		}
		return each(m)
	}
	return a.failure(ctx, method, c.client.Invoke(ctx, method, request, a, grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(MaxList)))
}

// Stream asks for a stream of messages and hands over one after the other. What
// each returns ends it. More than [container.MaxContainers] are
// [container.ErrTooMany]; how much they are together is each's to limit.
func Stream[M any, P message[M]](ctx context.Context, c *Conn, method string, request proto.Message, each func(P) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &one{parts: maxParts}
	stream, err := c.client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(MaxMessage))
	if err != nil {
		return a.failure(ctx, method, err)
	}
	// Where it fails with io.EOF, RecvMsg tells why.
	if err := stream.SendMsg(request); err != nil && !isEnd(err) {
		return a.failure(ctx, method, err)
	}
	if err := stream.CloseSend(); err != nil {
		return a.failure(ctx, method, err)
	}
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil { // gRPC still hands over what has come
			return a.failure(ctx, method, err)
		}
		m := P(new(M))
		a.message = m
		if err := stream.RecvMsg(a); isEnd(err) {
			return nil
		} else if err != nil {
			return a.failure(ctx, method, err)
		}
		if n == maxItems {
			return a.failure(ctx, method, errTooManyItems)
		}
		if err := each(m); err != nil {
			return a.failure(ctx, method, err)
		}
	}
}

// message is a pointer to the generated type of a message.
type message[M any] interface {
	*M
	proto.Message
}
