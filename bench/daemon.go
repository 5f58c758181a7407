package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// daemonRole is of a process that answers as Docker does, and of one that does
// not answer: in processes of their own, so that what they take is not counted.
const daemonRole = "daemon"

// An engine is what a daemon is told to be.
type engine struct {
	Socket string
	// Hangs says that it takes connections, and never answers.
	Hangs      bool
	Containers []inhabited
}

// An inhabited container is one that the bench has put processes in.
type inhabited struct {
	ID, Name string
	PID      int // its first process
}

// image is what all of them were made from.
const image = "nginx:1.27"

// A daemon is a process that plays an engine.
type daemon struct {
	cmd *exec.Cmd
	in  io.Closer
}

// newDaemon starts one, which listens when newDaemon returns. It ends with Close
// and also when this program ends in any way.
func newDaemon(e engine) (*daemon, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{roleVariable + "=" + daemonRole}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, in: in}
	err = json.NewEncoder(in).Encode(e)
	if err == nil {
		var ready string
		err = json.NewDecoder(out).Decode(&ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a daemon: %w", err), d.Close())
	}
	return d, nil
}

// Close ends it.
func (d *daemon) Close() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// listen is the daemon. It ends when no more can come from the bench.
func listen(from io.Reader, to io.Writer) error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	in := json.NewDecoder(from)
	var e engine
	if err := in.Decode(&e); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // the bench has ended already
		}
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", e.Socket)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- e.serve(l) }()
	err = json.NewEncoder(to).Encode("ready")
	if err == nil {
		err = ended(in)
	}
	err = errors.Join(err, l.Close())
	if serveErr := <-served; !errors.Is(serveErr, net.ErrClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// serve answers until l is closed.
func (e *engine) serve(l net.Listener) error {
	if e.Hangs {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				_, _ = io.Copy(io.Discard, c) // until the other side gives up
				_ = c.Close()
			}()
		}
	}
	h, err := e.handler()
	if err != nil {
		return err
	}
	server := http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	return server.Serve(l)
}

// handler answers as Docker 20.10 does, whose API has the version 1.41.
func (e *engine) handler() (http.Handler, error) {
	var all []map[string]any
	each := make(map[string][]byte, len(e.Containers))
	for i := range e.Containers {
		c := &e.Containers[i]
		all = append(all, c.summary())
		text, err := json.Marshal(c.inspection())
		if err != nil {
			return nil, err
		}
		each[c.ID] = text
	}
	list, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Api-Version", "1.41")
		h.Set("Ostype", "linux")
		h.Set("Server", "Docker/20.10.24 (linux)")
		path := r.URL.Path
		if rest, ok := strings.CutPrefix(path, "/v"); ok { // the version of the API
			if _, after, ok := strings.Cut(rest, "/"); ok {
				path = "/" + after
			}
		}
		if path == "/_ping" {
			_, _ = io.WriteString(w, "OK") // whoever asked may have left
			return
		}
		h.Set("Content-Type", "application/json")
		text, ok := each[strings.TrimSuffix(strings.TrimPrefix(path, "/containers/"), "/json")]
		switch {
		case path == "/containers/json":
			text = list
		case path == "/version":
			text = []byte(`{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux"}`)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			text = []byte(`{"message":"No such container"}`)
		}
		_, _ = w.Write(text)
	}), nil
}

// labels are such as Compose writes.
func (c *inhabited) labels() map[string]string {
	return map[string]string{
		"com.docker.compose.container-number": "1",
		"com.docker.compose.oneoff":           "False",
		"com.docker.compose.project":          "bench",
		"com.docker.compose.service":          c.Name,
		"maintainer":                          "NGINX Docker Maintainers",
	}
}

// started is when all of them were.
const started = "2026-01-02T03:04:05.678901234Z"

// digest is of the image.
const digest = "sha256:5e3c4f9a0b1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f"

func (c *inhabited) network() map[string]any {
	return map[string]any{"bench_default": map[string]any{
		"IPAMConfig": nil, "Links": nil, "Aliases": nil, "DriverOpts": nil,
		"NetworkID": c.ID, "EndpointID": c.ID,
		"Gateway": "172.18.0.1", "IPAddress": "172.18.0.2", "IPPrefixLen": 16,
		"IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
		"MacAddress": "02:42:ac:12:00:02",
	}}
}

// summary is what a list has of it.
func (c *inhabited) summary() map[string]any {
	return map[string]any{
		"Id": c.ID, "Names": []string{"/" + c.Name},
		"Image": image, "ImageID": digest,
		"Command": "/docker-entrypoint.sh nginx -g 'daemon off;'", "Created": 1767323045,
		"Ports":  []map[string]any{{"PrivatePort": 80, "Type": "tcp"}},
		"Labels": c.labels(), "State": "running", "Status": "Up 2 hours",
		"HostConfig":      map[string]any{"NetworkMode": "bench_default"},
		"NetworkSettings": map[string]any{"Networks": c.network()},
		"Mounts":          []any{},
	}
}

// inspection is what there is to say of it alone.
func (c *inhabited) inspection() map[string]any {
	return map[string]any{
		"Id": c.ID, "Created": started, "Path": "/docker-entrypoint.sh", "Args": []string{"nginx", "-g", "daemon off;"},
		"State": map[string]any{
			"Status": "running", "Running": true, "Paused": false, "Restarting": false, "OOMKilled": false, "Dead": false,
			"Pid": c.PID, "ExitCode": 0, "Error": "", "StartedAt": started, "FinishedAt": "0001-01-01T00:00:00Z",
		},
		"Image": digest, "Name": "/" + c.Name, "RestartCount": 0, "Driver": "overlay2", "Platform": "linux",
		"HostConfig":      map[string]any{"NetworkMode": "bench_default", "CgroupParent": ""},
		"Mounts":          []any{},
		"Config":          map[string]any{"Hostname": c.ID[:12], "Image": image, "Labels": c.labels(), "Env": []string{"NGINX_VERSION=1.27.3"}},
		"NetworkSettings": map[string]any{"Networks": c.network()},
	}
}
