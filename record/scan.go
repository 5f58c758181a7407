package record

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errJSON says that a line is no JSON object of the format.
var errJSON = errors.New("not a JSON object of the format")

// maxDepth is how deep the values of fields that are not known may be nested.
const maxDepth = 32

// A scanner takes a JSON object apart, from the front. After the first error
// it returns nothing more, and bad says so.
type scanner struct {
	b    []byte
	i    int
	bad  bool
	text []byte // room for a string
}

func (s *scanner) fail() { s.bad, s.i = true, len(s.b) }

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\r' || s.b[s.i] == '\n') {
		s.i++
	}
}

// peek returns the next character that is no space, or zero at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

// take takes the character if it is the next one.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || c == 0 {
		return false
	}
	s.i++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.fail()
	}
}

// each calls field with each key of the object that is the whole line. Field
// takes the value; what it does not know it has to skip. The key is valid only
// until then.
func (s *scanner) each(field func(key []byte)) {
	s.expect('{')
	if !s.take('}') {
		for more := true; more && !s.bad; more = s.take(',') {
			key := s.key()
			if s.bad {
				return
			}
			field(key)
		}
		s.expect('}')
	}
	if s.peek() != 0 || s.i != len(s.b) {
		s.fail()
	}
}

// key takes a key, which is seldom escaped, and the colon.
func (s *scanner) key() []byte {
	key := s.string()
	s.expect(':')
	return key
}

// string takes a string. It is valid until the next call.
func (s *scanner) string() []byte {
	s.expect('"')
	begin := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[begin : s.i-1]
		case c == '\\':
			return s.escaped(begin)
		case c < ' ':
			s.fail()
			return nil
		}
		s.i++
	}
	s.fail()
	return nil
}

// escaped takes the rest of a string that has an escape at the scanner.
func (s *scanner) escaped(begin int) []byte {
	s.text = append(s.text[:0], s.b[begin:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return s.text
		case c == '\\':
			s.escape()
		case c < ' ':
			s.fail()
			return nil
		default:
			s.text = append(s.text, c)
		}
	}
	s.fail()
	return nil
}

// escape takes what follows a backslash into text.
func (s *scanner) escape() {
	if s.i == len(s.b) {
		s.fail()
		return
	}
	c := s.b[s.i]
	s.i++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		s.text = append(s.text, "\"\\/\b\f\n\r\t"[i])
		return
	}
	if c != 'u' {
		s.fail()
		return
	}
	r := s.hex()
	switch {
	case r >= 0xdc80 && r <= 0xdcff: // a byte that is not UTF-8, see line.string
		s.text = append(s.text, byte(r))
		return
	case utf16.IsSurrogate(r):
		low := rune(utf8.RuneError)
		if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
			back := s.i
			s.i += 2
			if low = s.hex(); utf16.DecodeRune(r, low) == utf8.RuneError {
				s.i = back
			}
		}
		r = utf16.DecodeRune(r, low)
	}
	s.text = utf8.AppendRune(s.text, r)
}

// hex takes four hexadecimal digits.
func (s *scanner) hex() rune {
	if len(s.b)-s.i < 4 {
		s.fail()
		return 0
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			s.fail()
			return 0
		}
		r = r<<4 | rune(c)
	}
	s.i += 4
	return r
}

// uint takes a whole number that is not negative.
func (s *scanner) uint() uint64 {
	s.space()
	var n uint64
	begin := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		d := uint64(s.b[s.i] - '0')
		if n > (math.MaxUint64-d)/10 {
			s.fail()
			return 0
		}
		n = n*10 + d
		s.i++
	}
	if s.i == begin {
		s.fail()
	}
	return n
}

// int takes a whole number.
func (s *scanner) int() int64 {
	negative := s.take('-')
	n := s.uint()
	switch {
	case negative && n <= -math.MinInt64:
		return -int64(n)
	case n <= math.MaxInt64:
		return int64(n)
	}
	s.fail()
	return 0
}

// number takes a number of a process, at most so great as an int may be.
func (s *scanner) number() int {
	n := s.uint()
	if n > math.MaxInt32 {
		s.fail()
		return 0
	}
	return int(n)
}

// true takes true or false.
func (s *scanner) true() bool {
	switch {
	case s.word("true"):
		return true
	case s.word("false"):
	default:
		s.fail()
	}
	return false
}

func (s *scanner) word(word string) bool {
	s.space()
	if !strings.HasPrefix(string(s.b[s.i:min(len(s.b), s.i+len(word))]), word) {
		return false
	}
	s.i += len(word)
	return true
}

// skip takes a value of any kind.
func (s *scanner) skip() { s.skipAt(0) }

func (s *scanner) skipAt(depth int) {
	if depth > maxDepth {
		s.fail()
		return
	}
	switch c := s.peek(); {
	case c == '"':
		s.string()
	case c == '{':
		s.i++
		if s.take('}') {
			return
		}
		for more := true; more && !s.bad; more = s.take(',') {
			s.key()
			s.skipAt(depth + 1)
		}
		s.expect('}')
	case c == '[':
		s.array(func() { s.skipAt(depth + 1) })
	case c == '-' || c >= '0' && c <= '9':
		begin := s.i
		for s.i < len(s.b) && strings.IndexByte("+-.0123456789Ee", s.b[s.i]) >= 0 {
			s.i++
		}
		if _, err := strconv.ParseFloat(string(s.b[begin:s.i]), 64); errors.Is(err, strconv.ErrSyntax) {
			s.fail()
		}
	default:
		if !s.word("true") && !s.word("false") && !s.word("null") {
			s.fail()
		}
	}
}

// array calls element before each element of an array, which it has to take.
func (s *scanner) array(element func()) {
	s.expect('[')
	if s.bad || s.take(']') {
		return
	}
	for more := true; more && !s.bad; more = s.take(',') {
		element()
	}
	s.expect(']')
}
