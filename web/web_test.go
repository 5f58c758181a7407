package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// ask returns the answer of the handler to a request.
func ask(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReferences looks for what the page and its parts refer to: all must be served,
// as what it is, and be the browser's to keep.
func TestReferences(t *testing.T) {
	reference := regexp.MustCompile(`(?:src|href)="([^"]+)"|url\(["']?([^"')]+)|import\(?["']([^"']+)["']`)
	want := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	found := map[string]bool{}
	var follow func(at string)
	follow = func(at string) {
		for _, m := range reference.FindAllStringSubmatch(body(t, ask(t, "GET", at)), -1) {
			name := path.Join(path.Dir(at), m[1]+m[2]+m[3])
			if found[name] {
				continue
			}
			found[name] = true
			r := ask(t, "GET", name)
			if r.StatusCode != http.StatusOK {
				t.Errorf("%s refers to %s, which is answered with %s", at, name, r.Status)
				continue
			}
			if got := r.Header.Get("Content-Type"); got != want[path.Ext(name)] {
				t.Errorf("%s is of the type %q", name, got)
			}
			if got := r.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("%s: Cache-Control is %q", name, got)
			}
			follow(name)
		}
	}
	follow("/")
	kinds := map[string]bool{}
	for name := range found {
		kinds[path.Ext(name)] = true
	}
	if !kinds[".js"] || !kinds[".css"] || !kinds[".svg"] {
		t.Errorf("the page refers to %v", found)
	}
	for name := range load() {
		if name != "/" && !found[name] {
			t.Errorf("%s is embedded, and nothing refers to it", name)
		}
	}
}

func TestPageIsAskedForEachTime(t *testing.T) {
	r := ask(t, "GET", "/")
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("/ is answered with %s and %q", r.Status, r.Header.Get("Content-Type"))
	}
	if got := r.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control is %q", got)
	}
	if again := ask(t, "GET", "/?q=nginx", "If-None-Match", r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("with its ETag it is answered with %s", again.Status)
	}
	if again := ask(t, "GET", "/", "If-None-Match", `"another"`); again.StatusCode != http.StatusOK {
		t.Errorf("with another ETag it is answered with %s", again.Status)
	}
}

// TestPolicy holds that nothing in the page is run or drawn but its own files.
func TestPolicy(t *testing.T) {
	r := ask(t, "GET", "/")
	got := r.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(got, part) {
			t.Errorf("the policy %q has no %s", got, part)
		}
	}
	if strings.Contains(got, "unsafe") {
		t.Errorf("the policy is %q", got)
	}
	if r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("browsers may guess types")
	}
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	if m := inline.FindString(body(t, r)); m != "" {
		t.Errorf("the page has %q in it, which its policy forbids", m)
	}
}

func TestWhatThePageIsNot(t *testing.T) {
	for _, target := range []string{"/index.html", "/nothing", "/assets/", "/assets/nothing.js", "/dist/index.html", "/../web.go", "/v1/tree"} {
		if r := ask(t, "GET", target); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s is answered with %s", target, r.Status)
		}
	}
	if r := ask(t, "POST", "/"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST is answered with %s, Allow %q", r.Status, r.Header.Get("Allow"))
	}
	if r := ask(t, "HEAD", "/"); r.StatusCode != http.StatusOK || body(t, r) != "" {
		t.Errorf("HEAD is answered with %s", r.Status)
	}
}

// TestFilesSayNothingOfWhereTheyWereBuilt holds that a build anywhere makes the same
// files.
func TestFilesSayNothingOfWhereTheyWereBuilt(t *testing.T) {
	place := regexp.MustCompile(`file:///|/node_modules/|/(home|work)/|sourceMappingURL`)
	for name, f := range load() {
		if m := place.Find(f.content); m != nil {
			t.Errorf("%s has %q in it", name, m)
		}
		if strings.HasSuffix(name, ".map") {
			t.Errorf("%s is a source map", name)
		}
	}
}
