package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/sqlite"
)

// The hosts of the fleet: two are of one boot ID and the same PIDs, two begin alike.
const (
	web1 = "aaaa1111000000000000000000000000"
	db1  = "bbbb1111000000000000000000000000"
	web2 = "aaaa2222000000000000000000000000"
)

// fleet is a history of three hosts. On each 1 made 10, which made a shell 20 that has
// ended, and 30, which lives on; web2 was heard of last an hour ago.
func fleet(t testing.TB) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, h := range []struct {
		id, boot, name, server string
		ago                    time.Duration
	}{{web1, boot, "web1", "nginx", time.Second}, {db1, boot, "db1", "postgres", time.Second}, {web2, boot, "", "nginx", time.Hour}} {
		init := process.Process{
			ID: idOf(1, 1), Name: "init", Parent: link(process.ID{}), Creator: link(process.ID{}), Owner: owner(0), Evidence: process.Scanned,
		}
		server := child(&init, 10, 10, h.server, 33, h.server)
		shell := child(&server, 20, 20, "sh", 33, "sh", "-c", "id")
		shell.Exit = process.Exit{Evidence: process.Observed, At: 25e9, Status: 3 << 8}
		worker := child(&server, 30, 30, "worker", 33, "worker")
		now := time.Now().Add(-h.ago)
		b := &store.Batch{Host: h.id, Boot: h.boot, HostName: h.name, Wall: now, Now: process.Instant(now.Sub(booted))}
		for _, p := range []*process.Process{&init, &server, &shell, &worker} {
			one := kept(p)
			one.Key.Host, one.Key.Boot = h.id, h.boot
			if p.ID.PID == 30 {
				one.Container, one.Stored = webID, nil
			}
			b.Processes = append(b.Processes, one)
		}
		b.Containers = []store.Container{{ID: webID, Runtime: "docker", Name: "web"}}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// told is what an answer has of each process: its host and its PID.
func told(list []answer.Process) (all []string) {
	for i := range list {
		all = append(all, fmt.Sprintf("%s/%s %d %s", list[i].HostName, list[i].Host[:min(len(list[i].Host), 8)], list[i].PID, list[i].Name))
	}
	slices.Sort(all)
	return all
}

// refused is what is said of a question that is not answered.
func refused(t *testing.T, err error, status int, words ...string) {
	t.Helper()
	p, ok := errors.AsType[*api.Problem](err)
	if !ok || p.Status != status {
		t.Errorf("%v, not of the status %d", err, status)
		return
	}
	for _, w := range words {
		if !strings.Contains(p.Error(), w) {
			t.Errorf("%q says nothing of %s", p, w)
		}
	}
}

// TestReadOnly asks a server that has the history of three hosts and no live view.
func TestReadOnly(t *testing.T) {
	history := fleet(t)
	server := api.New(api.Options{History: history, Version: "v1"})
	c, ctx := client.Through(server.Transport(), "the fleet"), t.Context()

	hosts, err := c.Hosts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts.Hosts) != 3 || hosts.Host != nil || hosts.Source.Name != "history" {
		t.Fatalf("%+v", hosts)
	}
	for i, want := range []struct {
		id, name string
		behind   time.Duration
	}{{web2, "", time.Hour}, {db1, "db1", time.Second}, {web1, "web1", time.Second}} {
		h := &hosts.Hosts[i]
		if h.ID != want.id || answer.Value(h.Name) != want.name || h.Own || h.BootID != boot || h.Last == nil || *h.BehindSeconds < want.behind.Seconds() {
			t.Errorf("%+v, not %+v", h, want)
		}
	}

	// Over all hosts, each process says of which it is.
	for text, want := range map[string][]string{
		"ancestor:nginx match:sh":             {"/aaaa2222 20 sh", "web1/aaaa1111 20 sh"},
		"ancestor:nginx ancestor:init pid:30": {"/aaaa2222 30 worker", "web1/aaaa1111 30 worker"},
		"ancestor:postgres name:sh":           {"db1/bbbb1111 20 sh"},
		"ancestor:nginx ancestor:postgres":    nil,
		"ancestor:worker":                     nil,
		"ancestor:nginx name:sh host:web1":    {"web1/aaaa1111 20 sh"},
		"ancestor:nginx name:sh host:aaaa2":   {"/aaaa2222 20 sh"},
	} {
		x, err := c.History(ctx, client.Query{Text: text})
		if err != nil || !slices.Equal(told(x.Processes), want) {
			t.Errorf("%s: %v, %v, not %v", text, told(x.Processes), err, want)
		}
		if one := strings.Contains(text, "host:"); one != (x.Host != nil) || one != (x.BootID != nil) || one != (x.BootTime != nil) {
			t.Errorf("%s: the answer is of %v, %v", text, x.Host, x.BootID)
		}
	}
	x, err := c.History(ctx, client.Query{Since: time.Now().Add(-2 * time.Hour)})
	if err != nil || x.Complete || !strings.Contains(x.Note, "aaaa2222") || strings.Contains(x.Note, "web1") {
		t.Errorf("of one that is silent: %v, %t %s", err, x.Complete, x.Note)
	}
	if x, err = c.History(ctx, client.Query{Until: time.Now().Add(-2 * time.Hour)}); err != nil || !x.Complete {
		t.Errorf("of before: %v, %t %s", err, x.Complete, x.Note)
	}

	// What is about now is as of the last batch.
	one, err := c.Process(ctx, client.Subject{Process: "30", Host: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	if one.Source.Name != "history" || one.AsOf != *hosts.Hosts[2].Last || *one.Host != web1 || one.Process.HostName != "web1" || len(one.Process.Chain) != 3 {
		t.Errorf("%+v", one)
	}
	again, err := c.Process(ctx, client.Subject{Process: one.Process.ID, Host: "web1"})
	if err != nil || again.Process.ID != one.Process.ID {
		t.Errorf("%+v, %v", again, err)
	}
	for _, ask := range []func(context.Context, client.Subject) (api.Processes, error){c.Lineage, c.Ancestors} {
		x, err := ask(ctx, client.Subject{Process: "30", Host: "db1"})
		if err != nil || len(x.Processes) < 2 || x.Processes[len(x.Processes)-2].Name != "postgres" {
			t.Errorf("%v, %v", told(x.Processes), err)
		}
	}
	x, err = c.Descendants(ctx, client.Subject{Process: "10", Host: "web1"})
	if err != nil || !slices.Equal(told(x.Processes), []string{"web1/aaaa1111 30 worker"}) {
		t.Errorf("%v, %v", told(x.Processes), err)
	}
	x, err = c.Processes(ctx, client.Query{Host: "aaaa2222", Under: "10"})
	if err != nil || !slices.Equal(told(x.Processes), []string{"/aaaa2222 30 worker"}) || x.AsOf != *hosts.Hosts[0].Last {
		t.Errorf("%v, %v, as of %s", told(x.Processes), err, x.AsOf)
	}
	asHTTP := &http.Client{Transport: server.Transport()}
	if a := ask[api.Containers](t, asHTTP, "/v1/containers?host=db1"); len(a.Containers) != 1 || a.Containers[0].Processes != 1 {
		t.Errorf("%+v", a)
	}
	tree := ask[api.TreeAnswer](t, asHTTP, "/v1/tree?host=db1")
	if len(tree.Rows) != 3 || len(tree.Hosts) != 0 || tree.Source.Name != "history" {
		t.Errorf("%+v", tree)
	}

	// Processes of hosts with the same boot ID and PIDs are no kin.
	tree = ask[api.TreeAnswer](t, asHTTP, "/v1/tree?since=25h&by=host")
	if len(tree.Rows) != 12 || len(tree.Hosts) != 3 || len(tree.Groups) != 3 {
		t.Fatalf("%+v", tree)
	}
	for i := range tree.Rows {
		if r := &tree.Rows[i]; r.Up != nil && *tree.Rows[*r.Up].Host != *r.Host {
			t.Errorf("%+v is below %+v", r, tree.Rows[*r.Up])
		}
	}

	status, err := c.Status(ctx)
	if err != nil || !status.ReadOnly || status.Live != nil || status.Events.Live || status.Store == nil || status.Store.Processes != 12 {
		t.Errorf("%+v, %v", status, err)
	}

	// An ID needs no host unless several have it.
	_, err = c.Process(ctx, client.Subject{Process: one.Process.ID})
	refused(t, err, http.StatusBadRequest, "more than one host has it", "web1", "db1")
	_, err = c.Process(ctx, client.Subject{Process: idOf(99, 9).String()})
	refused(t, err, http.StatusNotFound, "no host has it")
	only := process.Process{ID: idOf(77, 70), Name: "only", Parent: link(idOf(1, 1)), Creator: link(idOf(1, 1)), Evidence: process.Observed}
	b := &store.Batch{Host: db1, Boot: boot, HostName: "db1", Wall: time.Now(), Now: process.Instant(time.Since(booted)), Processes: []store.Process{kept(&only)}}
	if err := history.Append(ctx, b); err != nil {
		t.Fatal(err)
	}
	if x, err := c.Process(ctx, client.Subject{Process: only.ID.String()}); err != nil || x.Process.HostName != "db1" {
		t.Errorf("%+v, %v", x.Process, err)
	}

	_, err = c.Process(ctx, client.Subject{Process: "30"})
	refused(t, err, http.StatusBadRequest, "web1 (aaaa11110000)", "db1", "aaaa22220000")
	_, err = c.Processes(ctx, client.Query{})
	refused(t, err, http.StatusBadRequest, "web1")
	_, err = c.History(ctx, client.Query{Host: "aaaa"})
	refused(t, err, http.StatusBadRequest, "web1", "aaaa22220000")
	_, err = c.History(ctx, client.Query{Host: "bbb"}) // too short
	refused(t, err, http.StatusNotFound, "web1", "db1")
	_, err = c.Process(ctx, client.Subject{Process: "30", Host: "other", At: time.Now()})
	refused(t, err, http.StatusNotFound, "web1", "db1")
	if _, err = c.Events(ctx, client.EventQuery{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("events: %v", err)
	}
	path := serve(t, api.Options{History: fleet(t)})
	resp, body := fetch(t, over(t, path), "/v1/events")
	if resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), "from a store alone") {
		t.Errorf("events: %s %s", resp.Status, body)
	}
}

// TestUsersOfOtherHosts holds that who has the same number on another host is another
// user.
func TestUsersOfOtherHosts(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	for _, hide := range []api.HidePID{api.HideNothing, api.HideArgs, api.HideProcess} {
		path := serve(t, api.Options{History: fleet(t), HidePID: hide})
		a := ask[api.Processes](t, overAs(t, path, 33), "/v1/history?q=pid:10")
		if want := map[api.HidePID]int{api.HideNothing: 3, api.HideArgs: 3, api.HideProcess: 0}[hide]; len(a.Processes) != want {
			t.Errorf("hidepid %d: %v", hide, told(a.Processes))
		}
		for i := range a.Processes {
			if p := &a.Processes[i]; p.File != nil || (p.Args != nil) != (hide == api.HideNothing) {
				t.Errorf("hidepid %d: %+v", hide, p)
			}
		}
		// By a file that is not to be seen, nothing is found below.
		if a = ask[api.Processes](t, overAs(t, path, 33), "/v1/history?q=ancestor:init"); (len(a.Processes) == 9) != (hide != api.HideProcess) {
			t.Errorf("hidepid %d: %v", hide, told(a.Processes))
		}
	}
}

// TestAncestorsHidden holds that what stands above a process is not found by what of
// it is not to be seen.
func TestAncestorsHidden(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	tree, history := world()
	for _, p := range []*process.Process{&tree.procs[3]} { // the shell, whose program is called otherwise
		p.Exec = process.Command{File: "/opt/secretshell", Args: []string{"-bash"}, At: p.ID.Start + 1000}
		history.procs[3] = kept(p)
	}
	path := serve(t, api.Options{Tree: tree, History: history})
	for _, question := range []string{"/v1/processes?q=ancestor:secretshell", "/v1/history?since=25h&q=ancestor:secretshell", "/v1/tree?q=ancestor:secretshell", "/v1/tree?since=25h&q=ancestor:secretshell"} {
		for c, want := range map[*http.Client]bool{over(t, path): true, overAs(t, path, 1000): true, overAs(t, path, 1001): false} {
			resp, body := fetch(t, c, question)
			if got := strings.Contains(string(body), `"pid":6,`); resp.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s: found %t, not %t: %s", question, got, want, body)
			}
		}
	}
}

