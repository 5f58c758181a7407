package record

import (
	"time"
	"unsafe"

	"github.com/proclineage/lineage/process"
)

// told is the strings and command lines that were read lately, so that those
// that come again are kept once.
type told struct {
	texts map[string]string
	lists map[string][]string
}

const (
	// toldTexts and toldLists are how many are known at a time, and toldLength
	// is how long they may be.
	toldTexts, toldLists = 1 << 15, 1 << 13
	toldLength           = 4 << 10
)

// string takes a string.
func (r *Reader) string() string {
	b := r.scan.string()
	if len(b) == 0 {
		return ""
	}
	if s, ok := r.told.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	r.left -= int64(unsafe.Sizeof(s)) + int64(len(s))
	if len(s) <= toldLength {
		if r.told.texts == nil || len(r.told.texts) >= toldTexts {
			r.told.texts = map[string]string{}
		}
		r.told.texts[s] = s
	}
	return s
}

// texts takes an array of strings. It may be shared.
func (r *Reader) texts() []string {
	s := &r.scan
	begin := s.i
	s.skip()
	if s.bad {
		return nil
	}
	end := s.i
	raw := s.b[begin:end]
	if all, ok := r.told.lists[string(raw)]; ok {
		return all
	}
	var all []string
	s.i = begin
	s.array(func() { all = append(all, r.string()) })
	r.left -= 2 * int64(len(all)) * int64(unsafe.Sizeof(""))
	if len(raw) <= toldLength {
		if r.told.lists == nil || len(r.told.lists) >= toldLists {
			r.told.lists = map[string][]string{}
		}
		r.told.lists[string(raw)] = all
		r.left -= int64(len(raw))
	}
	return all
}

// duration takes a time in nanoseconds, which is not negative.
func (s *scanner) duration() time.Duration {
	n := s.int()
	if n < 0 {
		s.fail()
		return 0
	}
	return time.Duration(n)
}

// evidence takes the name of an evidence.
func evidence(s *scanner) process.Evidence {
	name := s.string()
	for e := process.Unknown; e <= process.Observed; e++ {
		if e.String() == string(name) {
			return e
		}
	}
	return process.Unknown // one of a later version
}

// precision takes how well a start is known.
func precision(s *scanner) process.Precision {
	if string(s.string()) == "tick" {
		return process.ToTick
	}
	return process.StartUnknown
}
