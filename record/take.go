package record

import (
	"fmt"
	"math"
	"syscall"
	"time"
	"unsafe"

	"github.com/proclineage/lineage/process"
)

// A Record is one line of a recording.
type Record struct {
	// Kind is what it tells.
	Kind Kind
	// Number is the place in Recording.Processes, as [Reader.Recording] has
	// them, of the process that it is about, of a Forked, Execed and Exited.
	Number int
	// At is when it happened, zero where that is not known, of a Lost when the
	// loss was over.
	At process.Instant
}

// Kind is what a [Record] tells.
type Kind uint8

const (
	// Other is a record of a kind that this version does not know.
	Other Kind = iota
	// Began is the header.
	Began
	// Forked tells of a new process.
	Forked
	// Execed tells of the last of Process.Execs.
	Execed
	// Exited tells of the end of a process.
	Exited
	// Lost tells of the last of Recording.Losses.
	Lost
	// Limited tells of the last of Header.Limits.
	Limited
	// Ended tells of the end of the recording.
	Ended
)

// take takes in a line.
func (r *Reader) take(text []byte) (Record, error) {
	s := &r.scan
	*s = scanner{b: text, text: s.text}
	s.expect('{')
	kind := string(s.key())
	s.i = 0
	var rec Record
	var err error
	switch kind {
	case "recording":
		rec, err = r.takeHeader()
	case "fork":
		rec, err = r.takeFork()
	case "exec":
		rec, err = r.takeExec()
	case "exit":
		rec, err = r.takeExit()
	case "loss":
		rec = r.takeLoss()
	case "limit":
		rec = r.takeLimit()
	case "end":
		rec = r.takeEnd()
	default:
		s.each(func([]byte) { s.skip() })
	}
	if s.bad {
		return Record{}, fmt.Errorf("%w: %w", ErrFormat, errJSON)
	}
	return rec, err
}

// instant takes a moment.
func (r *Reader) instant() process.Instant {
	return r.rec.Header.BeganAt + process.Instant(r.scan.int())
}

