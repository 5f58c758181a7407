package main

import (
	"bufio"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/term"
)

// style is how a span of text looks where there is colour. Colour only ever
// repeats what the text says.
type style uint8

const (
	plain style = iota
	bold        // what was asked for
	dim         // labels and what is there for context only
	place       // containers, units, sessions
	alarm       // zombies, what is not known
)

var styleCodes = [...]string{plain: "", bold: "\x1b[1m", dim: "\x1b[2m", place: "\x1b[36m", alarm: "\x1b[33m"}

const styleEnd = "\x1b[0m"

// span is text in one style. The text must be printable, see safe.
type span struct {
	text  string
	style style
}

// screen is where lines of text go.
type screen struct {
	w     *bufio.Writer
	width int // columns, 0 for no limit
	color bool
	ascii bool // it knows no other characters, see ascii
}

// text returns text as the screen can show it. What is measured must be that.
func (s *screen) text(text string) string {
	if s.ascii {
		return ascii(text)
	}
	return text
}

// shown is text for spans.
func (s *screen) shown(spans []span) []span {
	if s.ascii {
		spans = slices.Clone(spans)
		for i := range spans {
			spans[i].text = ascii(spans[i].text)
		}
	}
	return spans
}

// line writes one line, cut at the width of the screen.
func (s *screen) line(spans ...span) {
	spans = s.shown(spans)
	more := s.text("…")
	room := 0
	if s.width > 0 && measure(spans) > s.width {
		room = s.width - columns(more)
	}
	for _, p := range spans {
		text, last := p.text, false
		if room > 0 {
			if n := columns(text); n <= room {
				room -= n
				last = room == 0
			} else {
				text, last = cut(text, room), true
			}
		}
		s.span(text, p.style)
		if last {
			s.span(more, dim)
			break
		}
	}
	_ = s.w.WriteByte('\n') // the writer keeps its error for the end
}

// measure returns how many columns spans take.
func measure(spans []span) int {
	n := 0
	for _, p := range spans {
		n += columns(p.text)
	}
	return n
}

func (s *screen) span(text string, st style) {
	if text == "" {
		return
	}
	if s.color && st != plain {
		_, _ = s.w.WriteString(styleCodes[st])
		defer func() { _, _ = s.w.WriteString(styleEnd) }()
	}
	_, _ = s.w.WriteString(text)
}

// field writes a labelled line, the way that why and doctor show things.
func (s *screen) field(label string, spans ...span) {
	s.line(append([]span{{"  " + pad(label, fieldWidth), dim}}, spans...)...)
}

var longID = regexp.MustCompile(`[0-9a-f]{64}`)

// fitIDs returns the text with the IDs of containers in it cut to the 12 digits
// that people know them by, if it does not fit in the columns that are left of
// the screen.
func (s *screen) fitIDs(text string, used int) string {
	if s.width == 0 || used+columns(text) <= s.width {
		return text
	}
	return longID.ReplaceAllStringFunc(text, func(id string) string { return id[:12] + "…" })
}

// fieldWidth is the width of the labels of field.
const fieldWidth = 12

func pad(text string, width int) string {
	if n := width - columns(text); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}

// table writes rows in columns. The last column is not padded, and cut at the
// width of the screen; those that right names are aligned to the right.
func (s *screen) table(right map[int]bool, rows ...[]span) {
	var widths []int
	rows = slices.Clone(rows)
	for n, row := range rows {
		row = s.shown(row)
		rows[n] = row
		for i, p := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(p.text))
		}
	}
	for _, row := range rows {
		spans := make([]span, 0, 2*len(row))
		for i, p := range row {
			switch {
			case right[i]:
				spans = append(spans, span{strings.Repeat(" ", widths[i]-columns(p.text)), plain}, p)
			case i < len(row)-1:
				spans = append(spans, p, span{strings.Repeat(" ", widths[i]-columns(p.text)), plain})
			default:
				spans = append(spans, p)
			}
			if i < len(row)-1 {
				spans = append(spans, span{"  ", plain})
			}
		}
		s.line(spans...)
	}
}

// commandLine is a command line as the screen shows it: where that cuts lines, the
// program is without its directory.
func (s *screen) commandLine(text string) string {
	program, _, _ := strings.Cut(text, " ")
	if s.width == 0 || strings.HasPrefix(program, "'") || strings.HasPrefix(program, "$'") {
		return text
	}
	return text[strings.LastIndexByte(program, '/')+1:]
}

// fitted cuts what stands in the middle, a command line, so that the end can be
// seen as well.
func (s *screen) fitted(head []span, middle span, tail []span) []span {
	middle.text = s.text(s.commandLine(middle.text))
	if room := s.width - measure(s.shown(head)) - measure(s.shown(tail)); s.width > 0 && columns(middle.text) > room {
		const least = 12
		more := s.text("…")
		middle.text = cut(middle.text, max(room-columns(more), min(least, columns(middle.text)))) + more
	}
	return append(append(head, middle), tail...)
}

// terminalWidth returns the columns of the terminal that w is, 0 for none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return max(width, 20)
}
