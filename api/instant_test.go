package api_test

import (
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
)

// TestInstant holds that an answer about an instant has nothing of what came after
// it: a shell made a process, which made another, and ran something else later on;
// and since then all have ended.
func TestInstant(t *testing.T) {
	tree, history := world()
	script := child(&tree.procs[0], 200, 100, "sleep", 0, "sh", "-c", "./idle & exec sleep 4")
	made := child(&script, 201, 101, "idle", 0, "idle")
	below := child(&made, 202, 102, "below", 0, "below")
	for i, p := range []process.Process{script, made, below} {
		p.Exit = process.Exit{Evidence: process.Observed, At: process.Instant(120+i) * 1e9, Status: 9}
		k := kept(&p)
		if i == 0 {
			k.Execs = append(k.Execs, process.Command{File: "/bin/sleep", Args: []string{"sleep", "4"}, At: 110e9})
			k.ExecCount = 2
		}
		history.procs = append(history.procs, k)
	}
	c := over(t, serve(t, api.Options{Tree: tree, History: history}))
	at := booted.Add(105 * time.Second).UTC().Format(time.RFC3339Nano)
	arg := "?at=" + url.QueryEscape(at)

	one := ask[api.One](t, c, "/v1/processes/200"+arg)
	p := one.Process
	if p.Name != "sh" || len(p.Args) != 3 || len(p.Execs) != 1 || *p.ExecCount != 1 || p.State != "alive" || p.Exit != nil {
		t.Errorf("it was told as %+v", p)
	}
	if one.AsOf != at || !slices.ContainsFunc(one.Source.CannotTell, func(s string) bool { return strings.Contains(s, "owner") }) {
		t.Errorf("the answer is as of %s, and cannot tell %q", one.AsOf, one.Source.CannotTell)
	}
	one = ask[api.One](t, c, "/v1/processes/202"+arg)
	for _, chain := range [][]answer.Link{one.Process.Chain, one.Process.Parents} {
		if len(chain) != 4 || chain[1].Name != "sh" || slices.ContainsFunc(chain, func(l answer.Link) bool { return l.State != "alive" }) {
			t.Errorf("above it were %+v", chain)
		}
	}
	for _, path := range []string{"/ancestors", "/lineage"} {
		a := ask[api.Processes](t, c, "/v1/processes/201"+path+arg)
		i := slices.Index(pids(a.Processes), 200)
		if i < 0 || a.Processes[i].Name != "sh" || a.Processes[i].Exit != nil || a.AsOf != at {
			t.Errorf("%s: %+v", path, a)
		}
	}
	if a := ask[api.Processes](t, c, "/v1/processes/200/descendants"+arg); !slices.Equal(pids(a.Processes), []int{201, 202}) || a.AsOf != at {
		t.Errorf("below it were %v, as of %s", pids(a.Processes), a.AsOf)
	}
	early := url.QueryEscape(booted.Add(101500 * time.Millisecond).Format(time.RFC3339Nano))
	if a := ask[api.Processes](t, c, "/v1/processes/200/descendants?at="+early); !slices.Equal(pids(a.Processes), []int{201}) {
		t.Errorf("earlier there were %v below it", pids(a.Processes))
	}
	// What is asked for is found by what it was then.
	for q, want := range map[string][]int{
		"sh idle": {200}, "name:sleep": nil, "state:ended": nil, "exit:SIGKILL": nil, "name:sh state:running": {200}, "lived>6s": nil,
		"match:^below": {202}, "pid:201": {201}, "name!=sh pid:200": nil,
	} {
		for _, limit := range []string{"1", "100"} {
			a := ask[api.Processes](t, c, "/v1/processes"+arg+"&under=200&limit="+limit+"&q="+url.QueryEscape(q))
			b := ask[api.Processes](t, c, "/v1/processes"+arg+"&limit="+limit+"&q="+url.QueryEscape(q+" pid:200"))
			if got := slices.Concat(pids(b.Processes), pids(a.Processes)); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", q, got, want)
			}
			if a.AsOf != at {
				t.Errorf("%s: as of %s", q, a.AsOf)
			}
		}
	}
	// Without a time it is what it was last.
	if p := ask[api.One](t, c, "/v1/processes/"+script.ID.String()).Process; p.Name != "sleep" || len(p.Execs) != 2 || p.State != "ended" {
		t.Errorf("at last it was %+v", p)
	}
	rows := ask[api.TreeAnswer](t, c, "/v1/tree?until="+url.QueryEscape(at)).Rows
	if i := slices.IndexFunc(rows, func(r api.Row) bool { return r.PID == 200 }); i < 0 || rows[i].Name != "sh" || rows[i].State != "alive" {
		t.Errorf("the tree of then is %+v", rows)
	}
}

