package bpf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/link"

	"github.com/proclineage/lineage/internal/linux"
	"github.com/proclineage/lineage/process"
)

const (
	// scanBuffer is as much as the kernel hands over at once: eight pages
	// (bpf_seq_read).
	scanBuffer = 32 << 10
	// scanBuffers is how many of them are read ahead.
	scanBuffers = 8
	// maxRecord is more than any record takes.
	maxRecord = 8 << 10
)

// Scan tells of every process that the task iterator shows, as events of kind
// Seen, which are valid only during the call. All that live from the beginning
// to the end of the scan are among them, with the exceptions that the kernel
// makes. A parent is identified exactly. The Time of all is when the scan
// began. Emit must not call Drain, which may have to wait for the scan.
func (s *Source) Scan(ctx context.Context, emit func(*process.Event)) error {
	s.scanning.Lock()
	defer s.scanning.Unlock()
	s.mu.Lock()
	closed, hierarchies, began, offset := s.closed, s.sets.hierarchies, s.last, s.decoder.offset
	s.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	began = max(began, process.Instant(linux.Boottime()))
	found := newSets(hierarchies) // numbers of a scan mean nothing elsewhere
	d := newDecoder(offset, found.cgroup)
	var e process.Event
	s.iterating.Lock()
	defer s.iterating.Unlock()
	s.shared.scan.Add(1)
	return iterate(s.iterator, func(record []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if native.Uint32(record) == recordLine {
			return found.line(record)
		}
		if _, err := d.event(record, &e); err != nil {
			return err
		}
		e.Time = began
		emit(&e)
		return nil
	})
}

// A chunk is what the kernel handed over at once.
type chunk struct {
	b   []byte
	err error
}

// iterate runs an iterator and hands over its records, while another goroutine
// reads on.
func iterate(it *link.Iter, each func(record []byte) error) error {
	r, err := it.Open()
	if err != nil {
		return fmt.Errorf("bpf: task iterator: %w", err)
	}
	chunks, free := make(chan chunk), make(chan []byte, scanBuffers)
	for range scanBuffers {
		free <- make([]byte, scanBuffer)
	}
	go func() {
		defer close(chunks)
		defer func() { _ = r.Close() }()
		for b := range free {
			n, err := r.Read(b)
			chunks <- chunk{b[:n], err}
			if err != nil {
				return
			}
		}
	}()
	var problem error
	var left []byte // the beginning of a record that was not handed over whole
	for c := range chunks {
		switch {
		case problem != nil: // the rest is of no use
			continue
		case errors.Is(c.err, io.EOF):
			if len(left) > 0 {
				problem = errRecord
			}
			continue
		case c.err != nil:
			problem = fmt.Errorf("bpf: task iterator: %w", c.err)
			continue
		}
		b := c.b
		if len(left) > 0 {
			b = append(left, b...)
		}
		for len(b) > 0 && problem == nil {
			size, short := recordSize(b)
			if short != nil {
				break
			}
			problem = each(b[:size])
			b = b[size:]
		}
		if len(b) > maxRecord {
			problem = errors.Join(problem, errRecord)
		}
		left = append([]byte(nil), b...)
		if problem == nil {
			free <- c.b[:scanBuffer]
		} else {
			close(free)
		}
	}
	return problem
}

// learnSelf finds out in which namespaces the reader is, for the programs and
// for the membership texts, and returns what its boot clock is ahead of the
// kernel's by.
func (s *Source) learnSelf() (offset process.Instant, err error) {
	text, err := os.ReadFile(filepath.Join(s.procPath, "self/cgroup"))
	if err != nil {
		return 0, err
	}
	hierarchies, err := parseHierarchies(string(text))
	if err != nil {
		return 0, err
	}
	it, err := link.AttachIter(link.IterOptions{Program: s.programs["self"]})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	paths := make(map[int32][]string)
	told := false
	// It has its room in the kernel in common with a scan (IN_SCAN), and the
	// number by which that one's sets are told.
	s.iterating.Lock()
	defer s.iterating.Unlock()
	s.shared.scan.Add(1)
	s.shared.self.Store(0)
	err = iterate(it, func(b []byte) error {
		switch native.Uint32(b) {
		case recordLine:
			paths[int32(native.Uint32(b[40:]))] = splitPath(b[lineSize:])
		case recordSelf:
			told = true
			offset = process.Instant(native.Uint64(b[24:])*1e9 + native.Uint64(b[32:]))
		}
		return nil
	})
	if err == nil && !told {
		err = errors.New("the task iterator shows no process")
	}
	for i := range hierarchies {
		hierarchies[i].root = paths[hierarchies[i].id]
	}
	if s.sets == nil {
		s.sets = newSets(hierarchies)
	}
	s.sets.hierarchies = hierarchies
	return offset, err
}
