package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/api/client"
	"github.com/proclineage/lineage/internal/clickhousetest"
	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/store"
	"github.com/proclineage/lineage/store/clickhouse"
)

// otherHost is a host of the fleet that the tests make up.
const otherHost = "dddd0000000000000000000000000000"

// joinFleet has a made-up host, db1, write to the fleet: its init made a nginx, which made
// a shell that has ended with the status 7. It returns a time at which that one ran.
func joinFleet(t *testing.T, dsn string) time.Time {
	t.Helper()
	s, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const booted = 1000 * time.Second // ago
	b := &store.Batch{Host: otherHost, Boot: "99999999-2222-3333-4444-555555555555", HostName: "db1", Wall: time.Now(), Now: process.Instant(booted)}
	id := func(pid int) process.ID {
		return process.ID{PID: pid, Start: process.Instant(pid) * 1e9, Precision: process.Exact}
	}
	link := func(pid int) process.Link {
		if pid == 0 {
			return process.Link{Evidence: process.Observed}
		}
		return process.Link{ID: id(pid), Evidence: process.Observed}
	}
	for _, p := range []struct {
		pid, by int
		name    string
		exit    process.Exit
	}{{1, 0, "init", process.Exit{}}, {10, 1, "nginx", process.Exit{}}, {20, 10, "sh", process.Exit{Evidence: process.Observed, At: 30e9, Status: 7 << 8}}} {
		b.Processes = append(b.Processes, store.Process{
			Key: store.Key{ID: id(p.pid)}, Name: p.name, Creator: link(p.by), Parent: link(p.by), Exit: p.exit, Evidence: process.Observed,
			Execs: []process.Command{{At: id(p.pid).Start + 1, File: "/bin/" + p.name, Args: []string{p.name, "from", "db1"}}}, ExecCount: 1,
		})
	}
	for i := range b.Processes {
		b.Processes[i].Host, b.Processes[i].Boot = b.Host, b.Boot
	}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b.Wall.Add(-booted + 25*time.Second)
}

// lineageOf runs lineage with the arguments, and returns what it says.
func lineageOf(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	return (&served{t: t, Client: client.Through(nil, "none")}).run(0, args...)
}

