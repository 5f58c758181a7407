package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	yaml "go.yaml.in/yaml/v3"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/process"
)

// named names the container of the world.
type named struct{}

func (named) ByID(id string) (container.Container, bool) {
	c := container.Container{
		ID: webID, Name: "web", Image: "nginx:1.27", Runtime: "docker", State: container.StateRunning, Labels: map[string]string{
			"com.docker.compose.service": "web", "com.docker.compose.project": "shop",
		},
	}
	return c, id == webID
}
func (named) ByCgroup(string) (c container.Container, found string, ok bool) { return c, "", false }
func (named) Await(enough func() bool)                                       { enough() }
func (n named) All(yield func(container.Container) bool) {
	c, _ := n.ByID(webID)
	if yield(c) {
		yield(container.Container{ID: "empty", Name: "empty", Pod: container.Pod{Name: "p", Namespace: "n", UID: "u", Workload: "job/b"}})
	}
}

// fine is a history that can be written.
func fine() api.Writing { return api.Writing{Pending: 1, Last: booted, Dropped: 2} }

// ships is a history that is sent on, but not now.
func ships() api.Shipping {
	return api.Shipping{To: "clickhouse://fleet.test:9000/lineage", Err: errors.New("connection refused"), Behind: time.Minute, Shipped: 7, Failures: 2, Last: booted}
}

// TestContract holds what is answered to openapi.yaml: each answer is valid, has no
// field that is not there, and each field that is there is in an answer.
func TestContract(t *testing.T) {
	tree, history := world()
	tree.events = make(chan lineage.Event, 16)
	c := over(t, serve(t, api.Options{Tree: tree, History: history, Names: named{}, Version: "v1", Writing: fine, Shipping: ships}))
	document, err := libopenapi.NewDocument(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatal(errs)
	}
	fields := newFields(t)
	old := "103@80.000000000~4294967399"
	at := booted.Add(65 * time.Second).Format(time.RFC3339)
	hold(t, c, v, fields, []string{
		"/v1/processes", "/v1/processes?limit=2", "/v1/processes?q=nginx&under=1", "/v1/processes?at=" + at,
		"/v1/processes/1", "/v1/processes/3", "/v1/processes/4", "/v1/processes/5", "/v1/processes/6", "/v1/processes/7",
		"/v1/processes/" + old + "?boot=99999999-2222-3333-4444-555555555555&host=ffff",
		"/v1/processes/101@60.000000000~4294967397", "/v1/processes/4?at=" + at,
		"/v1/processes/6/ancestors", "/v1/processes/6/ancestors?at=" + at, "/v1/processes/7/lineage", "/v1/processes/6/lineage?at=" + at,
		"/v1/processes/1/descendants", "/v1/processes/1/descendants?limit=1", "/v1/processes/2/descendants?at=" + at,
		"/v1/tree", "/v1/tree?by=container&q=nginx", "/v1/tree?since=25h&by=pod&edge=parent", "/v1/tree?since=25h&by=unit&limit=3",
		"/v1/tree?since=25h&by=session", "/v1/tree?since=25h&q=exit!=0",
		"/v1/containers", "/v1/containers?host=ffff", "/v1/hosts", "/v1/history", "/v1/history?host=0123", "/v1/history?host=old.test",
		"/v1/processes?host=ffff", "/v1/processes?q=ancestor:bash", "/v1/processes/103?host=ffff", "/v1/tree?host=old.test", "/v1/tree?by=host",
		"/v1/tree?since=25h&by=host&q=ancestor:sshd", "/v1/counts?host=ffff", "/v1/export?since=25h&host=ffff", "/v1/history?q=exit!=0&since=25h&order=earliest&limit=1", "/v1/history?q=pod:java-1",
		"/v1/counts?since=25h&buckets=10", "/v1/export?since=25h&format=html", "/v1/export?since=25h&format=perfetto",
		"/v1/export?since=25h", "/v1/status", "/metrics", "/healthz", "/readyz", "/openapi.yaml",
		"/v1/history?host=012", "/v1/history?host=none", "/v1/processes/0", "/v1/processes/999", "/v1/history?q=x:y", "/v1/export?since=1h",
	})
	// One that only reads a store answers in the same form.
	reads := &http.Client{Transport: api.New(api.Options{History: fleet(t)}).Transport()}
	hold(t, reads, v, fields, []string{
		"/v1/hosts", "/v1/status", "/v1/processes?host=web1", "/v1/processes/30?host=web1", "/v1/processes/30/lineage?host=web1",
		"/v1/processes/30/ancestors?host=web1", "/v1/processes/10/descendants?host=web1", "/v1/tree?host=web1", "/v1/tree?since=25h&by=host",
		"/v1/containers?host=web1", "/v1/history?q=ancestor:nginx", "/v1/counts?since=25h", "/v1/export?since=25h&host=db1", "/metrics",
		"/readyz", "/v1/processes", "/v1/history?host=aaaa",
	})
	events(t, c, tree, fields)
	fields.rest(map[string]bool{
		// What takes a runtime in another, a socket that listens, and a store that fails.
		"Container.outer": true, "Status.store.error": true, "Status.store.writing.error": true, "Container.serves": false,
		"Process.missing": true, // of a user that may not see all: TestOrdinaryUser
		"Gap.lost":        false, "Event.creators": true, "Event.creators_complete": true, "Event.membership": false,
	})
}

