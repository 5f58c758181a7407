package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/proclineage/lineage/container"
)

// maxText is how many bytes of a runtime's own words are handed on.
const maxText = 200

// failed has the error that an answer was not taken in for.
type failed struct {
	err error
}

// failure returns the error of a call in words of Go: that of the context where
// it has ended, else [container.ErrNotFound], [container.ErrTooMany] or
// [errors.ErrUnsupported] where the runtime or its answer say so.
func (f *failed) failure(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if f.err != nil {
		err = fmt.Errorf("read the answer: %w", f.err)
	} else if s, ok := status.FromError(err); ok {
		err = said(s)
	}
	return fmt.Errorf("%s: %w", path.Base(method), err)
}

// said returns what the status says. Its text is the runtime's, so quoted.
func said(s *status.Status) error {
	text := s.Message()
	if len(text) > maxText {
		text = text[:maxText]
	}
	var is error
	switch s.Code() {
	case codes.NotFound:
		is = container.ErrNotFound
	case codes.ResourceExhausted: // so says gRPC of a message over the limit, at either end
		is = container.ErrTooMany
	case codes.Unimplemented:
		is = errors.ErrUnsupported
	case codes.DeadlineExceeded: // of the context too, where the runtime's clock is the first to tell
		is = context.DeadlineExceeded
	default:
		return fmt.Errorf("%v: %q", s.Code(), text)
	}
	return fmt.Errorf("%w: %q", is, text)
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }
