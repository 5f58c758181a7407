package chrome_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
	"github.com/proclineage/lineage/record/chrome"
	"github.com/proclineage/lineage/record/internal/chromium"
	"github.com/proclineage/lineage/record/internal/recordtest"
)

// TestSpeedscope opens a trace in speedscope, which has a parser of its own for
// the format and complains on the console of slices that cross or do not end.
func TestSpeedscope(t *testing.T) {
	linuxtest.Need(t, linuxtest.Speedscope)
	viewer, err := filepath.Abs("viewers/node_modules/speedscope/dist/release/index.html")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "build.json")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := chrome.Write(f, recordtest.Build(3000)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	page := chromium.Start(t).Open(t, "file://"+viewer)
	page.Wait(`document.querySelector("#file")`)
	page.Files("#file", file)
	page.Wait(`document.body.innerText.includes("tid")`)
	if title := page.Text("document.body.innerText"); !strings.Contains(title, "make -j8 all") {
		t.Errorf("speedscope shows %q", title)
	}
	for _, c := range page.Complaints() {
		if !strings.Contains(c, "GL Driver Message") { // of how fast the drawing is
			t.Error(c)
		}
	}
	if shots := os.Getenv("SCREENSHOTS"); shots != "" {
		page.Screenshot(filepath.Join(shots, "speedscope.png"))
	}
}
