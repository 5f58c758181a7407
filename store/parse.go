package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseQuery adds to the query what the text asks for, as people type it:
// "nginx container:web exit!=0 pid:42 since:10m". Words that are no terms are
// [Text]; a term is a field, one of : = != < <= > >= and a value, and : is =. A
// value with spaces stands in double quotes, and a word may as well: [Quote]
// writes them. Of since and until the value is a time (see [ParseTime]). Its error
// wraps ErrQuery.
func ParseQuery(q *Query, text string, now time.Time) error {
	words, err := split(text)
	if err != nil {
		return err
	}
	for _, w := range words {
		if err := q.add(w, now); err != nil {
			return err
		}
	}
	return nil
}

// A word is a part of a text between spaces.
type word struct {
	text   string
	quoted bool // its beginning is
}

// split divides a text at its spaces. What is in quotes is taken as it is, but for
// \" and \\, and may be a part of a word.
func split(text string) (words []word, err error) {
	var b strings.Builder
	within, begun, quoted, escaped := false, false, false, false
	end := func() {
		if begun {
			words = append(words, word{b.String(), quoted})
		}
		b.Reset()
		begun, quoted = false, false
	}
	for _, r := range text {
		switch {
		case escaped:
			if r != '"' && r != '\\' {
				b.WriteRune('\\') // as \d of a regular expression
			}
			b.WriteRune(r)
			escaped = false
		case within && r == '\\':
			escaped = true
		case r == '"':
			within = !within
			quoted = quoted || !begun
			begun = true
		case !within && (r == ' ' || r == '\t' || r == '\n'):
			end()
		default:
			begun = true
			b.WriteRune(r)
		}
	}
	if within {
		return nil, fmt.Errorf("%w: a quote has no end", ErrQuery)
	}
	end()
	return words, nil
}

// Quote returns the text as one value of [ParseQuery].
func Quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (q *Query) add(w word, now time.Time) error {
	field, op, value, ok := cutTerm(w.text)
	switch {
	case w.quoted || !ok:
		field, op, value = string(Text), Equal, w.text
	case field == "since" || field == "until":
		t, err := ParseTime(value, now)
		if err != nil || op != Equal {
			return fmt.Errorf("%w: %s takes a duration or a time, as since:10m", ErrQuery, field)
		}
		if field == "since" {
			q.Since = t
		} else {
			q.Until = t
		}
		return nil
	case field == "host" && op == Equal:
		if q.Host != "" && q.Host != value {
			return fmt.Errorf("%w: it is about one host or about all, not about %q and %q", ErrQuery, q.Host, value)
		}
		q.Host = value
		return nil
	case field == "ancestor":
		if value == "" || op != Equal {
			return fmt.Errorf("%w: ancestor takes a name, as ancestor:nginx", ErrQuery)
		}
		q.Ancestors = append(q.Ancestors, value)
		return nil
	}
	if value == "" && field == string(Text) {
		return nil // an empty quote
	}
	t, err := ParseTerm(Field(field), op, value)
	if err != nil {
		return err
	}
	q.Filter = append(q.Filter, t)
	return nil
}

// cutTerm divides a term into its parts. It reports false for a word that is none:
// one that does not begin with lower-case letters and an operation.
func cutTerm(text string) (field string, op Op, value string, ok bool) {
	end := strings.IndexFunc(text, func(r rune) bool { return r < 'a' || r > 'z' })
	if end < 1 {
		return "", "", "", false
	}
	for _, o := range []Op{NotEqual, AtMost, AtLeast, Less, More, Equal, ":"} { // the longer ones first
		if rest, found := strings.CutPrefix(text[end:], string(o)); found {
			if o == ":" {
				o = Equal
			}
			return text[:end], o, rest, true
		}
	}
	return "", "", "", false
}

// ParseTime reads a time as people give it: a duration before now ("10m", "36h",
// "7d"), a time of RFC 3339, a date and time or a date of the location of now
// ("2026-01-31 08:15", "2026-01-31"), or a time of its day ("08:15").
func ParseTime(text string, now time.Time) (time.Time, error) {
	if d, err := ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05.999999999", "15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %q is no time: say 10m, 7d, 08:15, 2026-01-31 or 2026-01-31T08:15:00Z", ErrQuery, text)
}

// ParseDuration is [time.ParseDuration], and knows days (d) and weeks (w) as well,
// alone: "7d".
func ParseDuration(text string) (time.Duration, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			if n, err := strconv.ParseUint(number, 10, 64); err == nil && n < 36500/uint64(length/(24*time.Hour)) {
				return time.Duration(n) * length, nil
			}
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no duration: say 90s, 10m, 36h or 7d", ErrQuery, text)
	}
	return d, nil
}
