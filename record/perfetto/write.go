// Package perfetto writes a recording in Perfetto's trace format, which
// ui.perfetto.dev and its trace processor read: a track for each process, below
// that of its creator.
package perfetto

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/proclineage/lineage/record"
	"github.com/proclineage/lineage/record/internal/words"
)

// The tracks, by their IDs. A process has firstProcess and its place in
// Recording.Processes.
const (
	recordingTrack = 1 + iota
	unseenTrack
	runningTrack
	firstProcess = 16
)

// Write writes the recording as a Trace message. Times are those of the boot
// clock, in nanoseconds; the wall clock is given beside it.
//
// The track of a process has a slice for its life, named as the process is, and
// on it one for each program that it ran, from its exec to the next one. The
// slice of a process that failed ends its name with how, and has the category
// "failed". One that was not seen to end has no end. What is known besides is
// in the arguments: the command line as a shell takes it, the creator and how
// that is known, the exit status, CPU time, memory and I/O.
//
// All are below one track for the recording, and so are the number of processes
// that run and, where there is anything, what could not be seen: a slice for
// each time in which events were lost, an instant for each limit.
//
// It needs 16 bytes of memory for each process besides the recording, and two
// megabytes or so in which strings are kept to be written only once.
func Write(w io.Writer, r *record.Recording) error {
	s := &stream{w: bufio.NewWriterSize(w, 64<<10)}
	t := trace{stream: s, r: r, span: words.Of(r), facts: words.Facts{Text: s.text, Int: s.int, Uint: s.uint}}
	t.clocks()
	t.recording()
	t.unseen()
	t.running()
	for i := range r.Processes {
		t.process(i)
	}
	t.close(recordingTrack, t.span.End)
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("writing a Perfetto trace: %w", err)
	}
	return nil
}

type trace struct {
	*stream
	r     *record.Recording
	span  words.Span
	facts words.Facts
}

// clocks says what the wall clock showed when the recording began.
func (t *trace) clocks() {
	h := &t.r.Header
	if h.Began.Before(time.Unix(0, 0)) || h.BeganAt == 0 {
		return
	}
	var b []byte
	for _, c := range [...]struct{ id, at uint64 }{
		{clockBoottime, uint64(h.BeganAt)}, {clockRealtime, uint64(h.Began.UnixNano())},
	} {
		b = appendBytes(b, snapshotClocks, appendUint(appendUint(nil, clockID, c.id), clockTimestamp, c.at))
	}
	b = appendUint(b, snapshotPrimary, clockBoottime)
	t.send(packetClockSnapshot, b, h.BeganAt)
}

func (t *trace) recording() {
	command := words.Title(&t.r.Header)
	t.track(track{uuid: recordingTrack, name: "Recording", description: command, ordering: explicit})
	t.begin(typeSliceBegin, recordingTrack, command, "recording")
	t.facts.Recording(t.r)
	t.end(t.span.Begin)
}

func (t *trace) unseen() {
	sentences := words.Unseen(t.r)
	if len(sentences) == 0 {
		return
	}
	t.track(track{uuid: unseenTrack, parent: recordingTrack, name: "Could not be seen", rank: 1})
	for _, sentence := range sentences {
		t.begin(typeInstant, unseenTrack, sentence, "limit")
		t.end(t.span.Begin)
	}
	for _, l := range t.r.Losses {
		since, until := t.span.Loss(l)
		t.begin(typeSliceBegin, unseenTrack, "events were lost", "loss")
		t.end(since)
		t.close(unseenTrack, until)
	}
}

// running writes how many processes there were at each time.
func (t *trace) running() {
	t.track(track{uuid: runningTrack, parent: recordingTrack, name: "Processes running", rank: 2, counter: true})
	for at, n := range t.span.Changes(t.r) {
		t.count(runningTrack, at, n)
	}
}

func (t *trace) process(i int) {
	p := &t.r.Processes[i]
	uuid := firstProcess + uint64(i)
	parent, rank := uint64(recordingTrack), uint64(3)
	if p.Creator >= 0 && p.Creator < i {
		parent, rank = firstProcess+uint64(p.Creator), 0
	}
	called := words.Name(p)
	t.track(track{uuid: uuid, parent: parent, name: called + " " + strconv.Itoa(p.ID.PID), ordering: chronological, rank: rank})
	at, end, open := t.span.Life(p)
	if p.Failed() {
		t.begin(typeSliceBegin, uuid, called+": "+words.Ending(p), "process", "failed")
		t.yes("failed")
	} else {
		t.begin(typeSliceBegin, uuid, called, "process")
	}
	t.facts.Process(t.r, i)
	t.end(at)
	for j := range p.Execs {
		began := t.span.Exec(p, j)
		if j > 0 {
			t.close(uuid, began)
		}
		t.exec(uuid, &p.Execs[j])
		t.end(began)
	}
	if open {
		return // what goes on has no end
	}
	if len(p.Execs) > 0 {
		t.close(uuid, end)
	}
	t.close(uuid, end)
}

func (t *trace) exec(uuid uint64, e *record.Exec) {
	t.begin(typeSliceBegin, uuid, words.Program(e), "exec")
	t.text("command", words.Command(e.Args, e.ArgsCut))
	t.text("file", words.Text(e.File))
}
