package cri

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpctest"
)

// fake is a runtime that answers what it is told to.
type fake struct {
	cri.UnimplementedRuntimeServiceServer
	name       string
	containers []*cri.Container
	sandboxes  []*cri.PodSandbox
	statuses   map[string]*cri.ContainerStatusResponse // by the ID asked for
	pods       map[string]*cri.PodSandboxStatusResponse
}

func (f *fake) Version(context.Context, *cri.VersionRequest) (*cri.VersionResponse, error) {
	return &cri.VersionResponse{RuntimeName: f.name}, nil
}

func (f *fake) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	return &cri.ListContainersResponse{Containers: f.containers}, nil
}

func (f *fake) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	return &cri.ListPodSandboxResponse{Items: f.sandboxes}, nil
}

func (f *fake) ContainerStatus(_ context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	if s, ok := f.statuses[r.GetContainerId()]; ok {
		return s, nil
	}
	return nil, status.Error(codes.NotFound, "no container")
}

func (f *fake) PodSandboxStatus(_ context.Context, r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	if s, ok := f.pods[r.GetPodSandboxId()]; ok {
		return s, nil
	}
	return nil, status.Error(codes.NotFound, "no sandbox")
}

func open(tb testing.TB, f *fake) *Runtime {
	tb.Helper()
	socket := rpctest.Socket(tb)
	rpctest.Serve(tb, socket, func(s *grpc.Server) { cri.RegisterRuntimeServiceServer(s, f) })
	return Open(socket)
}

var (
	hash      = strings.Repeat("0123456789abcdef", 4)
	podLabels = map[string]string{"app": "web", "pod-template-hash": "7d4f"}
	ownLabels = map[string]string{labelContainer: "nginx", labelPod: "web-7d4f-x", labelNamespace: "default", labelUID: "u"}
	pod       = container.Pod{UID: "u", Name: "web-7d4f-x", Namespace: "default", Workload: "deployment/web"}
	metadata  = &cri.PodSandboxMetadata{Name: pod.Name, Uid: pod.UID, Namespace: pod.Namespace}
)

