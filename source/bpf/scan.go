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

// scanBuffer is more than what the kernel hands over at once: eight pages
// (bpf_seq_read).
const scanBuffer = 64 << 10

// Scan tells of every process that the task iterator shows, as events of kind
// Seen, which are valid only during the call. All that live from the beginning
// to the end of the scan are among them, with the exceptions that the kernel
// makes. A parent is identified exactly. The Time of all is when the scan
// began.
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
	s.shared.scan.Add(1)
	return s.iterate(s.iterator, func(record []byte) error {
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

// iterate runs an iterator and hands over its records.
func (s *Source) iterate(it *link.Iter, each func(record []byte) error) error {
	r, err := it.Open()
	if err != nil {
		return fmt.Errorf("bpf: task iterator: %w", err)
	}
	defer func() { _ = r.Close() }()
	if s.scanBuf == nil {
		s.scanBuf = make([]byte, scanBuffer)
	}
	left := 0 // the beginning of a record that was not handed over whole
	for {
		n, err := r.Read(s.scanBuf[left:])
		b := s.scanBuf[:left+n]
		for len(b) > 0 {
			size, short := recordSize(b)
			if short != nil {
				break
			}
			if err := each(b[:size]); err != nil {
				return err
			}
			b = b[size:]
		}
		left = copy(s.scanBuf, b)
		switch {
		case errors.Is(err, io.EOF) && left == 0:
			return nil
		case errors.Is(err, io.EOF), left == len(s.scanBuf):
			return errRecord
		case err != nil:
			return fmt.Errorf("bpf: task iterator: %w", err)
		}
	}
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
	s.shared.scan.Add(1)
	s.shared.self.Store(0)
	err = s.iterate(it, func(b []byte) error {
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
