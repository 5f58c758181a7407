package html_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/html"
	"github.com/proclineage/lineage/record/internal/chromium"
	"github.com/proclineage/lineage/record/internal/recordtest"
	"github.com/proclineage/lineage/record/internal/words"
)

// A view is the page of a recording in Chromium.
type view struct {
	*chromium.Page
	t       *testing.T
	address string
}

// open opens the page of a recording, which must not complain until the test
// ends, nor ask for anything.
func open(t *testing.T, b *chromium.Browser, r *record.Recording) *view {
	t.Helper()
	name := filepath.Join(t.TempDir(), "recording.html")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := html.Write(f, r); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	v := &view{t: t, address: "file://" + name}
	v.Page = b.Open(t, v.address)
	v.Wait(fmt.Sprintf("document.documentElement.dataset.ready === '%d'", len(r.Processes)))
	t.Cleanup(func() {
		if c := v.Complaints(); len(c) > 0 {
			t.Errorf("the page complains: %q", c)
		}
		if q := v.Requests(); !slices.Equal(q, []string{v.address}) {
			t.Errorf("the page asked for %q", q)
		}
		if shots := os.Getenv("SCREENSHOTS"); shots != "" {
			v.Screenshot(filepath.Join(shots, strings.ReplaceAll(t.Name(), "/", "-")+".png"))
		}
	})
	return v
}

// drawn waits until the page has drawn what was asked for.
func (v *view) drawn() {
	v.t.Helper()
	v.Eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))", nil)
}

// shown are the names of the rows that are drawn, from the top, each behind a
// space for each level; "*" follows a hit and ">" goes before the selected one.
func (v *view) shown() []string {
	v.t.Helper()
	v.drawn()
	var rows []string
	v.Eval(`[...document.querySelectorAll(".row:not([hidden])")]
		.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
		.map((row) => " ".repeat(row.ariaLevel - 1) + (row.classList.contains("selected") ? ">" : "") +
			row.querySelector(".name").textContent + (row.classList.contains("hit") ? "*" : ""))`, &rows)
	return rows
}