func TestList(t *testing.T) {
	r := open(t, &fake{
		name: "cri-o",
		containers: []*cri.Container{
			{Id: "c", PodSandboxId: "s", Labels: ownLabels, Image: &cri.ImageSpec{Image: "nginx:1"}, State: cri.ContainerState_CONTAINER_RUNNING},
			{Id: "named by its metadata", PodSandboxId: "s", Metadata: &cri.ContainerMetadata{Name: "m"}},
			{Id: "of no sandbox", PodSandboxId: "none", Labels: ownLabels, State: 77},
			{},
		},
		sandboxes: []*cri.PodSandbox{{Id: "s", Metadata: metadata, Labels: podLabels}, {State: 77}},
	})
	if r.Name() != "" {
		t.Errorf("before a call: name %q", r.Name())
	}
	got, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := pod
	own.Workload = ""
	want := []container.Container{
		{Runtime: cgroup.CRIO, ID: "c", Name: "nginx", Image: "nginx:1", State: container.StateRunning, Labels: ownLabels, Pod: pod},
		{Runtime: cgroup.CRIO, ID: "named by its metadata", Name: "m", State: container.StateCreated, Pod: pod},
		{Runtime: cgroup.CRIO, ID: "of no sandbox", Name: "nginx", Labels: ownLabels, Pod: own},
		{Runtime: cgroup.CRIO, State: container.StateCreated},
		{Runtime: cgroup.CRIO, ID: "s", Name: pod.Name, State: container.StateRunning, Labels: podLabels, Sandbox: true, Pod: pod},
		{Runtime: cgroup.CRIO, Sandbox: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if r.Name() != cgroup.CRIO {
		t.Errorf("name %q", r.Name())
	}
}

func TestInspect(t *testing.T) {
	const started = 1_700_000_000_000_000_001
	running := func(id, info string) *cri.ContainerStatusResponse {
		return &cri.ContainerStatusResponse{
			Status: &cri.ContainerStatus{Id: id, Metadata: &cri.ContainerMetadata{Name: "m"}, State: cri.ContainerState_CONTAINER_RUNNING, StartedAt: started, ImageRef: "nginx@sha256:" + hash, Labels: ownLabels},
			Info:   map[string]string{"info": info},
		}
	}
	sandbox := func(id, info string) *cri.PodSandboxStatusResponse {
		return &cri.PodSandboxStatusResponse{
			Status: &cri.PodSandboxStatus{Id: id, Metadata: metadata, Labels: podLabels},
			Info:   map[string]string{"info": info},
		}
	}
	exited := running("exited", `{"pid": 7}`)
	exited.Status.State = cri.ContainerState_CONTAINER_EXITED
	ended := sandbox("ended", `{"pid": 7}`)
	ended.Status.State = cri.PodSandboxState_SANDBOX_NOTREADY
	r := open(t, &fake{
		name: "containerd",
		statuses: map[string]*cri.ContainerStatusResponse{
			"c":                running("c", `{"sandboxID": "s", "pid": 42}`),
			"exited":           exited,
			"of no sandbox":    running("of no sandbox", `{"sandboxID": "none", "pid": 43}`),
			"of another":       running("of another", `{"sandboxID": "begin", "pid": 43}`),
			"begin":            running("beginning", `{"pid": 42}`),
			"empty":            {},
			"no info":          {Status: &cri.ContainerStatus{Id: "no info", StartedAt: -1}},
			"sandbox as wrong": running("sandbox as wrong", `{"sandboxID": 5, "pid": 44}`),
		},
		pods: map[string]*cri.PodSandboxStatusResponse{
			"s":     sandbox("s", `{"pid": 41}`),
			"ended": ended,
			"begin": sandbox("beginning", `{"pid": 41}`),
			"void":  {},
		},
	})
	own := pod
	own.Workload = ""
	c := container.Container{
		Runtime: cgroup.Containerd, ID: "c", Name: "nginx", Image: "nginx@sha256:" + hash, State: container.StateRunning,
		PID: 42, Started: time.Unix(0, started), Labels: ownLabels, Pod: pod,
	}
	of := func(id string, change func(*container.Container)) container.Container {
		c := c
		c.ID = id
		change(&c)
		return c
	}
	for _, want := range []container.Container{
		c,
		of("exited", func(c *container.Container) { c.State, c.PID, c.Pod = container.StateExited, 0, own }),
		of("of no sandbox", func(c *container.Container) { c.PID, c.Pod = 43, own }),
		of("of another", func(c *container.Container) { c.PID, c.Pod = 43, own }),
		of("sandbox as wrong", func(c *container.Container) { c.PID, c.Pod = 44, own }),
		{Runtime: cgroup.Containerd, ID: "no info", State: container.StateCreated},
		{Runtime: cgroup.Containerd, ID: "s", Name: pod.Name, State: container.StateRunning, PID: 41, Labels: podLabels, Sandbox: true, Pod: pod},
		{Runtime: cgroup.Containerd, ID: "ended", Name: pod.Name, State: container.StateExited, Labels: podLabels, Sandbox: true, Pod: pod},
	} {
		if got, err := r.Inspect(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	for _, id := range []string{"nothing", "begin", "empty", "void", ""} {
		if got, err := r.Inspect(t.Context(), id); !errors.Is(err, container.ErrNotFound) {
			t.Errorf("%q: got %+v, %v, want %v", id, got, err, container.ErrNotFound)
		}
	}
}

func TestPID(t *testing.T) {
	for info, want := range map[string]int{
		`{"pid": 1}`:                      1,
		`{"pid": 4194303}`:                4194303,
		`{"pid": 4194304}`:                0,
		`{"pid": 0}`:                      0,
		`{"pid": -1}`:                     0,
		`{"pid": 1.5}`:                    0,
		`{"pid": 1e30}`:                   0,
		`{"pid": 99999999999999999999}`:   0,
		`{"pid": "7"}`:                    0,
		`{"pid": null}`:                   0,
		`{"sandboxID": [], "pid": 7}`:     7,
		`{"pid": 7`:                       0,
		`[7]`:                             0,
		``:                                0,
		strings.Repeat("[", 100_000):      0,
		strings.Repeat(`{"pid":`, 10_000): 0,
	} {
		if got := readVerbose(map[string]string{"info": info}).pid(container.StateRunning); got != want {
			t.Errorf("%.40q: got %d, want %d", info, got, want)
		}
	}
	for state, want := range map[container.State]int{
		container.StateUnknown: 0, container.StateCreated: 7, container.StateRunning: 7, container.StatePaused: 7, container.StateExited: 0,
	} {
		if got := (verbose{PID: 7}).pid(state); got != want {
			t.Errorf("%v: got %d, want %d", state, got, want)
		}
	}
}

func TestImage(t *testing.T) {
	for _, tt := range []struct{ user, image, ref, want string }{
		{"", "nginx:1", "sha256:" + hash, "nginx:1"},
		{"", "sha256:" + hash, "nginx@sha256:" + hash, "nginx@sha256:" + hash},
		{"nginx:1", "sha256:" + hash, "nginx@sha256:" + hash, "nginx:1"},
		{"", hash, "", hash},
		{"", hash, "nginx", "nginx"},
		{"", "sha256:" + hash, hash, "sha256:" + hash},
		{"", "", "sha256:" + hash, "sha256:" + hash},
		{"", "", "", ""},
		{"", "sha256:abc", "x", "sha256:abc"},
	} {
		if got := imageOf(&cri.ImageSpec{Image: tt.image, UserSpecifiedImage: tt.user}, tt.ref); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
	if got := imageOf(nil, ""); got != "" {
		t.Errorf("of nothing: got %q", got)
	}
}

// TestUnsupported has a containerd whose CRI plugin is disabled.
func TestUnsupported(t *testing.T) {
	socket := rpctest.Socket(t)
	rpctest.Serve(t, socket, func(*grpc.Server) {})
	r := Open(socket)
	if _, err := r.List(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), socket) {
		t.Errorf("List: got %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := r.Inspect(t.Context(), "c"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Inspect: got %v, want %v", err, errors.ErrUnsupported)
	}
	if r.Name() != "" {
		t.Errorf("name %q", r.Name())
	}
}

// TestHanging has calls that only their context ends.
func TestHanging(t *testing.T) {
	rpctest.Ends(t, open(t, crowd(1000)).Socket(), func(socket string) map[string]func(context.Context) error {
		r := Open(socket)
		return map[string]func(context.Context) error{
			"List":    func(ctx context.Context) error { _, err := r.List(ctx); return err },
			"Inspect": func(ctx context.Context) error { _, err := r.Inspect(ctx, "c"); return err },
		}
	})
}

// TestRestart has another runtime come to the socket.
func TestRestart(t *testing.T) {
	socket := rpctest.Socket(t)
	r := Open(socket)
	for _, name := range []string{"containerd", "cri-o", "containerd"} {
		if _, err := r.List(t.Context()); err == nil {
			t.Fatal("an answer of nobody")
		}
		stop := rpctest.Serve(t, socket, func(s *grpc.Server) { cri.RegisterRuntimeServiceServer(s, &fake{name: name}) })
		if _, err := r.List(t.Context()); err != nil || string(r.Name()) != name {
			t.Errorf("got %q, %v, want %q", r.Name(), err, name)
		}
		stop()
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// crowd is a runtime with so many containers as the kubelet makes them, two to a
// pod.
func crowd(n int) *fake {
	f := &fake{name: "containerd"}
	for i := range n {
		s := fmt.Sprintf("%064x", i/2)
		uid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i/2)
		name := fmt.Sprintf("service-with-a-name-7d4f9c8b6d-%05d", i/2)
		labels := map[string]string{labelContainer: "container", labelPod: name, labelNamespace: "some-namespace", labelUID: uid}
		f.containers = append(f.containers, &cri.Container{
			Id:           fmt.Sprintf("%064x", n+i),
			PodSandboxId: s,
			Metadata:     &cri.ContainerMetadata{Name: "container", Attempt: 1},
			Image:        &cri.ImageSpec{Image: "sha256:" + hash, UserSpecifiedImage: "registry.example/team/service:v1.2.3"},
			ImageRef:     "sha256:" + hash,
			ImageId:      "sha256:" + hash,
			State:        cri.ContainerState_CONTAINER_RUNNING,
			CreatedAt:    1_700_000_000_000_000_000,
			Labels:       labels,
			Annotations: map[string]string{
				"io.kubernetes.container.hash":                     "1f2e3d4c",
				"io.kubernetes.container.ports":                    `[{"name":"http","containerPort":8080,"protocol":"TCP"}]`,
				"io.kubernetes.container.restartCount":             "0",
				"io.kubernetes.container.terminationMessagePath":   "/dev/termination-log",
				"io.kubernetes.container.terminationMessagePolicy": "File",
				"io.kubernetes.pod.terminationGracePeriod":         "30",
			},
		})
		if i%2 == 0 {
			of := maps.Clone(labels)
			delete(of, labelContainer)
			of["app.kubernetes.io/name"], of["app.kubernetes.io/instance"], of["pod-template-hash"] = "service-with-a-name", "production", "7d4f9c8b6d"
			f.sandboxes = append(f.sandboxes, &cri.PodSandbox{
				Id:          s,
				Metadata:    &cri.PodSandboxMetadata{Name: name, Uid: uid, Namespace: "some-namespace"},
				Labels:      of,
				Annotations: map[string]string{"kubernetes.io/config.seen": "2024-01-01T00:00:00.000000000Z", "kubernetes.io/config.source": "api"},
			})
		}
	}
	return f
}

func TestMany(t *testing.T) {
	const n = 100_000
	all, err := open(t, crowd(n)).List(t.Context())
	if err != nil || len(all) != n+n/2 {
		t.Fatalf("got %d, %v, want %d", len(all), err, n+n/2)
	}
	last := all[n-1]
	if want := "container (pod some-namespace/service-with-a-name-7d4f9c8b6d-49999, image registry.example/team/service:v1.2.3)"; last.String() != want {
		t.Errorf("got %v, want %v", last.String(), want)
	}
	if last.Pod.Workload != "deployment/service-with-a-name" || all[len(all)-1].Pod != last.Pod {
		t.Errorf("got %+v of the container, %+v of the sandbox", last.Pod, all[len(all)-1].Pod)
	}
}

// TestTooMany has the containers and the sandboxes together be one too many.
func TestTooMany(t *testing.T) {
	f := &fake{sandboxes: []*cri.PodSandbox{{}}}
	for range container.MaxContainers {
		f.containers = append(f.containers, &cri.Container{})
	}
	r := open(t, f)
	if all, err := r.List(t.Context()); !errors.Is(err, container.ErrTooMany) || all != nil {
		t.Errorf("got %d, %v, want %v", len(all), err, container.ErrTooMany)
	}
	f.sandboxes = nil
	if all, err := r.List(t.Context()); err != nil || len(all) != container.MaxContainers {
		t.Errorf("got %d, %v, want %d", len(all), err, container.MaxContainers)
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		f := crowd(n)
		r := open(b, f)
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

func FuzzVerbose(f *testing.F) {
	f.Add(`{"sandboxID": "s", "pid": 42}`)
	f.Add(`{"pid": -1}`)
	f.Add(`{"pid": 1e9, "sandboxID": null`)
	f.Fuzz(func(t *testing.T, info string) {
		if pid := readVerbose(map[string]string{"info": info}).pid(container.StateRunning); pid < 0 || pid >= maxPID {
			t.Errorf("got PID %d", pid)
		}
	})
}
