package record

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// followInterval is how often a file that has nothing new is looked at. A
// writer writes about once a second.
const followInterval = 100 * time.Millisecond

// Follow reads a recording while it is being written: it calls tell with what
// the reader has read and the record that it read last. It returns nil when the
// recording has ended, the error of tell if it returns one, and that of the
// context when that is done. It returns [ErrAbandoned] for one that nobody writes
// any more, as far as it can know: that the file is an [os.File], and its header
// says that it is locked. Else it waits for more.
//
// The file is one whose reads give [io.EOF] where there is no more yet, as
// those of a regular file do. The reader is valid only in tell.
func Follow(ctx context.Context, file io.Reader, o ReadOptions, tell func(*Reader, Record) error) error {
	g := &growing{ctx: ctx, Reader: file}
	r, err := NewReader(g, o)
	if err != nil {
		return err
	}
	defer r.Close()
	if f, ok := file.(*os.File); ok && r.rec.Header.Locked {
		g.locked = f
	}
	rec := Record{Kind: Began, At: r.rec.Header.BeganAt}
	for err == nil {
		if err = tell(r, rec); err != nil {
			return err
		}
		if rec.Kind == Ended {
			return nil
		}
		rec, err = r.Next()
	}
	switch {
	case g.abandoned:
		return ErrAbandoned
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF // what reads as an end was none
	}
	return err
}

// growing waits at the end of a file for more.
type growing struct {
	io.Reader
	ctx       context.Context
	locked    *os.File // what the writer holds a lock of, nil where that is not known
	abandoned bool     // the writer is gone, and all was read
}

func (g *growing) Read(b []byte) (int, error) {
	last := false
	for {
		if err := g.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := g.Reader.Read(b)
		if n > 0 || len(b) == 0 {
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		switch {
		case last:
			g.abandoned = true
			return 0, io.EOF
		case g.locked != nil && !isLocked(g.locked):
			last = true // but for what it wrote before it let go
			continue
		}
		wait := time.NewTimer(followInterval)
		select {
		case <-g.ctx.Done():
			wait.Stop()
		case <-wait.C:
		}
	}
}
