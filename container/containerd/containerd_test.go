package containerd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	containers "github.com/containerd/containerd/api/services/containers/v1"
	namespaces "github.com/containerd/containerd/api/services/namespaces/v1"
	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpctest"
)

// A space is a namespace of the fake containerd.
type space struct {
	name       string
	containers []*containers.Container
	tasks      []*task.Process
}

// fake is a containerd with namespaces.
type fake struct {
	spaces []space
	taken  error // what Tasks/Get fails with

	containers.UnimplementedContainersServer
}

// of returns the namespace that a question is about.
func (f *fake) of(ctx context.Context) space {
	md, _ := metadata.FromIncomingContext(ctx)
	names := md.Get("containerd-namespace")
	if i := slices.IndexFunc(f.spaces, func(s space) bool { return len(names) == 1 && s.name == names[0] }); i >= 0 {
		return f.spaces[i]
	}
	return space{}
}

func (f *fake) ListStream(_ *containers.ListContainersRequest, s containers.Containers_ListStreamServer) error {
	for _, c := range f.of(s.Context()).containers {
		if err := s.Send(&containers.ListContainerMessage{Container: c}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Get(ctx context.Context, r *containers.GetContainerRequest) (*containers.GetContainerResponse, error) {
	for _, c := range f.of(ctx).containers {
		if c.GetID() == r.GetID() {
			return &containers.GetContainerResponse{Container: c}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no container")
}

type fakeNamespaces struct {
	namespaces.UnimplementedNamespacesServer
	f *fake
}

func (n fakeNamespaces) List(context.Context, *namespaces.ListNamespacesRequest) (*namespaces.ListNamespacesResponse, error) {
	var reply namespaces.ListNamespacesResponse
	for _, s := range n.f.spaces {
		reply.Namespaces = append(reply.Namespaces, &namespaces.Namespace{Name: s.name})
	}
	return &reply, nil
}

type fakeTasks struct {
	tasks.UnimplementedTasksServer
	f *fake
}

func (t fakeTasks) List(ctx context.Context, _ *tasks.ListTasksRequest) (*tasks.ListTasksResponse, error) {
	return &tasks.ListTasksResponse{Tasks: t.f.of(ctx).tasks}, nil
}

func (t fakeTasks) Get(ctx context.Context, r *tasks.GetRequest) (*tasks.GetResponse, error) {
	if t.f.taken != nil {
		return nil, t.f.taken
	}
	for _, p := range t.f.of(ctx).tasks {
		if p.GetID() == r.GetContainerID() {
			return &tasks.GetResponse{Process: p}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no task")
}

func (f *fake) register(s *grpc.Server) {
	containers.RegisterContainersServer(s, f)
	namespaces.RegisterNamespacesServer(s, fakeNamespaces{f: f})
	tasks.RegisterTasksServer(s, fakeTasks{f: f})
}

func open(tb testing.TB, f *fake, o Options) *Runtime {
	tb.Helper()
	socket := rpctest.Socket(tb)
	rpctest.Serve(tb, socket, f.register)
	return Open(socket, o)
}

var (
	podLabels = map[string]string{labelKind: "sandbox", labelPod: "web-7d4f-x", labelNamespace: "default", labelUID: "u", "pod-template-hash": "7d4f"}
	ownLabels = map[string]string{labelKind: "container", labelContainer: "nginx", labelPod: "web-7d4f-x", labelNamespace: "default", labelUID: "u"}
	ctrLabels = map[string]string{"a": "b"}
	ctlLabels = map[string]string{labelNerdctl: "web", labelPod: "not a pod"}
	pod       = container.Pod{UID: "u", Name: "web-7d4f-x", Namespace: "default"}
)

func some() *fake {
	return &fake{spaces: []space{
		{
			name: "default",
			containers: []*containers.Container{
				{ID: "plain", Image: "busybox:1", Labels: ctrLabels},
				{ID: "named", Labels: ctlLabels},
				{ID: "created"}, {ID: "paused"}, {ID: "pausing"}, {ID: "stopped"}, {ID: "odd"}, {ID: "huge"}, {ID: "twice"},
			},
			tasks: []*task.Process{
				{ID: "plain", Pid: 10, Status: task.Status_RUNNING},
				{ID: "created", Pid: 11, Status: task.Status_CREATED},
				{ID: "paused", Pid: 12, Status: task.Status_PAUSED},
				{ID: "pausing", Pid: 13, Status: task.Status_PAUSING},
				{ID: "stopped", Pid: 14, Status: task.Status_STOPPED},
				{ID: "odd", Pid: 15, Status: 77},
				{ID: "huge", Pid: math.MaxUint32, Status: task.Status_RUNNING},
				{ID: "of no container", Pid: 16, Status: task.Status_RUNNING},
			},
		},
		{
			name: "k8s.io",
			containers: []*containers.Container{
				{ID: "c", Image: "nginx:1", Labels: ownLabels}, {ID: "s", Labels: podLabels}, {ID: "twice"},
			},
			tasks: []*task.Process{{ID: "c", Pid: 20, Status: task.Status_RUNNING}, {ID: "s", Pid: 21, Status: task.Status_RUNNING}},
		},
		{
			name:       "moby",
			containers: []*containers.Container{{ID: "d", Image: "x", Labels: ctlLabels}},
			tasks:      []*task.Process{{ID: "d", Pid: 30, Status: task.Status_RUNNING}},
		},
	}}
}

// known are the containers of some, in the order of the list.
func known() []container.Container {
	sandbox := pod
	sandbox.Workload = "deployment/web"
	all := []container.Container{
		{ID: "plain", Image: "busybox:1", State: container.StateRunning, PID: 10, Labels: ctrLabels},
		{ID: "named", Name: "web", Labels: ctlLabels},
		{ID: "created", State: container.StateCreated, PID: 11},
		{ID: "paused", State: container.StatePaused, PID: 12},
		{ID: "pausing", State: container.StateRunning, PID: 13},
		{ID: "stopped", State: container.StateExited},
		{ID: "odd", PID: 0},
		{ID: "huge", State: container.StateRunning},
		{ID: "twice"},
		{ID: "c", Name: "nginx", Image: "nginx:1", State: container.StateRunning, PID: 20, Labels: ownLabels, Pod: pod},
		{ID: "s", Name: pod.Name, State: container.StateRunning, PID: 21, Labels: podLabels, Sandbox: true, Pod: sandbox},
		{ID: "twice"},
		{ID: "d", State: container.StateRunning, PID: 30},
	}
	for i := range all {
		all[i].Runtime = cgroup.Containerd
	}
	return all
}

func TestList(t *testing.T) {
	all := known()
	for _, tt := range []struct {
		o    Options
		want []container.Container
	}{
		{Options{}, all},
		{Options{Namespaces: []string{"k8s.io"}}, all[9:12]},
		{Options{Except: []string{"k8s.io", "moby", "none"}}, all[:9]},
		{Options{Namespaces: []string{"moby", "none"}}, all[12:]},
		{Options{Namespaces: []string{"moby"}, Except: []string{"moby"}}, nil},
	} {
		r := open(t, some(), tt.o)
		got, err := r.List(t.Context())
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v: got %+v, %v\nwant %+v", tt.o, got, err, tt.want)
		}
		if r.Name() != cgroup.Containerd {
			t.Errorf("name %q", r.Name())
		}
	}
}

func TestInspect(t *testing.T) {
	r := open(t, some(), Options{})
	for _, want := range known() {
		if want.ID == "twice" {
			continue
		}
		if got, err := r.Inspect(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	for _, id := range []string{"nothing", "of no container", "", "pla"} {
		if got, err := r.Inspect(t.Context(), id); !errors.Is(err, container.ErrNotFound) {
			t.Errorf("%q: got %+v, %v, want %v", id, got, err, container.ErrNotFound)
		}
	}
}

// TestTwice has one ID in two namespaces.
func TestTwice(t *testing.T) {
	f := some()
	socket := open(t, f, Options{}).Socket()
	for _, tt := range []struct {
		running []string // the namespaces where it runs
		o       Options
		pid     int
		want    error
	}{
		{nil, Options{}, 0, container.ErrAmbiguous},
		{[]string{"k8s.io"}, Options{}, 1, nil},
		{[]string{"default"}, Options{}, 1, nil},
		{[]string{"default", "k8s.io"}, Options{}, 0, container.ErrAmbiguous},
		{[]string{"default", "k8s.io"}, Options{Except: []string{"default"}}, 1, nil},
	} {
		for i, s := range some().spaces {
			if slices.Contains(tt.running, s.name) {
				s.tasks = append(s.tasks, &task.Process{ID: "twice", Pid: 1, Status: task.Status_RUNNING})
			}
			f.spaces[i] = s
		}
		got, err := Open(socket, tt.o).Inspect(t.Context(), "twice")
		if !errors.Is(err, tt.want) || got.PID != tt.pid {
			t.Errorf("%v %v: got %+v, %v, want %v", tt.running, tt.o, got, err, tt.want)
		}
	}
}

// TestTaskFails has a task that cannot be asked, as where its shim hangs.
func TestTaskFails(t *testing.T) {
	f := some()
	f.taken = errors.New("the shim hangs")
	if got, err := open(t, f, Options{}).Inspect(t.Context(), "plain"); err == nil || errors.Is(err, container.ErrNotFound) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestNamespaceNames has names that cannot be one.
func TestNamespaceNames(t *testing.T) {
	for _, name := range []string{"", "a\nb", "a\x00", "ä", strings.Repeat("a", 1<<20)} {
		f := some()
		f.spaces = append(f.spaces, space{name: name})
		if all, err := open(t, f, Options{}).List(t.Context()); err == nil && len(all) != len(known()) {
			t.Errorf("%.10q: got %d", name, len(all))
		}
	}
}

func TestUnsupported(t *testing.T) {
	socket := rpctest.Socket(t)
	rpctest.Serve(t, socket, func(*grpc.Server) {})
	for _, o := range []Options{{}, {Namespaces: []string{"default"}}} {
		r := Open(socket, o)
		if _, err := r.List(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("List: got %v, want %v", err, errors.ErrUnsupported)
		}
		if _, err := r.Inspect(t.Context(), "c"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Inspect: got %v, want %v", err, errors.ErrUnsupported)
		}
	}
}

// TestHanging has calls that only their context ends.
func TestHanging(t *testing.T) {
	rpctest.Ends(t, open(t, crowd(1000), Options{}).Socket(), func(socket string) map[string]func(context.Context) error {
		r := Open(socket, Options{})
		return map[string]func(context.Context) error{
			"List":    func(ctx context.Context) error { _, err := r.List(ctx); return err },
			"Inspect": func(ctx context.Context) error { _, err := r.Inspect(ctx, "c"); return err },
		}
	})
}

func TestRestart(t *testing.T) {
	socket := rpctest.Socket(t)
	r := Open(socket, Options{})
	for range 3 {
		if _, err := r.List(t.Context()); err == nil {
			t.Fatal("an answer of nobody")
		}
		stop := rpctest.Serve(t, socket, some().register)
		if all, err := r.List(t.Context()); err != nil || len(all) != len(known()) {
			t.Errorf("got %d, %v", len(all), err)
		}
		stop()
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// crowd is a containerd with so many containers in a namespace, each with a
// spec as long as runc's.
func crowd(n int) *fake {
	s := space{name: "default"}
	spec := &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec", Value: []byte(strings.Repeat("x", 6000))}
	for i := range n {
		id := fmt.Sprintf("%064x", i)
		s.containers = append(s.containers, &containers.Container{
			ID: id, Image: "registry.example/team/service:v1.2.3", Spec: spec,
			Labels: map[string]string{labelNerdctl: fmt.Sprint("service-", i), "nerdctl/platform": "linux/amd64"},
		})
		s.tasks = append(s.tasks, &task.Process{ID: id, Pid: uint32(i + 1), Status: task.Status_RUNNING})
	}
	return &fake{spaces: []space{s}}
}

func TestMany(t *testing.T) {
	const n = 100_000
	all, err := open(t, crowd(n), Options{}).List(t.Context())
	if err != nil || len(all) != n {
		t.Fatalf("got %d, %v, want %d", len(all), err, n)
	}
	if last := all[n-1]; last.Name != "service-99999" || last.PID != n {
		t.Errorf("got %+v", last)
	}
}

// TestTooMany has two namespaces together have too many, and a few containers
// too much to say.
func TestTooMany(t *testing.T) {
	f := &fake{spaces: []space{{name: "a"}, {name: "b", containers: []*containers.Container{{}}}}}
	for range container.MaxContainers {
		f.spaces[0].containers = append(f.spaces[0].containers, &containers.Container{})
	}
	if all, err := open(t, f, Options{}).List(t.Context()); !errors.Is(err, container.ErrTooMany) || all != nil {
		t.Errorf("got %d, %v, want %v", len(all), err, container.ErrTooMany)
	}
	long := &containers.Container{ID: "a", Labels: map[string]string{"a": strings.Repeat("a", 1<<20)}}
	f = &fake{spaces: []space{{name: "a", containers: slices.Repeat([]*containers.Container{long}, 129)}}}
	if _, err := open(t, f, Options{}).List(t.Context()); !errors.Is(err, container.ErrTooMany) {
		t.Errorf("got %v, want %v", err, container.ErrTooMany)
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		r := open(b, crowd(n), Options{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.List(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