// TestAncestorsNow asks for what lives by what stands above it.
func TestAncestorsNow(t *testing.T) {
	tree, history := world()
	c := over(t, serve(t, api.Options{Tree: tree, History: history}))
	for text, want := range map[string][]int{
		"ancestor:bash":                     {5, 6},
		"ancestor:bash+name:app":            {6},
		"ancestor:sshd":                     {3, 5, 6}, // through one that has ended
		"ancestor:init+ancestor:sshd+pid:3": {3},
		"ancestor:nginx":                    nil,
		"ancestor:init+pid:7":               {7}, // by parent, since nobody knows who made it
		"ancestor:bash+host:" + host:        {5, 6},
	} {
		a := ask[api.Processes](t, c, "/v1/processes?q="+text)
		if !slices.Equal(pids(a.Processes), want) || a.Source.Name != "bpf" {
			t.Errorf("%s: %v, not %v", text, pids(a.Processes), want)
		}
		var rows []int
		rowsOf := ask[api.TreeAnswer](t, c, "/v1/tree?q="+text)
		for i := range rowsOf.Rows {
			if r := &rowsOf.Rows[i]; r.Matched {
				rows = append(rows, r.PID)
			}
		}
		if slices.Sort(rows); !slices.Equal(rows, want) {
			t.Errorf("%s: the rows %v, not %v", text, rows, want)
		}
	}
	refuse(t, c, http.StatusBadRequest, "/v1/processes?q=ancestor:"+strings.Repeat("+ancestor:x", 40))
	// Another host's now is in the history.
	a := ask[api.Processes](t, c, "/v1/processes?host=old.test")
	if a.Source.Name != "history" || answer.Value(a.Host) != "ffff" {
		t.Errorf("%+v", a)
	}
}

