package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/api"
)

// endpoints are all there are, with room for garbage.
var endpoints = []string{
	"/v1/processes?at=%&q=%&under=%&limit=%&after=%", "/v1/processes/%?at=%&boot=%&host=%", "/v1/processes/%/ancestors?at=%",
	"/v1/processes/%/lineage?at=%", "/v1/processes/%/descendants?at=%&limit=%&after=%", "/v1/tree?since=%&until=%&q=%&by=%&edge=%&limit=%",
	"/v1/containers?%", "/v1/history?q=%&since=%&until=%&under=%&order=%&host=%&limit=%&after=%", "/v1/counts?since=%&until=%&buckets=%",
	"/v1/events?q=%&kinds=%&last_event_id=%", "/v1/export?since=%&until=%&q=%&format=%", "/v1/status?%", "/metrics?%", "/healthz?%", "/readyz?%",
	"/openapi.yaml?%", "/%", "%",
}

// FuzzAPI sends garbage to every endpoint, as the bytes of requests: what is asked
// wrongly is refused, and nothing fails or ends the server.
func FuzzAPI(f *testing.F) {
	tree, history := world()
	tree.events = make(chan lineage.Event)
	path := serve(f, api.Options{Tree: tree, History: history, Limits: api.Limits{Rate: 1 << 30, Burst: 1 << 30, Stall: 2 * time.Second}})
	for i := range endpoints {
		for _, s := range []string{
			"", "1", "6@30.000000000~4294967302", "0", "-1", "999999999999999999999", "1h", "2026-01-31", "1h&until=2h", "nginx exit!=0 lived>1s", `"`, "match:(",
			"match:((((a{100}){100}){100}){100})", "pid:0", "%00", "%ff%fe", "%", "../..", "@", "1@", "0@0.00", "1@1.00~0", "fork,exec", "x=y", "latest",
			"9999-12-31", "0001-01-01T00:00:00Z", "-1h", "9223372036854775807ns", "100000000h", "2000000w", "\r\nX: y\r\n", " HTTP/1.1\r\nContent-Length: 5",
		} {
			f.Add(uint8(i), s, "")
		}
		f.Add(uint8(i), "1", "Accept: text/event-stream\r\nLast-Event-ID: \xff-9\r\nOrigin: null\r\nCookie: lineage_token=x\r\nAuthorization: Bearer\r\n")
	}
	f.Fuzz(func(t *testing.T, n uint8, garbage, header string) {
		target := strings.ReplaceAll(endpoints[int(n)%len(endpoints)], "%", garbage)
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: lineage\r\nConnection: close\r\n"+header+"\r\n\r\n"); err != nil {
			return // it was refused before its end
		}
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return // no request, so no answer
		}
		defer resp.Body.Close()
		// Not implemented is an encoding that nobody knows, which net/http answers.
		if resp.StatusCode >= 500 && !(resp.StatusCode == http.StatusNotImplemented && resp.Header.Get("Content-Security-Policy") == "") && resp.StatusCode != http.StatusHTTPVersionNotSupported {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("%q %q: %s %s", target, header, resp.Status, body)
		}
	})
}