// hold asks for the paths, and holds what is answered to openapi.yaml.
func hold(t *testing.T, c *http.Client, v validator.Validator, fields *fields, paths []string) {
	t.Helper()
	for _, path := range paths {
		r, err := http.NewRequest(http.MethodGet, "http://lineage"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		if resp.StatusCode >= 500 {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
		if ok, errs := v.ValidateHttpResponse(r, resp); !ok {
			for _, e := range errs {
				t.Errorf("%s: %s: %s %v", path, e.Message, e.Reason, e.SchemaValidationErrors)
			}
		}
		if resp.StatusCode == http.StatusOK {
			if ok, errs := v.ValidateHttpRequest(r); !ok {
				t.Errorf("%s: %v", path, errs)
			}
		}
		fields.see(path, resp, body)
	}
}

// events has one event of each kind be told.
func events(t *testing.T, c *http.Client, tree *fakeTree, fields *fields) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://lineage/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	next := func() (raw json.RawMessage) {
		if err := lines.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		return raw
	}
	next() // watching: what happens from now on is told
	p := tree.procs[5]
	gone := p
	gone.State, gone.Exit = process.Ended, process.Exit{Evidence: process.Observed, At: 99e9}
	moved := p
	moved.Cgroup = process.Cgroup{Membership: "0::/b\n", Group: "/b"}
	for _, e := range []lineage.Event{
		{Kind: process.Fork, Time: 91e9, Process: p}, {Kind: process.Exec, Time: 92e9, Process: p},
		{Kind: process.Moved, Time: 93e9, Process: moved, From: process.Cgroup{Membership: "0::/a\n"}},
		{Kind: process.Loss, Time: 94e9, Since: 93e9}, {Kind: process.Exited, Time: 99e9, Process: gone, Adopter: tree.procs[0].ID},
	} {
		tree.events <- e
		fields.object("Event", fields.schema("Event"), decode(t, next()))
	}
	// A new stream is told of the source.
	resp2, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp2.Body.Close()
	var first json.RawMessage
	if err := json.NewDecoder(resp2.Body).Decode(&first); err != nil {
		t.Fatal(err)
	}
	fields.object("Event", fields.schema("Event"), decode(t, first))
}

func decode(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return v
}

// fields are those of openapi.yaml, and which were seen.
type fields struct {
	t    *testing.T
	doc  map[string]any
	seen map[string]bool
	all  map[string]bool
}

func newFields(t *testing.T) *fields {
	f := &fields{t: t, seen: map[string]bool{}, all: map[string]bool{}}
	if err := yaml.Unmarshal(api.OpenAPI(), &f.doc); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fields) schema(name string) any { return f.resolve("#/components/schemas/" + name) }

func (f *fields) resolve(ref string) any {
	var at any = f.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[part]
	}
	if at == nil {
		f.t.Fatalf("openapi.yaml has no %s", ref)
	}
	return at
}

// see takes in an answer.
func (f *fields) see(path string, resp *http.Response, body []byte) {
	kind := resp.Header.Get("Content-Type")
	if strings.Contains(path, "/export") && resp.StatusCode == http.StatusOK || !strings.Contains(kind, "json") {
		return
	}
	if resp.StatusCode != http.StatusOK {
		f.object("Problem", f.schema("Problem"), decode(f.t, body))
		return
	}
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	if len(parts) > 3 && parts[2] == "processes" {
		parts[3] = "{id}"
	}
	op := f.doc["paths"].(map[string]any)[strings.Join(parts, "/")].(map[string]any)["get"].(map[string]any)
	ok := op["responses"].(map[string]any)["200"].(map[string]any)
	if ref, is := ok["$ref"].(string); is {
		ok = f.resolve(ref).(map[string]any)
	}
	schema := ok["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
	name := op["operationId"].(string)
	f.object(strings.ToUpper(name[:1])+name[1:], schema, decode(f.t, body))
}

// properties collects what a schema says of objects, by the name of where that
// stands.
func (f *fields) properties(name string, schema any, into map[string][2]any) {
	s := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		f.properties(ref[strings.LastIndex(ref, "/")+1:], f.resolve(ref), into)
		return
	}
	for _, list := range []string{"allOf", "oneOf"} {
		for _, part := range list2(s[list]) {
			f.properties(name, part, into)
		}
	}
	props, _ := s["properties"].(map[string]any)
	for p, sub := range props {
		into[p] = [2]any{name + "." + p, sub}
		f.all[name+"."+p] = true
	}
}

func list2(v any) []any { l, _ := v.([]any); return l }

// object takes in a value, whose fields must be in the schema.
func (f *fields) object(name string, schema, value any) {
	switch v := value.(type) {
	case []any:
		items := f.items(schema)
		for _, e := range v {
			f.object(name, items, e)
		}
	case map[string]any:
		props := map[string][2]any{}
		f.properties(name, schema, props)
		if name == "Event" { // which has those of a process besides
			f.properties("Process", f.schema("Process"), props)
			for p := range props {
				if own, ok := f.schema("Event").(map[string]any)["properties"].(map[string]any)[p]; ok {
					props[p] = [2]any{"Event." + p, own}
				}
			}
		}
		for field, e := range v {
			p, ok := props[field]
			switch {
			case ok:
				f.seen[p[0].(string)] = true
				f.object(p[0].(string), p[1], e)
			case len(props) > 0:
				f.t.Errorf("%s has the field %s, which openapi.yaml has not", name, field)
			}
		}
	}
}

func (f *fields) items(schema any) any {
	s := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return f.items(f.resolve(ref))
	}
	return s["items"]
}

// rest names the fields that were in no answer, but for those that need not be.
func (f *fields) rest(but map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(f.all)) {
		if !f.seen[name] && !but[name] {
			f.t.Errorf("no answer has the field %s", name)
		}
	}
}
