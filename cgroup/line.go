package cgroup

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// ErrSyntax is wrapped by the errors for lines that are not of the form that
// the kernel writes.
var ErrSyntax = errors.New("malformed membership line")

// deletedSuffix is what proc_cgroup_show appends to the path of a cgroup on
// the unified hierarchy that was removed while a zombie was still in it.
const deletedSuffix = " (deleted)"

// A Line is one line of /proc/PID/cgroup: the cgroup of a process in one
// hierarchy. The kernel writes it in proc_cgroup_show.
type Line struct {
	// Hierarchy is the hierarchy's ID, 0 for the unified one (cgroup v2).
	Hierarchy int
	// Controllers are the controllers bound to the hierarchy as written,
	// with commas between: "cpu,cpuacct", or "name=systemd" for a named
	// hierarchy. Empty for the unified one.
	Controllers string
	// Path is the cgroup's path from the root of the reader's cgroup
	// namespace. It begins with "/.." if the cgroup is outside of that.
	Path string
	// Deleted tells that the cgroup was removed. Only the unified
	// hierarchy says so, by the suffix " (deleted)", which Path is without.
	// A cgroup whose name really ends so cannot be told from a removed one.
	Deleted bool
}

// Unified reports whether l is the line of the unified hierarchy, cgroup v2.
func (l Line) Unified() bool {
	return l.Hierarchy == 0 && l.Controllers == ""
}

// Has reports whether controller, such as "cpu" or "name=systemd", is bound to
// the hierarchy of l.
func (l Line) Has(controller string) bool {
	for c := range strings.SplitSeq(l.Controllers, ",") {
		if c == controller {
			return c != ""
		}
	}
	return false
}

// String returns the line as the kernel writes it, without the newline.
func (l Line) String() string {
	s := strconv.Itoa(l.Hierarchy) + ":" + l.Controllers + ":" + l.Path
	if l.Deleted {
		s += deletedSuffix
	}
	return s
}

// Lines returns the lines of a membership in the order of the file. For a
// malformed line it yields an error that wraps [ErrSyntax] and names the line,
// and goes on with the next.
func Lines(membership string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		rest := membership
		for n := 1; rest != ""; n++ {
			var text string
			text, rest, _ = strings.Cut(rest, "\n")
			line, err := parseLine(text)
			if err != nil {
				err = fmt.Errorf("line %d, %q: %w", n, text, err)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

func parseLine(text string) (Line, error) {
	f, ok := splitLine(text)
	if !ok {
		return Line{}, fmt.Errorf("not HIERARCHY:CONTROLLERS:/PATH: %w", ErrSyntax)
	}
	return Line{Hierarchy: f.hierarchy, Controllers: f.controllers, Path: f.path, Deleted: f.deleted}, nil
}

// Unified returns the path of a membership's line for the unified hierarchy,
// cgroup v2, as [Line.Path] has it. It does not allocate.
func Unified[T string | []byte](membership T) (path T, ok bool) {
	rest := membership
	for len(rest) > 0 {
		var text T
		text, rest = cutNewline(rest)
		if f, ok := splitLine(text); ok && f.unified() {
			return f.path, true
		}
	}
	return path, false
}

// fields are the parts of one line, of the text that they were cut from.
type fields[T string | []byte] struct {
	hierarchy         int
	controllers, path T
	deleted           bool
}

func (f fields[T]) unified() bool {
	return f.hierarchy == 0 && len(f.controllers) == 0
}

// splitLine cuts a line, without its newline, at its first two colons: paths,
// unlike the other fields, may contain more.
func splitLine[T string | []byte](text T) (f fields[T], ok bool) {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		f.hierarchy = f.hierarchy*10 + int(text[i]-'0')
		if i++; i > 9 {
			return f, false // no ID of a hierarchy has more digits
		}
	}
	if i == 0 || i > 1 && text[0] == '0' || i == len(text) || text[i] != ':' {
		return f, false
	}
	j := i + 1
	for j < len(text) && text[j] != ':' {
		j++
	}
	if j+1 >= len(text) || text[j+1] != '/' {
		return f, false
	}
	f.controllers, f.path = text[i+1:j], text[j+1:]
	if n := len(f.path) - len(deletedSuffix); n > 0 && f.unified() && string(f.path[n:]) == deletedSuffix {
		f.path, f.deleted = f.path[:n], true
	}
	return f, true
}

func cutNewline[T string | []byte](text T) (line, rest T) {
	for i := range len(text) {
		if text[i] == '\n' {
			return text[:i], text[i+1:]
		}
	}
	return text, text[len(text):]
}