func (r *Reader) takeHeader() (Record, error) {
	if r.rec.Header.Version != 0 {
		return Record{}, fmt.Errorf("%w: it has two headers", ErrFormat)
	}
	s := &r.scan
	var h Header
	var err error
	s.each(func(key []byte) {
		switch string(key) {
		case "recording":
			h.Version = s.number()
		case "command":
			h.Command = r.texts()
		case "dir":
			h.Dir = r.string()
		case "began":
			h.Began, err = time.Parse(time.RFC3339Nano, r.string())
		case "began_at":
			h.BeganAt = process.Instant(s.uint())
		case "host":
			h.Host = r.string()
		case "kernel":
			h.Kernel = r.string()
		case "boot_id":
			h.BootID = r.string()
		case "cpus":
			h.CPUs = s.number()
		case "source":
			h.Source = r.string()
		case "limits":
			h.Limits = r.texts()
		case "locked":
			h.Locked = s.true()
		default:
			s.skip()
		}
	})
	switch {
	case s.bad:
	case h.Version > Version:
		return Record{}, fmt.Errorf("version %d: %w", h.Version, ErrVersion)
	case h.Version == 0:
		err = errJSON
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	h.Limits = append([]string(nil), h.Limits...) // there may come more
	r.rec.Header = h
	return Record{Kind: Began, At: h.BeganAt}, nil
}

func (r *Reader) takeFork() (Record, error) {
	s := &r.scan
	p := Process{Creator: -1, UID: -1}
	p.ID.Precision = process.Exact
	n, hasID, hasEvidence := -1, false, false
	s.each(func(key []byte) {
		switch string(key) {
		case "fork":
			n = s.number()
		case "pid":
			p.ID.PID = s.number()
		case "t":
			p.Start = r.instant()
		case "id_start":
			p.ID.Start, hasID = process.Instant(s.uint()), true
		case "precision":
			p.ID.Precision = precision(s)
		case "inode":
			p.ID.Inode = s.uint()
		case "by":
			p.Creator = s.number()
		case "by_evidence":
			p.CreatorEvidence, hasEvidence = evidence(s), true
		case "name":
			p.Name = r.string()
		case "uid":
			if uid := s.uint(); uid <= math.MaxUint32 {
				p.UID = int(uid)
			}
		case "container":
			p.Container = r.string()
		case "found":
			p.Found = s.true()
		default:
			s.skip()
		}
	})
	if !hasID {
		p.ID.Start = p.Start
	}
	if !hasEvidence && p.Creator >= 0 {
		p.CreatorEvidence = process.Observed
	}
	if s.bad {
		return Record{}, nil
	}
	if n != len(r.rec.Processes) || p.Creator >= n || r.rec.Header.Version == 0 {
		return Record{}, fmt.Errorf("process %d made by %d after %d: %w", n, p.Creator, len(r.rec.Processes), ErrFormat)
	}
	r.left -= 2 * int64(unsafe.Sizeof(p)) // and that slice grows
	r.rec.Processes = append(r.rec.Processes, p)
	return Record{Kind: Forked, Number: n, At: p.Start}, nil
}

// process returns the process with the number.
func (r *Reader) process(n int) (*Process, error) {
	if n < 0 || n >= len(r.rec.Processes) {
		return nil, fmt.Errorf("no process has the number %d: %w", n, ErrFormat)
	}
	return &r.rec.Processes[n], nil
}

func (r *Reader) takeExec() (Record, error) {
	s := &r.scan
	var e Exec
	var name string
	n := -1
	s.each(func(key []byte) {
		switch string(key) {
		case "exec":
			n = s.number()
		case "t":
			e.At = r.instant()
		case "name":
			name = r.string()
		case "file":
			e.File = r.string()
		case "args":
			e.Args = r.texts()
		case "args_cut":
			e.ArgsCut = s.true()
		case "uid":
			if uid := s.uint(); uid <= math.MaxUint32 {
				e.UID = new(int(uid))
				r.left -= int64(unsafe.Sizeof(uid))
			}
		default:
			s.skip()
		}
	})
	p, err := r.process(n)
	if s.bad || err != nil {
		return Record{}, err
	}
	if name != "" {
		p.Name = name
	}
	r.left -= 2 * int64(unsafe.Sizeof(e))
	p.Execs = append(p.Execs, e)
	return Record{Kind: Execed, Number: n, At: e.At}, nil
}

func (r *Reader) takeExit() (Record, error) {
	s := &r.scan
	var name string
	var end process.Instant
	x := process.Exit{Evidence: process.Observed}
	n, known := -1, false
	s.each(func(key []byte) {
		switch string(key) {
		case "exit":
			n = s.number()
		case "t":
			end = r.instant()
		case "known":
			x.At, known = r.instant(), true
		case "name":
			name = r.string()
		case "evidence":
			x.Evidence = evidence(s)
		case "code":
			x.Status |= syscall.WaitStatus(uint8(s.number())) << 8
		case "signal":
			x.Status |= syscall.WaitStatus(s.number() & 0x7f)
		case "core":
			if s.true() {
				x.Status |= coreFlag
			}
		case "status":
			x.Status = syscall.WaitStatus(uint32(s.uint()))
		case "user":
			x.Usage.User, x.Usage.Known = s.duration(), true
		case "system":
			x.Usage.System, x.Usage.Known = s.duration(), true
		case "rss":
			x.Usage.MaxRSS, x.Usage.Known = s.uint(), true
		case "read":
			x.Usage.ReadBytes = s.uint()
		case "written":
			x.Usage.WrittenBytes = s.uint()
		default:
			s.skip()
		}
	})
	p, err := r.process(n)
	if s.bad || err != nil {
		return Record{}, err
	}
	if !known {
		x.At = end
	}
	if name != "" {
		p.Name = name
	}
	p.End, p.Exit = end, x
	return Record{Kind: Exited, Number: n, At: end}, nil
}

func (r *Reader) takeLoss() Record {
	s := &r.scan
	var l Loss
	s.each(func(key []byte) {
		switch string(key) {
		case "loss":
			l.Until = r.instant()
		case "since":
			l.Since = r.instant()
		default:
			s.skip()
		}
	})
	r.left -= 2 * int64(unsafe.Sizeof(l))
	r.rec.Losses = append(r.rec.Losses, l)
	return Record{Kind: Lost, At: l.Until}
}

func (r *Reader) takeLimit() Record {
	s := &r.scan
	s.each(func(key []byte) {
		switch string(key) {
		case "text":
			text := r.string()
			r.left -= int64(unsafe.Sizeof(text))
			r.rec.Header.Limits = append(r.rec.Header.Limits, text)
		default:
			s.skip()
		}
	})
	return Record{Kind: Limited}
}

func (r *Reader) takeEnd() Record {
	s := &r.scan
	s.each(func(key []byte) {
		switch string(key) {
		case "end":
			r.rec.Ended = r.instant()
		default:
			s.skip()
		}
	})
	return Record{Kind: Ended, At: r.rec.Ended}
}
