package api_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/internal/linuxtest"
)

// overAs returns a client that connects as the user and group.
func overAs(t testing.TB, path string, id int) *http.Client {
	tr := &http.Transport{DialContext: func(_ context.Context, _, _ string) (net.Conn, error) {
		type dialed struct {
			net.Conn
			error
		}
		done := make(chan dialed)
		go func() {
			runtime.LockOSThread() // and with the goroutine the thread ends
			for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
				if _, _, errno := unix.RawSyscall(call, uintptr(id), uintptr(id), uintptr(id)); errno != 0 {
					done <- dialed{nil, errno}
					return
				}
			}
			c, err := net.Dial("unix", path)
			done <- dialed{c, err}
		}()
		d := <-done
		return d.Conn, d.error
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// pids are the PIDs of processes.
func pids(list []answer.Process) (pids []int) {
	for i := range list {
		pids = append(pids, list[i].PID)
	}
	return pids
}

// TestOrdinaryUser holds what a user who is not root sees of the processes of
// others, whom the kernel tells.
func TestOrdinaryUser(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	const user = 1000
	for _, test := range []struct {
		hide        api.HidePID
		known, args bool // of processes of others
	}{{api.HideNothing, true, true}, {api.HideArgs, true, false}, {api.HideProcess, false, false}} {
		tree, history := world()
		path := serve(t, api.Options{Tree: tree, History: history, HidePID: test.hide})
		root, other := over(t, path), overAs(t, path, user)
		if s := ask[api.Status](t, root, "/v1/status"); s.Sees != "all" {
			t.Errorf("root sees %s", s.Sees)
		}
		if s := ask[api.Status](t, other, "/v1/status"); s.Sees != "own" {
			t.Errorf("the user sees %s", s.Sees)
		}
		if p := ask[api.One](t, root, "/v1/processes/7").Process; p.Exe == nil || p.Args == nil {
			t.Errorf("root sees %+v", p)
		}
		for _, own := range []string{"/v1/processes/6", "/v1/processes/6?at=0s"} {
			if p := ask[api.One](t, other, own).Process; p.Args == nil || p.File == nil && p.Execs[0].File == nil {
				t.Errorf("of its own %s it sees %+v", own, p)
			}
		}
		for _, of := range []string{"/v1/processes/7", "/v1/processes/7?at=0s"} {
			if !test.known {
				refuse(t, other, http.StatusNotFound, of)
				continue
			}
			p := ask[api.One](t, other, of).Process
			if p.Exe != nil || p.File != nil || test.args != (p.Args != nil) || p.Execs != nil && p.Execs[0].File != nil {
				t.Errorf("hidepid %d: of %s it sees %+v", test.hide, of, p)
			}
		}
		for _, list := range []string{"/v1/processes", "/v1/processes?at=0s", "/v1/history?since=25h&limit=100", "/v1/processes/1/descendants"} {
			if !test.known && strings.Contains(list, "/1/") {
				continue
			}
			a := ask[api.Processes](t, other, list)
			if got := slices.Contains(pids(a.Processes), 7); got != test.known {
				t.Errorf("hidepid %d: %s has %v", test.hide, list, pids(a.Processes))
			}
			if test.known == false && a.Complete {
				t.Errorf("hidepid %d: %s says that it is complete", test.hide, list)
			}
		}
		// No question tells what its answer may not.
		for _, list := range []string{"/v1/processes?q=token", "/v1/history?q=token&since=25h", "/v1/processes?q=match:hunter2", "/v1/tree?q=token&since=25h"} {
			_, body := fetch(t, other, list)
			if got := bytes.Contains(body, []byte(`"7@40`)); got != (test.args && !strings.Contains(list, "hunter2")) {
				t.Errorf("hidepid %d: %s: %s", test.hide, list, body)
			}
		}
		for _, list := range []string{"/v1/tree", "/v1/tree?since=25h", "/v1/export?since=25h", "/v1/processes/6/ancestors", "/v1/processes/6/lineage?at=0s", "/v1/processes/6"} {
			_, body := fetch(t, other, list)
			if got := bytes.Contains(body, []byte("/sbin/init")); got && !test.args {
				t.Errorf("hidepid %d: %s has arguments of others: %s", test.hide, list, body)
			}
			if bytes.Contains(body, []byte("sshd")) && !test.known {
				t.Errorf("hidepid %d: %s has processes of others: %s", test.hide, list, body)
			}
		}
	}
}

// TestSecrets holds that what looks like a secret is in no answer, unless it is
// wanted.
func TestSecrets(t *testing.T) {
	for _, show := range []bool{false, true} {
		tree, history := world()
		c := over(t, serve(t, api.Options{Tree: tree, History: history, ShowSecrets: show}))
		for _, path := range []string{
			"/v1/processes", "/v1/processes/6", "/v1/processes/6?at=0s", "/v1/history?since=25h", "/v1/tree", "/v1/tree?since=25h",
			"/v1/export?since=25h", "/v1/export?since=25h&format=perfetto",
		} {
			_, body := fetch(t, c, path)
			if got := bytes.Contains(body, []byte("hunter2")); got != show {
				t.Errorf("%s: shown %t, want %t", path, got, show)
			}
		}
		if got := len(ask[api.Processes](t, c, "/v1/processes?q=hunter2").Processes) > 0; got != show {
			t.Errorf("found by its secret: %t", got)
		}
	}
}

// TestHostileArguments holds that what processes choose comes out as text.
func TestHostileArguments(t *testing.T) {
	tree, history := world()
	c := over(t, serve(t, api.Options{Tree: tree, History: history}))
	want := slices.Clone(hostile)
	want[3] = "a\ufffdb"
	for _, path := range []string{"/v1/processes/5", "/v1/processes/5?at=0s"} {
		p := ask[api.One](t, c, path).Process
		if !slices.Equal(p.Args, want) || !p.InvalidUTF8 || p.Name != "evil\ufffd\x1b" {
			t.Errorf("%s: %q, %q", path, p.Name, p.Args)
		}
	}
	resp, _ := fetch(t, c, "/v1/export?since=25h&format=html")
	if h := resp.Header; !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a page is sent with %v", h)
	}
}