func (v *view) wantRows(want ...string) {
	v.t.Helper()
	if got := v.shown(); !slices.Equal(got, want) {
		v.t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// press presses keys, one after the other.
func (v *view) press(keys ...string) {
	v.t.Helper()
	for _, k := range keys {
		v.Press(k)
	}
}

// family is a recording with a few processes: make, which starts sh and cc, and
// what these start.
func family() *record.Recording {
	p := func(pid, creator int, name string, start, end process.Instant, args ...string) record.Process {
		p := record.Process{
			ID: process.ID{PID: pid, Start: start, Precision: process.Exact}, Creator: creator, CreatorEvidence: process.Observed,
			Start: start * 1000, End: end * 1000, Name: name, UID: 1000, Exit: process.Exit{Evidence: process.Observed},
		}
		if args != nil {
			p.Execs = []record.Exec{{At: start*1000 + 100, File: "/usr/bin/" + name, Args: args}}
		}
		return p
	}
	r := &record.Recording{
		Header: record.Header{Command: []string{"make", "all"}, BeganAt: 1000, CPUs: 2, Began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		Processes: []record.Process{
			p(10, -1, "make", 1, 1000, "make", "all"),
			p(11, 0, "sh", 10, 500, "sh", "-c", "a b"),
			p(12, 1, "sed", 20, 100, "sed", "s/x/y/"),
			p(13, 1, "test", 110, 200, "test", "-f", "x"),
			p(14, 0, "cc", 600, 900, "cc", "-c", "x.c"),
			p(15, 4, "as", 700, 800, "as", "x.s"),
		},
		Ended: 1000_000,
	}
	r.Processes[3].Exit.Status = 1 << 8
	return r
}

func TestPage(t *testing.T) {
	b := chromium.Start(t)

	t.Run("rows", func(t *testing.T) {
		v := open(t, b, family())
		v.wantRows(">make", " sh", "  sed", "  test", " cc", "  as")
		if got := v.Text("document.title"); got != "make all – lineage" {
			t.Error(got)
		}
		if got := v.Text(`document.querySelector("#facts").innerText`); !strings.Contains(got, "6 processes") || !strings.Contains(got, "1 failed") || !strings.Contains(got, "up to 3 at once") {
			t.Errorf("the facts are %q", got)
		}
		if got := v.Text(`document.querySelector("#unseen").hidden`); got != "true" {
			t.Error("all was seen, yet the page says otherwise")
		}
		if got := v.Text(`getComputedStyle(document.querySelector(".row.failed .bar")).backgroundColor`); got != "rgb(207, 34, 46)" {
			t.Errorf("a failure is drawn %s", got)
		}
		// cc lies at 0.6 to 0.9 of the time.
		var bar [2]float64
		v.Eval(`(() => {
			const bar = [...document.querySelectorAll(".row")].find((r) => r.querySelector(".name").textContent === "cc").querySelector(".bar").getBoundingClientRect();
			const ticks = document.querySelector("#ticks").getBoundingClientRect();
			return [(bar.left - ticks.left) / ticks.width, (bar.right - ticks.left) / ticks.width];
		})()`, &bar)
		if bar[0] < 0.59 || bar[0] > 0.61 || bar[1] < 0.89 || bar[1] > 0.91 {
			t.Errorf("the bar of cc is at %v", bar)
		}
	})

	t.Run("keys", func(t *testing.T) {
		v := open(t, b, family())
		v.press("j", "ArrowDown", "k")
		v.wantRows("make", " >sh", "  sed", "  test", " cc", "  as")
		v.press("h")
		v.wantRows("make", " >sh", " cc", "  as")
		v.press("ArrowLeft", "ArrowLeft")
		v.wantRows(">make")
		v.press("l", "ArrowRight", "e")
		v.wantRows("make", " >sh", "  sed", "  test", " cc", "  as")
		v.press("C")
		v.wantRows("make", " >sh", " cc")
		v.press("Enter")
		v.wantRows(">sh", " sed", " test")
		v.press("j", "Enter")
		v.wantRows(">sed")
		v.press("Backspace", "Backspace")
		v.wantRows("make", " sh", "  >sed", "  test", " cc")
		v.press("Backspace", "E", "f")
		v.wantRows("make", " sh", "  sed", "  >test", " cc", "  as")
		v.press("G")
		v.wantRows("make", " sh", "  sed", "  test", " cc", "  >as")
		v.press("i", "?")
		v.Wait(`document.querySelector("#help").open && document.querySelector("#details pre")`)
		if got := v.Text(`document.querySelector("#details pre").textContent`); got != "as x.s" {
			t.Errorf("the details are of %q", got)
		}
		v.press("?")
		v.Wait(`!document.querySelector("#help").open`)
	})

	t.Run("zoom", func(t *testing.T) {
		v := open(t, b, family())
		axis := func() string {
			v.drawn()
			return v.Text(`document.querySelector("#ticks").innerHTML`)
		}
		seen := []string{axis()}
		changed := func(what string) {
			now := axis()
			if slices.Contains(seen, now) {
				t.Errorf("%s: the axis is as it was", what)
			}
			seen = append(seen, now)
		}
		for _, key := range []string{"w", "w", "d", "s"} {
			v.press(key)
			changed(key)
		}
		v.press("a")
		v.Wheel(1000, 400, 0, -200, 2)
		changed("Ctrl and wheel")
		v.Wheel(1000, 400, 120, 0, 0)
		changed("wheel sideways")
		v.Drag(1000, 300, 900, 300)
		changed("drag")
		var top [2]float64
		v.Eval(`(() => { const r = document.querySelector("#overview").getBoundingClientRect(); return [r.left + r.width / 2, r.top + 20]; })()`, &top)
		v.Drag(top[0], top[1], top[0]+50, top[1])
		changed("drag in the overview")
		v.press("0")
		if axis() != seen[0] {
			t.Error("0 does not show the whole time")
		}
	})

	t.Run("search", func(t *testing.T) {
		v := open(t, b, family())
		v.press("C", "/")
		v.Type("x.")
		v.press("Enter")
		v.wantRows("make", " >cc*", "  as*")
		v.press("n")
		v.wantRows("make", " cc*", "  >as*")
		v.press("n", "N", "N", "h")
		v.wantRows("make", " >cc*")
		v.press("n") // into a branch that is collapsed
		v.wantRows("make", " cc*", "  >as*")
		v.press("N")
		v.wantRows("make", " >cc*", "  as*")
		if got := v.Text(`document.querySelector("#hits").textContent`); got != "1 of 2 hits" {
			t.Error(got)
		}
		v.press("/")
		v.Type("nothing such")
		v.Wait(`!document.querySelector("#nothing").hidden`)
		v.press("Escape")
		v.wantRows("make", " sh", " >cc", "  as")
	})

	t.Run("critical path", func(t *testing.T) {
		r := family()
		r.Processes[1].End = 700 * 1000 // sh lives while cc does, and ends before it
		v := open(t, b, r)
		var marked []string
		v.Eval(`[...document.querySelectorAll(".row.waited:not([hidden])")].map((row) => row.querySelector(".name").textContent)`, &marked)
		if !slices.Equal(marked, []string{"make", "cc", "as"}) {
			t.Errorf("%q are marked", marked)
		}
		// That of cc is from 0.6 to 0.7 and from 0.8 to 0.9 of the time.
		v.Eval(`(() => {
			const row = [...document.querySelectorAll(".row")].find((r) => r.querySelector(".name").textContent === "cc");
			const text = getComputedStyle(row.querySelector(".critical")).backgroundImage;
			window.stops = [...text.matchAll(/([0-9.]+)%/g)].map((m) => Math.round(m[1]));
		})()`, nil)
		if got := v.Text("stops"); got != "60,60,70,70,80,80,90,90" {
			t.Errorf("the path of cc is drawn at %s", got)
		}
		v.press("p")
		v.wantRows(">make", " cc", "  as")
		v.press("j", "i")
		v.drawn()
		if got := v.Text(`document.querySelector("#details").innerText`); !strings.Contains(got, "200 µs of it") {
			t.Errorf("the details are %q", got)
		}
		v.press("p")
		v.wantRows("make", " sh", "  sed", "  test", " >cc", "  as")
	})

	t.Run("build", func(t *testing.T) {
		r := recordtest.Build(2000)
		v := open(t, b, r)
		unseen := v.Text(`document.querySelector("#unseen").innerText`)
		for _, sentence := range words.Unseen(r) {
			if !strings.Contains(unseen, sentence) {
				t.Errorf("not shown: %s", sentence)
			}
		}
		v.Eval(`document.querySelector("[data-only=failed]").click()`, nil)
		v.drawn()
		failures := 0
		for i := range r.Processes {
			if r.Processes[i].Failed() {
				failures++
			}
		}
		if got := v.Text(`document.querySelector("#hits").textContent`); !strings.HasSuffix(got, fmt.Sprintf(" of %d hits", failures)) {
			t.Errorf("%q, want %d", got, failures)
		}
		v.Eval(`(() => { const c = document.querySelector("#color"); c.value = "container"; c.dispatchEvent(new Event("change")); })()`, nil)
		v.drawn()
		if got := v.Text(`document.querySelector("#legend").innerText`); !strings.Contains(got, "builder-") {
			t.Errorf("the colours are of %q", got)
		}
		again := b.Open(t, v.address+"#focus=3&select="+fmt.Sprint(childOf(r, 3)))
		again.Wait(`document.querySelector("#path button")`)
		again.Wait(`document.querySelector(".row.selected")?.ariaLevel === "2"`)
	})

	t.Run("hostile", func(t *testing.T) {
		r := recordtest.Hostile()
		v := open(t, b, r)
		v.press("i")
		for i := range r.Processes {
			v.drawn()
			last := len(r.Processes[i].Execs) - 1
			want := words.Command(r.Processes[i].Execs[last].Args, false)
			if len(want) > 10_000 {
				want = want[:10_000] + "… (90,000 more characters)"
			}
			if got := v.Text(`[...document.querySelectorAll("#details pre")].at(-1).textContent`); got != want {
				t.Errorf("process %d: %.100q, want %.100q", i, got, want)
			}
			v.press("c")
			v.Wait(`document.querySelector("#said").textContent === "Copied."`)
			if got, want := v.Text("navigator.clipboard.readText()"), words.Command(r.Processes[i].Execs[last].Args, false); got != want && want != "" {
				t.Errorf("process %d: %.100q was copied, want %.100q", i, got, want)
			}
			v.press("j")
			v.Eval(`document.querySelector("#said").textContent = ""`, nil)
		}
		v.press("/")
		v.Type("<img")
		v.press("Enter", "E", "f", "Enter", "z", "w", "d", "0")
		v.drawn()
		if got := v.Text(`[typeof window.owned, document.images.length, document.scripts.length, document.querySelectorAll("iframe, object, embed, link, svg").length]`); got != "undefined,0,1,0" {
			t.Errorf("the page has %s", got)
		}
	})

	t.Run("policy", func(t *testing.T) {
		v := b.Open(t, open(t, b, family()).address)
		v.Eval(`(() => {
			const s = document.createElement("script");
			try { s.textContent = "window.owned = 1"; document.body.append(s); } catch {}
			try { document.body.innerHTML += "<img src=x onerror='window.owned=1'>"; } catch {}
			return fetch("file:///etc/hostname").catch(() => 0);
		})()`, nil)
		if got := v.Text("typeof window.owned"); got != "undefined" {
			t.Error("a script of another one ran")
		}
		if len(v.Complaints()) == 0 {
			t.Error("the policy forbids nothing")
		}
	})

	if raced { // which has nothing to find in the page, but makes it slow to write
		return
	}
	t.Run("50000", func(t *testing.T) { manyRows(t, b, recordtest.Build(50_000)) })
	// More than a browser can have as high as they would be.
	t.Run("350000", func(t *testing.T) { manyRows(t, b, storm(350_000)) })
}

func childOf(r *record.Recording, creator int) int {
	return slices.IndexFunc(r.Processes, func(p record.Process) bool { return p.Creator == creator })
}
