package redact

import "strings"

// text returns an argument without the secrets that a name or a program in it
// announces. A script is one of several words.
func text(s string, script bool) string {
	if r, ok := header(s); ok {
		return r
	}
	var (
		e     edit
		words words
		quote byte // that is open
	)
	for i := 0; i < len(s); {
		c := s[i]
		if isBreak(c) {
			switch {
			case isQuote(c) && quote == 0:
				quote = c
			case c == quote:
				quote = 0
			case !isBlank(c) && !isQuote(c) && (c != '\n' || i == 0 || s[i-1] != '\\'):
				words.clear() // another command
			}
			i++
			continue
		}
		if script && (i == 0 || isBreak(s[i-1])) {
			end := wordEnd(s, i)
			if from := words.next(s[i:end]); from >= 0 {
				from += i
				if from < end && isQuote(s[from]) { // -p'X'
					from++
					end = closing(s, from, s[from-1], false)
				} else if i > 0 && isQuote(s[i-1]) { // -p 'X'
					end = closing(s, from, s[i-1], false)
				}
				e.mark(s, from, end)
				i = end
				continue
			}
		}
		end := nameEnd(s, i)
		if end == i {
			i++
			continue
		}
		if i == 0 || isBound(s[i-1]) {
			if name := s[i:end]; isName(name) && (isHeader(name) || i > 0 && (s[i-1] == '?' || s[i-1] == '&') && isSignature(name)) {
				from, to, ok := value(s, i, end, quote)
				if ok {
					e.mark(s, from, to)
				}
				if to > end {
					if isQuote(s[from-1]) {
						quote = s[from-1]
					} else if isQuote(s[end]) {
						quote = 0
					}
					i = to
					continue
				}
			}
		}
		i = end
	}
	return e.text(s)
}

// edit is a text with parts of it replaced, in their order.
type edit struct {
	b    strings.Builder
	kept int // what comes before is in b
}

func (e *edit) mark(s string, from, to int) {
	if from == to || s[from:to] == Mark {
		return
	}
	e.b.WriteString(s[e.kept:from])
	e.b.WriteString(Mark)
	e.kept = to
}

func (e *edit) text(s string) string {
	if e.kept == 0 {
		return s
	}
	e.b.WriteString(s[e.kept:])
	return e.b.String()
}

// wordEnd returns where the word of a script ends that begins at i.
func wordEnd(s string, i int) int {
	end := i
	for end < len(s) && !isBreak(s[end]) {
		end++
	}
	if end == i+2 && s[i] == '-' && s[i+1] != '\\' && end < len(s) && isQuote(s[end]) { // -p'X'
		end = closing(s, end+1, s[end], false)
	}
	return end
}

// nameEnd returns where what may be a name ends that begins at i.
func nameEnd(s string, i int) int {
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return i
}

// isBreak reports whether a word of a script ends before c.
func isBreak(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '"', '\'', '`', ';', '|', '&', '(', ')', '<', '>':
		return true
	}
	return false
}

// isBound reports whether a name may begin after c.
func isBound(c byte) bool {
	switch c {
	case ',', '{', '}', '[', ']', '=', ':', '?', '#', '\\':
		return true
	}
	return isBreak(c)
}
