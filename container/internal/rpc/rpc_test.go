package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpctest"
)

// words is what gRPC logs that it would write to the standard error.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// TestMain has every test run with a proxy that nobody is at, and nothing logged.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	var logged words
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, &logged))
	code := m.Run()
	if logged.text.Len() > 0 {
		fmt.Fprintf(os.Stderr, "gRPC logs to the standard error:\n%s", logged.text.String())
		code = 1
	}
	os.Exit(code)
}

// runtime is one that answers with a version and a number of containers.
type runtime struct {
	cri.UnimplementedRuntimeServiceServer
	containers int
	err        error
}

func (r *runtime) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{RuntimeName: "test", RuntimeVersion: strings.Repeat("1", 4096)}, r.err
}

func (r *runtime) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	var reply cri.ListContainersResponse
	for i := range r.containers {
		reply.Containers = append(reply.Containers, &cri.Container{Id: fmt.Sprint(i)})
	}
	return &reply, r.err
}

func (r *runtime) StreamContainers(_ *cri.StreamContainersRequest, s grpc.ServerStreamingServer[cri.StreamContainersResponse]) error {
	for i := range r.containers {
		if err := s.Send(&cri.StreamContainersResponse{Containers: []*cri.Container{{Id: fmt.Sprint(i)}}}); err != nil {
			return err
		}
	}
	return r.err
}

func serve(tb testing.TB, r *runtime) string {
	tb.Helper()
	socket := rpctest.Socket(tb)
	rpctest.Serve(tb, socket, func(s *grpc.Server) { cri.RegisterRuntimeServiceServer(s, r) })
	return socket
}

// questions are the three ways to ask. Each returns what it learnt.
var questions = map[string]func(context.Context, *Conn) (string, error){
	"call": func(ctx context.Context, c *Conn) (string, error) {
		var reply cri.VersionResponse
		err := c.Call(ctx, cri.RuntimeService_Version_FullMethodName, &cri.VersionRequest{}, &reply)
		return reply.GetRuntimeName(), err
	},
	"each": func(ctx context.Context, c *Conn) (string, error) {
		n := 0
		err := Each(ctx, c, cri.RuntimeService_ListContainers_FullMethodName, &cri.ListContainersRequest{}, func(m *cri.Container) error {
			if m.GetId() != fmt.Sprint(n) {
				return fmt.Errorf("got container %q, want %d", m.GetId(), n)
			}
			n++
			return nil
		})
		return fmt.Sprint(n), err
	},
	"stream": func(ctx context.Context, c *Conn) (string, error) {
		n := 0
		err := Stream(ctx, c, cri.RuntimeService_StreamContainers_FullMethodName, &cri.StreamContainersRequest{}, func(m *cri.StreamContainersResponse) error {
			n += len(m.GetContainers())
			return nil
		})
		return fmt.Sprint(n), err
	},
}

// ask asks one of them.
func ask(ctx context.Context, socket, question string) (answer string, err error) {
	err = Ask(ctx, socket, func(c *Conn) error {
		answer, err = questions[question](ctx, c)
		return err
	})
	return answer, err
}

func TestAsk(t *testing.T) {
	socket := serve(t, &runtime{containers: 300})
	for question, want := range map[string]string{"call": "test", "each": "300", "stream": "300"} {
		if got, err := ask(t.Context(), socket, question); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", question, got, err, want)
		}
	}
}

func TestNobody(t *testing.T) {
	if _, err := ask(t.Context(), rpctest.Socket(t), "call"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with no socket: got %v, want %v", err, fs.ErrNotExist)
	}
	file := rpctest.Socket(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), file, "call"); err == nil {
		t.Error("with a file in place of the socket: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(ctx, serve(t, &runtime{}), "call"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: got %v, want %v", err, context.Canceled)
	}
}

