package docker

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

const (
	id1 = "40d877e0aebae3a165ac5e0cafedb1b4372281ed65797c3861f23f84e2de92c9"
	id2 = "cdaa92f85ca699a5f6f3b6822aafeb77fcb492ec1595b7ae0ebec0805cfde492"
	id3 = "6607920132fd97c920297429be46ac9ed3c5ed03407e7aee70cb8b05f16d49ec"
	id4 = "713627cb0e6c1dde5217962717420d4ebcf698a478b2dbe589235ccd7985249c"
)

// dockerList has what no client of today could read: an address and a port.
const dockerList = `[
{"Id":"` + id1 + `","Names":["/shop/db","/web"],"Image":"nginx:1.27","ImageID":"sha256:ca5e","Command":"nginx","Created":1795696134,
 "Ports":[{"IP":"everywhere","PrivatePort":"eighty"}],"State":"running","Status":"Up 5 seconds",
 "Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"web"},
 "HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"none":{"IPAddress":"300.1.1.1","MacAddress":"?"}}},"Mounts":[]},
{"Id":"` + id2 + `","Names":["/k8s_nginx_web-7d4f_default_1_0"],"Image":"sha256:ca5e","ImageID":"sha256:ca5e","State":"paused",
 "Labels":{"io.kubernetes.container.name":"nginx","io.kubernetes.docker.type":"container","io.kubernetes.pod.name":"web-7d4f",
  "io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"11111111-2222-3333-4444-555555555555"}},
{"Id":"` + id3 + `","Names":["/k8s_POD_web-7d4f_default_1_0"],"Image":"pause:3.9","State":"created",
 "Labels":{"io.kubernetes.container.name":"POD","io.kubernetes.docker.type":"podsandbox","io.kubernetes.pod.name":"web-7d4f",
  "io.kubernetes.pod.namespace":"default","io.kubernetes.pod.uid":"11111111-2222-3333-4444-555555555555"}},
{"Id":"` + id4 + `","Names":null,"Image":"","ImageID":"sha256:","Labels":null,"State":"dead"}
]`

func TestList(t *testing.T) {
	e := &engine{version: "1.41", list: dockerList}
	r := open(t, e)
	got, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pod := container.Pod{UID: "11111111-2222-3333-4444-555555555555", Name: "web-7d4f", Namespace: "default"}
	want := []container.Container{
		{ID: id1, Name: "web", Image: "nginx:1.27", State: container.StateRunning},
		{ID: id2, Name: "nginx", Image: "sha256:ca5e", State: container.StatePaused, Pod: pod},
		{ID: id3, Image: "pause:3.9", State: container.StateCreated, Pod: pod, Sandbox: true},
		{ID: id4, State: container.StateExited},
	}
	if len(got) != len(want) {
		t.Fatalf("%d containers, want %d", len(got), len(want))
	}
	labels := []int{2, 5, 5, 0}
	service, project := got[0].ComposeService()
	if service != "web" || project != "shop" {
		t.Errorf("compose service %q of %q", service, project)
	}
	for i := range want {
		if len(got[i].Labels) != labels[i] {
			t.Errorf("%s: labels %q, want %d of them", got[i].ID, got[i].Labels, labels[i])
		}
		want[i].Runtime, got[i].Labels = cgroup.Docker, nil
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got %+v\nwant %+v", got[i], want[i])
		}
	}
	if asked := e.asked(); !slices.Equal(asked, []string{"GET /_ping", "GET /v1.41/containers/json?all=1"}) {
		t.Errorf("asked %q", asked)
	}
}

