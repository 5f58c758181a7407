package html_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/html"
	"github.com/proclineage/lineage/record/internal/recordtest"
)

func TestWriteError(t *testing.T) {
	r := recordtest.Build(3000)
	for _, room := range []int{0, 50_000, 100_000} {
		if err := html.Write(&recordtest.Disk{Room: room}, r); !errors.Is(err, recordtest.ErrFull) {
			t.Errorf("with room for %d: %v", room, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	var n recordtest.Count
	if err := html.Write(&n, &record.Recording{}); err != nil {
		t.Fatal(err)
	}
}

// TestOneFile looks for what a page that needs nothing else does not have.
func TestOneFile(t *testing.T) {
	var b strings.Builder
	if err := html.Write(&b, recordtest.Hostile()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, no := range []string{`\bsrc=`, `\bhref=`, `@import`, `url\(`, `innerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\(`, `owned`} {
		if at := regexp.MustCompile(no).FindStringIndex(page); at != nil {
			t.Errorf("the page has %q", page[max(0, at[0]-20):at[1]])
		}
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts", n)
	}
}

// BenchmarkWrite writes 50,000 processes.
func BenchmarkWrite(b *testing.B) {
	r := recordtest.Build(50_000)
	b.ReportAllocs()
	for b.Loop() {
		var n recordtest.Count
		if err := html.Write(&n, r); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "B")
	}
}
