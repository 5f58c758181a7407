// Package chrome writes a recording in the Trace Event Format of Chrome, in JSON,
// which Perfetto, speedscope and chrome://tracing read.
package chrome

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/proclineage/lineage/process"
	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/words"
)

// pid is the one process of the trace. What ran is on its threads: 50,000
// processes of one slice each are too many for any viewer.
const pid = 1

// recordingThread is the thread of what is no process: the first that is drawn,
// by its sort index, but not the first by its number, which speedscope shows
// first. The others are lanes, from 1 on.
const recordingThread = 1 << 20

// Write writes the recording as a JSON object with traceEvents. Times are in
// microseconds since the recording began.
//
// A process is a complete event (X), on a thread that is a lane: above its
// creator where that one outlived it and has the lane for itself, else on another
// lane. So the slices of a lane lie one in another, as calls do. Each exec is an
// instant event (i) there. What failed has the category "failed", the colour
// "terrible" and how it ended in its name. One that was not seen to end lasts
// until the recording's end and has "open": true. What is known of the recording
// and what could not be seen is on a thread of its own, and in otherData. All
// else is in the args.
//
// The memory that it needs besides the recording grows with the number of
// processes that ran at the same time, not with that of all.
func Write(w io.Writer, r *record.Recording) error {
	o := &output{w: bufio.NewWriterSize(w, 64<<10)}
	t := trace{output: o, r: r, span: words.Of(r), facts: words.Facts{Text: o.text, Int: o.int, Uint: o.uint}}
	_, _ = o.w.WriteString("{\"traceEvents\":[\n")
	t.named("process_name", 0, words.Title(&r.Header))
	t.recording()
	floor := floor{span: t.span, r: r, where: map[int]int{}}
	for i := range r.Processes {
		known := len(floor.lanes)
		l, begin, end := floor.place(i)
		if l == known {
			t.thread(l+1, l+1, "lane "+strconv.Itoa(l+1))
		}
		t.process(i, l+1, begin, end)
	}
	t.other()
	if err := o.w.Flush(); err != nil {
		return fmt.Errorf("writing a Chrome trace: %w", err)
	}
	return nil
}

type trace struct {
	*output
	r     *record.Recording
	span  words.Span
	facts words.Facts
}

// named writes a metadata event that gives something its name.
func (t *trace) named(what string, tid int, name string) {
	t.begin('M', what)
	t.on(tid)
	t.args()
	t.text("name", name)
	t.end()
}

// thread names a thread and gives it its place among them.
func (t *trace) thread(tid, place int, name string) {
	t.named("thread_name", tid, name)
	t.begin('M', "thread_sort_index")
	t.on(tid)
	t.args()
	t.int("sort_index", int64(place))
	t.end()
}

// slice begins a complete event.
func (t *trace) slice(name, category string, tid int, since, until process.Instant) {
	t.begin('X', name)
	t.text("cat", category)
	t.micros("ts", t.span.Since(since))
	t.micros("dur", t.span.Since(until)-t.span.Since(since))
	t.on(tid)
}

// instant begins an instant event on a thread.
func (t *trace) instant(name, category string, tid int, at process.Instant) {
	t.begin('i', name)
	t.text("cat", category)
	t.micros("ts", t.span.Since(at))
	t.on(tid)
	t.text("s", "t")
	t.args()
}

// recording writes what is known of the recording and what could not be seen.
func (t *trace) recording() {
	t.thread(recordingThread, -1, "recording")
	t.instant(words.Title(&t.r.Header), "recording", recordingThread, t.span.Begin)
	t.facts.Recording(t.r)
	t.end()
	for _, sentence := range words.Unseen(t.r) {
		t.instant(sentence, "limit", recordingThread, t.span.Begin)
		t.end()
	}
	var last process.Instant
	for _, l := range t.r.Losses {
		since, until := t.span.Loss(l)
		since = max(since, last) // slices of a thread must not cross
		last = max(until, since)
		t.slice("events were lost", "loss", recordingThread, since, last)
		t.text("cname", "bad")
		t.args()
		t.end()
	}
}

// other ends the trace with what is not drawn.
func (t *trace) other() {
	o := t.output
	o.b, o.first = append(o.b[:0], "\n],\n\"displayTimeUnit\":\"ms\",\n\"otherData\":{"...), true
	t.facts.Recording(t.r)
	for i, sentence := range words.Unseen(t.r) {
		t.text("unseen_"+strconv.Itoa(i+1), sentence)
	}
	_, _ = o.w.Write(append(o.b, "}}\n"...))
}

func (t *trace) process(i, tid int, begin, end process.Instant) {
	p := &t.r.Processes[i]
	name, category := words.Name(p), "process"
	failed := p.Failed()
	if failed {
		name, category = name+": "+words.Ending(p), "process,failed"
	}
	t.slice(name, category, tid, begin, end)
	if failed {
		t.text("cname", "terrible")
	}
	t.args()
	t.facts.Process(t.r, i)
	if p.End == 0 {
		t.key("open")
		t.b = append(t.b, "true"...)
	}
	t.end()
	for j := range p.Execs {
		e := &p.Execs[j]
		t.instant("exec "+words.Program(e), "exec", tid, max(begin, t.span.Exec(p, j)))
		t.known("file", words.Text(e.File))
		if j < len(p.Execs)-1 { // that of the last is with the process
			t.text("command", words.Command(e.Args, e.ArgsCut))
		}
		t.end()
	}
}
