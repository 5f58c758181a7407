package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/moby/moby/client"

	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
)

// A server is who was met at the socket.
type server struct {
	name cgroup.Runtime
	api  *client.Client
	// libpod is the version of Podman's own API, empty where it is not Podman.
	libpod string
	http   *http.Client
}

// meet asks who is there. It speaks the newest version of the API that both
// know, also where that is older than what the client itself would take: what
// is asked for here has been there since 1.21.
func (r *Runtime) meet(ctx context.Context, said *note) (*server, error) {
	pong, err := r.greeter.Ping(ctx, client.PingOptions{})
	if err != nil {
		return nil, err
	}
	v := oldest
	if pong.APIVersion != "" {
		named, ok := parseVersion(pong.APIVersion)
		if !ok {
			return nil, fmt.Errorf("no version of the API: %.32q", pong.APIVersion)
		}
		v = newest.atMost(named)
	}
	s := &server{name: cgroup.Docker, http: &http.Client{Transport: r.transport}}
	if s.api, err = r.client(v); err != nil {
		return nil, err
	}
	if named := said.header.Get("Libpod-Api-Version"); named != "" {
		s.name, s.libpod = cgroup.Podman, libpodVersion(named)
	}
	if r.o.Name != "" {
		s.name = r.o.Name
	}
	return s, nil
}

func (s *server) list(ctx context.Context) ([]container.Container, error) {
	answer, err := s.api.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, err
	}
	// After the containers, so that each that was there has its pod.
	pods, err := s.members(ctx, "")
	if err != nil {
		return nil, err
	}
	list := make([]container.Container, len(answer.Items))
	for i := range answer.Items {
		item := &answer.Items[i]
		if item.ID == "" {
			return nil, errors.New("a container without an ID")
		}
		list[i] = s.fromSummary(item)
		if m, ok := pods[item.ID]; ok {
			m.complete(&list[i])
		}
	}
	return list, nil
}

func (s *server) inspect(ctx context.Context, id string) (container.Container, error) {
	if !isID(id) {
		return container.Container{}, container.ErrNotFound
	}
	answer, err := s.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return container.Container{}, err
	}
	if answer.Container.ID != id { // the name of another one, or the beginning of its ID
		return container.Container{}, container.ErrNotFound
	}
	c := s.fromInspect(&answer.Container)
	pods, err := s.members(ctx, id)
	if err != nil {
		return container.Container{}, err
	}
	if m, ok := pods[id]; ok {
		m.complete(&c)
	}
	return c, nil
}

// isID reports whether s can be an ID, and so can be asked for: in a path,
// others would be another question.
func isID(s string) bool {
	const most = 128
	if s == "" || len(s) > most || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || '9' < c) && (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// members returns what Podman's own API says of the container with the ID, or
// of all for none. It is nil for a server that has no such API.
func (s *server) members(ctx context.Context, id string) (map[string]member, error) {
	if s.libpod == "" {
		return nil, nil
	}
	query := url.Values{"all": {"true"}}
	if id != "" {
		filter, err := json.Marshal(map[string][]string{"id": {id}})
		if err != nil {
			return nil, err
		}
		query.Set("filters", string(filter))
	}
	u := url.URL{
		Scheme: "http", Host: client.DummyHost,
		Path: "/v" + s.libpod + "/libpod/containers/json", RawQuery: query.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	all := map[string]member{}
	for list := newElements(resp.Body); ; {
		var m member
		err := list.next(&m, nil)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all[m.ID] = m
	}
}

// A member is what Podman's own API says of a container.
type member struct {
	ID      string `json:"Id"`
	Pod     string // its ID
	PodName string
	IsInfra bool
	Pid     int
}

// complete adds what Docker's API does not say of a container.
func (m *member) complete(c *container.Container) {
	if c.Pod == (container.Pod{}) {
		c.Pod = container.Pod{UID: m.Pod, Name: m.PodName}
	}
	c.Sandbox = c.Sandbox || m.IsInfra
	if c.PID == 0 {
		c.PID = pidOf(c.State, m.Pid)
	}
}