// TestErrors has a runtime that fails.
func TestErrors(t *testing.T) {
	tests := []struct {
		err  error
		want error
		text string
	}{
		{status.Error(codes.NotFound, "x"), container.ErrNotFound, `no such container: "x"`},
		{status.Error(codes.NotFound, "x"), fs.ErrNotExist, ""},
		{status.Error(codes.ResourceExhausted, "x"), container.ErrTooMany, ""},
		{status.Error(codes.Unimplemented, "x"), errors.ErrUnsupported, ""},
		{status.Error(codes.DeadlineExceeded, "x"), context.DeadlineExceeded, ""},
		{status.Error(codes.Unavailable, "\x1b[31mred\n"), nil, `Unavailable: "\x1b[31mred\n"`},
		{errors.New("x"), nil, `Unknown: "x"`},
		{status.Error(codes.Code(77), "x"), nil, `Code(77): "x"`},
	}
	for _, tt := range tests {
		socket := serve(t, &runtime{err: tt.err})
		for question := range questions {
			_, err := ask(t.Context(), socket, question)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s, of %v: got %v, want %v %q", question, tt.err, err, tt.want, tt.text)
			}
		}
	}
}

func TestErrorsAreShort(t *testing.T) {
	for _, size := range []int{maxHeaders / 2, 10 * maxHeaders} {
		socket := serve(t, &runtime{err: errors.New(strings.Repeat("x", size))})
		if _, err := ask(t.Context(), socket, "call"); err == nil || len(err.Error()) > 2*maxText {
			t.Errorf("of an error of %d bytes: got %v", size, err)
		}
	}
}

// TestHanging has calls that only their context ends, and then the connection
// too.
func TestHanging(t *testing.T) {
	for _, h := range rpctest.Hanging(t, serve(t, &runtime{containers: 10_000})) {
		for question := range questions {
			t.Run(h.Name+", "+question, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error)
				go func() {
					_, err := ask(ctx, h.Socket, question)
					ended <- err
				}()
				<-h.Met
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want %v", err, context.Canceled)
				}
				<-h.Left
			})
		}
	}
}

// TestDeadline has a call that ends by itself.
func TestDeadline(t *testing.T) {
	h := rpctest.Hanging(t, "")[0]
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := ask(ctx, h.Socket, "call"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestGarbage(t *testing.T) {
	for _, h := range rpctest.Garbage(t) {
		for question := range questions {
			if answer, err := ask(t.Context(), h.Socket, question); err == nil {
				t.Errorf("%s, %s: got %q", h.Name, question, answer)
			}
		}
	}
}

// TestRestart has a runtime that ends and comes again: the first question after
// is answered.
func TestRestart(t *testing.T) {
	socket := rpctest.Socket(t)
	for range 20 {
		stop := rpctest.Serve(t, socket, func(s *grpc.Server) { cri.RegisterRuntimeServiceServer(s, &runtime{}) })
		if _, err := ask(t.Context(), socket, "call"); err != nil {
			t.Fatal(err)
		}
		stop()
		if _, err := ask(t.Context(), socket, "call"); err == nil {
			t.Fatal("an answer of nobody")
		}
	}
}

// TestBreak has a runtime that ends between two questions.
func TestBreak(t *testing.T) {
	socket := rpctest.Socket(t)
	stop := rpctest.Serve(t, socket, func(s *grpc.Server) { cri.RegisterRuntimeServiceServer(s, &runtime{}) })
	err := Ask(t.Context(), socket, func(c *Conn) error {
		if _, err := questions["call"](t.Context(), c); err != nil {
			return err
		}
		stop()
		_, err := questions["call"](t.Context(), c)
		if err == nil {
			t.Error("an answer of nobody")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkCall(b *testing.B) {
	socket := serve(b, &runtime{})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			if _, err := ask(b.Context(), socket, "call"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		err := Ask(b.Context(), socket, func(c *Conn) error {
			for b.Loop() {
				if _, err := questions["call"](b.Context(), c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}
