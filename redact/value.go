package redact

import "strings"

// value returns where in s the value stands of the name s[start:end], which says
// that it is a secret. It reports false where there is none, or it is no secret. To
// is never less than end.
func value(s string, start, end int, quote byte) (from, to int, ok bool) {
	name := s[start:end]
	sep := end
	inQuotes := false
	if q := skipByte(s, end, '\\'); start > 0 && q < len(s) && isQuote(s[q]) && s[start-1] == s[q] { // "name":
		sep, inQuotes, quote = q+1, true, 0
	}
	blank := sep
	sep = skipBlanks(s, sep)
	spaced := sep > blank
	if sep == len(s) || s[sep] != '=' && s[sep] != ':' {
		return end, end, false
	}
	colon := s[sep] == ':'
	if colon && !inQuotes && isPass(name) { // PASS: the test
		return end, end, false
	}
	from = sep + 1
	arrow := false
	if from < len(s) && (!colon && s[from] == '>' || colon && s[from] == '=') { // => and :=
		from, arrow = from+1, true
	} else if from < len(s) && (s[from] == '=' || s[from] == ':') { // a == b, a::b
		return end, end, false
	}
	after := from
	from = skipBlanks(s, from)
	if q := skipByte(s, from, '\\'); q < len(s) && isQuote(s[q]) {
		closes := s[q] == quote && (q+1 == len(s) || isBreak(s[q+1])) // "Password:"
		if closes || !colon && !spaced && from > after {
			return end, end, false
		}
		to = closing(s, q+1, s[q], q > from)
		return q + 1, to, isSecret(name, s[q+1:to])
	}
	switch {
	case arrow:
		return end, end, false
	case isAuthorization(name) || isCookie(name):
		to = lineEnd(s, from)
		if scheme, _, found := strings.Cut(s[from:to], " "); found && isAuthorization(name) && isName(scheme) {
			from = skipBlanks(s, from+len(scheme))
		}
		return from, to, isSecret(name, s[from:to])
	case colon:
		to = valueEnd(s, from)
		if !inQuotes && (spaced || from > after && !opensLine(s[:start])) {
			return end, end, false
		}
		if isPath(s[from:to]) {
			return from, to, false
		}
	case spaced:
		to = valueEnd(s, from)
		if rest := skipBlanks(s, to); rest < len(s) && s[rest] != '\n' && s[rest] != ';' { // an expression
			return end, end, false
		}
	case from > after:
		return end, end, false
	case start > 0 && isQuote(s[start-1]): // 'name=value'
		to = closing(s, from, s[start-1], false)
	default:
		to = valueEnd(s, from)
	}
	return from, to, isSecret(name, s[from:to])
}

// valueEnd returns where a value without quotes ends. What may be part of one ends it
// only where something follows that shows it.
func valueEnd(s string, i int) int {
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == ')' || c == '}' || c == ']':
			if n := i + 1; n == len(s) || isBreak(s[n]) || s[n] == ',' || s[n] == '}' || s[n] == ']' {
				if strings.HasSuffix(s[:n], Mark) {
					continue
				}
				return i
			}
		case c == ',':
			n := nameEnd(s, i+1)
			if n == i+1 && (n == len(s) || isBreak(s[n])) || n > i+1 && n < len(s) && (s[n] == '=' || s[n] == ':') {
				return i
			}
			i = max(i, n-1)
		case c == '(':
		case c == '&', isBreak(c):
			return i
		}
	}
	return len(s)
}

// closing returns where the quote is that ends what begins at i.
func closing(s string, i int, quote byte, escaped bool) int {
	for ; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return i
		case s[i] == '\\' && escaped && i+1 < len(s) && s[i+1] == quote:
			return i
		case s[i] == '\\':
			i++
		}
	}
	return len(s)
}

// lineEnd returns where the line, or what is in quotes, ends.
func lineEnd(s string, i int) int {
	end := len(s)
	if n := strings.IndexAny(s[i:], "\n\"'"); n >= 0 {
		end = i + n
	}
	for end > i && (isBlank(s[end-1]) || s[end-1] == '\\') {
		end--
	}
	return end
}

// opensLine reports whether what comes after s stands where a line, a list or a text
// in quotes begins.
func opensLine(s string) bool {
	s = strings.TrimRight(s, " \t")
	return s == "" || strings.IndexByte("\n{,(=\"'", s[len(s)-1]) >= 0
}

func skipBlanks(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

func skipByte(s string, i int, c byte) int {
	if i < len(s) && s[i] == c {
		i++
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
func isQuote(c byte) bool { return c == '"' || c == '\'' }
