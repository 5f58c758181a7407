package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// TestStoreNames holds that who asks a store is read from the variables where its name
// does not say it, and that no password is shown.
func TestStoreNames(t *testing.T) {
	for _, test := range []struct {
		name, user, password string // the variables
		full, shown          string
	}{
		{"clickhouse://fleet:9000/lineage", "", "", "clickhouse://fleet:9000/lineage", "clickhouse://fleet:9000/lineage"},
		{"clickhouse://a:1,b:2/db?x=1", "", "", "clickhouse://a:1,b:2/db?x=1", "clickhouse://a:1,b:2/db"},
		{"clickhouse://me:own@a:1,b:2/db", "other", "hunter2", "clickhouse://me:own@a:1,b:2/db", "clickhouse://me@a:1,b:2/db"},
		{"clickhouse://me@fleet/db", "other", "hunter2", "clickhouse://me:hunter2@fleet/db", "clickhouse://me@fleet/db"},
		{"clickhouse://fleet/db", "other", "p@:/ss?#%", "clickhouse://other:p%40%3A%2Fss%3F%23%25@fleet/db", "clickhouse://other@fleet/db"},
		{"clickhouse://fleet/db", "", "hunter2", "clickhouse://default:hunter2@fleet/db", "clickhouse://default@fleet/db"},
		{"https://me@fleet:8443/db?secure=1", "", "hunter2", "https://me:hunter2@fleet:8443/db?secure=1", "https://me@fleet:8443/db"},
		{"clickhouse://me:a/b@fleet/db", "", "", "clickhouse://me:a/b@fleet/db", "clickhouse://me@fleet/db"},
	} {
		full := withCredentials(test.name, func(name string) string {
			return map[string]string{"CLICKHOUSE_USER": test.user, "CLICKHOUSE_PASSWORD": test.password}[name]
		})
		if full != test.full || shownStore(full) != test.shown {
			t.Errorf("%s is %s, shown as %s", test.name, full, shownStore(full))
		}
		_, rest, _ := strings.Cut(test.name, "://")
		userinfo, _, _ := strings.Cut(rest, "@")
		_, password, given := strings.Cut(userinfo, ":")
		if !given || userinfo == rest {
			password = test.password
		}
		if password == "" {
			continue
		}
		if err := hushed(errors.New("no access with "+password+" at "+full), secretsOf(full)); strings.Contains(err.Error(), password) {
			t.Errorf("it says the password: %v", err)
		}
		if strings.Contains(test.name, "a/b") {
			continue // which is no address
		}
		o, err := driver.ParseDSN(full)
		if err != nil || o.Auth.Password != password {
			t.Errorf("%s is read as %+v, %v", full, o, err)
		}
	}
}

