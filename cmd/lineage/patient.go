package main

import (
	"errors"
	"io"
	"slices"
	"time"
)

// patience is how long whoever reads may take for what is left once the command
// is to end.
const patience = time.Second

// errUnread is why not all was written.
var errUnread = errors.New("nobody reads it, so the rest was given up")

// A patientWriter waits for whoever reads until the command is to end, and then
// not for long.
type patientWriter struct {
	w   io.Writer
	end <-chan struct{}
}

func (p *patientWriter) Write(text []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	written := make(chan result, 1)
	text = slices.Clone(text) // it may be written after all
	go func() {
		n, err := p.w.Write(text)
		written <- result{n, err}
	}()
	select {
	case r := <-written:
		return r.n, r.err
	case <-p.end:
	}
	select {
	case r := <-written:
		return r.n, r.err
	case <-time.After(patience):
		return 0, errUnread
	}
}