// TestEarlierExecs holds that an ordinary user is told what a process ran last, and
// not what it ran before it may have dropped privileges.
func TestEarlierExecs(t *testing.T) {
	linuxtest.Need(t, linuxtest.Root)
	tree, history := world()
	p := child(&tree.procs[0], 200, 100, "idle", 1000, "env", "ROOTONLYARG=1", "./idle")
	live := p
	live.Exec = process.Command{File: "/tmp/idle", Args: []string{"./idle"}, At: 110e9}
	tree.procs = append(tree.procs, live)
	k := kept(&p)
	k.Execs = append(k.Execs, live.Exec)
	k.ExecCount = 2
	history.procs = append(history.procs, k)
	then := url.QueryEscape(booted.Add(105 * time.Second).Format(time.RFC3339Nano))
	for _, hide := range []api.HidePID{api.HideNothing, api.HideArgs, api.HideProcess} {
		path := serve(t, api.Options{Tree: tree, History: history, HidePID: hide})
		root, user := over(t, path), overAs(t, path, 1000)
		for _, at := range []string{"", "?at=0s"} {
			if e := ask[api.One](t, root, "/v1/processes/200"+at).Process.Execs; len(e) != 2 || e[0].File == nil || len(e[0].Args) != 3 {
				t.Errorf("root is told %+v", e)
			}
			p := ask[api.One](t, user, "/v1/processes/200"+at).Process
			if e := p.Execs; len(e) != 2 || e[0].File != nil || e[0].Args != nil || e[0].Time == nil || e[1].File == nil || len(e[1].Args) != 1 || p.Missing == "" {
				t.Errorf("its user is told %+v, missing %q", e, p.Missing)
			}
		}
		p := ask[api.One](t, user, "/v1/processes/200?at="+then).Process
		if len(p.Execs) != 1 || p.Args != nil || p.File != nil || p.Name != "env" || p.Missing == "" {
			t.Errorf("of then its user is told %+v", p)
		}
		for _, path := range []string{
			"/v1/processes?at=" + then, "/v1/history?since=25h", "/v1/export?since=25h", "/v1/export?since=25h&format=html",
			"/v1/tree?until=" + then, "/v1/processes/200/lineage?at=" + then, "/v1/processes?q=ROOTONLYARG&at=" + then,
		} {
			if _, body := fetch(t, user, path); strings.Contains(string(body), "ROOTONLYARG") {
				t.Errorf("hidepid %d: %s tells the user what ran before", hide, path)
			}
		}
		if a := ask[api.Processes](t, user, "/v1/processes?q=ROOTONLYARG&at="+then); len(a.Processes) != 0 {
			t.Errorf("it is found by what it ran before")
		}
	}
}

// TestUnknownHost holds that a host that the history has nothing of is not found.
func TestUnknownHost(t *testing.T) {
	tree, history := world()
	c := over(t, serve(t, api.Options{Tree: tree, History: history}))
	for _, path := range []string{
		"/v1/history?host=zzz", "/v1/history?q=host:zzz", "/v1/processes/1?host=zzz&at=0s", "/v1/export?since=1h&q=host:zzz",
		"/v1/tree?since=1h&q=host:zzz",
	} {
		refuse(t, c, http.StatusNotFound, path)
		if _, body := fetch(t, c, path); !strings.Contains(string(body), "nothing of a host") || !strings.Contains(string(body), "zzz") {
			t.Errorf("%s: %s", path, body)
		}
	}
	if a := ask[api.Processes](t, c, "/v1/history?host=ffff"); len(a.Processes) != 1 {
		t.Errorf("of the other host there is %+v", a)
	}
}

// TestHintsFitEverybody holds that what is wrong is told in words that fit those who
// ask over HTTP and by the command.
func TestHintsFitEverybody(t *testing.T) {
	tree, history := world()
	daemon, err := client.New(serve(t, api.Options{Tree: tree, History: history}), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.Close)
	for q, want := range map[string]string{
		"pid:abc": "pid is a number", "pid:0": "pid is a number", "pid:99999999999": "pid is a number", "lived>abc": "1.5s",
		"http://x": "there are text, match, pid,", "colour:red": "put it in quotes if it is text",
	} {
		_, err := daemon.History(t.Context(), client.Query{Text: q})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "openapi") || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, s := range []client.Subject{{Process: "999"}, {Process: "1", Boot: "x"}} {
		if _, err := daemon.Process(t.Context(), s); err == nil || !strings.Contains(err.Error(), " at a time") {
			t.Errorf("%+v: %v", s, err)
		}
	}
	status, err := daemon.Status(t.Context())
	if err != nil || status.Note != "there are gaps in the last day" {
		t.Errorf("%+v, %v", status, err)
	}
}
