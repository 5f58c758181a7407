// Package chromium lets tests use a page in Debian's Chromium, without a library
// or a driver: it speaks the DevTools protocol over a pair of pipes
// (--remote-debugging-pipe), in which a zero byte ends each message.
package chromium

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// patience is how long anything may take before the test fails.
const patience = 60 * time.Second

// A Browser is a Chromium without a window and with a profile of its own.
type Browser struct {
	to      io.Writer
	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	pages   map[string]*Page // by session
	ended   chan struct{}    // closed when it has closed its pipe
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Start starts a Chromium that ends with the test. Without one the test is
// skipped.
func Start(t testing.TB) *Browser {
	t.Helper()
	linuxtest.Need(t, linuxtest.Chromium)
	profile, err := os.MkdirTemp("", "chromium") //nolint:usetesting // the browser's children may write there when the test has ended
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-extensions", "--force-color-profile=srgb",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile, "XDG_CONFIG_HOME="+filepath.Join(profile, "config"), "XDG_CACHE_HOME="+filepath.Join(profile, "cache"))
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirs, theirOut} // it reads 3 and writes 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirs.Close(), theirOut.Close() // the browser has them
	b := &Browser{to: to, waiting: map[int]chan answer{}, pages: map[string]*Page{}, ended: make(chan struct{})}
	go b.read(from)
	t.Cleanup(func() {
		if b.send(map[string]any{"id": 0, "method": "Browser.close"}) != nil || !b.endsWithin(10*time.Second) {
			_ = cmd.Process.Kill()
		}
		_ = cmd.Wait() // how it ends is not what is tested
		_, _ = to.Close(), from.Close()
		_ = os.RemoveAll(profile)
	})
	return b
}

// read takes what the browser sends, until it ends.
func (b *Browser) read(from io.Reader) {
	defer close(b.ended)
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID        int
			Method    string
			SessionID string
			Params    json.RawMessage
			answer
		}
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if c := b.waiting[m.ID]; c != nil {
			delete(b.waiting, m.ID)
			c <- m.answer
		} else if p := b.pages[m.SessionID]; p != nil {
			p.heard(m.Method, m.Params)
		}
		b.mu.Unlock()
	}
}

// send sends a message.
func (b *Browser) send(message map[string]any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = b.to.Write(append(line, 0))
	return err
}

func (b *Browser) endsWithin(d time.Duration) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-b.ended:
		return true
	case <-timeout.C:
		return false
	}
}

// call calls a method of the protocol and reads its result into result, if that
// is not nil.
func (b *Browser) call(t testing.TB, session, method string, params, result any) {
	t.Helper()
	if params == nil {
		params = struct{}{}
	}
	c := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	message := map[string]any{"id": b.last, "method": method, "params": params}
	b.waiting[b.last] = c
	b.mu.Unlock()
	if session != "" {
		message["sessionId"] = session
	}
	if err := b.send(message); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case a := <-c:
		if a.Error != nil {
			t.Fatalf("%s: %s", method, a.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
		}
	case <-b.ended:
		t.Fatalf("%s: the browser has ended", method)
	case <-timeout.C:
		t.Fatalf("%s: no answer within %v", method, patience)
	}
}

// Open opens a page, for the test, and waits until it is loaded.
func (b *Browser) Open(t testing.TB, url string) *Page {
	t.Helper()
	var target struct{ TargetID, SessionID string }
	b.call(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	b.call(t, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	p := &Page{t: t, b: b, session: target.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "DOM"} {
		b.call(t, p.session, domain+".enable", nil, nil)
	}
	b.call(t, "", "Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}}, nil)
	p.Size(1280, 800)
	var went struct{ ErrorText string }
	b.call(t, p.session, "Page.navigate", map[string]any{"url": url}, &went)
	if went.ErrorText != "" {
		t.Fatal(fmt.Errorf("%s: %s", url, went.ErrorText))
	}
	p.Wait(`document.readyState === "complete" && location.href !== "about:blank"`)
	return p
}
