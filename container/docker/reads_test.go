package docker

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

// Whatever the client is told to do, nothing but what reads is sent.
func TestOnlyReads(t *testing.T) {
	e := &engine{version: "1.41", list: "[]"}
	r := open(t, e)
	if _, err := r.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.asked()
	api, ctx := r.server.Load().api, t.Context()
	for what, do := range map[string]func() error{
		"start":  func() error { _, err := api.ContainerStart(ctx, id1, client.ContainerStartOptions{}); return err },
		"stop":   func() error { _, err := api.ContainerStop(ctx, id1, client.ContainerStopOptions{}); return err },
		"kill":   func() error { _, err := api.ContainerKill(ctx, id1, client.ContainerKillOptions{}); return err },
		"remove": func() error { _, err := api.ContainerRemove(ctx, id1, client.ContainerRemoveOptions{}); return err },
		"exec":   func() error { _, err := api.ExecCreate(ctx, id1, client.ExecCreateOptions{}); return err },
		"copy": func() error {
			_, err := api.CopyToContainer(ctx, id1, client.CopyToContainerOptions{DestinationPath: "/", Content: strings.NewReader("x")})
			return err
		},
		"stat": func() error {
			_, err := api.ContainerStatPath(ctx, id1, client.ContainerStatPathOptions{Path: "/"})
			return err
		},
		"export": func() error { _, err := api.ContainerExport(ctx, id1, client.ContainerExportOptions{}); return err },
		"logs":   func() error { _, err := api.ContainerLogs(ctx, id1, client.ContainerLogsOptions{}); return err },
		"images": func() error { _, err := api.ImageList(ctx, client.ImageListOptions{}); return err },
	} {
		if err := do(); !errors.Is(err, errNotRead) {
			t.Errorf("%s: %v, want errNotRead", what, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://d/v1.41/containers/json", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Upgrade", "websocket")
	if _, err := r.transport.RoundTrip(req); !errors.Is(err, errNotRead) {
		t.Errorf("upgrade: %v, want errNotRead", err)
	}
	if asked := e.asked(); len(asked) != 0 {
		t.Errorf("sent %q", asked)
	}
}