func TestListOfNone(t *testing.T) {
	for _, list := range []string{"[]", "null", " [ ] \n"} {
		got, err := open(t, &engine{version: "1.41", list: list}).List(t.Context())
		if err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

func TestInspect(t *testing.T) {
	e := &engine{version: "1.41", each: map[string]string{
		id1: `{"Id":"` + id1 + `","Name":"/web","Image":"sha256:ca5e","Created":"never",
			"State":{"Status":"running","Running":true,"Pid":23998,"StartedAt":"2026-11-26T12:28:55.731403028Z","FinishedAt":"0001-01-01T00:00:00Z"},
			"Config":{"Image":"nginx:1.27","ExposedPorts":7,"Labels":{"a":"b"}},"HostConfig":{"PortBindings":[]}}`,
		id2:   `{"Id":"` + id2 + `","Name":"/gone","Image":"sha256:ca5e","State":{"Status":"exited","Pid":77,"StartedAt":"0001-01-01T00:00:00Z"}}`,
		id3:   `{"Id":"` + id3 + `"}`,
		"web": `{"Id":"` + id1 + `","Name":"/web"}`,
	}}
	r := open(t, e)
	for _, want := range []container.Container{
		{
			ID: id1, Name: "web", Image: "nginx:1.27", State: container.StateRunning, PID: 23998,
			Started: time.Date(2026, 11, 26, 12, 28, 55, 731403028, time.UTC), Labels: map[string]string{"a": "b"},
		},
		{ID: id2, Name: "gone", Image: "sha256:ca5e", State: container.StateExited},
		{ID: id3},
	} {
		want.Runtime = cgroup.Docker
		if got, err := r.Inspect(t.Context(), want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	if asked := e.asked(); len(asked) != 4 || asked[0] != "GET /_ping" || asked[3] != "GET /v1.41/containers/"+id3+"/json" {
		t.Errorf("asked %q", asked)
	}
	// Not there; the name of one; and what cannot be asked for.
	bad := []string{id4, "web", "", "..", ".", "a/b", id1 + "/export", "x?all=1", "a b", "\n", strings.Repeat("a", 1000)}
	for _, id := range bad {
		if got, err := r.Inspect(t.Context(), id); !errors.Is(err, container.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) || got.ID != "" {
			t.Errorf("%q: got %+v, %v, want ErrNotFound", id, got, err)
		}
	}
	if asked := e.asked(); len(asked) != 2 {
		t.Errorf("asked %q", asked)
	}
}

// Docker's API of Podman has no pods, so its own one is asked for them.
func TestPodman(t *testing.T) {
	e := &engine{
		version: "1.41", libpod: "4.3.1",
		list: `[{"Id":"` + id1 + `","Names":["/inpod"],"Image":"","ImageID":"sha256:","State":"running","Labels":{},"Name":"","Config":null},
			{"Id":"` + id2 + `","Names":["/44cca16f433c-infra"],"Image":"localhost/podman-pause:4.3.1","State":"running"},
			{"Id":"` + id3 + `","Names":["/alone"],"State":"exited"}]`,
		members: `[{"Id":"` + id1 + `","Pod":"` + id4 + `","PodName":"shop","IsInfra":false,"Pid":29706,"StartedAt":-62135596800,"Labels":null},
			{"Id":"` + id2 + `","Pod":"` + id4 + `","PodName":"shop","IsInfra":true,"Pid":29705},
			{"Id":"` + id3 + `","Pod":"","PodName":"","IsInfra":false,"Pid":5}]`,
		each: map[string]string{id1: `{"Id":"` + id1 + `","Name":"/inpod","State":{"Status":"running","Pid":29706}}`},
	}
	r := open(t, e)
	pod := container.Pod{UID: id4, Name: "shop"}
	want := []container.Container{
		{ID: id1, Name: "inpod", State: container.StateRunning, PID: 29706, Pod: pod},
		{ID: id2, Name: "44cca16f433c-infra", Image: "localhost/podman-pause:4.3.1", State: container.StateRunning, PID: 29705, Pod: pod, Sandbox: true},
		{ID: id3, Name: "alone", State: container.StateExited},
	}
	got, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, err := r.Inspect(t.Context(), id1)
	if err != nil {
		t.Fatal(err)
	}
	got, want = append(got, one), append(want, want[0])
	for i := range want {
		want[i].Runtime = cgroup.Podman
		if len(got[i].Labels) == 0 {
			got[i].Labels = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if r.Name() != cgroup.Podman {
		t.Errorf("name %q", r.Name())
	}
	if asked := e.asked(); !slices.Equal(asked, []string{
		"GET /_ping",
		"GET /v1.41/containers/json?all=1",
		"GET /v4.3.1/libpod/containers/json?all=true",
		"GET /v1.41/containers/" + id1 + "/json",
		"GET /v4.3.1/libpod/containers/json?all=true&filters=%7B%22id%22%3A%5B%22" + id1 + "%22%5D%7D",
	}) {
		t.Errorf("asked %q", asked)
	}
}

func TestName(t *testing.T) {
	for socket, want := range map[string]cgroup.Runtime{
		"":                     cgroup.Docker,
		"/run/docker.sock":     cgroup.Docker,
		"/run/podman/x.sock":   cgroup.Podman,
		"/home/u/podman.sock":  cgroup.Podman,
		"/run/user/1/d.sock":   cgroup.Docker,
		"relative/socket/path": cgroup.Docker,
	} {
		r := openAt(t, Options{Socket: socket})
		if r.Name() != want {
			t.Errorf("%s: %q before it was asked, want %q", socket, r.Name(), want)
		}
		if socket == "" {
			socket = DefaultSocket
		}
		if r.Socket() != socket {
			t.Errorf("socket %q, want %q", r.Socket(), socket)
		}
	}
	socket := filepath.Join(t.TempDir(), "podman.sock")
	serve(t, socket, &engine{version: "1.41", list: dockerList})
	r := openAt(t, Options{Socket: socket})
	if _, err := r.List(t.Context()); err != nil || r.Name() != cgroup.Docker {
		t.Errorf("%q after it was asked, %v", r.Name(), err)
	}
	r = openAt(t, Options{Socket: socket, Name: "own"})
	list, err := r.List(t.Context())
	if err != nil || r.Name() != "own" || list[0].Runtime != "own" {
		t.Errorf("%q, %v", r.Name(), err)
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(Options{Socket: "/" + strings.Repeat("a", 200)}); err == nil {
		t.Error("a path that no socket can have is opened")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for socket, want := range map[string]error{
		filepath.Join(dir, "none"): fs.ErrNotExist,
		file:                       syscall.ECONNREFUSED,
	} {
		r := openAt(t, Options{Socket: socket})
		_, err := r.List(t.Context())
		if !errors.Is(err, want) || errors.Is(err, container.ErrNotFound) || !strings.Contains(err.Error(), socket) {
			t.Errorf("%v, want %v", err, want)
		}
		if _, again := r.List(t.Context()); again == nil || again.Error() != err.Error() {
			t.Errorf("%v, and then %v", err, again)
		}
	}
}

// Another server at the same path is met with the next list, or after it has
// refused a question.
func TestRestart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	each := map[string]string{id1: `{"Id":"` + id1 + `"}`}
	stop := serve(t, socket, &engine{version: "1.41", list: dockerList, each: each})
	r := openAt(t, Options{Socket: socket})
	if list, err := r.List(t.Context()); err != nil || len(list) != 4 {
		t.Fatal(list, err)
	}
	stop()
	if _, err := r.Inspect(t.Context(), id1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v while there is none", err)
	}
	stop = serve(t, socket, &engine{version: "1.41", each: each})
	if _, err := r.Inspect(t.Context(), id1); err != nil {
		t.Error(err)
	}
	stop()
	stop = serve(t, socket, &engine{version: "1.52", oldest: "v1.44", each: each})
	if _, err := r.Inspect(t.Context(), id1); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("%v from a server that does not serve the version", err)
	}
	if _, err := r.Inspect(t.Context(), id1); err != nil {
		t.Error(err)
	}
	stop()
	serve(t, socket, &engine{version: "1.41", libpod: "5.4.2", list: "[]", members: "[]"})
	if list, err := r.List(t.Context()); err != nil || len(list) != 0 || r.Name() != cgroup.Podman {
		t.Error(list, err, r.Name())
	}
}

func TestVersions(t *testing.T) {
	for named, want := range map[string]string{
		"1.41": "v1.41", "1.24": "v1.24", "1.40": "v1.40", newest.String(): "v" + newest.String(),
		"1.999": "v" + newest.String(), "2.0": "v" + newest.String(), "": "v" + oldest.String(),
		"x": "", "1": "", "1.": "", "-1.5": "", "1.41/../..": "", "99999999999999999999.1": "", "1.99999999999999999999": "",
	} {
		e := &engine{version: named, list: "[]"}
		r := open(t, e)
		_, err := r.List(t.Context())
		asked := e.asked()
		if want == "" {
			if err == nil || len(asked) != 1 {
				t.Errorf("%q: %v, asked %q", named, err, asked)
			}
			continue
		}
		if err != nil || asked[1] != "GET /"+want+"/containers/json?all=1" {
			t.Errorf("%q: %v, asked %q", named, err, asked)
		}
	}
	for named, want := range map[string]string{
		"4.3.1": "4.3.1", "5.0.0-dev": "5.0.0", "3.4": "4.0.0", "x": "4.0.0", "1.2.3/../x": "4.0.0", "..": "4.0.0",
		strings.Repeat("1", 100) + ".0.0": "4.0.0",
	} {
		if got := libpodVersion(named); got != want {
			t.Errorf("libpod %q: got %q, want %q", named, got, want)
		}
	}
}

func TestConcurrent(t *testing.T) {
	e := &engine{version: "1.41", list: dockerList, each: map[string]string{id1: `{"Id":"` + id1 + `"}`}}
	r := open(t, e)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 5 {
				if list, err := r.List(t.Context()); err != nil || len(list) != 4 {
					t.Error(list, err)
				}
				if _, err := r.Inspect(t.Context(), id1); err != nil {
					t.Error(err)
				}
				if _, err := r.Inspect(t.Context(), id2); !errors.Is(err, container.ErrNotFound) {
					t.Error(err)
				}
				if r.Name() != cgroup.Docker {
					t.Error(r.Name())
				}
			}
		})
	}
	asking.Wait()
	kinds := map[string]bool{}
	for _, a := range e.asked() {
		kinds[a] = true
	}
	if len(kinds) != 4 {
		t.Errorf("asked %q", slices.Collect(maps.Keys(kinds)))
	}
}
