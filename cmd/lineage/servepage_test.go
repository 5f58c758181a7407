package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/proclineage/lineage/internal/linuxtest"
)

// TestServePage runs the tests of the page, those that hold for any host, against a
// daemon with the processes of this one.
func TestServePage(t *testing.T) {
	linuxtest.Need(t, linuxtest.BPF, linuxtest.Playwright)
	s := serve(t, publicDir(t), "--listen", "127.0.0.1:0")
	page := regexp.MustCompile(`http://[^,\s]+`)
	s.await("the address of the page", func() bool { return page.MatchString(s.logged()) })
	token, err := os.ReadFile(filepath.Join(s.dir, "history", "token"))
	if err != nil {
		t.Fatal(err)
	}
	playwright := linuxtest.PlaywrightPath()
	c := exec.CommandContext(t.Context(), playwright, "test", "any")
	c.Dir = filepath.Join(filepath.Dir(playwright), "../..")
	c.Env = append(os.Environ(), "LINEAGE_URL="+page.FindString(s.logged())+"?token="+strings.TrimSpace(string(token)), "LINEAGE_TEST_OUTPUT="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	s.end()
}