// TestStorePorts holds that a store has the usual port where it says none, and that what
// can be no address is refused.
func TestStorePorts(t *testing.T) {
	for name, want := range map[string]string{
		"clickhouse://fleet/db":                   "fleet:9000",
		"clickhouse://u:p@a,b:1,[::1],[::2]:3/db": "a:9000,b:1,[::1]:9000,[::2]:3",
		"clickhouse://fleet/db?secure=true":       "fleet:9440 TLS",
		"http://fleet":                            "fleet:8123",
		"https://u@fleet/db?x=1":                  "fleet:8443 TLS",
		"https://fleet?secure=true":               "fleet:8443 TLS",
		"https://fleet:443/db":                    "fleet:443 TLS",
		"clickhouse:///db":                        "",
		"clickhouse://fleet:0/db":                 "",
		"clickhouse://fleet:http/db":              "",
		"clickhouse://:9000/db":                   "",
		"clickhouse://::1/db":                     "",
		"http://fleet/db?secure=true":             "",
		"https://fleet/db?secure=false":           "",
		"clickhouse://u:hunter2@fleet:90000/db":   "",
	} {
		full, err := fullStore(name, func(string) string { return "" })
		if want == "" {
			if exitStatus(err) != exitUsage || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %s, %v", name, full, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o, err := driver.ParseDSN(full)
		if err != nil {
			t.Errorf("%s: %v", full, err)
			continue
		}
		got := strings.Join(o.Addr, ",")
		if o.TLS != nil {
			got += " TLS"
		}
		if got != want {
			t.Errorf("%s is %s, at %s and not %s", name, full, got, want)
		}
	}
}

// TestFleetErrors holds what is said of errors of a ClickHouse.
func TestFleetErrors(t *testing.T) {
	for text, status := range map[string]int{
		"Code: 193, e.displayText() = DB::Exception: Wrong password": exitPermission,
		"Code: 516. DB::Exception: Authentication failed":            exitPermission,
		"Code: 1930. DB::Exception":                                  exitError,
	} {
		err := fleetError(t.Context(), fmt.Errorf("ask: %w", &url.Error{Op: "Post", URL: "http://u:hunter2@fleet?x=1", Err: errors.New(text)}), "http://u:hunter2@fleet")
		if exitStatus(err) != status || strings.Contains(err.Error(), "://") || !strings.HasPrefix(err.Error(), "ask: "+text) {
			t.Errorf("%s: %d %v", text, exitStatus(err), err)
		}
	}
}

// TestHostTexts holds that hosts are told apart that are called the same.
func TestHostTexts(t *testing.T) {
	got := hostTexts([]Object{{Host: "aaaa11112222", HostName: "web"}, {Host: "bbbb11112222", HostName: "web"}, {Host: "aaaa11112222", HostName: "web"}, {Host: "cccc", HostName: "db"}, {}})
	want := map[string]string{"aaaa11112222": "web/aaaa1111", "bbbb11112222": "web/bbbb1111", "cccc": "db", "": "-"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// TestServeRefuses holds what lineage serve says that it cannot do, before it does
// anything.
func TestServeRefuses(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	for words, want := range map[string]struct {
		status int
		said   string
	}{
		"serve --read-only --store sqlite:" + nowhere:                      {exitUsage, "--socket or --listen"},
		"serve --read-only --socket x --store sqlite:" + nowhere:           {exitError, "there is no history in " + nowhere},
		"serve --read-only --listen 127.0.0.1:0 --store sqlite:" + nowhere: {exitError, "there is no history in " + nowhere},
		"history --store sqlite:" + nowhere:                                {exitError, "there is no history in " + nowhere},
		"serve --otlp ftp://x --store sqlite:" + nowhere:                   {exitUsage, "--otlp: "},
		"serve --store clickhouse://a:b/c --store sqlite:" + nowhere:       {exitUsage, "clickhouse://a:b/c"},
		"fleet init --store clickhouse://a:b/c":                            {exitUsage, "clickhouse://a:b/c"},
		"fleet init":                                                       {exitUsage, "--store says which"},
	} {
		var stdout, stderr strings.Builder
		status := run(strings.Fields(words), strings.NewReader(""), &stdout, &stderr)
		if status != want.status || !strings.Contains(stderr.String(), want.said) || stdout.String() != "" {
			t.Errorf("%s: status %d: %s%s", words, status, &stdout, &stderr)
		}
		if _, err := os.Lstat(nowhere); err == nil {
			t.Fatalf("%s: it has made the history", words)
		}
	}
}

// TestServeStores reads where a history is kept and sent to.
func TestServeStores(t *testing.T) {
	const own, fleet = "sqlite:/own", "clickhouse://fleet/db"
	for _, test := range []struct {
		stores   []string
		readOnly bool
		want     where
		wrong    string
	}{
		{nil, false, where{"/usual", ""}, ""},
		{nil, true, where{}, "--read-only takes one"},
		{[]string{own}, false, where{"/own", ""}, ""},
		{[]string{fleet}, false, where{"/usual", fleet}, ""},
		{[]string{fleet, own}, false, where{"/own", fleet}, ""},
		{[]string{"none"}, false, where{}, ""},
		{[]string{fleet}, true, where{"", fleet}, ""},
		{[]string{own}, true, where{"/own", ""}, ""},
		{[]string{own, fleet}, true, where{}, "--read-only takes one"},
		{[]string{"none"}, true, where{}, "--read-only takes one"},
		{[]string{"none", fleet}, false, where{}, "--store none goes with no other"},
		{[]string{own, own}, false, where{}, "of that kind already"},
		{[]string{fleet, "clickhouse://u:hunter2@other/db"}, false, where{}, `"clickhouse://u@other/db"`},
		{[]string{"sqlite:"}, false, where{}, "it is sqlite:DIRECTORY"},
		{[]string{"redis://x"}, false, where{}, "it is sqlite:DIRECTORY"},
	} {
		f := serveFlags{stores: test.stores, readOnly: test.readOnly}
		got, err := f.where("/usual")
		if test.wrong == "" && (err != nil || got != test.want) || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong) || exitStatus(err) != exitUsage) {
			t.Errorf("%q: %+v, %v", test.stores, got, err)
		}
	}
}
