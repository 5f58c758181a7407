package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/proclineage/lineage/process"
)

const (
	// windowSize is how far back the compression looks, and so what it takes of
	// memory, on both sides.
	windowSize = 1 << 20
	// batchSize is after how much text a batch of lines is written.
	batchSize = 96 << 10
	// frameSize is after how much text a frame is closed, with its checksum.
	frameSize = 8 << 20
	// batchAge is after what time a batch is written at the latest. With what
	// the timer may be late it is less than a second.
	batchAge = 900 * time.Millisecond
)

// ErrClosed is returned by a [Writer] that was closed.
var ErrClosed = errors.New("the recording is closed")

// ErrNumber is returned for a number that no process of the recording has.
var ErrNumber = errors.New("no such process in the recording")

// A Writer writes a recording. What it is told is in the file within a second,
// and what is in the file can be read whatever comes after: a crash, or a disk
// that is full. It holds on to no process, so its memory does not grow.
//
// After an error of the file it takes nothing more: each method returns that
// error, as [Writer.Err] does, at once. The file then ends with what could be
// written.
//
// A Writer may be used by several goroutines at once.
type Writer struct {
	mu    sync.Mutex
	out   io.Writer
	enc   *zstd.Encoder
	batch bytes.Buffer // what the encoder has made of whole lines
	line  line
	raw   int // bytes of text in the batch
	frame int // and in the frame
	start int64
	size  int64 // what is in the file
	next  int
	timer *time.Timer
	armed bool
	ended bool
	err   error
}

// NewWriter begins a recording in out, usually an empty file, and writes the
// header. The format's version is its own, whatever h has. If out can be
// truncated, what was written only in part is cut off again.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	w := &Writer{out: out, line: line{began: h.BeganAt}}
	if s, ok := out.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			w.start = at
		}
	}
	var err error
	w.enc, err = zstd.NewWriter(&w.batch, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowSize),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, fmt.Errorf("compressing a recording: %w", err)
	}
	w.timer = time.AfterFunc(time.Hour, func() { _ = w.Flush() }) // Err has it
	w.timer.Stop()
	w.line.header(&h)
	if err = w.add(); err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Fork adds a process and returns its number, which is the place that it has
// among those added, from 0. Creator is the number of the one that made it, and
// that must have been added before; Execs, End and Exit are not looked at, they
// are for [Writer.Exec] and [Writer.Exit].
func (w *Writer) Fork(p *Process) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Creator >= w.next {
		return 0, fmt.Errorf("recording process %v made by %d: %w", p.ID, p.Creator, ErrNumber)
	}
	n := w.next
	w.next++
	w.line.fork(n, p)
	return n, w.add()
}

// Exec adds that the process with the number n ran another program, after which
// it has that name, or the one before where name is empty. It does not keep e.
func (w *Writer) Exec(n int, e *Exec, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 0 || n >= w.next {
		return fmt.Errorf("recording an exec of %d: %w", n, ErrNumber)
	}
	w.line.exec(n, e, name)
	return w.add()
}

// Exit adds how the process with the number n ended, and when, zero where that
// is not known. Name is its last name where it has another one than was told,
// else empty. When it is told twice, the last one counts.
func (w *Writer) Exit(n int, end process.Instant, x *process.Exit, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 0 || n >= w.next {
		return fmt.Errorf("recording the exit of %d: %w", n, ErrNumber)
	}
	w.line.exit(n, end, x, name)
	return w.add()
}

// Lose adds that events were dropped.
func (w *Writer) Lose(l Loss) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.loss(l)
	return w.add()
}

// Limit adds, to those of the header, what the recording cannot tell from now
// on, in a sentence: another source had to take over.
func (w *Writer) Limit(sentence string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.limit(sentence)
	return w.add()
}

// End adds when the recording ended. Nothing may come after it but Close.
func (w *Writer) End(at process.Instant) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line.end(at)
	return w.add()
}

// add takes the line into the batch, and writes that when there is enough.
func (w *Writer) add() error {
	defer func() {
		w.line.b = w.line.b[:0]
		if cap(w.line.b) > batchSize {
			w.line.b = nil
		}
	}()
	switch {
	case w.err != nil:
		return w.err
	case w.ended:
		return ErrClosed
	}
	if _, err := w.enc.Write(w.line.b); err != nil {
		return w.failed(err)
	}
	w.raw += len(w.line.b)
	if w.raw >= batchSize {
		return w.write(false)
	}
	if !w.armed {
		w.armed = true
		w.timer.Reset(batchAge)
	}
	return nil
}

// Flush writes what was added.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.ended {
		return w.err
	}
	return w.write(false)
}

// write ends a block, or where the recording or the frame is at its end the
// frame, and writes it.
func (w *Writer) write(last bool) error {
	w.armed = false
	w.timer.Stop()
	w.frame, w.raw = w.frame+w.raw, 0
	var err error
	if end := last || w.frame >= frameSize; end && w.frame > 0 {
		err = w.enc.Close()
		w.frame = 0
		defer w.enc.Reset(&w.batch)
	} else {
		err = w.enc.Flush()
	}
	if err == nil && w.batch.Len() > 0 {
		var n int
		n, err = w.out.Write(w.batch.Bytes())
		if err == nil && n < w.batch.Len() {
			err = io.ErrShortWrite
		}
	}
	if err != nil {
		return w.failed(err)
	}
	w.size += int64(w.batch.Len())
	w.batch.Reset()
	if w.batch.Cap() > 4*batchSize { // for one with very long arguments
		w.batch = bytes.Buffer{}
	}
	return nil
}

// failed makes an error the last one, and cuts off what was half written.
func (w *Writer) failed(err error) error {
	w.err = fmt.Errorf("writing the recording: %w", err)
	if t, ok := w.out.(interface{ Truncate(size int64) error }); ok {
		_ = t.Truncate(w.start + w.size) // a reader leaves it out as well
	}
	w.batch = bytes.Buffer{}
	return w.err
}

// Err returns the error after which nothing was written, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close writes what was added and ends the file, which it does not close. A
// recording without [Writer.End] reads as one that was cut short.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	if w.ended {
		return ErrClosed
	}
	w.ended = true
	if w.err != nil {
		return w.err
	}
	return w.write(true)
}