// TestFleet has a daemon send its history to a ClickHouse that is not there at the
// start and is killed under way, and asks both.
func TestFleet(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF)
	server := clickhousetest.Old(t)
	dsn := server.DSN()
	said := func(status int, words string, args ...string) {
		t.Helper()
		if stdout, stderr, got := lineageOf(t, args...); got != status || !strings.Contains(stderr, words) || strings.Count(stderr, "\n") != 1 || stdout != "" {
			t.Errorf("%q: status %d, not %d: %s%s", args, got, status, stdout, stderr)
		}
	}
	said(exitError, "lineage fleet init", "history", "--store", dsn)
	said(exitPermission, "CLICKHOUSE_PASSWORD", "history", "--store", strings.Replace(dsn, "://", "://nobody:hunter2@", 1))
	for range 2 {
		if stdout, stderr, status := lineageOf(t, "fleet", "init", "--store", dsn, "--retention", "90d"); status != 0 || !strings.Contains(stdout, "is ready: "+dsn) {
			t.Fatalf("status %d: %s%s", status, stdout, stderr)
		}
	}
	said(exitNotFound, "nothing has been written yet", "why", "1", "--store", dsn, "--host", "db1")
	joinFleet(t, dsn)
	server.Stop()
	said(exitError, "no ClickHouse answers there", "history", "--store", dsn)

	s := serve(t, publicDir(t), "--store", dsn)
	shipping := func() *api.ShippingStatus {
		x, err := s.Status(t.Context())
		if err != nil || x.Shipping == nil {
			t.Fatalf("%+v, %v", x, err)
		}
		return x.Shipping
	}
	s.await("an error of the fleet", func() bool { return shipping().Error != "" })
	server.Start()
	s.await("the fleet", func() bool { x := shipping(); return x.Error == "" && x.Shipped > 0 && x.BehindSeconds == 0 })

	// A program that is called nginx-… and has a shell work for it.
	name := fmt.Sprintf("nginx-%d", os.Getpid())
	program := filepath.Join(t.TempDir(), name)
	text, err := os.ReadFile("/bin/sh")
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func(script string) {
		_ = exec.Command(program, "-c", "sh -c '"+script+"'; exit 0").Run() // its status is looked at
	}
	run("exit 3 # " + name)
	hostname, _ := os.Hostname()
	inFleet := func(query string, args ...string) (list []Object) {
		t.Helper()
		stdout, stderr, status := lineageOf(t, append([]string{"history", "--store", dsn, "--limit", "0", "-o", "ndjson"}, append(args, strings.Fields(query)...)...)...)
		if status == exitNotFound {
			return nil
		}
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		for line := range strings.Lines(stdout) {
			var o Object
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			list = append(list, o)
		}
		return list
	}
	s.await("the shell in the fleet", func() bool { return len(inFleet("exit=3", "--ancestor", name, "--match", "^sh$")) == 1 })
	shell := inFleet("exit=3", "--ancestor", name, "--match", "^sh$")[0]
	if shell.Host == "" || shell.HostName != hostname || *shell.CreatorPID == os.Getpid() || *shell.Exit.Status != 3 {
		t.Errorf("%+v", shell)
	}
	if own := s.all("exit=3 ancestor:" + name); len(own) != 1 || own[0].ID != shell.ID || own[0].Host != "" {
		t.Errorf("the daemon has %+v", own)
	}

	metrics, err := (&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.Address)
	}}}).Get("http://lineage/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer metrics.Body.Close()
	if text, err := io.ReadAll(metrics.Body); err != nil || !strings.Contains(string(text), "\nlineage_ship_up 1\n") || !strings.Contains(string(text), "\nlineage_ship_processes_total ") {
		t.Errorf("%v: %s", err, text)
	}

	// Across hosts, each line says of which it is; of one host there is no need.
	stdout, stderr, status := lineageOf(t, "history", "--store", dsn, "--match", "^sh$", "exit>2", "--ancestor", "init", "--host", "db1")
	if status != 0 || strings.Contains(stdout, "HOST") || !strings.Contains(stdout, "sh from db1") || !strings.Contains(stdout, "the store "+dsn) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = lineageOf(t, "history", "--store", dsn, "exit=7")
	if status != 0 || !strings.HasPrefix(stdout, "HOST ") || !strings.Contains(stdout, "\ndb1 ") || !strings.Contains(stdout, "sh from db1") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	began, _ := startOf(&shell)
	at := began.Add(time.Duration(*shell.Exit.LivedSeconds * float64(time.Second) / 2)).Format(time.RFC3339Nano)
	pid := strconv.Itoa(shell.PID)
	stdout, stderr, status = lineageOf(t, "why", pid, "--at", at, "--store", dsn, "--host", shell.Host[:8])
	if status != 0 || !strings.Contains(stdout, ", on "+hostname) || !strings.Contains(stdout, " → sh "+pid) {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = lineageOf(t, "tree", strconv.Itoa(*shell.CreatorPID), "--at", at, "--store", dsn, "--host", hostname)
	if status != 0 || !strings.Contains(stdout, "sh\n") || !strings.Contains(stdout, "2 processes") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	stdout, stderr, status = lineageOf(t, "tree", "--store", dsn, "--host", "db1", "--pids")
	if status != 0 || !strings.Contains(stdout, "init 1\n") || !strings.Contains(stdout, "nginx 10") || strings.Contains(stdout, "sh 20") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	said(exitUsage, "db1 (dddd00000000)", "why", "20", "--at", at, "--store", dsn)
	said(exitUsage, hostname, "tree", "--store", dsn)
	said(exitNotFound, "db1 (dddd00000000)", "history", "--store", dsn, "--host", "db2")

	// The fleet is killed and comes back: nothing is missing, and nothing there twice.
	server.Kill()
	const times = 200
	for range times {
		run("exit 0 # " + name)
	}
	s.await("an error of the fleet", func() bool { return shipping().Error != "" })
	server.Start()
	query := "ancestor:" + name + " name:sh exit>=0"
	s.await("what happened meanwhile", func() bool { return len(inFleet(query)) >= times+1 })
	kept := map[string]bool{}
	for _, o := range s.all(query) {
		kept[o.ID] = true
	}
	var ids []string
	for _, o := range inFleet(query) {
		ids = append(ids, o.ID)
		if !kept[o.ID] {
			t.Errorf("the fleet has %s, and the daemon has not", o.ID)
		}
	}
	slices.Sort(ids)
	if len(kept) != times+1 || len(ids) != times+1 || len(slices.Compact(ids)) != times+1 {
		t.Errorf("%d are in the daemon and %d in the fleet, not %d", len(kept), len(ids), times+1)
	}
	if stdout, _, status := lineageOf(t, "history", "--store", dsn, "--ancestor", name, "--limit", "1"); status != 0 || strings.Contains(stdout, "hunter2") {
		t.Errorf("status %d: %s", status, stdout)
	}
	s.end()
	if text := s.logged(); !strings.Contains(text, "the store of the fleet cannot be opened") || !strings.Contains(text, "shipping") {
		t.Errorf("the log is %s", text)
	}
	readFleet(t, dsn)
}

// readFleet has another user serve what is in the fleet, with no privileges.
func readFleet(t *testing.T, dsn string) {
	t.Helper()
	dir := publicDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "r.sock")
	c := exec.Command("/proc/self/exe", "serve", "--read-only", "--socket", socket, "--listen", "127.0.0.1:0")
	c.Args[0] = "lineage"
	c.Dir = "/"
	c.Env = append(os.Environ(), "LINEAGE_STORE="+dsn, "HOME="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}, Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r := &served{t: t, cmd: c, dir: dir, log: log.Name()}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	if r.Client, err = client.New(socket, client.Options{}); err != nil {
		t.Fatal(err)
	}
	r.await("the server", func() bool { return r.Ping(t.Context()) == nil })
	hosts, err := r.Hosts(t.Context())
	if err != nil || len(hosts.Hosts) != 2 || hosts.Hosts[0].Own || hosts.Hosts[1].Own {
		t.Errorf("%+v, %v", hosts, err)
	}
	if x, err := r.History(t.Context(), client.Query{Text: "ancestor:nginx", Host: "db1"}); err != nil || len(x.Processes) != 1 || x.Processes[0].PID != 20 {
		t.Errorf("%+v, %v", x, err)
	}
	if x, err := r.Status(t.Context()); err != nil || !x.ReadOnly || x.Live != nil {
		t.Errorf("%+v, %v", x, err)
	}
	if stdout, stderr, status := r.run(0, "why", "10", "--host", "db1", "--at", "0s"); status != 0 || !strings.Contains(stdout, "init 1 → nginx 10") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if stdout, stderr, status := r.run(0, "watch", "--for", "1s", "--source", "auto"); status == 0 {
		t.Errorf("a watch has an end: %s%s", stdout, stderr)
	}
	// The page is there too.
	_, page, ok := strings.Cut(r.logged(), "the page is at ")
	page, _, _ = strings.Cut(page, "\n")
	if !ok {
		t.Fatalf("no page: %s", r.logged())
	}
	resp, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s, %v: %s", resp.Status, err, text)
	}
	r.end()
}

