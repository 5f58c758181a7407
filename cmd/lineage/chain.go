package main

import (
	"strconv"
	"strings"

	"github.com/proclineage/lineage/process"
)

func linkOf(p *process.Process) Link {
	return Link{PID: p.ID.PID, ID: p.ID.String(), Name: p.Name, State: p.State.String()}
}

// chainTexts returns the links of the chain as text, the outermost first, with
// "…" before it where more would follow, and behind those that are not known to
// have made the next.
func chainTexts(o *Object) []string {
	var links []string
	if o.ChainComplete != nil && !*o.ChainComplete {
		links = append(links, "…")
	}
	for _, l := range o.Chain {
		links = append(links, linkText(&l))
		if l.Gap {
			links = append(links, "…")
		}
	}
	return links
}

// dead marks a process that has ended.
const dead = "†"

func linkText(l *Link) string {
	text := nameOrUnknown(l.Name) + " " + strconv.Itoa(l.PID)
	if l.State == "ended" {
		text += " " + dead
	}
	return text
}

func nameOrUnknown(name string) string {
	if name == "" {
		return "?"
	}
	return safe(name)
}

const arrow = " → "

// chain writes a chain, broken before its arrows where the screen ends.
func (s *screen) chain(label string, links []string) {
	head, left, room := "", 2, s.width
	if label != "" {
		head, left = "  "+pad(label, fieldWidth), 2+fieldWidth
		room = s.width - left
	}
	lines := s.brokenChain(links, room, s.width-left)
	if label != "" && s.width > 0 {
		for _, line := range lines {
			if columns(line) > room { // it fits further to the left
				s.line(span{"  " + label, dim})
				head, left = "    ", 4
				lines = s.brokenChain(links, s.width-left, s.width-left)
				break
			}
		}
	}
	for i, line := range lines {
		if i > 0 {
			head = strings.Repeat(" ", left)
		}
		s.line(span{head, dim}, span{line, plain})
	}
}

// brokenChain returns the lines of a chain, the first and the rest of so many
// columns, or more where a link is longer.
func (s *screen) brokenChain(links []string, first, rest int) []string {
	arrow := s.text(arrow)
	var lines []string
	line, room := "", first
	for i, link := range links {
		link = s.text(link)
		switch {
		case i == 0:
		case s.width > 0 && columns(line)+columns(arrow+link) > room:
			lines = append(lines, line)
			line, room = strings.TrimPrefix(arrow, " "), rest
		default:
			line += arrow
		}
		line += link
	}
	return append(lines, line)
}

// chainTail returns as much of the end of a chain as fits.
func (s *screen) chainTail(links []string, room int) string {
	text := s.text(strings.Join(links, arrow))
	for len(links) > 1 && s.width > 0 && columns(text) > room {
		links = links[1:]
		text = s.text("…" + arrow + strings.Join(links, arrow))
	}
	return text
}
