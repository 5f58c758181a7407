package main

import "strings"

// sentence is field for a text that is broken between words, and not cut,
// where the screen ends.
func (s *screen) sentence(label, text string, st style) {
	s.prose([]span{{"  " + pad(label, fieldWidth), dim}}, text, st)
}

// leastRoom is how many columns a paragraph should have to itself.
const leastRoom = 16

// prose writes text after a head, broken between words where the screen ends,
// each line as far to the right as the first. Where that would leave it little
// room, the head is drawn together, and the lines begin further to the left.
func (s *screen) prose(head []span, text string, st style) {
	head, text = s.shown(head), s.text(text)
	left := measure(head)
	room := s.width - left
	if s.width == 0 || columns(text) <= room {
		s.line(append(head, span{text, st})...)
		return
	}
	rest := room
	if word := longestWord(text); room < leastRoom || word > room && word <= s.width-4 {
		head, left = drawnTogether(head), 4
		room, rest = s.width-measure(head), s.width-left
	}
	for i, line := range wrap(text, room, rest) {
		if i > 0 {
			head = []span{{strings.Repeat(" ", left), plain}}
		}
		if i == 0 && line == "" {
			head = head[:len(head)-1] // the space before the text
			s.line(head...)
			continue
		}
		s.line(append(head, span{line, st})...)
	}
}

func longestWord(text string) int {
	longest := 0
	for word := range strings.FieldsSeq(text) {
		longest = max(longest, columns(word))
	}
	return longest
}

// drawnTogether returns the spans with one space between them and two before
// them, if there are more.
func drawnTogether(head []span) []span {
	var narrow []span
	lead := ""
	for _, p := range head {
		if len(narrow) == 0 && strings.HasPrefix(p.text, "  ") {
			lead = "  "
		}
		if text := strings.TrimSpace(p.text); text != "" {
			narrow = append(narrow, span{lead + text, p.style}, span{" ", plain})
			lead = ""
		}
	}
	return narrow
}

// wrap breaks text between words into a line of so many columns and others of
// as many as the rest has. A word that is longer is broken.
func wrap(text string, first, rest int) []string {
	var lines []string
	for room := first; ; room = rest {
		if columns(text) <= room {
			return append(lines, text)
		}
		line := cut(text, max(room, 0)+1) // a space may come right after it
		if i := strings.LastIndexByte(line, ' '); i > 0 {
			line = line[:i]
		} else if room < rest {
			line = "" // it has a better place on the next
		} else {
			line = cut(text, max(room, 2)) // a character may be so wide
		}
		lines = append(lines, line)
		text = strings.TrimPrefix(text[len(line):], " ")
	}
}
