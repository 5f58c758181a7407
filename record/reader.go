package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

var (
	// ErrFormat is wrapped by the errors for what is no recording, or one that
	// was damaged.
	ErrFormat = errors.New("not a recording, or damaged")
	// ErrVersion is wrapped where a recording is of a later version.
	ErrVersion = errors.New("made by a later version")
	// ErrTooLarge is wrapped where a recording does not fit in the memory that
	// it may take.
	ErrTooLarge = errors.New("recording too large")
)

// ReadOptions are how a recording is read.
type ReadOptions struct {
	// Memory is how many bytes what is read may take, as far as that can be
	// counted. The zero value is 2 GiB, for some four million processes.
	Memory int64
}

const (
	defaultMemory = 2 << 30
	// maxLine is how long a line may be. The kernel takes at most 6 MiB of
	// arguments (bprm_set_stack_limits: three quarters of _STK_LIM), and a byte
	// takes at most six in JSON.
	maxLine = 40 << 20
	// maxWindow is how far back the compression of a file may look.
	maxWindow = 8 * windowSize
	// expansion is how many times as much text as memory a recording may have,
	// so that the reading of it comes to an end.
	expansion = 16
)

// Read reads a recording to its end, or as far as it goes: one without an end
// was cut short, or goes on. Where what follows is damaged, not as if it had
// been cut off, or too large, it returns what it read with the error. The
// recording is nil where not even its header could be read.
func Read(in io.Reader, o ReadOptions) (*Recording, error) {
	r, err := NewReader(in, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		if _, err = r.Next(); err != nil {
			break
		}
	}
	r.rec.sort()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return &r.rec, err
}

// A Reader reads a recording record by record. It must not be used by several
// goroutines at once.
type Reader struct {
	file source
	dec  *zstd.Decoder
	in   *bufio.Reader
	long []byte // a line that is longer than the buffer of in
	scan scanner
	rec  Recording
	told told
	left int64 // how much memory
	text int64 // and how much text there may be yet
	err  error
}

// source remembers with what error the reading of the file itself ended.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err != nil {
		s.err = err
	}
	return n, err
}

// NewReader returns a reader of the recording in the file, of which it has read
// the header. It reads no more of the file than it needs for the next record.
// Close it after use.
func NewReader(file io.Reader, o ReadOptions) (*Reader, error) {
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	r := &Reader{file: source{Reader: file}, left: o.Memory, text: min(o.Memory, math.MaxInt64/expansion) * expansion}
	var err error
	r.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(math.MaxInt64))
	if err == nil {
		err = r.dec.Reset(&r.file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	r.in = bufio.NewReaderSize(r.dec, 64<<10)
	first, err := r.Next()
	if errors.Is(err, io.EOF) || err == nil && first.Kind != Began {
		err = fmt.Errorf("reading a recording: it has no header: %w", ErrFormat)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close gives back what the reader took. What it read stays.
func (r *Reader) Close() { r.dec.Close() }

// Recording returns what was read so far, which Next changes. Its processes are
// in the order of the file; [Read] brings them into that of their starts.
func (r *Reader) Recording() *Recording { return &r.rec }

// Next reads a record. At the end of what can be read, also where the file was
// cut off in the middle of a record, it returns [io.EOF].
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	rec, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading a recording: %w", err)
	}
	r.err = err
	return rec, err
}

func (r *Reader) next() (Record, error) {
	for {
		text, err := r.line()
		if err != nil {
			return Record{}, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		rec, err := r.take(text)
		if err == nil && r.left < 0 {
			err = fmt.Errorf("%d processes: %w", len(r.rec.Processes), ErrTooLarge)
		}
		return rec, err
	}
}

// line reads a line, which is valid until the next call.
func (r *Reader) line() ([]byte, error) {
	text, err := r.in.ReadSlice('\n')
	r.text -= int64(len(text))
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = append(r.long[:0], text...)
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = r.in.ReadSlice('\n')
			r.text -= int64(len(text))
			if len(r.long)+len(text) > maxLine {
				return nil, fmt.Errorf("a line of more than %d bytes: %w", maxLine, ErrTooLarge)
			}
			r.long = append(r.long, text...)
		}
		text = r.long
	}
	switch {
	case err == nil && r.text < 0:
		return nil, fmt.Errorf("too much text: %w", ErrTooLarge)
	case err == nil:
		return text, nil
	case r.file.err != nil && !errors.Is(r.file.err, io.EOF):
		return nil, r.file.err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, io.EOF // and a part of a line is none
	}
	return nil, fmt.Errorf("%w: %w", ErrFormat, err)
}
