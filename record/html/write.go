// Package html writes a recording as one HTML file with its timeline inside: a
// page that asks for nothing, neither from the network nor from another file, and
// needs a browser of 2023 or later.
package html

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/words"
)

// The parts of the page. The scripts are put together, in this order, to one
// module.
var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/style.css
	styleCSS string
	//go:embed page/data.js
	dataJS string
	//go:embed page/view.js
	viewJS string
	//go:embed page/time.js
	timeJS string
	//go:embed page/rows.js
	rowsJS string
	//go:embed page/details.js
	detailsJS string
	//go:embed page/main.js
	mainJS string
)

// Write writes the page. The recording is in it as gzip in base64, so nothing
// that a process chose can be taken for HTML or for a script; what the page shows
// of it is text, and its Content-Security-Policy allows its own script and
// nothing else.
//
// It needs some 100 bytes of memory for each process besides the recording.
func Write(w io.Writer, r *record.Recording) error {
	script := dataJS + viewJS + timeJS + rowsJS + detailsJS + mainJS
	before, after, _ := strings.Cut(strings.NewReplacer(
		"{{style}}", styleCSS, "{{styleHash}}", hash(styleCSS),
		"{{script}}", script, "{{scriptHash}}", hash(script),
	).Replace(pageHTML), "{{recording}}")
	b := bufio.NewWriterSize(w, 64<<10)
	_, _ = b.WriteString(before) // Flush tells of an error
	if err := data(b, r); err != nil {
		return fmt.Errorf("writing a page: %w", err)
	}
	_, _ = b.WriteString(after)
	if err := b.Flush(); err != nil {
		return fmt.Errorf("writing a page: %w", err)
	}
	return nil
}

// hash returns what a Content-Security-Policy allows a script or a style by.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// A header is the first line of the data. Times are in nanoseconds since the
// recording's first instant.
type header struct {
	Command   string     `json:"command"`
	Dir       string     `json:"dir"`
	Began     string     `json:"began"`
	Host      string     `json:"host"`
	Kernel    string     `json:"kernel"`
	BootID    string     `json:"boot"`
	Source    string     `json:"source"`
	CPUs      int        `json:"cpus"`
	Processes int        `json:"processes"`
	Length    int64      `json:"length"`
	Unseen    []string   `json:"unseen"`
	Losses    [][2]int64 `json:"losses"`
}

// The flags of a process.
const (
	failed   = 1 << iota
	open     // not seen to end
	toTick   // its start is known to 10 ms
	unknown  // its start is not known
	inferred // its creator was not observed
	gap      // its creator is not known
	critical // it is on the critical path, or a creator of one that is
)

// data writes the recording as the page reads it: lines of JSON, of the header
// and then an array for each process, compressed, in base64.
func data(w io.Writer, r *record.Recording) error {
	text := base64.NewEncoder(base64.StdEncoding, w)
	z := gzip.NewWriter(text)
	b := bufio.NewWriter(z)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	span, path := words.Of(r), onPath(r)
	if err := e.Encode(head(r, span)); err != nil {
		return err
	}
	for i := range r.Processes {
		if err := e.Encode(row(r, span, i, path[i])); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return text.Close()
}

func head(r *record.Recording, span words.Span) *header {
	h := &r.Header
	out := &header{
		Command: words.Title(h), Dir: words.Text(h.Dir), Began: h.Began.Format("2006-01-02 15:04:05 MST"),
		Host: words.Text(h.Host), Kernel: words.Text(h.Kernel), BootID: words.Text(h.BootID), Source: words.Text(h.Source),
		CPUs: h.CPUs, Processes: len(r.Processes), Length: int64(span.Since(span.End)), Unseen: words.Unseen(r),
	}
	for _, l := range r.Losses {
		since, until := span.Loss(l)
		out.Losses = append(out.Losses, [2]int64{int64(span.Since(since)), int64(span.Since(until))})
	}
	return out
}

// onPath reports which processes are on the critical path. With those that made
// them it tells all of the path: a process is what the command waited for while it
// lived and none on the path did that it had made.
func onPath(r *record.Recording) []bool {
	is := make([]bool, len(r.Processes))
	for _, step := range record.Summarize(r).Path {
		for i := step.Process; i >= 0 && !is[i]; i = r.Processes[i].Creator {
			is[i] = true
		}
	}
	return is
}

// row returns what the page is told of a process: creator, PID, begin, end, name,
// flags, ending, container, UID, usage and execs, as page/data.js reads it.
func row(r *record.Recording, span words.Span, i int, isOnPath bool) []any {
	p := &r.Processes[i]
	begin, end, isOpen := span.Life(p)
	creator := p.Creator
	if creator >= i || creator < 0 {
		creator = -1
	}
	flags := 0
	set := func(flag int, is bool) {
		if is {
			flags |= flag
		}
	}
	set(failed, p.Failed())
	set(open, isOpen)
	set(toTick, p.ID.Precision == process.ToTick)
	set(unknown, p.ID.Precision == process.StartUnknown)
	set(inferred, p.CreatorEvidence == process.Inferred || p.CreatorEvidence == process.Scanned)
	set(gap, i > 0 && (creator < 0 || p.CreatorEvidence == process.Unknown))
	set(critical, isOnPath)
	var usage []any
	if u := &p.Exit.Usage; u.Known {
		usage = []any{int64(u.User), int64(u.System), u.MaxRSS, u.ReadBytes, u.WrittenBytes}
	}
	execs := make([][]any, 0, len(p.Execs))
	for j := range p.Execs {
		e := &p.Execs[j]
		execs = append(execs, []any{int64(span.Since(span.Exec(p, j))), words.Program(e), words.Text(e.File), words.Command(e.Args, e.ArgsCut)})
	}
	return []any{
		creator, p.ID.PID, int64(span.Since(begin)), int64(span.Since(end)), words.Name(p), flags, words.Ending(p),
		words.Text(p.Container), p.LastUID(), usage, execs,
	}
}