// TestFleetToday asks today's ClickHouse.
func TestFleetToday(t *testing.T) {
	dsn := clickhousetest.Today(t)
	for _, test := range []struct{ retention, want string }{{"", "kept for 30d"}, {"90d", "kept for 90d"}, {"", "kept for 90d"}, {"0", "kept for ever"}, {"", "kept for ever"}} {
		args := []string{"fleet", "init", "--store", dsn}
		if test.retention != "" {
			args = append(args, "--retention", test.retention)
		}
		if stdout, stderr, status := lineageOf(t, args...); status != 0 || !strings.Contains(stdout, test.want) {
			t.Fatalf("%q: status %d: %s%s", args, status, stdout, stderr)
		}
	}
	if _, stderr, status := lineageOf(t, "fleet", "init", "--store", dsn, "--retention", "47h"); status != exitUsage || !strings.Contains(stderr, "2d at least") {
		t.Errorf("status %d: %s", status, stderr)
	}
	at := joinFleet(t, dsn).Format(time.RFC3339Nano)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"history", "--ancestor", "nginx", "--match", "^sh$"}, "sh from db1"},
		{[]string{"why", "10"}, "init 1 → nginx 10"}, // of the only host there is
		{[]string{"why", "20", "--at", at, "--host", "dddd", "--short"}, "init 1 → nginx 10 → sh 20\n"},
		{[]string{"tree", "1", "--host", "db1"}, "init\n└─ nginx\n"},
		{[]string{"history", "--ancestor", "nginx", "-o", "json"}, `"host_name": "db1"`},
		{[]string{"tree", "1", "-o", "json"}, `"host_name": "db1"`},
		{[]string{"tree", "-o", "ndjson"}, `"host":"` + otherHost + `"`},
	} {
		if stdout, stderr, status := lineageOf(t, append(test.args, "--store", dsn)...); status != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("%q: status %d: %s%s", test.args, status, stdout, stderr)
		}
	}
}

// TestFleetStopped ends a command whose store does not answer.
func TestFleetStopped(t *testing.T) {
	proxy := clickhousetest.NewProxy(t, clickhousetest.Old(t).Addr())
	proxy.Hang()
	c := exec.Command("/proc/self/exe", "history", "--store", clickhousetest.DSN(proxy.Addr()))
	c.Args[0] = "lineage"
	var stderr strings.Builder
	c.Stderr = &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, cmd: c, log: os.DevNull}
	s.await("the connection", func() bool {
		sockets, err := socketsOf("/proc", c.Process.Pid)
		return err == nil && len(sockets) > 0
	})
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended: // its status is looked at
	case <-time.After(tooLong):
		_ = c.Process.Kill()
		t.Fatal("it goes on")
	}
	if c.ProcessState.ExitCode() != exitError || stderr.String() != "lineage: it was stopped\n" {
		t.Errorf("%v: %s", c.ProcessState, &stderr)
	}
}