// TestTransportStops holds that a question without a connection ends with its context,
// whatever the store does.
func TestTransportStops(t *testing.T) {
	hangs := make(chan struct{})
	defer close(hangs)
	asked := make(chan struct{})
	server := api.New(api.Options{History: &hung{until: hangs, asked: asked}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := client.Through(server.Transport(), "hung").History(ctx, client.Query{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// hung is a history that heeds no context.
type hung struct {
	api.History
	until, asked chan struct{}
}

func (h *hung) Hosts(context.Context) ([]store.Host, error) {
	close(h.asked)
	<-h.until
	return nil, store.ErrClosed
}

// TestCandid holds that a server tells what went wrong in it only to its own program.
func TestCandid(t *testing.T) {
	broken := errors.New("the disk is gone")
	for candid, status := range map[bool]int{false: http.StatusServiceUnavailable, true: http.StatusInternalServerError} {
		_, history := world()
		history.err = broken
		server := api.New(api.Options{History: history, Candid: candid})
		resp, body := fetch(t, &http.Client{Transport: server.Transport()}, "/v1/history")
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil || resp.StatusCode != status || (p.Detail == broken.Error()) != candid {
			t.Errorf("candid %t: %s", candid, body)
		}
	}
}

// TestAway holds that who asks is told that the history does not answer, and the log
// once.
func TestAway(t *testing.T) {
	_, history := world()
	var log strings.Builder
	server := api.New(api.Options{History: history, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := &http.Client{Transport: server.Transport()}
	for _, down := range []error{nil, errors.New("refused"), context.DeadlineExceeded, nil} {
		history.err = down
		for _, path := range []string{"/v1/hosts", "/v1/tree?since=1h", "/v1/history", "/v1/counts", "/v1/containers?host=" + host} {
			resp, body := fetch(t, c, path)
			if want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[down == nil]; resp.StatusCode != want ||
				(down == nil) == strings.Contains(string(body), "the history does not answer") {
				t.Errorf("%s with the error %v: %s %s", path, down, resp.Status, body)
			}
		}
	}
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "error=refused") || !strings.Contains(text, "answers again") {
		t.Errorf("the log is %s", text)
	}
}

// counting counts how often a history is asked for processes.
type counting struct {
	*memory
	asked int
}

func (c *counting) Process(ctx context.Context, k store.Key) (store.Process, error) {
	c.asked++
	return c.memory.Process(ctx, k)
}

func (c *counting) Processes(ctx context.Context, keys []store.Key) ([]store.Process, error) {
	c.asked++
	return c.memory.Processes(ctx, keys)
}

// TestFewQuestions holds that the history is asked for those above many processes a
// level at a time, and for those above one that it has told of not at all.
func TestFewQuestions(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	const wide, deep = 50, 4
	history := &counting{memory: &memory{last: time.Now()}}
	add := func(up *process.Process, pid int, name string) process.Process {
		p := child(up, pid, float64(pid), name, 33, name)
		history.procs = append(history.procs, kept(&p))
		return p
	}
	top := add(&process.Process{}, 1, "top")
	var last process.Process
	for i := range wide {
		last = top
		for level := range deep {
			name := "step"
			if level == deep-1 {
				name = "leaf"
			}
			last = add(&last, 2+i*deep+level, name)
		}
	}
	path := serve(t, api.Options{History: history})
	for _, c := range []*http.Client{over(t, path), overAs(t, path, 33)} {
		history.asked = 0
		tree := ask[api.TreeAnswer](t, c, "/v1/tree?since=25h&q=name:leaf+ancestor:top")
		if len(tree.Rows) != 1+wide*deep || history.asked > 2*deep+2 {
			t.Errorf("%d rows, for which the history was asked %d times", len(tree.Rows), history.asked)
		}
	}
	for _, what := range []string{"", "/ancestors", "/lineage"} {
		history.asked = 0
		if fetch(t, over(t, path), "/v1/processes/"+url.PathEscape(last.ID.String())+what); history.asked > 1 {
			t.Errorf("%q: the history was asked %d times", what, history.asked)
		}
	}
	one := ask[api.One](t, over(t, path), "/v1/processes/"+url.PathEscape(last.ID.String()))
	if len(one.Process.Parents) != deep+1 || !*one.Process.ParentsComplete {
		t.Errorf("%+v", one.Process.Parents)
	}
}

// TestHostNames holds what a host may be called.
func TestHostNames(t *testing.T) {
	history := &memory{last: time.Now(), names: map[string]string{}}
	for i, name := range []string{"web-05.eu.example.com", "web-051.eu.example.com", "web-05x", "db.eu.example.com"} {
		id := fmt.Sprintf("%d%031d", i, i)
		history.names[id] = name
		history.procs = append(history.procs, store.Process{Key: store.Key{Host: id, Boot: boot}})
	}
	c, ctx := client.Through(api.New(api.Options{History: history}).Transport(), "it"), t.Context()
	for text, want := range map[string]string{"web-05": "0", "web-051": "1", "web-05x": "2", "d": "3", "db.eu": "3", "2000": "2"} {
		x, err := c.History(ctx, client.Query{Host: text})
		if err != nil || !strings.HasPrefix(answer.Value(x.Host), want) {
			t.Errorf("%s: %v, %v", text, answer.Value(x.Host), err)
		}
	}
	_, err := c.History(ctx, client.Query{Host: "web"})
	refused(t, err, http.StatusBadRequest, "web-05x")
	_, err = c.History(ctx, client.Query{Host: "eu.example"})
	refused(t, err, http.StatusNotFound, "db.eu.example.com (300000000000), web-05x")
	for _, q := range []client.Query{{Host: "db", Text: "host:web-05"}, {Text: "host:db host:web-05"}} {
		_, err = c.History(ctx, q)
		refused(t, err, http.StatusBadRequest, `"db" and "web-05"`)
	}
	if _, err = c.History(ctx, client.Query{Host: "db", Text: "host:db"}); err != nil {
		t.Error(err)
	}

	// Of many silent ones there is but the number, and those that are no more do not count.
	for i := range 10 {
		id := fmt.Sprintf("%032d", 1000+i)
		history.names[id] = fmt.Sprintf("silent-%d", i)
		history.procs = append(history.procs, store.Process{Key: store.Key{Host: id, Boot: boot}})
	}
	for _, test := range []struct {
		ago      time.Duration
		complete bool
		note     string
	}{{time.Second, true, ""}, {time.Hour, false, " from 14 of 14 hosts"}, {25 * time.Hour, true, ""}} {
		history.last = time.Now().Add(-test.ago)
		x, err := c.History(ctx, client.Query{})
		if err != nil || x.Complete != test.complete || !strings.HasSuffix(x.Note, test.note) || strings.Contains(x.Note, "silent") {
			t.Errorf("%v: %v, %t %s", test.ago, err, x.Complete, x.Note)
		}
	}
}
